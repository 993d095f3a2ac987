"""Enrollments: the wide row, what its steps did, and the narrow row that says when the engine looks next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from drumbeat.domain.access import sees
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import (
    ActionStatus,
    Enrollment,
    FinishedReason,
    Plan,
    State,
    Subject,
)
from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import PersonKind
from drumbeat.domain.variant import Variant
from drumbeat.store import sequences
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Insertion, Record, Rows, Statement
from drumbeat.store.transaction import Snapshot, Tx


def add(tx: Tx, enrollments: Sequence[tuple[Enrollment, int]]) -> None:
    """Store new enrollments, each with the lane its first step waits in."""
    tx.insert(_ADD, [_row(enrollment) for enrollment, _ in enrollments])
    tx.insert(
        _ADD_DUE,
        [(e.account_id, e.id, lane, stamp_or_none(e.due_at)) for e, lane in enrollments],
    )


def save(tx: Tx, account_id: int, changed: Sequence[tuple[Enrollment, int]]) -> frozenset[int]:
    """Store changed enrollments, each given with the revision it was read at; returns the ids stored.

    One that somebody else changed meanwhile is left out: read it again and decide again.
    """
    advanced = [(*_advanced(e), e.id, read) for e, read in changed if _is_plain(e)]
    stored = {row[0] for row in tx.all(_ADVANCE, account_id=account_id, saved=advanced)} if advanced else set()
    others = [(*_state(e), e.id, read) for e, read in changed if e.id not in stored]
    if others:
        stored |= {row[0] for row in tx.all(_SAVE, account_id=account_id, saved=others)}
    return frozenset(stored)


def get(snapshot: Snapshot, account_id: int, id: int, *, seen_by: int | None = None) -> Enrollment:
    """The enrollment, or NotFound; also where only the records of `seen_by` are seen, and it is somebody else's."""
    row = snapshot.first(_GET, account_id=account_id, id=id)
    if row is None or not sees(seen_by, row.actor_id):
        raise NotFound(f"There is no enrollment {id}.")
    return _enrollment(row, _plan(row, sequences.read_run(snapshot, account_id, row[_OWN_COLUMNS:])))


def lock(tx: Tx, account_id: int, ids: Collection[int]) -> list[Enrollment]:
    """The enrollments by id, locked in key order.

    They are read by a second statement: one that waits for a lock still sees the joined rows of before.
    """
    tx.lock(_LOCK, account_id=account_id, sought=[[id] for id in sorted(ids)])
    return find_many(tx, account_id, sorted(ids))


def lock_revisions(tx: Tx, account_id: int, ids: Collection[int]) -> dict[int, int]:
    """Lock enrollments in key order, where stop and send meet, and tell only their revisions, by id."""
    rows = tx.all(_LOCK, account_id=account_id, sought=[[id] for id in sorted(ids)])
    return {row[0]: row[1] for row in rows}


def find_many(snapshot: Snapshot, account_id: int, ids: Sequence[int]) -> list[Enrollment]:
    """Those of these enrollments that exist, by id."""
    return load(snapshot, account_id, snapshot.all(_FIND, account_id=account_id, sought=[[id] for id in ids]))


def bind(tx: Tx, account_id: int, mailbox_id: int, ids: Sequence[int]) -> None:
    """Let locked enrollments send from this mailbox for good, unless they do from one already."""
    tx.run(_BIND, account_id=account_id, mailbox_id=mailbox_id, bound=[[id] for id in ids])


def ongoing_of_person(
    snapshot: Snapshot, account_id: int, kind: PersonKind, id: int, sequence_ids: Sequence[int]
) -> list[int]:
    """Ids of a person's ongoing enrollments, in these sequences or (empty) in all."""
    rows = snapshot.all(_OF_PERSON, account_id=account_id, kind=kind.value, id=id)
    wanted = frozenset(sequence_ids)
    return [row[0] for row in rows if not wanted or wanted & {row[1], row[2]}]


def ongoing_of_address(snapshot: Snapshot, account_id: int, address_hash: str) -> list[int]:
    """Ids of the ongoing enrollments of an address key, lead's or contact's."""
    rows = snapshot.all(_OF_ADDRESS, account_id=account_id, address_hash=address_hash)
    return [row[0] for row in rows]


def sequences_of_address(snapshot: Snapshot, account_id: int, address_hash: str) -> frozenset[int]:
    """Ids of the sequences in which an enrollment runs for this address key."""
    rows = snapshot.all(_SEQUENCES_OF_ADDRESS, account_id=account_id, address_hash=address_hash)
    return frozenset(id for row in rows for id in row)


def readdress(tx: Tx, account_id: int, address_hash: str | None, ids: Sequence[int]) -> None:
    """Let enrollments follow their person to another address; a letter frozen for the old one will not go."""
    sought = [[id] for id in ids]
    tx.run(_READDRESS, account_id=account_id, address_hash=address_hash, sought=sought, now=to_stamp(tx.now))


def link(tx: Tx, account_id: int, ended_id: int, going_on_id: int) -> None:
    """Let one enrollment go on with what another one began, from the same mailbox."""
    tx.run(_GOES_ON, account_id=account_id, ended_id=ended_id, going_on_id=going_on_id)
    tx.run(_GONE_ON, account_id=account_id, ended_id=ended_id, going_on_id=going_on_id)


def latest_in_sequence(
    snapshot: Snapshot, account_id: int, sequence_id: int, kind: PersonKind, people: Sequence[tuple[int, str | None]]
) -> Rows:
    """For enrolling: the enrollments of each (person id, address hash) that name or run the sequence, newest first.

    Rows of (person id, enrollment id, variant, state, created at, finished reason).
    """
    return snapshot.all(_LATEST, account_id=account_id, kind=kind.value, people=people, sequence_id=sequence_id)


def list_waiting(snapshot: Snapshot, account_id: int, sequence_id: int, after: int, limit: int) -> list[Enrollment]:
    """Ongoing enrollments that run this sequence, by id: for carrying a change to them in batches."""
    rows = snapshot.all(_WAITING, account_id=account_id, sequence_id=sequence_id, after=after, limit=limit)
    return load(snapshot, account_id, rows)


def load(snapshot: Snapshot, account_id: int, rows: Rows) -> list[Enrollment]:
    """Enrollments from their rows, with the plans they follow."""
    runs = {(row.runs_sequence_id, row.version) for row in rows}
    if not runs:
        return []
    found = sequences.find_runs(snapshot, account_id, sorted(runs))
    plans: dict[tuple[Any, ...], Plan] = {}
    loaded = []
    for row in rows:
        key = (row.runs_sequence_id, row.version, row.zone, row.recipient_zone, row.task_zone)
        plan = plans.get(key)
        if plan is None:
            plan = plans[key] = _plan(row, found[row.runs_sequence_id, row.version])
        loaded.append(_enrollment(row, plan))
    return loaded


def _plan(row: Record, run: sequences.Run) -> Plan:
    settings, steps = run
    return Plan(steps, settings.rhythm(row.zone, row.recipient_zone), settings.paused_at is not None, row.task_zone)


def with_live_plans(snapshot: Snapshot, account_id: int, held: Sequence[Enrollment]) -> list[Enrollment]:
    """Enrollments read a while ago, with what is live in their plans (pause, windows, holidays) as of now."""
    found = sequences.find_many(snapshot, account_id, sorted({e.subject.runs_sequence_id for e in held}))
    plans: dict[tuple[Any, ...], Plan] = {}
    live = []
    for enrollment in held:
        subject, plan = enrollment.subject, enrollment.plan
        key = (subject.runs_sequence_id, subject.zone, subject.recipient_zone, id(plan))
        if key not in plans:
            sequence = found[subject.runs_sequence_id]
            rhythm = sequence.rhythm(subject.zone, subject.recipient_zone)
            now = replace(plan, rhythm=rhythm, paused=sequence.paused_at is not None)
            plans[key] = plan if now == plan else now
        live.append(enrollment if plans[key] is plan else structs.replace(enrollment, plan=plans[key]))
    return live


def _enrollment(row: Record, plan: Plan) -> Enrollment:
    subject = Subject(
        actor_id=row[2],
        resource_type=PersonKind(row[3]),
        resource_id=row[4],
        address_hash=row[5],
        sequence_id=row[6],
        runs_sequence_id=row[7],
        version=row[8],
        variant=None if row[9] is None else Variant(row[9]),
        mailbox_id=row[10],
        zone=row[11],
        recipient_zone=row[12],
    )
    return Enrollment(
        account_id=row[0],
        id=row[1],
        subject=subject,
        plan=plan,
        state=State(row[13]),
        position=row[14],
        status=ActionStatus(row[15]),
        anchor_at=from_stamp(row[16]),
        ready_at=from_stamp(row[17]),
        failure_reason=None if row[18] is None else FailureReason(row[18]),
        failure_detail=row[19],
        in_doubt=bool(row[20]),
        task_id=row[21],
        finished_at=instant_or_none(row[22]),
        finished_reason=None if row[23] is None else FinishedReason(row[23]),
        finished_actor_id=row[24],
        revision=row[25],
        created_at=from_stamp(row[26]),
        updated_at=from_stamp(row[27]),
        due_at=instant_or_none(row[28]),
        continues_id=row[29],
        continued_by_id=row[30],
        has_turn=row[31] is not None,
    )


def _state(e: Enrollment) -> tuple[Any, ...]:
    return (
        e.state.value,
        e.position,
        e.status.value,
        to_stamp(e.anchor_at),
        to_stamp(e.ready_at),
        e.failure_reason and e.failure_reason.value,
        e.failure_detail,
        e.in_doubt,
        e.task_id,
        stamp_or_none(e.finished_at),
        e.finished_reason and e.finished_reason.value,
        e.finished_actor_id,
        e.revision,
        to_stamp(e.updated_at),
    )


def _is_plain(e: Enrollment) -> bool:
    """Whether it goes on as most do: with no failure, no doubt and no task."""
    is_clear = e.failure_reason is None and e.failure_detail is None and not e.in_doubt and e.task_id is None
    return is_clear and e.state is State.ACTIVE


def _advanced(e: Enrollment) -> tuple[Any, ...]:
    return e.position, e.status.value, to_stamp(e.anchor_at), to_stamp(e.ready_at), e.revision, to_stamp(e.updated_at)


def _row(e: Enrollment) -> tuple[Any, ...]:
    s = e.subject
    return (
        e.account_id,
        e.id,
        s.actor_id,
        s.resource_type.value,
        s.resource_id,
        s.address_hash,
        s.sequence_id,
        s.runs_sequence_id,
        s.version,
        s.variant and s.variant.value,
        s.zone,
        s.recipient_zone,
        *_state(e),
        to_stamp(e.created_at),
    )


_STATE = (
    "state text, position int, status text, anchor_at bigint, ready_at bigint, failure_reason text, "
    "failure_detail text, in_doubt boolean, task_id int, finished_at bigint, finished_reason text, "
    "finished_actor_id int, revision int, updated_at bigint"
)
_ADD = Insertion(
    "enrollments",
    "account_id int, id int, actor_id int, resource_type text, resource_id int, address_hash text, "
    "sequence_id int, runs_sequence_id int, version int, variant text, zone text, recipient_zone text, "
    f"{_STATE}, created_at bigint",
)
_ADD_DUE = Insertion("due", "account_id int, enrollment_id int, lane_id int, due_at bigint")
_ADVANCED = "position int, status text, anchor_at bigint, ready_at bigint, revision int, updated_at bigint"


def _assigned(columns: str) -> str:
    return ", ".join(f"{name} = saved.{name}" for name, _ in (column.split() for column in columns.split(", ")))


# SQLite writes every index anew that has a column which is set, whatever it was before: so most rows set few.
_ADVANCE = Statement(f"""
    UPDATE enrollments SET {_assigned(_ADVANCED)}
    FROM {{saved: {_ADVANCED}, id int, read_at int}} AS saved
    WHERE enrollments.account_id = :account_id AND {{key: enrollments.id = saved.id}}
        AND enrollments.revision = saved.read_at
        AND enrollments.state = 'active' AND enrollments.task_id IS NULL AND NOT enrollments.in_doubt
        AND enrollments.failure_reason IS NULL AND enrollments.failure_detail IS NULL
    RETURNING enrollments.id
""")
_SAVE = Statement(f"""
    UPDATE enrollments SET {_assigned(_STATE)}
    FROM {{saved: {_STATE}, id int, read_at int}} AS saved
    WHERE enrollments.account_id = :account_id AND {{key: enrollments.id = saved.id}}
        AND enrollments.revision = saved.read_at
    RETURNING enrollments.id
""")
_BIND = Statement("""
    UPDATE enrollments SET mailbox_id = coalesce(mailbox_id, :mailbox_id)
    WHERE account_id = :account_id AND id {in: SELECT id FROM {bound: id int} AS bound :in}
""")
_GOES_ON = Statement("""
    UPDATE enrollments SET continues_id = :ended_id,
        mailbox_id = (SELECT e.mailbox_id FROM enrollments e WHERE e.account_id = :account_id AND e.id = :ended_id)
    WHERE account_id = :account_id AND id = :going_on_id
""")
_GONE_ON = Statement("""
    UPDATE enrollments SET continued_by_id = :going_on_id WHERE account_id = :account_id AND id = :ended_id
""")
_COLUMNS = """
    e.account_id, e.id, e.actor_id, e.resource_type, e.resource_id, e.address_hash, e.sequence_id,
    e.runs_sequence_id, e.version, e.variant, e.mailbox_id, e.zone, e.recipient_zone, e.state, e.position,
    e.status, e.anchor_at, e.ready_at, e.failure_reason, e.failure_detail, e.in_doubt, e.task_id,
    e.finished_at, e.finished_reason, e.finished_actor_id, e.revision, e.created_at, e.updated_at, d.due_at,
    e.continues_id, e.continued_by_id, d.came_due_at,
    coalesce(u.time_zone, a.time_zone) AS task_zone
"""
_AROUND = """
    JOIN accounts a ON a.id = e.account_id
    JOIN users u ON u.account_id = e.account_id AND u.id = e.actor_id
    LEFT JOIN due d ON d.account_id = e.account_id AND d.enrollment_id = e.id
"""
_OWN_COLUMNS = 33  # those of the enrollment; the run's stand behind them
_GET = Statement(f"""
    SELECT {_COLUMNS}, {sequences.RUN_COLUMNS} FROM enrollments e {_AROUND}
    JOIN versions run ON run.account_id = e.account_id AND run.sequence_id = e.runs_sequence_id
        AND run.number = e.version
    {sequences.RUN_JOINED}
    WHERE e.account_id = :account_id AND e.id = :id
""")
_FIND = Statement(f"""
    SELECT {_COLUMNS} FROM {{sought: id int}} AS sought
    JOIN enrollments e ON e.account_id = :account_id AND {{key: e.id = sought.id}} {_AROUND} ORDER BY e.id
""")
_LOCK = Statement("""
    SELECT e.id, e.revision FROM enrollments e
    WHERE e.account_id = :account_id AND e.id {in: SELECT id FROM {sought: id int} AS sought :in}
    ORDER BY e.id {lock}
""")
_OF_PERSON = Statement("""
    SELECT id, sequence_id, runs_sequence_id FROM enrollments
    WHERE account_id = :account_id AND resource_type = :kind AND resource_id = :id AND state <> 'finished'
    ORDER BY id
""")
_OF_ADDRESS = Statement("""
    SELECT id FROM enrollments
    WHERE account_id = :account_id AND address_hash = :address_hash AND state <> 'finished' ORDER BY id
""")
_SEQUENCES_OF_ADDRESS = Statement("""
    SELECT sequence_id, runs_sequence_id FROM enrollments
    WHERE account_id = :account_id AND address_hash = :address_hash AND state <> 'finished'
""")
_READDRESS = Statement("""
    UPDATE enrollments SET address_hash = :address_hash, revision = revision + 1, updated_at = :now
    WHERE account_id = :account_id AND id {in: SELECT id FROM {sought: id int} AS sought :in}
""")
# Written so that no index on the sequence is taken: the people are few, a sequence's enrollments are not.
_IN_SEQUENCE = "(e.sequence_id + 0 = :sequence_id OR e.runs_sequence_id + 0 = :sequence_id)"
_LATEST = Statement(f"""
    SELECT sought.person_id, e.id, e.variant, e.state, e.created_at, e.finished_reason
    FROM {{people: person_id int, address_hash text}} AS sought
    JOIN enrollments e ON e.account_id = :account_id AND e.resource_type = :kind
        AND {{key: e.resource_id = sought.person_id}} AND {_IN_SEQUENCE}
    UNION
    SELECT known.person_id, e.id, e.variant, e.state, e.created_at, e.finished_reason
    FROM {{people: person_id int, address_hash text}} AS known
    JOIN enrollments e ON e.account_id = :account_id AND {{key: e.address_hash = known.address_hash}}
        AND {_IN_SEQUENCE}
    ORDER BY 2 DESC
""")
_WAITING = Statement(f"""
    SELECT {_COLUMNS} FROM enrollments e {_AROUND}
    WHERE e.account_id = :account_id AND e.runs_sequence_id = :sequence_id AND e.state <> 'finished'
        AND e.id > :after
    ORDER BY e.id LIMIT :limit
""")
