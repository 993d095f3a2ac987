"""When the engine looks at an enrollment next, and who is looking: the one table the worker lives on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from drumbeat.store.quarantine import LOST_UNTIL
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Rows, Statement
from drumbeat.store.transaction import Snapshot, Tx


class Due(Struct, frozen=True):
    """An enrollment whose instant has come; `attempt` counts the tries of its present step. With `came_due_at`
    the instant is the turn that its mailbox's limits gave it."""

    enrollment_id: int
    due_at: datetime
    attempt: int
    first_tried_at: datetime | None
    came_due_at: datetime | None = None


class Waiting(Struct, frozen=True):
    """When and in which lane an enrollment is looked at next (None: something else must happen first); with
    `came_due_at` that is the turn that its mailbox's limits gave it."""

    enrollment_id: int
    lane_id: int
    due_at: datetime | None
    attempt: int = 0
    first_tried_at: datetime | None = None
    came_due_at: datetime | None = None


def claim(tx: Tx, account_id: int, lane_id: int, *, limit: int, token: str, lease_until: datetime) -> list[Due]:
    """Lease the lane's oldest due enrollments, at most `limit`, to whoever holds `token`.

    A lease that ran out is not taken over: the reaper ends it, together with the letter it was for.
    """
    rows = tx.all(
        CLAIM,
        account_id=account_id,
        lane_id=lane_id,
        now=to_stamp(tx.now),
        limit=limit,
        token=token,
        lease_until=to_stamp(lease_until),
    )
    found = [Due(row[0], from_stamp(row[1]), row[2], instant_or_none(row[3]), instant_or_none(row[4])) for row in rows]
    return sorted(found, key=lambda each: (each.due_at, each.enrollment_id))


def plan(tx: Tx, account_id: int, waiting: Sequence[Waiting]) -> None:
    """Store when enrollments are looked at next; a lease on them ends."""
    rows = [
        (
            w.enrollment_id,
            w.lane_id,
            stamp_or_none(w.due_at),
            w.attempt,
            stamp_or_none(w.first_tried_at),
            stamp_or_none(w.came_due_at),
        )
        for w in waiting
    ]
    tx.run(_PLAN, account_id=account_id, planned=rows)


def remove(tx: Tx, account_id: int, enrollment_ids: Sequence[int]) -> None:
    """Forget enrollments that ended."""
    tx.run(_REMOVE, account_id=account_id, ended=[[id] for id in enrollment_ids])


def release(tx: Tx, account_id: int, enrollment_ids: Sequence[int]) -> None:
    """End the leases on these enrollments and leave their instants as they are."""
    tx.run(_RELEASE, account_id=account_id, released=[[id] for id in enrollment_ids])


def missed_turn(snapshot: Snapshot, account_id: int, lane_id: int, after: datetime | None, before: datetime) -> bool:
    """Whether somebody in the lane had a turn between the two instants and did not take it."""
    since = 0 if after is None else to_stamp(after)
    parameters = {"account_id": account_id, "lane_id": lane_id, "after": since, "before": to_stamp(before)}
    return snapshot.first(_MISSED, **parameters) is not None


def forget_turns(tx: Tx, account_id: int, lane_id: int) -> None:
    """Let everybody in the lane who waits for a turn be due since they were."""
    tx.run(_FORGET_TURNS, account_id=account_id, lane_id=lane_id)


def forget_turns_of(tx: Tx, account_id: int, enrollment_ids: Sequence[int]) -> None:
    """Let these be due since they were, whatever turn they had."""
    tx.run(_FORGET_TURNS_OF, account_id=account_id, sought=[[id] for id in enrollment_ids])


def renew(tx: Tx, account_id: int, enrollment_ids: Sequence[int], token: str, lease_until: datetime) -> None:
    """Prolong the leases on these enrollments that are still held with this token."""
    tx.run(
        _RENEW,
        account_id=account_id,
        renewed=[[id] for id in enrollment_ids],
        token=token,
        lease_until=to_stamp(lease_until),
    )


def get_attempt(snapshot: Snapshot, account_id: int, ids: Sequence[int]) -> dict[int, tuple[int, int, datetime | None]]:
    """(lane, attempt, first tried at) of enrollments that still run."""
    rows = snapshot.all(_ATTEMPTS, account_id=account_id, sought=[[id] for id in ids])
    return {row[0]: (row[1], row[2], instant_or_none(row[3])) for row in rows}


def counts(snapshot: Snapshot, account_id: int) -> Rows:
    """Per lane: how many are due, wait for later, are being worked on, and when the next one is due."""
    return snapshot.all(_COUNTS, account_id=account_id, now=to_stamp(snapshot.now))


CLAIM = Statement("""
    UPDATE due SET lease_until = :lease_until, lease_token = :token
    WHERE account_id = :account_id AND enrollment_id {in:
        SELECT enrollment_id FROM due
        WHERE account_id = :account_id AND lane_id = :lane_id AND due_at IS NOT NULL AND due_at <= :now
            AND lease_until IS NULL
        ORDER BY due_at, enrollment_id LIMIT :limit {skip locked} :in}
    RETURNING enrollment_id, due_at, attempt, first_tried_at, came_due_at
""")
_PLANNED = "enrollment_id int, lane_id int, due_at bigint, attempt int, first_tried_at bigint, came_due_at bigint"
_PLAN = Statement(f"""
    UPDATE due SET lane_id = planned.lane_id, due_at = planned.due_at, attempt = planned.attempt,
        first_tried_at = planned.first_tried_at, came_due_at = planned.came_due_at,
        lease_until = NULL, lease_token = NULL
    FROM {{planned: {_PLANNED}}} AS planned
    WHERE due.account_id = :account_id AND {{key: due.enrollment_id = planned.enrollment_id}}
""")
_REMOVE = Statement("""
    DELETE FROM due WHERE account_id = :account_id
        AND enrollment_id {in: SELECT id FROM {ended: id int} AS ended :in}
""")
_RELEASE = Statement("""
    UPDATE due SET lease_until = NULL, lease_token = NULL WHERE account_id = :account_id
        AND enrollment_id {in: SELECT id FROM {released: id int} AS released :in}
""")
_MISSED = Statement("""
    SELECT 1 FROM due WHERE account_id = :account_id AND lane_id = :lane_id AND due_at > :after
        AND due_at < :before AND came_due_at IS NOT NULL AND lease_until IS NULL LIMIT 1
""")
_SINCE_IT_WAS = f"""CASE
        WHEN due_at >= {LOST_UNTIL} AND came_due_at < {LOST_UNTIL} THEN {LOST_UNTIL} ELSE came_due_at
    END"""
_FORGET_TURNS = Statement(f"""
    UPDATE due SET due_at = {_SINCE_IT_WAS}, came_due_at = NULL
    WHERE account_id = :account_id AND lane_id = :lane_id AND came_due_at IS NOT NULL AND lease_until IS NULL
        AND due_at IS NOT NULL
""")
_FORGET_TURNS_OF = Statement(f"""
    UPDATE due SET due_at = {_SINCE_IT_WAS}, came_due_at = NULL WHERE account_id = :account_id
        AND enrollment_id {{in: SELECT id FROM {{sought: id int}} AS sought :in}} AND came_due_at IS NOT NULL
""")
_RENEW = Statement("""
    UPDATE due SET lease_until = :lease_until
    WHERE account_id = :account_id AND lease_token = :token
        AND enrollment_id {in: SELECT id FROM {renewed: id int} AS renewed :in}
""")
_ATTEMPTS = Statement("""
    SELECT d.enrollment_id, d.lane_id, d.attempt, d.first_tried_at FROM {sought: id int} AS sought
    JOIN due d ON d.account_id = :account_id AND {key: d.enrollment_id = sought.id}
""")
_COUNTS = Statement("""
    SELECT lane_id,
        sum(CASE WHEN due_at <= :now AND (lease_until IS NULL OR lease_until < :now) THEN 1 ELSE 0 END) AS due,
        sum(CASE WHEN due_at > :now THEN 1 ELSE 0 END) AS later,
        sum(CASE WHEN lease_until >= :now THEN 1 ELSE 0 END) AS in_work,
        sum(CASE WHEN due_at IS NULL THEN 1 ELSE 0 END) AS held,
        min(due_at) AS next_at
    FROM due WHERE account_id = :account_id GROUP BY lane_id ORDER BY lane_id
""")
