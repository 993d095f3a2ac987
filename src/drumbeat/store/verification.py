"""What must hold between the tables at every instant: statements that find the enrollments where it does not.

Each looks at a range of enrollments, `:after` to `:up_to`, and names those that break its rule, at most 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import inspect

from drumbeat.store.database import Database
from drumbeat.store.schema import metadata
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot

_SLACK = timedelta(minutes=2)  # four leases, and longer than any transaction waits for a lock


def next_enrollments(snapshot: Snapshot, account_id: int, after: int, limit: int) -> tuple[int, int] | None:
    """The last of the next enrollments' ids, `limit` at most, and how many they are; None if there are no more.

    Ids may have gaps of any size.
    """
    row = snapshot.first(_NEXT, account_id=account_id, after=after, limit=limit)
    return None if row is None or row[0] is None else (int(row[0]), int(row[1]))


def broken_rules(
    snapshot: Snapshot, account_id: int, after: int, up_to: int, now: datetime
) -> dict[str, tuple[int, ...]]:
    """Enrollments in a range (its begin left out), by the rule they break."""
    found = {}
    bounds = {"account_id": account_id, "after": after, "up_to": up_to}
    for rule, statement in RULES.items():
        moments = {"now": to_stamp(now), "slack": int(_SLACK.total_seconds() * 1_000_000)}
        used = {name: value for name, value in moments.items() if f":{name}" in statement.text}
        rows = snapshot.all(statement, **bounds, **used)
        if rows:
            found[rule] = tuple(row[0] for row in rows)
    return found


def missing_indexes(database: Database) -> list[str]:
    """Unique indexes of the schema that the database does not have: the last net under every promise."""
    found = inspect(database.reader)
    missing = []
    for table in metadata.tables.values():
        there = {index["name"] for index in found.get_indexes(table.name)}
        missing += [str(index.name) for index in table.indexes if index.unique and index.name not in there]
    return sorted(missing)


_NEXT = Statement("""
    SELECT max(id), count(*) FROM (
        SELECT id FROM enrollments WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :limit
    ) AS next
""")


def _rule(text: str) -> Statement:
    return Statement(f"{text} LIMIT 100")


def _of_enrollments(condition: str, *, joined: str = "") -> Statement:
    return _rule(f"""
        SELECT e.id FROM enrollments e
        LEFT JOIN due d ON d.account_id = e.account_id AND d.enrollment_id = e.id {joined}
        WHERE e.account_id = :account_id AND e.id > :after AND e.id <= :up_to AND ({condition}) ORDER BY e.id
    """)


def _letters(condition: str) -> str:
    return f"""(
        SELECT count(*) FROM deliveries l WHERE l.account_id = e.account_id AND l.enrollment_id = e.id
            AND l.position = e.position AND {condition}
    )"""


_SENT_WITHOUT_END = """
    SELECT l.enrollment_id FROM deliveries l
    WHERE l.account_id = :account_id AND l.enrollment_id > :after AND l.enrollment_id <= :up_to
"""
_DONE = "(SELECT count(*) FROM actions a WHERE a.account_id = e.account_id AND a.enrollment_id = e.id)"
_LAST_DONE = "(SELECT max(a.position) FROM actions a WHERE a.account_id = e.account_id AND a.enrollment_id = e.id)"
_COMPLETED = "e.position + CASE WHEN e.status = 'completed' THEN 1 ELSE 0 END"
_FACTS = """(
    SELECT count(*) FROM events f WHERE f.account_id = e.account_id AND f.enrollment_id = e.id AND f.fact = '{fact}'
)"""
_IS_PAUSED = """EXISTS (
    SELECT 1 FROM sequences s WHERE s.account_id = e.account_id AND s.id = e.runs_sequence_id AND s.status = 'paused'
)"""
_IS_REPLANNED = """EXISTS (
    SELECT 1 FROM replans r WHERE r.account_id = e.account_id AND r.sequence_id = e.runs_sequence_id
)"""

RULES: Final[Mapping[str, Statement]] = {
    "runs, and nobody will look at it": _of_enrollments("e.state <> 'finished' AND d.enrollment_id IS NULL"),
    "has finished, and is still looked at": _of_enrollments("e.state = 'finished' AND d.enrollment_id IS NOT NULL"),
    "waits for no instant": _of_enrollments(f"""
        e.state = 'active' AND e.status = 'scheduled' AND d.enrollment_id IS NOT NULL AND d.due_at IS NULL
        AND d.lease_until IS NULL AND NOT {_IS_PAUSED} AND NOT {_IS_REPLANNED}
    """),
    "is blocked, and due": _of_enrollments("e.state = 'blocked' AND d.due_at IS NOT NULL"),
    "is in doubt about no letter": _of_enrollments(f"""e.in_doubt AND {_letters("l.status = 'unknown'")} <> 1"""),
    "has a doubt that nobody is told of": _of_enrollments(
        f"""NOT e.in_doubt AND {_letters("l.status = 'unknown'")} > 0"""
    ),
    "sends a letter that is nowhere": _of_enrollments(f"""
        e.status = 'in_progress' AND e.task_id IS NULL AND {_letters("l.status IN ('transmitting', 'unknown')")} <> 1
    """),
    "waits while its letter is out": _of_enrollments(f"""
        e.status <> 'in_progress' AND NOT e.in_doubt AND {_letters("l.status = 'transmitting'")} > 0
    """),
    "has two letters for one step": _of_enrollments(
        f"""{_letters("l.status IN ('queued', 'claimed', 'transmitting', 'unknown')")} > 1"""
    ),
    "had a letter accepted whose step is not completed": _rule(f"""
        {_SENT_WITHOUT_END} AND l.status = 'accepted' AND NOT EXISTS (
            SELECT 1 FROM actions a WHERE a.account_id = l.account_id AND a.enrollment_id = l.enrollment_id
                AND a.position = l.position
        )
    """),
    "completed a letter's step that no server accepted": _rule("""
        SELECT a.enrollment_id FROM actions a
        JOIN enrollments e ON e.account_id = a.account_id AND e.id = a.enrollment_id
        WHERE a.account_id = :account_id AND a.enrollment_id > :after AND a.enrollment_id <= :up_to
            AND a.task_id IS NULL AND e.continues_id IS NULL AND NOT EXISTS (
                SELECT 1 FROM deliveries l WHERE l.account_id = a.account_id AND l.enrollment_id = a.enrollment_id
                    AND l.position = a.position AND l.status = 'accepted'
            )
    """),
    "completed its steps out of order": _of_enrollments(
        f"{_DONE} <> {_COMPLETED} OR coalesce({_LAST_DONE}, -1) <> {_COMPLETED} - 1"
    ),
    "completed a step before the one before it": _rule("""
        SELECT a.enrollment_id FROM actions a
        JOIN actions b ON b.account_id = a.account_id AND b.enrollment_id = a.enrollment_id
            AND b.position = a.position + 1
        WHERE a.account_id = :account_id AND a.enrollment_id > :after AND a.enrollment_id <= :up_to
            AND b.executed_at < a.executed_at
    """),
    "has a letter that left after its end": _rule(f"""
        {_SENT_WITHOUT_END} AND l.transmitting_at IS NOT NULL AND EXISTS (
            SELECT 1 FROM enrollments e WHERE e.account_id = l.account_id AND e.id = l.enrollment_id
                AND e.finished_at < l.transmitting_at - :slack
        )
    """),
    "tells its beginning or its end not once": _of_enrollments(f"""
        {_FACTS.format(fact="enrolled")} <> 1
        OR {_FACTS.format(fact="finished")} <> CASE WHEN e.state = 'finished' THEN 1 ELSE 0 END
    """),
    "is held by a worker that holds no letter of it": _of_enrollments(f"""
        d.lease_until IS NOT NULL
        AND {_letters("l.status IN ('claimed', 'transmitting') AND l.lease_token = d.lease_token")} = 0
    """),
    "was left behind by a worker, and not reaped: does a worker run?": _rule(f"""
        {_SENT_WITHOUT_END} AND l.status IN ('claimed', 'transmitting') AND l.lease_until < :now - :slack
    """),
    "waits in a lane that sleeps too long": _of_enrollments(
        """
        d.due_at IS NOT NULL AND d.lease_until IS NULL AND (
            n.wake_at IS NULL
            OR n.wake_at > :now AND n.wake_at > d.due_at
                AND n.wake_at > CASE WHEN m.hold_reason IS NULL THEN coalesce(m.held_until, 0) ELSE 0 END
        ) AND NOT coalesce(m.needs_identity AND m.identity_seen_at IS NULL, FALSE)
        """,
        joined="""
        LEFT JOIN lanes n ON n.account_id = d.account_id AND n.id = d.lane_id
        LEFT JOIN mailboxes m ON m.account_id = d.account_id AND m.id = d.lane_id
        """,
    ),
    "waits for a task that is not open": _of_enrollments("""
        e.state = 'active' AND e.status = 'in_progress' AND e.task_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM tasks t WHERE t.account_id = e.account_id AND t.id = e.task_id AND t.completed_at IS NULL
        )
    """),
}
