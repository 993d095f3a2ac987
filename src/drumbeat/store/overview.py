"""How many enrollments stand where: what an operator sees at a glance, and, never counted beyond a limit, what pages
show to whoever opens them often."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from drumbeat.domain.delivery import FailureReason
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Rows, Statement
from drumbeat.store.transaction import Snapshot


def enrollments_by_sequence(snapshot: Snapshot, account_id: int) -> Rows:
    """Per sequence addressed: id, and how many enrollments are active, blocked and finished."""
    return snapshot.all(_BY_SEQUENCE, account_id=account_id)


def blocked_by_reason(snapshot: Snapshot, account_id: int) -> Rows:
    """Per failure reason of blocked enrollments: the reason, whether in doubt, how many."""
    return snapshot.all(_BY_REASON, account_id=account_id)


def count_unknown(snapshot: Snapshot, account_id: int) -> int:
    """How many letters nobody knows the fate of."""
    row = snapshot.first(_UNKNOWN, account_id=account_id)
    assert row is not None
    return int(row[0])


def blocked_for(
    snapshot: Snapshot, account_id: int, reason: FailureReason, most: int, *, seen_by: int | None = None
) -> Rows:
    """Whether in doubt and how many: of `most` enrollments at most that are blocked for a reason."""
    given: dict[str, Any] = {"account_id": account_id, "reason": reason.value, "most": most}
    if seen_by is None:
        return snapshot.all(_BLOCKED_FOR, **given)
    return snapshot.all(_BLOCKED_FOR_OF, **given, seen_by=seen_by)


def blocked_causes(
    snapshot: Snapshot, account_id: int, reason: FailureReason, most: int, *, seen_by: int | None = None
) -> Rows:
    """What is told of each and how often, the most first: of `most` enrollments at most that are blocked for a
    reason."""
    given: dict[str, Any] = {"account_id": account_id, "reason": reason.value, "most": most}
    if seen_by is None:
        return snapshot.all(_BLOCKED_CAUSES, **given)
    return snapshot.all(_BLOCKED_CAUSES_OF, **given, seen_by=seen_by)


def list_blocked(
    snapshot: Snapshot,
    account_id: int,
    reason: FailureReason,
    most: int,
    *,
    seen_by: int | None = None,
    doubts: bool = True,
) -> list[int]:
    """The ids of `most` enrollments at most that are blocked for a reason, the oldest first; with those in doubt, or
    without."""
    given: dict[str, Any] = {"account_id": account_id, "reason": reason.value, "most": most, "doubts": int(doubts)}
    if seen_by is None:
        rows = snapshot.all(_LIST_BLOCKED, **given)
    else:
        rows = snapshot.all(_LIST_BLOCKED_OF, **given, seen_by=seen_by)
    return [row[0] for row in rows]


def blocked_by_sequence(snapshot: Snapshot, account_id: int, most: int) -> dict[int, int]:
    """How many enrollments of each sequence addressed are blocked, each counted up to `most`."""
    rows = snapshot.all(_BLOCKED_BY_SEQUENCE, account_id=account_id, most=most)
    return {row.id: row.total for row in rows if row.total}


def count_blocked(snapshot: Snapshot, account_id: int, sequence_id: int, most: int) -> int:
    """The same of one sequence."""
    row = snapshot.first(_BLOCKED_OF, account_id=account_id, sequence_id=sequence_id, most=most)
    assert row is not None
    return int(row[0])


def count_running(snapshot: Snapshot, account_id: int, sequence_id: int, most: int) -> int:
    """How many enrollments run a sequence's steps, for itself or as another's variant B, counted up to `most`."""
    row = snapshot.first(_RUNNING, account_id=account_id, sequence_id=sequence_id, most=most)
    assert row is not None
    return int(row[0])


def count_leaving(snapshot: Snapshot, account_id: int, lane_id: int, until: datetime, most: int) -> int:
    """How many of a lane are looked at until an instant, counted up to `most`."""
    row = snapshot.first(_LEAVING, account_id=account_id, lane_id=lane_id, until=to_stamp(until), most=most)
    assert row is not None
    return int(row[0])


def list_waiting(
    snapshot: Snapshot, account_id: int, lane_id: int, until: datetime, most: int
) -> list[tuple[int, datetime, bool]]:
    """The first `most` of a lane that are looked at until an instant: the enrollment, when, and whether that is the
    turn its mailbox's limits gave it."""
    given = {"account_id": account_id, "lane_id": lane_id, "until": to_stamp(until), "most": most}
    return [(row[0], from_stamp(row[1]), row[2] is not None) for row in snapshot.all(_WAITING, **given)]


def held_beyond(snapshot: Snapshot, account_id: int, lane_id: int, until: datetime, most: int) -> tuple[int, int]:
    """Of the next `most` of a lane that are looked at only after an instant, how many were to run before it: held by
    their mailbox's limits, and by a window, a holiday or an absence."""
    row = snapshot.first(_HELD_BEYOND, account_id=account_id, lane_id=lane_id, until=to_stamp(until), most=most)
    assert row is not None
    return int(row[0] or 0), int(row[1] or 0)


def sent_since(snapshot: Snapshot, account_id: int, sequence_ids: Iterable[int], day: int) -> int:
    """How many letters of sequences left from a day on (days since 1970, in UTC), as far as they are counted."""
    sought = [(id, variant) for id in sequence_ids for variant in ("", "A", "B")]
    row = snapshot.first(_SENT_SINCE, account_id=account_id, sought=sought, day=day)
    assert row is not None
    return int(row[0] or 0)


_IS_BLOCKED = """FROM enrollments e
        WHERE e.account_id = :account_id AND e.state = 'blocked' AND e.failure_reason = :reason"""


_OF_ACTOR = "AND e.actor_id = :seen_by"
_FOR = f"""
    SELECT b.in_doubt, count(*) AS total FROM (
        SELECT e.in_doubt {_IS_BLOCKED} {{0}} LIMIT :most
    ) AS b GROUP BY b.in_doubt ORDER BY b.in_doubt
"""
_BLOCKED_FOR, _BLOCKED_FOR_OF = Statement(_FOR.format("")), Statement(_FOR.format(_OF_ACTOR))
_CAUSES = f"""
    SELECT b.failure_detail, count(*) AS total FROM (
        SELECT e.failure_detail {_IS_BLOCKED} {{0}} LIMIT :most
    ) AS b GROUP BY b.failure_detail ORDER BY 2 DESC, 1
"""
_BLOCKED_CAUSES, _BLOCKED_CAUSES_OF = Statement(_CAUSES.format("")), Statement(_CAUSES.format(_OF_ACTOR))
_LISTED = f"SELECT e.id {_IS_BLOCKED} {{0}} AND (:doubts = 1 OR NOT e.in_doubt) ORDER BY e.id LIMIT :most"
_LIST_BLOCKED, _LIST_BLOCKED_OF = Statement(_LISTED.format("")), Statement(_LISTED.format(_OF_ACTOR))
_COUNT_BLOCKED = """SELECT count(*) FROM (
        SELECT 1 FROM enrollments e
        WHERE e.account_id = :account_id AND e.sequence_id = {0} AND e.state = 'blocked' LIMIT :most
    ) AS b"""
_BLOCKED_OF = Statement(_COUNT_BLOCKED.format(":sequence_id"))
_BLOCKED_BY_SEQUENCE = Statement(f"""
    SELECT s.id, ({_COUNT_BLOCKED.format("s.id")}) AS total FROM sequences s WHERE s.account_id = :account_id
""")
_RUNNING = Statement("""
    SELECT count(*) FROM (
        SELECT 1 FROM enrollments e
        WHERE e.account_id = :account_id AND e.runs_sequence_id = :sequence_id AND e.state <> 'finished' LIMIT :most
    ) AS running
""")
_LEAVING = Statement("""
    SELECT count(*) FROM (
        SELECT 1 FROM due d WHERE d.account_id = :account_id AND d.lane_id = :lane_id AND d.due_at IS NOT NULL
            AND d.due_at <= :until LIMIT :most
    ) AS leaving
""")
_WAITING = Statement("""
    SELECT d.enrollment_id, d.due_at, d.came_due_at FROM due d
    WHERE d.account_id = :account_id AND d.lane_id = :lane_id AND d.due_at IS NOT NULL AND d.due_at <= :until
    ORDER BY d.due_at, d.enrollment_id LIMIT :most
""")
_HELD_BEYOND = Statement("""
    SELECT sum(CASE WHEN h.came_due_at <= :until THEN 1 ELSE 0 END),
        sum(CASE WHEN h.came_due_at IS NULL AND e.ready_at <= :until THEN 1 ELSE 0 END)
    FROM (
        SELECT d.enrollment_id, d.came_due_at FROM due d
        WHERE d.account_id = :account_id AND d.lane_id = :lane_id AND d.due_at IS NOT NULL AND d.due_at > :until
        ORDER BY d.due_at, d.enrollment_id LIMIT :most
    ) AS h JOIN enrollments e ON e.account_id = :account_id AND e.id = h.enrollment_id
""")
_SENT_SINCE = Statement("""
    SELECT sum(c.total) FROM {sought: sequence_id int, variant text} AS sought
    JOIN step_counts c ON c.account_id = :account_id AND {key: c.sequence_id = sought.sequence_id}
        AND c.variant = sought.variant AND c.day >= :day AND c.fact = 'letter_sent'
""")
_BY_SEQUENCE = Statement("""
    SELECT sequence_id,
        sum(CASE WHEN state = 'active' THEN 1 ELSE 0 END) AS active,
        sum(CASE WHEN state = 'blocked' THEN 1 ELSE 0 END) AS blocked,
        sum(CASE WHEN state = 'finished' THEN 1 ELSE 0 END) AS finished
    FROM enrollments WHERE account_id = :account_id GROUP BY sequence_id ORDER BY sequence_id
""")
_BY_REASON = Statement("""
    SELECT failure_reason, in_doubt, count(*) AS total FROM enrollments
    WHERE account_id = :account_id AND state = 'blocked'
    GROUP BY failure_reason, in_doubt ORDER BY 3 DESC, 1
""")
_UNKNOWN = Statement("SELECT count(*) FROM deliveries WHERE account_id = :account_id AND status = 'unknown'")
