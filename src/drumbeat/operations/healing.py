"""What is blocked goes on by itself when its cause is gone: oldest first, and only within a fortnight of its plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from msgspec import structs

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment, State
from drumbeat.domain.happening import Decision, Resumed
from drumbeat.domain.machine import decide
from drumbeat.operations.changes import Change, store
from drumbeat.store import enrollment_pages, enrollments, lanes
from drumbeat.store.transaction import Tx

HEALS_FOR = timedelta(days=14)
_BATCH = 1000


def heals(enrollment: Enrollment, reason: FailureReason, now: datetime) -> bool:
    """Whether it is blocked for this reason, and not for so long that only a person may lift it."""
    is_blocked = enrollment.state is State.BLOCKED and enrollment.failure_reason is reason
    return is_blocked and enrollment.ready_at >= now - HEALS_FOR


def release(
    tx: Tx,
    account_id: int,
    reasons: Collection[FailureReason],
    *,
    mailbox_id: int | None = None,
    actor_id: int | None = None,
) -> int:
    """Let go on what is blocked for these reasons, of one mailbox, of one actor, or of all; returns how many.

    Whether the cause is gone shows when it comes due: what still cannot go blocks again. A worker that is
    just blocking letters for the cause that went is waited for, lest they stay blocked.
    """
    lanes.lock_all(tx, account_id)
    released = 0
    for reason in reasons:
        after = 0
        while ids := enrollment_pages.list_blocked(
            tx,
            account_id,
            reason,
            tx.now - HEALS_FOR,
            mailbox_id=mailbox_id,
            actor_id=actor_id,
            after=after,
            limit=_BATCH,
        ):
            _resume(tx, account_id, ids)
            after, released = ids[-1], released + len(ids)
    return released


def _resume(tx: Tx, account_id: int, ids: Sequence[int]) -> None:
    locked = enrollments.lock(tx, account_id, ids)
    decisions = [(_oldest_first(decide(e, Resumed(), tx.now), tx.now), e.revision) for e in locked]
    store(tx, account_id, [Change(decision, revision) for decision, revision in decisions])


def _oldest_first(decision: Decision, now: datetime) -> Decision:
    """What goes on at once is due since it was planned: the lane takes the oldest first."""
    resumed = decision.enrollment
    if resumed.due_at is None or resumed.due_at > now:
        return decision
    return replace(decision, enrollment=structs.replace(resumed, due_at=min(resumed.due_at, resumed.slot)))
