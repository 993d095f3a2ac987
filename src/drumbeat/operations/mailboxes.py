"""A mailbox's hold: tested from time to time, lifted when its cause is gone, and what it blocked goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.happening import Decision, Resumed
from drumbeat.domain.machine import decide
from drumbeat.mail.session import Security, Server
from drumbeat.operations.changes import Change, store
from drumbeat.store import enrollments, events, lanes, mailboxes
from drumbeat.store.database import Tx
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox

HEALS_FOR = timedelta(days=14)
_LONGEST_WAIT = timedelta(hours=1)
_BATCH = 1000


def server_of(vault: Vault, mailbox: StoredMailbox) -> Server:
    """How to reach and enter a mailbox's outgoing server."""
    sealed = mailbox.sealed_password
    return Server(
        host=mailbox.host,
        port=mailbox.port,
        security=Security(mailbox.security),
        username=mailbox.username,
        password=None if sealed is None else vault.open(sealed),
        connections=mailbox.connections,
    )


def lift_hold(tx: Tx, account_id: int, mailbox_id: int) -> int:
    """Let a mailbox send again, and what its hold blocked go on in original order; returns how many.

    What was planned more than 14 days ago waits for a person. How often it was held is forgotten at the
    next delivery only, so that a hold which comes back at once lasts longer.
    """
    mailbox = mailboxes.get(tx, account_id, mailbox_id)
    mailboxes.save(tx, replace(mailbox, held_since=None, held_until=None, hold_reason=None, hold_detail=None))
    released = 0
    if mailbox.hold_reason is not None:
        reason = FailureReason(mailbox.hold_reason)
        events.journal(tx, account_id, "mailbox_hold_lifted", subject="mailbox", subject_id=mailbox_id, reason=reason)
        released = _release(tx, account_id, mailbox_id, reason, tx.now - HEALS_FOR)
    lanes.wake(tx, account_id, [(mailbox_id, tx.now)])
    return released


def _release(tx: Tx, account_id: int, mailbox_id: int, reason: FailureReason, planned_since: datetime) -> int:
    after, released = 0, 0
    while True:
        ids = enrollments.blocked_by_mailbox(
            tx, account_id, mailbox_id, reason, planned_since, after=after, limit=_BATCH
        )
        if not ids:
            return released
        _resume(tx, account_id, ids)
        after, released = ids[-1], released + len(ids)


def _resume(tx: Tx, account_id: int, ids: Sequence[int]) -> None:
    locked = enrollments.lock(tx, account_id, ids)
    decisions = [(_oldest_first(decide(e, Resumed(), tx.now), tx.now), e.revision) for e in locked]
    store(tx, account_id, [Change(decision, revision) for decision, revision in decisions])


def _oldest_first(decision: Decision, now: datetime) -> Decision:
    """What goes on at once is due since it was planned: the lane takes the oldest first."""
    resumed = decision.enrollment
    if resumed.due_at is None or resumed.due_at > now:
        return decision
    return replace(decision, enrollment=replace(resumed, due_at=min(resumed.due_at, resumed.slot)))


def prolong_hold(tx: Tx, account_id: int, mailbox_id: int, detail: str) -> None:
    """The cause still stands: test again later, at growing waits up to an hour."""
    mailbox = mailboxes.get(tx, account_id, mailbox_id)
    wait = min(timedelta(minutes=2**mailbox.hold_count), _LONGEST_WAIT)
    held = replace(mailbox, held_until=tx.now + wait, hold_detail=detail, hold_count=min(mailbox.hold_count + 1, 10))
    mailboxes.save(tx, held)
