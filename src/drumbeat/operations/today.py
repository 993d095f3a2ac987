"""What needs somebody today: tasks, replies, what is blocked and what heals it, and what leaves today and what not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
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
from drumbeat.store import enrollments, lanes, mailboxes, overview, people, quarantine, received, sequences, tasks
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.received import ReceivedMessage
from drumbeat.store.transaction import Snapshot

MOST_COUNTED: Final = 2_000
"""What is more is not counted: nobody acts on the difference."""
MOST_SHOWN: Final = 20
_REPLIES_SHOWN_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that ended an enrollment, and who wrote it (None: they are deleted)."""

    message: ReceivedMessage
    enrollment: Enrollment
    person: Person | None


@dataclass(frozen=True, slots=True)
class BlockedGroup:
    """How many enrollments are blocked for one cause, and how many of them with a letter in doubt; one beyond
    MOST_COUNTED stands for more."""

    reason: FailureReason
    count: int
    in_doubt: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a mailbox (None: none is needed, or there is none yet) still sends today, and what was to leave today and is
    held by the mailbox's limits, or by a window, a holiday or an absence."""

    mailbox: StoredMailbox | None
    leaving: int
    held_by_limits: int
    held_by_time: int

    @property
    def planned(self) -> int:
        """All that was to happen today."""
        return self.leaving + self.held_by_limits + self.held_by_time


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
    return Today(
        tasks=tuple(due),
        people=people.find_many(snapshot, account_id, sorted(about)),
        replies=_replies(snapshot, account_id, seen_by),
        blocked=blocked_groups(snapshot, account_id, seen_by=seen_by),
        outlooks=() if seen_by is not None else _outlooks(snapshot, account_id, standing, until),
        sent=0 if seen_by is not None else overview.sent_since(snapshot, account_id, running, _utc_day(snapshot.now)),
        in_doubt=0 if seen_by is not None else overview.count_unknown(snapshot, account_id),
        quarantine=quarantine.find(snapshot),
        has_sequences=bool(known),
        has_mailbox=bool(standing),
    )


def _utc_day(now: datetime) -> int:
    return int(now.timestamp()) // 86_400


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
            groups.append(BlockedGroup(reason, total, sum(row.total for row in rows if row.in_doubt)))
    return tuple(sorted(groups, key=lambda group: -group.count))


def _outlooks(
    snapshot: Snapshot, account_id: int, standing: list[StoredMailbox], until: datetime
) -> tuple[Outlook, ...]:
    lane_of = {mailbox.id: mailbox for mailbox in standing}
    made = []
    for lane_id in (lanes.NO_MAILBOX, *lane_of):
        leaving = overview.count_leaving(snapshot, account_id, lane_id, until, MOST_COUNTED + 1)
        by_limits, by_time = overview.held_beyond(snapshot, account_id, lane_id, until, MOST_COUNTED)
        made.append(Outlook(lane_of.get(lane_id), leaving, by_limits, by_time))
    return tuple(each for each in made if each.planned or (each.mailbox is not None and each.mailbox.hold_reason))
