"""What needs somebody today: tasks, replies, what is blocked and what heals it, and what leaves today and what not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from drumbeat.domain.account import Account
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.inbound import InboundKind
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.task import Task
from drumbeat.domain.timeline import Quarantine
from drumbeat.operations.pacing import allowance_of, read_diary
from drumbeat.operations.reports import DAY_SECONDS
from drumbeat.store import (
    doubts,
    enrollments,
    lanes,
    mailboxes,
    overview,
    people,
    quarantine,
    received,
    sequences,
    tasks,
)
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.received import ReceivedMessage
from drumbeat.store.transaction import Snapshot

MOST_COUNTED: Final = 2_000
"""What is more is not counted: nobody acts on the difference."""
MOST_SHOWN: Final = 20
_CAUSES_SHOWN: Final = 5
_REPLIES_SHOWN_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that ended an enrollment, and who wrote it (None: they are deleted)."""

    message: ReceivedMessage
    enrollment: Enrollment
    person: Person | None


@dataclass(frozen=True, slots=True)
class BlockedGroup:
    """How many enrollments are blocked for one reason, how many of them with a letter in doubt, and, where nobody can
    send, what stands in the way of how many; one beyond MOST_COUNTED stands for more."""

    reason: FailureReason
    count: int
    in_doubt: int
    causes: tuple[tuple[str, int], ...] = ()


class Stop(StrEnum):
    """Why nothing leaves by a mailbox."""

    QUARANTINE = "quarantine"
    SEQUENCES_OFF = "sequences_off"
    MAILBOX_OFF = "mailbox_off"
    MAILBOX_HELD = "mailbox_held"
    UNREACHABLE = "unreachable"
    SENDER_UNKNOWN = "sender_unknown"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a mailbox (None: none is needed, or there is none yet) still sends today, and what was to leave today and is
    held: by the mailbox's limits, by a window, a holiday or an absence, by the month's allowance, or all by a stop."""

    mailbox: StoredMailbox | None
    leaving: int
    held_by_limits: int = 0
    held_by_time: int = 0
    held_by_allowance: int = 0
    stopped: int = 0
    stop: Stop | None = None

    @property
    def planned(self) -> int:
        """All that was to happen today."""
        return self.leaving + self.held_by_limits + self.held_by_time + self.held_by_allowance + self.stopped


@dataclass(frozen=True, slots=True)
class Today:
    """What needs a user today."""

    tasks: tuple[Task, ...]
    people: Mapping[tuple[PersonKind, int], Person]
    replies: tuple[Reply, ...]
    blocked: tuple[BlockedGroup, ...]
    outlooks: tuple[Outlook, ...]
    sent: int
    in_doubt: int
    quarantine: Quarantine | None
    has_sequences: bool
    has_mailbox: bool


def end_of_today(now: datetime, zone: str) -> datetime:
    """The last instant of the day it is in a zone."""
    local = now.astimezone(ZoneInfo(zone))
    return datetime.combine(local.date() + timedelta(days=1), time(), ZoneInfo(zone)) - timedelta(microseconds=1)


def today_of(snapshot: Snapshot, account: Account, user_id: int, zone: str, *, seen_by: int | None = None) -> Today:
    """What needs this user as of now; whoever sees their own records alone sees no account-wide outlook."""
    account_id, until = account.id, end_of_today(snapshot.now, zone)
    due = tasks.list_due(snapshot, account_id, user_id, until, MOST_SHOWN + 1)
    about = {(PersonKind(t.resource_type), t.resource_id) for t in due if t.resource_type and t.resource_id}
    known = sequences.list_all(snapshot, account_id)
    standing = mailboxes.list_all(snapshot, account_id)
    running = [each.id for each in known if each.status is not SequenceStatus.DRAFT]
    day = int(snapshot.now.timestamp()) // DAY_SECONDS
    return Today(
        tasks=tuple(due),
        people=people.find_many(snapshot, account_id, sorted(about)),
        replies=_replies(snapshot, account_id, seen_by),
        blocked=blocked_groups(snapshot, account_id, seen_by=seen_by),
        outlooks=() if seen_by is not None else _outlooks(snapshot, account, standing, until),
        sent=0 if seen_by is not None else overview.sent_since(snapshot, account_id, running, day),
        in_doubt=doubts.count(snapshot, account_id, MOST_COUNTED + 1, seen_by=seen_by),
        quarantine=quarantine.find(snapshot),
        has_sequences=bool(known),
        has_mailbox=any(not each.is_catcher for each in standing),
    )


def _replies(snapshot: Snapshot, account_id: int, seen_by: int | None) -> tuple[Reply, ...]:
    since = snapshot.now - _REPLIES_SHOWN_FOR
    kind = InboundKind.REPLY.value
    found = received.latest(snapshot, account_id, kind, MOST_SHOWN, since=since, seen_by=seen_by)
    ended = {e.id: e for e in enrollments.find_many(snapshot, account_id, [m.enrollment_id for m in found])}
    keys = {(e.subject.resource_type, e.subject.resource_id) for e in ended.values()}
    known = people.find_many(snapshot, account_id, sorted(keys))
    return tuple(
        Reply(message, e, known.get((e.subject.resource_type, e.subject.resource_id)))
        for message in found
        if (e := ended.get(message.enrollment_id)) is not None
    )


def blocked_groups(snapshot: Snapshot, account_id: int, *, seen_by: int | None = None) -> tuple[BlockedGroup, ...]:
    """What is blocked, by its cause, the most first."""
    groups = []
    for reason in FailureReason:
        rows = overview.blocked_for(snapshot, account_id, reason, MOST_COUNTED + 1, seen_by=seen_by)
        total = sum(row.total for row in rows)
        if total:
            causes = _causes(snapshot, account_id, seen_by) if reason is FailureReason.SENDOUT_DISABLED else ()
            groups.append(BlockedGroup(reason, total, sum(row.total for row in rows if row.in_doubt), causes))
    return tuple(sorted(groups, key=lambda group: -group.count))


def _causes(snapshot: Snapshot, account_id: int, seen_by: int | None) -> tuple[tuple[str, int], ...]:
    reason = FailureReason.SENDOUT_DISABLED
    rows = overview.blocked_causes(snapshot, account_id, reason, MOST_COUNTED + 1, seen_by=seen_by)
    return tuple((row.failure_detail, row.total) for row in rows[:_CAUSES_SHOWN] if row.failure_detail)


def _outlooks(
    snapshot: Snapshot, account: Account, standing: list[StoredMailbox], until: datetime
) -> tuple[Outlook, ...]:
    allowance = allowance_of(snapshot, account)
    left = None if allowance is None else allowance.left
    made = []
    for mailbox in (None, *standing):
        found = _outlook(snapshot, account, mailbox, until)
        if left is not None and mailbox is not None:
            leaving = min(found.leaving, left)
            found = replace(found, leaving=leaving, held_by_allowance=found.leaving - leaving)
            left -= leaving
        made.append(found)
    return tuple(each for each in made if each.planned or each.stop is Stop.MAILBOX_HELD)


def _outlook(snapshot: Snapshot, account: Account, mailbox: StoredMailbox | None, until: datetime) -> Outlook:
    lane_id = lanes.NO_MAILBOX if mailbox is None else mailbox.id
    planned = overview.count_leaving(snapshot, account.id, lane_id, until, MOST_COUNTED + 1)
    by_limits, by_time = overview.held_beyond(snapshot, account.id, lane_id, until, MOST_COUNTED)
    stop = _stop(snapshot, account, mailbox, until)
    if stop is not None:
        return Outlook(mailbox, 0, by_limits, by_time, stopped=planned, stop=stop)
    if mailbox is None or not mailbox.is_paced or not planned:
        return Outlook(mailbox, planned, by_limits, by_time)
    leaving = _with_turns(snapshot, account, mailbox, until)
    return Outlook(mailbox, leaving, by_limits + planned - leaving, by_time)


def _stop(snapshot: Snapshot, account: Account, mailbox: StoredMailbox | None, until: datetime) -> Stop | None:
    """What stands in the way of all that a mailbox is to send until an instant; tasks come whatever is switched off."""
    if quarantine.find(snapshot) is not None:
        return Stop.QUARANTINE
    if mailbox is None:
        return None
    found = (
        (Stop.SEQUENCES_OFF, not account.sequences_enabled),
        (Stop.MAILBOX_OFF, not mailbox.is_active),
        (Stop.MAILBOX_HELD, mailbox.hold_reason is not None),
        (Stop.SENDER_UNKNOWN, mailbox.is_unproven),
        (Stop.UNREACHABLE, mailbox.held_until is not None and mailbox.held_until > until),
    )
    return next((stop for stop, is_so in found if is_so), None)


def _with_turns(snapshot: Snapshot, account: Account, mailbox: StoredMailbox, until: datetime) -> int:
    """How many of those due until an instant have a turn by then, or get one as the worker will give them."""
    diary = read_diary(snapshot, mailbox, account)
    waiting = overview.list_waiting(snapshot, account.id, mailbox.id, until, MOST_COUNTED + 1)
    fitting = sum(has_turn for _, _, has_turn in waiting)
    for id, due_at, has_turn in waiting:
        if has_turn:
            continue
        if diary.give(max(due_at, snapshot.now), b"%d" % id, _at_any_time) > until:
            break  # what is due later gets no earlier turn
        fitting += 1
    return fitting


def _at_any_time(instant: datetime) -> datetime:
    return instant
