"""Changes of a whole sequence, carried to its waiting enrollments in bounded batches, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx


class ReplanKind(StrEnum):
    """What waiting enrollments have to be told."""

    FREEZE = "freeze"
    THAW = "thaw"
    RHYTHM = "rhythm"


@dataclass(frozen=True, slots=True)
class Replan:
    """One such change, and how far it was carried (`after_enrollment_id`)."""

    account_id: int
    sequence_id: int
    number: int
    kind: ReplanKind
    frozen_at: datetime | None
    at: datetime
    after_enrollment_id: int


def add(tx: Tx, account_id: int, sequence_id: int, kind: ReplanKind, frozen_at: datetime | None = None) -> None:
    """Queue a change behind those of the sequence not yet carried out."""
    tx.ring()
    tx.run(
        _ADD,
        account_id=account_id,
        sequence_id=sequence_id,
        kind=kind.value,
        frozen_at=stamp_or_none(frozen_at),
        now=to_stamp(tx.now),
    )


def find_next(snapshot: Snapshot) -> Replan | None:
    """The change to carry on with, of any account, or None: each sequence's in order, one not begun first,
    so that a short one does not wait for a long one."""
    row = snapshot.first(_NEXT)
    if row is None:
        return None
    return Replan(
        account_id=row.account_id,
        sequence_id=row.sequence_id,
        number=row.number,
        kind=ReplanKind(row.kind),
        frozen_at=instant_or_none(row.frozen_at),
        at=from_stamp(row.at),
        after_enrollment_id=row.after_enrollment_id,
    )


def lock(tx: Tx, replan: Replan) -> bool:
    """Take a change for this transaction; False if another worker has it or carried it on meanwhile."""
    row = tx.first(
        _LOCK,
        account_id=replan.account_id,
        sequence_id=replan.sequence_id,
        number=replan.number,
        kind=replan.kind.value,
        at=to_stamp(replan.at),
        after=replan.after_enrollment_id,
    )
    return row is not None


def is_paused_after(snapshot: Snapshot, replan: Replan) -> bool:
    """Whether another pause, or the end of this one, is queued behind the change."""
    row = snapshot.first(
        _PAUSED_AFTER,
        account_id=replan.account_id,
        sequence_id=replan.sequence_id,
        number=replan.number,
    )
    return row is not None


def leased_among(snapshot: Snapshot, account_id: int, enrollment_ids: Sequence[int]) -> frozenset[int]:
    """Those of these enrollments that a worker holds now."""
    sought = [[id] for id in enrollment_ids]
    rows = snapshot.all(_LEASED, account_id=account_id, sought=sought, now=to_stamp(snapshot.now))
    return frozenset(row[0] for row in rows)


def carry(tx: Tx, replan: Replan, last_enrollment_id: int | None) -> None:
    """Note how far it was carried; None: to the end."""
    statement = _DONE if last_enrollment_id is None else _CARRIED
    parameters = {} if last_enrollment_id is None else {"after": last_enrollment_id}
    tx.run(
        statement,
        account_id=replan.account_id,
        sequence_id=replan.sequence_id,
        number=replan.number,
        **parameters,
    )


_ADD = Statement("""
    INSERT INTO replans (account_id, sequence_id, number, kind, frozen_at, at)
    VALUES (:account_id, :sequence_id, (
        SELECT coalesce(max(number), 0) + 1 FROM replans
        WHERE account_id = :account_id AND sequence_id = :sequence_id
    ), :kind, :frozen_at, :now)
""")
# A number comes back once its change was carried to the end: kind and instant tell two such changes apart.
_NEXT = Statement("""
    SELECT r.account_id, r.sequence_id, r.number, r.kind, r.frozen_at, r.at, r.after_enrollment_id
    FROM replans r WHERE NOT EXISTS (
        SELECT 1 FROM replans earlier WHERE earlier.account_id = r.account_id
            AND earlier.sequence_id = r.sequence_id AND earlier.number < r.number
    ) ORDER BY r.after_enrollment_id > 0, r.at, r.account_id, r.sequence_id LIMIT 1
""")
_WHERE = "WHERE account_id = :account_id AND sequence_id = :sequence_id AND number = :number"
_LOCK = Statement(f"""
    SELECT number FROM replans {_WHERE} AND kind = :kind AND at = :at AND after_enrollment_id = :after
    {{skip locked}}
""")
_PAUSED_AFTER = Statement("""
    SELECT number FROM replans WHERE account_id = :account_id AND sequence_id = :sequence_id
        AND number > :number AND kind <> 'rhythm' LIMIT 1
""")
_LEASED = Statement("""
    SELECT d.enrollment_id FROM {sought: id int} AS sought
    JOIN due d ON d.account_id = :account_id AND {key: d.enrollment_id = sought.id}
    WHERE d.lease_until >= :now
""")
_CARRIED = Statement(f"UPDATE replans SET after_enrollment_id = :after {_WHERE}")
_DONE = Statement(f"DELETE FROM replans {_WHERE}")
