"""Enrollments to try the domain's rules on: short plans, and what becomes of them when things happen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from msgspec import structs

from drumbeat.domain.account import Account, AgentsSee, Role, UnknownMeans, User, UserStatus
from drumbeat.domain.calendar import Holidays, Rhythm, parse_delay, parse_windows
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment, FinishedReason, Plan, Subject
from drumbeat.domain.happening import (
    Accepted,
    AddressChanged,
    AddressFailed,
    Away,
    Bounced,
    CannotSend,
    Continued,
    CountedAsNotSent,
    CountedAsSent,
    Decision,
    Deferred,
    Doubted,
    DoubtExpired,
    EnrollmentEvent,
    FinishRequested,
    Frozen,
    OpenTask,
    PointOfNoReturnPassed,
    Postponed,
    Resumed,
    RhythmChanged,
    SentAgain,
    StepDue,
    TaskCompleted,
    TaskDeleted,
    Thawed,
)
from drumbeat.domain.machine import decide, start
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import ActionType, Step
from drumbeat.domain.timeline import Circumstances, MailboxState

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)  # a Tuesday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TASK_ID = 70
USER_ID = 3

SUBJECT = Subject(
    actor_id=2,
    resource_type=PersonKind.CONTACT,
    resource_id=5,
    address_hash="a" * 32,
    sequence_id=1,
    runs_sequence_id=1,
    version=1,
    variant=None,
    mailbox_id=None,
    zone="UTC",
    recipient_zone=None,
)


def letter(delay: str = "0 hours") -> Step:
    """A step that sends a letter."""
    return Step(ActionType.AUTOMATED_EMAIL, parse_delay(delay))


def task(delay: str = "0 hours") -> Step:
    """A step that opens a task."""
    return Step(ActionType.TASK, parse_delay(delay), task_content="Call")


def plan(
    *steps: Step,
    zone: str = "UTC",
    windows: Iterable[str] = (),
    days_off: Iterable[datetime] = (),
    paused: bool = False,
) -> Plan:
    """What an enrollment follows."""
    holidays = Holidays(days=frozenset(day.date() for day in days_off))
    return Plan(steps, Rhythm(zone, holidays, parse_windows(windows)), paused)


def enrolled(followed: Plan, now: datetime = NOON) -> Enrollment:
    """A new enrollment."""
    return start(1, 9, SUBJECT, followed, now, {}).enrollment


def carried_out(decision: Decision) -> Enrollment:
    """The enrollment as it is stored: a task that was opened has its id."""
    opened = any(isinstance(effect, OpenTask) for effect in decision.effects)
    return structs.replace(decision.enrollment, task_id=TASK_ID) if opened else decision.enrollment


def after(enrollment: Enrollment, *events: EnrollmentEvent, now: datetime = NOON) -> Enrollment:
    """The enrollment once these events have happened, one after the other, at one instant."""
    for event in events:
        enrollment = carried_out(decide(enrollment, event, now))
    return enrollment


def paused(enrollment: Enrollment, *, by: bool = True) -> Enrollment:
    """The same enrollment, its sequence paused (or not any more)."""
    return structs.replace(enrollment, plan=replace(enrollment.plan, paused=by))


REFUSED = CannotSend(FailureReason.RECIPIENT_INVALID, "no such user")
DOUBT = Doubted("no answer to the final dot")
MANUAL = FinishRequested(FinishedReason.MANUAL, USER_ID)
OUT = PointOfNoReturnPassed()

EVENTS: dict[type[EnrollmentEvent], EnrollmentEvent] = {
    StepDue: StepDue(),
    PointOfNoReturnPassed: PointOfNoReturnPassed(),
    Accepted: Accepted("250 ok"),
    CannotSend: CannotSend(FailureReason.AUTH, "535 no"),
    Deferred: Deferred(NOON + 2 * HOUR, "451 later"),
    Postponed: Postponed(NOON + 3 * HOUR, "window"),
    Doubted: Doubted("no answer"),
    DoubtExpired: DoubtExpired(),
    CountedAsSent: CountedAsSent(),
    CountedAsNotSent: CountedAsNotSent(USER_ID),
    SentAgain: SentAgain(USER_ID),
    Resumed: Resumed(USER_ID),
    TaskCompleted: TaskCompleted(TASK_ID),
    TaskDeleted: TaskDeleted(TASK_ID),
    FinishRequested: FinishRequested(FinishedReason.REPLIED_TO_EMAIL),
    Bounced: Bounced(0, permanent=True, detail="550 no such user", message_id=1),
    AddressFailed: AddressFailed("550 no such user"),
    Away: Away(NOON + DAY, 1),
    Continued: Continued(10, USER_ID),
    AddressChanged: AddressChanged("b" * 32),
    Frozen: Frozen(),
    Thawed: Thawed(NOON + HOUR),
    RhythmChanged: RhythmChanged(),
}

LETTER_FIRST, TASK_FIRST = plan(letter(), task(), letter()), plan(task(), letter(), task())

SITUATIONS: Mapping[str, Enrollment] = {
    "letter waiting": enrolled(LETTER_FIRST),
    "letter out": after(enrolled(LETTER_FIRST), OUT),
    "letter in doubt": after(enrolled(LETTER_FIRST), OUT, DOUBT),
    "letter blocked": after(enrolled(LETTER_FIRST), REFUSED),
    "doubt blocked": after(enrolled(LETTER_FIRST), OUT, DOUBT, DoubtExpired()),
    "task waiting": enrolled(TASK_FIRST),
    "task open": after(enrolled(TASK_FIRST), StepDue()),
    "finished": after(enrolled(LETTER_FIRST), MANUAL),
    "finished, letter out": after(enrolled(LETTER_FIRST), OUT, MANUAL),
    "finished, in doubt": after(enrolled(LETTER_FIRST), OUT, DOUBT, MANUAL),
    "finished, completed": after(enrolled(plan(letter())), OUT, Accepted()),
}

ACCOUNT = Account(
    1,
    "Tea House",
    "UTC",
    "1 Tea Street",
    sequences_enabled=True,
    unknown_means=UnknownMeans.ASK,
    agents_see=AgentsSee.ALL,
    created_at=NOON,
    updated_at=NOON,
)
ACTOR = User(1, 2, "Sal Seller", "sal@tea.example", Role.AGENT, UserStatus.ACTIVE, None, 4, NOON, NOON)
MAILBOX = MailboxState(4, is_active=True)
CLEAR = Circumstances(ACCOUNT, ACTOR, MAILBOX)
