"""How pages write instants, numbers and the words of the domain: the filters and tables of every template."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from drumbeat.domain.calendar import Delay, Unit
from drumbeat.domain.delivery import DeliveryStatus, FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.event import Fact
from drumbeat.domain.inbound import InboundKind
from drumbeat.domain.person import Person
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.timeline import Lifter
from drumbeat.http.manner import Manner


@pass_context
def when(context: Context, instant: datetime | None, otherwise: str = "–") -> Markup | str:
    """An instant on the viewer's clock: today's by the hour, others by their day; the whole of it in the tip."""
    if instant is None:
        return otherwise
    local, now, manner = _local(context, instant), _local(context, context["now"]), _manner(context)
    days = (local.date() - now.date()).days
    named = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days) or manner.day(local.date(), now.date())
    written = Markup('<time datetime="{}" title="{}">{} {}</time>')
    return written.format(instant.isoformat(timespec="seconds"), manner.whole(local), named, manner.time(local))


@pass_context
def day(context: Context, day: date, today: date | None = None) -> str:
    """A day, with its year where that is not this one."""
    return _manner(context).day(day, today)


@pass_context
def long_day(context: Context, instant: datetime) -> str:
    """The day an instant falls on, on the viewer's clock, in full."""
    return _manner(context).long_day(_local(context, instant).date())


@pass_context
def local_input(context: Context, instant: datetime | None) -> str:
    """An instant as the field of a form for date and time holds it, on the viewer's clock."""
    return "" if instant is None else _local(context, instant).strftime("%Y-%m-%dT%H:%M")


def _local(context: Context, instant: datetime) -> datetime:
    """An instant on the viewer's clock; where no calendar knows it there, as it is."""
    try:
        return instant.astimezone(ZoneInfo(context["zone"]))
    except OverflowError:
        return instant


def _manner(context: Context) -> Manner:
    manner: Manner = context["manner"]
    return manner


def name_of(person: Person | None, otherwise: str = "Deleted person") -> str:
    """What somebody is called in a list: their name, else their company, address or number."""
    if person is None:
        return otherwise
    return person.name or person.organization_name or person.email or f"{person.kind.title()} {person.id}"


@pass_context
def grouped(context: Context, count: int) -> str:
    """A number with its thousands apart."""
    return _manner(context).number(count)


@pass_context
def decimal(context: Context, value: float, digits: int) -> str:
    """A number with so many digits behind the point."""
    return _manner(context).number(value, digits)


@pass_context
def percent(context: Context, part: float, whole: float) -> str:
    """A share in percent, to one digit where that says more."""
    return _manner(context).percent(part, whole)


@pass_context
def plural(context: Context, count: int, one: str, many: str = "") -> str:
    """A number and what it counts."""
    return _manner(context).plural(count, one, many)


@pass_context
def delay(context: Context, value: Delay) -> str:
    """A step's delay in words."""
    if not value.amount:
        return "at once" if value.unit is Unit.HOURS else "on the same working day"
    unit = "hour" if value.unit is Unit.HOURS else "working day"
    return f"after {_manner(context).plural(value.amount, unit)}"


@pass_context
def size(context: Context, count: int) -> str:
    """A number of bytes."""
    manner = _manner(context)
    return f"{manner.number(count / 1e6, 1)} MB" if count >= 1e6 else f"{manner.number(max(1, round(count / 1e3)))} kB"


@pass_context
def at_most(context: Context, count: int, limit: int) -> str:
    """A number that was not counted beyond the limit."""
    return _manner(context).number(min(count, limit)) + ("+" if count > limit else "")


FILTERS: Final = {
    "when": when,
    "day": day,
    "long_day": long_day,
    "local_input": local_input,
    "grouped": grouped,
    "plural": plural,
    "percent": percent,
    "delay": delay,
    "decimal": decimal,
    "size": size,
    "at_most": at_most,
    "name_of": name_of,
}

REASONS: Final[Mapping[str, str]] = {
    FailureReason.AUTH: "The mail server refuses the login",
    FailureReason.RECIPIENT_INVALID: "The address cannot be reached",
    FailureReason.MISSING_MERGE_TAGS: "The letter needs values that are missing",
    FailureReason.ATTACHMENT_LIMIT_EXCEEDED: "The letter is too large for the mail server",
    FailureReason.SENDOUT_LIMITED: "The mail server's own limit is reached",
    FailureReason.SENDOUT_DISABLED: "Nobody can send this now",
    FailureReason.QUOTA_EXCEEDED: "The month's allowance is used up",
    FailureReason.UNKNOWN: "The mail server refused the letter",
}
_MAILBOXES = ("/settings/mailboxes", "Mailboxes")
_NOWHERE = ("", "")
NEXT_STEPS: Final[Mapping[str, tuple[str, str, str]]] = {
    FailureReason.AUTH: ("Mend the mailbox's password. It is tested again by itself.", *_MAILBOXES),
    FailureReason.RECIPIENT_INVALID: ("Correct these people's e-mail addresses, or stop.", *_NOWHERE),
    FailureReason.MISSING_MERGE_TAGS: ("Fill in what is missing; the letter then goes on by itself.", *_NOWHERE),
    FailureReason.ATTACHMENT_LIMIT_EXCEEDED: ("Attach less, publish, and enroll anew.", "/templates", "Templates"),
    FailureReason.SENDOUT_LIMITED: ("The mail server lets letters through again in time.", *_MAILBOXES),
    FailureReason.SENDOUT_DISABLED: ("It goes on by itself once that is mended.", "/settings", "Settings"),
    FailureReason.QUOTA_EXCEEDED: ("An admin can raise the account's allowance.", "/settings/account", "Account"),
    FailureReason.UNKNOWN: ("Look at what the mail server said, then resume or stop each.", *_NOWHERE),
}
"""What heals each cause, and where."""
ADMINS_STEPS: Final[Mapping[str, str]] = {
    FailureReason.AUTH: "An admin can mend the mailbox's password. It is tested again by itself.",
    FailureReason.SENDOUT_LIMITED: "The mail server lets letters through again in time.",
    FailureReason.SENDOUT_DISABLED: "It goes on by itself once an admin has mended that.",
    FailureReason.QUOTA_EXCEEDED: "An admin can raise the account's allowance.",
}
"""What agents are told where only an admin can do something about a cause."""
_ENDINGS: Final[Mapping[str, str]] = {
    FinishedReason.MANUAL: "Stopped by hand",
    FinishedReason.ALL_STEPS_COMPLETED: "All steps done",
    FinishedReason.REPLIED_TO_EMAIL: "Replied",
    FinishedReason.RESOURCE_DELETED: "Person deleted",
    FinishedReason.SUBSCRIPTION_CANCELLED: "Unsubscribed",
    FinishedReason.TASK_DELETED: "Task deleted",
}
_FACTS: Final[Mapping[str, str]] = {
    Fact.ENROLLED: "Enrolled",
    Fact.LETTER_SENT: "Letter sent",
    Fact.LETTER_DEFERRED: "Letter put off",
    Fact.LETTER_IN_DOUBT: "Letter in doubt",
    Fact.LETTER_COUNTED_AS_SENT: "Letter counted as sent",
    Fact.LETTER_COUNTED_AS_NOT_SENT: "Letter counted as not sent",
    Fact.LETTER_SENT_AGAIN: "Letter to be sent again",
    Fact.LETTER_CANCELLED: "Letter cancelled",
    Fact.LETTER_BOUNCED: "Letter bounced",
    Fact.PERSON_AWAY: "Person is away",
    Fact.BLOCKED: "Blocked",
    Fact.RESUMED: "Resumed",
    Fact.TASK_OPENED: "Task opened",
    Fact.TASK_COMPLETED: "Task completed",
    Fact.REPLANNED: "Planned anew",
    Fact.ADDRESS_CHANGED: "Address changed",
    Fact.FINISHED: "Finished",
    Fact.CONTINUED: "Continued",
}
_STATES: Final[Mapping[str, str]] = {
    State.ACTIVE: "Active",
    State.BLOCKED: "Blocked",
    State.FINISHED: "Finished",
}
_STEPS: Final[Mapping[str, str]] = {
    ActionStatus.SCHEDULED: "Planned",
    ActionStatus.IN_PROGRESS: "Under way",
    ActionStatus.COMPLETED: "Done",
    ActionStatus.BLOCKED: "Blocked",
    ActionStatus.CANCELLED: "Cancelled",
}
_RECEIVED: Final[Mapping[str, str]] = {
    InboundKind.REPLY: "Reply",
    InboundKind.AUTO_REPLY: "Automatic reply",
    InboundKind.BOUNCE: "Bounce",
    InboundKind.COMPLAINT: "Complaint",
    InboundKind.UNSUBSCRIBE: "Unsubscribe",
}
_LIFTERS: Final[Mapping[str, str]] = {
    Lifter.TIME: "It goes on by itself.",
    Lifter.USER: "You can lift it.",
    Lifter.ADMIN: "An admin can lift it.",
    Lifter.SERVER: "It is tried again by itself.",
    Lifter.OPERATOR: "The operator can lift it.",
}
_LETTERS: Final[Mapping[str, str]] = {
    DeliveryStatus.QUEUED: "Queued",
    DeliveryStatus.CLAIMED: "Being sent",
    DeliveryStatus.TRANSMITTING: "Being sent",
    DeliveryStatus.ACCEPTED: "Sent",
    DeliveryStatus.REFUSED: "Not sent",
    DeliveryStatus.UNKNOWN: "In doubt",
}
_SEQUENCES: Final[Mapping[str, str]] = {
    SequenceStatus.DRAFT: "Draft",
    SequenceStatus.ACTIVE: "Active",
    SequenceStatus.PAUSED: "Paused",
    SequenceStatus.ARCHIVED: "Archived",
}
# The badge that shows a state, beside its word: colour never stands alone.
_BADGES: Final[Mapping[str, str]] = {
    State.ACTIVE: "badge-success",
    State.BLOCKED: "badge-error",
    State.FINISHED: "badge-neutral",
    SequenceStatus.DRAFT: "badge-neutral",
    SequenceStatus.PAUSED: "badge-warning",
    SequenceStatus.ARCHIVED: "badge-neutral",
}
TABLES: Final[Mapping[str, Any]] = {
    "reasons": REASONS,
    "endings": _ENDINGS,
    "facts": _FACTS,
    "states": _STATES,
    "step_words": _STEPS,
    "received_words": _RECEIVED,
    "lifters": _LIFTERS,
    "letter_words": _LETTERS,
    "sequence_words": _SEQUENCES,
    "badges": _BADGES,
}
