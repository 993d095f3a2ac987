"""How an installation stands, all accounts together: what a monitoring system asks every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from drumbeat.store import quarantine
from drumbeat.store.stamps import instant_or_none, to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts at one instant; `happened` grows only. `due_since` is when the one that waits longest was due."""

    due: int
    due_since: datetime | None
    letters: Mapping[str, int]
    blocked: Mapping[str, int]
    mailboxes: Mapping[str, int]
    inboxes: Mapping[str, int]
    happened: Mapping[str, int]
    is_quarantined: bool
    untold: int
    imports: int
    notices: int


def figures(snapshot: Snapshot) -> Figures:
    """The figures now."""
    due = snapshot.first(_DUE, now=to_stamp(snapshot.now))
    assert due is not None
    letters = _by_name(snapshot, _OPEN) | {"unknown": _count(snapshot, _UNKNOWN)}
    return Figures(
        due=int(due[0]),
        due_since=instant_or_none(due[1]),
        letters={"claimed": 0, "transmitting": 0, **letters},
        blocked=_by_name(snapshot, _BLOCKED),
        mailboxes=_by_name(snapshot, _MAILBOXES),
        inboxes=_by_name(snapshot, _INBOXES),
        happened=_by_name(snapshot, _HAPPENED),
        is_quarantined=quarantine.find(snapshot) is not None,
        untold=_count(snapshot, _UNTOLD),
        imports=_count(snapshot, _IMPORTS),
        notices=_count(snapshot, _NOTICES),
    )


def _count(snapshot: Snapshot, statement: Statement) -> int:
    row = snapshot.first(statement)
    assert row is not None
    return int(row[0])


def _by_name(snapshot: Snapshot, statement: Statement) -> dict[str, int]:
    return {row[0]: int(row[1]) for row in snapshot.all(statement)}


# Lane by lane, so that what is not due yet is not read.
_DUE = Statement("""
    SELECT coalesce(sum(n), 0), min(since) FROM (
        SELECT (
            SELECT count(*) FROM due d WHERE d.account_id = l.account_id AND d.lane_id = l.id
                AND d.due_at IS NOT NULL AND d.due_at <= :now AND d.lease_until IS NULL
        ) AS n, (
            SELECT min(d.due_at) FROM due d WHERE d.account_id = l.account_id AND d.lane_id = l.id
                AND d.due_at IS NOT NULL AND d.due_at <= :now AND d.lease_until IS NULL
        ) AS since FROM lanes l
    ) AS lanes_due
""")
_OPEN = Statement("""
    SELECT status, count(*) FROM deliveries
    WHERE lease_until IS NOT NULL AND status IN ('claimed', 'transmitting') GROUP BY status
""")
_UNKNOWN = Statement("SELECT count(*) FROM deliveries WHERE status = 'unknown'")
_BLOCKED = Statement("""
    SELECT coalesce(failure_reason, 'unknown'), count(*) FROM enrollments WHERE state = 'blocked' GROUP BY 1
""")
_MAILBOXES = Statement("""
    SELECT CASE WHEN status = 'off' THEN 'off' WHEN hold_reason IS NOT NULL THEN 'held'
        WHEN held_until IS NOT NULL THEN 'waiting' ELSE 'on' END, count(*)
    FROM mailboxes WHERE removed_at IS NULL GROUP BY 1
""")
_INBOXES = Statement(
    "SELECT CASE WHEN trouble IS NULL THEN 'heard' ELSE 'trouble' END, count(*) FROM inboxes GROUP BY 1"
)
_HAPPENED = Statement("SELECT fact, sum(total) FROM sequence_counts GROUP BY fact")
_UNTOLD = Statement("SELECT count(*) FROM outbox")
_IMPORTS = Statement("SELECT count(*) FROM imports WHERE status = 'running'")
_NOTICES = Statement("SELECT count(*) FROM notices")
