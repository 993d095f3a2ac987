"""Faults planted on purpose: each breaks one promise, as a careless change could, and the harness must turn red."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Hashable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from drumbeat.clock import host_now
from drumbeat.domain.calendar import Delay, Rhythm
from drumbeat.operations import letters
from drumbeat.operations.inbound import Heard
from drumbeat.operations.pacing import Counter
from drumbeat.store import database, deliveries, events, inboxes
from drumbeat.store.statement import Insertion, Statement
from drumbeat.store.transaction import Tx
from drumbeat.worker import carrier, ears
from drumbeat.worker.carrier import Carrier

Plant = Callable[[pytest.MonkeyPatch], None]
_AHEAD = timedelta(hours=1)


def _without(statement: Statement, *parts: str) -> Statement:
    text = statement.text
    for part in parts:
        assert part in text, f"the statement has no {part!r} any more"
        text = text.replace(part, "")
    return Statement(text)


# In a worker's own process.


def commit_after_send() -> None:
    """The dot is written first, and its point of no return is stored with the answer."""
    commit = Carrier._commit

    def late(self: Carrier, outcomes: Sequence[Any], ready: Sequence[Hashable]) -> Collection[Hashable]:
        commit(self, outcomes, [])
        self._out |= dict.fromkeys(ready, 0)
        return frozenset(ready)

    Carrier._commit = late  # type: ignore[method-assign]


def result_lost_on_sigterm() -> None:
    """A worker that is told to stop does not wait for the answers to what it sent."""
    carrier.GRACE = 0.0


def clock_ahead() -> None:
    """No fault of ours: the machine's clock is an hour ahead."""
    database.host_now = _ahead  # type: ignore[attr-defined]


def lease_by_local_clock() -> None:
    """Leases are measured by the machine's clock, which is an hour ahead, and not by the database's."""
    made = database.Database.__init__

    def local(self: database.Database, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named | {"now": _ahead})

    database.Database.__init__ = local  # type: ignore[method-assign]


def _ahead() -> datetime:
    return host_now() + _AHEAD


# In the test's process.


def ponr_without_token(patched: pytest.MonkeyPatch) -> None:
    """Whoever once claimed a letter may pass its point of no return, whoever holds it now."""
    held = " AND d.lease_token = :token AND d.lease_until > :now"
    due = """
        AND EXISTS (SELECT 1 FROM due u
            WHERE u.account_id = :account_id AND u.enrollment_id = ready.enrollment_id AND u.lease_token = :token)"""
    patched.setattr(deliveries, "_PASS", _without(deliveries._PASS, held, due))
    patched.setattr(deliveries, "_TRANSMIT", _without(deliveries._TRANSMIT, " AND deliveries.lease_token = :token"))


def ponr_without_suppression(patched: pytest.MonkeyPatch) -> None:
    """Neither the suppression of the address, nor the end that it brings the enrollment, keeps a letter back."""
    state = "enrollments.state = 'active' AND enrollments.status = 'scheduled'\n        AND "
    suppressed = """
        AND NOT EXISTS (SELECT 1 FROM suppressions s
            WHERE s.account_id = :account_id AND s.address_hash = d.address_hash)"""
    due = """
        AND EXISTS (SELECT 1 FROM due u
            WHERE u.account_id = :account_id AND u.enrollment_id = ready.enrollment_id AND u.lease_token = :token)"""
    patched.setattr(deliveries, "_PASS", _without(deliveries._PASS, state, suppressed, due))
    patched.setattr(deliveries, "_CLOSE_UNSENT", Statement(f"{deliveries._CLOSE_UNSENT.text} AND 1 = 0"))


def new_message_id(patched: pytest.MonkeyPatch) -> None:
    """Every try has an id of its own."""
    patched.setattr(letters, "message_id", lambda *_: f"<{secrets.token_hex(8)}@tea.example>")


def inbound_marked_first(patched: pytest.MonkeyPatch) -> None:
    """A message counts as read before it had its effect."""

    def advance(self: Any, reached: Any, heard: Heard | None = None) -> bool:
        inbox, world = self.inbox, self.world
        until = world.database
        until.transact(
            lambda tx: inboxes.advance(tx, inbox, self.token, tx.now + _AHEAD, reached.uid_validity, reached.uid)
        )
        if heard is not None:
            until.transact(
                lambda tx: ears.take_in(tx, world.hash_key, inbox.account_id, inbox.mailbox_id, heard)  # type: ignore[attr-defined]
            )
        return True

    patched.setattr(ears._Reader, "_advance", advance)


def told_outside_the_outbox(patched: pytest.MonkeyPatch) -> None:
    """What happened is told after its transaction, by a process that may be gone by then."""
    insert = Tx.insert

    def forgetful(self: Tx, insertion: Insertion, rows: Sequence[tuple[Any, ...]]) -> None:
        if insertion is not events._TELL:
            insert(self, insertion, rows)

    patched.setattr(Tx, "insert", forgetful)


def cap_at_claim_only(patched: pytest.MonkeyPatch) -> None:
    """Limits are looked at when letters are claimed, and not again when they leave."""
    patched.setattr(Counter, "room", lambda *_: None)


def days_of_24_hours(patched: pytest.MonkeyPatch) -> None:
    """A day is 24 hours, whatever the clocks do."""
    after = Rhythm.after

    def added(self: Rhythm, anchor: datetime, delay: Delay) -> datetime:
        planned = after(self, anchor, delay)
        days = (planned.date() - anchor.date()).days
        return anchor + timedelta(days=days)

    patched.setattr(Rhythm, "after", added)
