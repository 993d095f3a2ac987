"""What a user does at once about all that is blocked for one reason: let it try again, or end it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import State
from drumbeat.operations.enrollments import set_state
from drumbeat.store import enrollments
from drumbeat.store.transaction import Tx

AT_ONCE: Final = 50
"""Enrollments in one transaction."""
MOST_AT_ONCE: Final = 500
"""Enrollments in one go."""


def set_blocked(
    tx: Tx,
    account_id: int,
    ids: Sequence[int],
    reason: FailureReason,
    state: State,
    caller_id: int,
    *,
    seen_by: int | None = None,
) -> int:
    """Finish or resume those of these enrollments that are still blocked for the reason; returns how many.

    Resuming leaves out those with a letter in doubt: whether it was sent is decided on each.
    """
    locked = enrollments.lock(tx, account_id, ids)
    blocked = [e for e in locked if e.state is State.BLOCKED and e.failure_reason is reason]
    wanted = [e.id for e in blocked if state is State.FINISHED or not e.in_doubt]
    for id in wanted:
        set_state(tx, account_id, id, state, caller_id, seen_by=seen_by)
    return len(wanted)
