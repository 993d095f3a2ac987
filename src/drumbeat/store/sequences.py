"""Sequences with their live settings, and the immutable versions enrollments run."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from collections.abc import Sequence as Several
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

import msgspec

from drumbeat.domain.calendar import Window
from drumbeat.domain.errors import NotFound
from drumbeat.domain.sequence import (
    Sequence,
    SequenceStatus,
    Split,
    Step,
    Unsubscribing,
    Version,
    WindowZone,
)
from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Record, Statement
from drumbeat.store.templates import holidays_of
from drumbeat.store.transaction import Snapshot, Tx

Run = tuple[Sequence, tuple[Step, ...]]
"""A sequence with the steps of one of its versions."""

_MICROSECOND = timedelta(microseconds=1)


def add(tx: Tx, sequence: Sequence) -> Sequence:
    """A new sequence; its id is taken here."""
    sequence = replace(sequence, id=take_ids(tx, sequence.account_id, "sequence"))
    tx.run(_ADD, **_parameters(tx, sequence))
    return sequence


def save(tx: Tx, sequence: Sequence) -> None:
    """Store a sequence's settings; its steps change by publishing only."""
    tx.run(_SAVE, **_parameters(tx, sequence))


def set_status(tx: Tx, sequence: Sequence, status: SequenceStatus) -> None:
    """Change the status; pausing notes since when."""
    paused_at = to_stamp(tx.now) if status is SequenceStatus.PAUSED else None
    tx.run(
        _SET_STATUS,
        account_id=sequence.account_id,
        id=sequence.id,
        status=status.value,
        paused_at=paused_at,
        now=to_stamp(tx.now),
    )


def get(snapshot: Snapshot, account_id: int, id: int) -> Sequence:
    """The sequence, or NotFound."""
    sequence = find(snapshot, account_id, id)
    if sequence is None:
        raise NotFound(f"There is no sequence {id}.")
    return sequence


def find(snapshot: Snapshot, account_id: int, id: int) -> Sequence | None:
    """The sequence, or None."""
    return find_many(snapshot, account_id, [id]).get(id)


def find_many(snapshot: Snapshot, account_id: int, ids: Several[int]) -> dict[int, Sequence]:
    """Those of these sequences that exist, by id."""
    known = _known(snapshot, account_id)
    sought = [[id] for id in ids if id not in known]
    rows = snapshot.all(_FIND, account_id=account_id, sought=sought) if sought else []
    known.update((row.id, _sequence(account_id, row)) for row in rows)
    return {id: known[id] for id in ids if id in known}


def find_runs(snapshot: Snapshot, account_id: int, keys: Several[tuple[int, int]]) -> dict[tuple[int, int], Run]:
    """Sequences with the steps of one of their versions, by (sequence id, number)."""
    rows = snapshot.all(_FIND_RUNS, account_id=account_id, sought=keys)
    return {(row.id, row.run): read_run(snapshot, account_id, row) for row in rows}


def read_run(snapshot: Snapshot, account_id: int, columns: Iterable[Any]) -> Run:
    """What a statement of another table selected as RUN_COLUMNS."""
    row, known = _RUN(*columns), _known(snapshot, account_id)
    if row.id not in known:
        known[row.id] = _sequence(account_id, row)
    return known[row.id], _steps(row.steps)


def _known(snapshot: Snapshot, account_id: int) -> dict[int, Sequence]:
    """The account's sequences that this snapshot has read; of a transaction that writes none is kept."""
    return {} if snapshot.memory is None else snapshot.memory.setdefault((__name__, account_id), {})


def lock(tx: Tx, account_id: int, id: int) -> Sequence:
    """The sequence with its row locked, or NotFound: its changes come one after the other."""
    tx.first(_LOCK, account_id=account_id, id=id)
    return get(tx, account_id, id)


def list_all(snapshot: Snapshot, account_id: int) -> list[Sequence]:
    """The account's sequences by id."""
    return [_sequence(account_id, row) for row in snapshot.all(_LIST, account_id=account_id)]


def publish(tx: Tx, sequence: Sequence, steps: Several[Step]) -> Version:
    """Make the next version; new enrollments run it, running ones keep theirs."""
    number = sequence.version + 1
    tx.run(
        _ADD_VERSION,
        account_id=sequence.account_id,
        sequence_id=sequence.id,
        number=number,
        steps=msgspec.json.encode(tuple(steps)).decode(),
        steps_total=len(steps),
        now=to_stamp(tx.now),
    )
    tx.run(
        _SET_VERSION,
        account_id=sequence.account_id,
        id=sequence.id,
        version=number,
        now=to_stamp(tx.now),
    )
    return Version(sequence.account_id, sequence.id, number, tuple(steps))


def find_versions(
    snapshot: Snapshot, account_id: int, keys: Several[tuple[int, int]]
) -> dict[tuple[int, int], Version]:
    """Versions by (sequence id, number)."""
    rows = snapshot.all(_FIND_VERSIONS, account_id=account_id, sought=keys)
    return {
        (row.sequence_id, row.number): Version(account_id, row.sequence_id, row.number, _steps(row.steps))
        for row in rows
    }


def get_version(snapshot: Snapshot, account_id: int, sequence_id: int, number: int) -> Version:
    """One version, or NotFound."""
    versions = find_versions(snapshot, account_id, [(sequence_id, number)])
    if not versions:
        raise NotFound(f"Sequence {sequence_id} has no version {number}.")
    return versions[sequence_id, number]


def assigned_variants(snapshot: Snapshot, account_id: int, experiment: int, hashes: Several[str]) -> dict[str, str]:
    """The variants people got before, by address hash."""
    rows = snapshot.all(_ASSIGNED, account_id=account_id, experiment=experiment, sought=[[each] for each in hashes])
    return {row[0]: row[1] for row in rows}


def assign_variants(tx: Tx, account_id: int, experiment: int, assigned: Several[tuple[str, str]]) -> None:
    """Keep (address hash, variant) for ever."""
    tx.run(_ASSIGN, account_id=account_id, experiment=experiment, assigned=assigned, now=to_stamp(tx.now))


@lru_cache(maxsize=512)
def _steps(text: str) -> tuple[Step, ...]:
    return msgspec.json.decode(text, type=tuple[Step, ...])


@lru_cache(maxsize=512)
def _windows(text: str) -> tuple[Window, ...]:
    return msgspec.json.decode(text, type=tuple[Window, ...])


@lru_cache(maxsize=512)
def _sequence(account_id: int, row: Record) -> Sequence:
    split = None if row.variant_b_id is None else Split(row.variant_b_id, row.variant_share)
    return Sequence(
        account_id=account_id,
        id=row.id,
        name=row.name,
        status=SequenceStatus(row.status),
        creator_id=row.creator_id,
        version=row.version,
        steps_total=row.steps_total or 0,
        time_zone=row.time_zone,
        default_actor_id=row.default_actor_id,
        calendar_id=row.calendar_id,
        holidays=holidays_of(row.country, row.region, row.days),
        windows=_windows(row.windows),
        window_zone=WindowZone(row.window_zone),
        unsubscribing=Unsubscribing(bool(row.unsubscribe_enabled), row.unsubscribe_locale),
        split=split,
        reenroll_after=None if row.reenroll_after is None else row.reenroll_after * _MICROSECOND,
        paused_at=None if row.paused_at is None else from_stamp(row.paused_at),
        created_at=from_stamp(row.created_at),
        updated_at=from_stamp(row.updated_at),
    )


def _parameters(tx: Tx, sequence: Sequence) -> dict[str, Any]:
    reenroll_after = sequence.reenroll_after
    return {
        "account_id": sequence.account_id,
        "id": sequence.id,
        "name": sequence.name,
        "status": sequence.status.value,
        "creator_id": sequence.creator_id,
        "time_zone": sequence.time_zone,
        "default_actor_id": sequence.default_actor_id,
        "calendar_id": sequence.calendar_id,
        "windows": msgspec.json.encode(sequence.windows).decode(),
        "window_zone": sequence.window_zone.value,
        "unsubscribe_enabled": sequence.unsubscribing.enabled,
        "unsubscribe_locale": sequence.unsubscribing.locale,
        "variant_b_id": sequence.split and sequence.split.variant_b_id,
        "variant_share": sequence.split and sequence.split.share,
        "reenroll_after": None if reenroll_after is None else reenroll_after // _MICROSECOND,
        "now": to_stamp(tx.now),
    }


# Paused at: also while a pause that is over has not yet reached every enrollment; what it has not reached
# would otherwise leave before the rest of its delay is given back.
_COLUMNS = """
    s.id, s.name, s.status, s.creator_id, s.version, v.steps_total, s.time_zone, s.default_actor_id,
    s.calendar_id, c.country, c.region, c.days, s.windows, s.window_zone, s.unsubscribe_enabled,
    s.unsubscribe_locale, s.variant_b_id, s.variant_share, s.reenroll_after, s.created_at,
    s.updated_at, coalesce(s.paused_at, (
        SELECT r.at FROM replans r
        WHERE r.account_id = s.account_id AND r.sequence_id = s.id AND r.kind = 'freeze'
        ORDER BY r.number LIMIT 1
    )) AS paused_at
"""
_JOINED = """
    LEFT JOIN versions v ON v.account_id = s.account_id AND v.sequence_id = s.id AND v.number = s.version
    LEFT JOIN calendars c ON c.account_id = s.account_id AND c.id = s.calendar_id
"""
RUN_COLUMNS = f"{_COLUMNS}, run.number AS run, run.steps"
RUN_JOINED = f"JOIN sequences s ON s.account_id = run.account_id AND s.id = run.sequence_id {_JOINED}"
"""For statements of other tables: the sequence and the version `run` that is joined before."""
_RUN: Any = namedtuple(
    "_RUN",
    "id name status creator_id version steps_total time_zone default_actor_id calendar_id country region days windows"
    " window_zone unsubscribe_enabled unsubscribe_locale variant_b_id variant_share reenroll_after created_at"
    " updated_at paused_at run steps",
)
_FIND = Statement(f"""
    SELECT {_COLUMNS} FROM {{sought: id int}} AS sought
    JOIN sequences s ON s.account_id = :account_id AND s.id = sought.id {_JOINED}
""")
_FIND_RUNS = Statement(f"""
    SELECT {RUN_COLUMNS} FROM {{sought: sequence_id int, number int}} AS sought
    JOIN versions run ON run.account_id = :account_id AND run.sequence_id = sought.sequence_id
        AND run.number = sought.number
    {RUN_JOINED}
""")
_LOCK = Statement("SELECT id FROM sequences WHERE account_id = :account_id AND id = :id {lock}")
_LIST = Statement(f"SELECT {_COLUMNS} FROM sequences s {_JOINED} WHERE s.account_id = :account_id ORDER BY s.id")
_ADD = Statement("""
    INSERT INTO sequences (account_id, id, name, status, creator_id, time_zone, default_actor_id,
        calendar_id, windows, window_zone, unsubscribe_enabled, unsubscribe_locale, variant_b_id,
        variant_share, reenroll_after, created_at, updated_at)
    VALUES (:account_id, :id, :name, :status, :creator_id, :time_zone, :default_actor_id, :calendar_id,
        :windows, :window_zone, :unsubscribe_enabled, :unsubscribe_locale, :variant_b_id, :variant_share,
        :reenroll_after, :now, :now)
""")
_SAVE = Statement("""
    UPDATE sequences SET name = :name, time_zone = :time_zone, default_actor_id = :default_actor_id,
        calendar_id = :calendar_id, windows = :windows, window_zone = :window_zone,
        unsubscribe_enabled = :unsubscribe_enabled, unsubscribe_locale = :unsubscribe_locale,
        variant_b_id = :variant_b_id, variant_share = :variant_share, reenroll_after = :reenroll_after,
        updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_SET_STATUS = Statement("""
    UPDATE sequences SET status = :status, paused_at = :paused_at, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_ADD_VERSION = Statement("""
    INSERT INTO versions (account_id, sequence_id, number, steps, steps_total, published_at)
    VALUES (:account_id, :sequence_id, :number, :steps, :steps_total, :now)
""")
_SET_VERSION = Statement("""
    UPDATE sequences SET version = :version, updated_at = :now WHERE account_id = :account_id AND id = :id
""")
_FIND_VERSIONS = Statement("""
    SELECT v.sequence_id, v.number, v.steps FROM {sought: sequence_id int, number int} AS sought
    JOIN versions v ON v.account_id = :account_id AND v.sequence_id = sought.sequence_id
        AND v.number = sought.number
""")
_ASSIGNED = Statement("""
    SELECT v.address_hash, v.variant FROM {sought: address_hash text} AS sought
    JOIN variants v ON v.account_id = :account_id AND v.experiment = :experiment
        AND {key: v.address_hash = sought.address_hash}
""")
_ASSIGN = Statement("""
    INSERT INTO variants (account_id, experiment, address_hash, variant, created_at)
    SELECT :account_id, :experiment, assigned.address_hash, assigned.variant, :now
    FROM {assigned: address_hash text, variant text} AS assigned WHERE true
    ON CONFLICT (account_id, experiment, address_hash) DO NOTHING
""")
