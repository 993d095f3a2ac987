"""What may happen to an enrollment, and what follows from it: the words of the state machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment, FinishedReason
from drumbeat.domain.event import Event

# What may happen.


@dataclass(frozen=True, slots=True)
class StepDue:
    """The current step's instant has come."""


@dataclass(frozen=True, slots=True)
class PointOfNoReturnPassed:
    """The letter's body stands at the server and the final dot may be written."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The mail server accepted the letter."""

    detail: str | None = None


@dataclass(frozen=True, slots=True)
class CannotSend:
    """The letter cannot be sent until a cause goes away: found before connecting, or a definite refusal."""

    reason: FailureReason
    detail: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The letter was not sent and is tried again by itself at `until`."""

    until: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """The step is not to run before `until`, though nothing was tried; `by` is what holds it."""

    until: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Doubted:
    """Nobody can tell whether the letter was accepted; evidence is awaited."""

    detail: str


@dataclass(frozen=True, slots=True)
class DoubtExpired:
    """No evidence came in time: a person decides."""


@dataclass(frozen=True, slots=True)
class CountedAsSent:
    """The doubt is settled as sent, by a person, by evidence, or by the account's setting (actor None)."""

    actor_id: int | None = None
    left_at: datetime | None = None  # where that was not just before


@dataclass(frozen=True, slots=True)
class CountedAsNotSent:
    """The doubt is settled as not sent, and the letter stays unsent."""

    actor_id: int | None = None


@dataclass(frozen=True, slots=True)
class SentAgain:
    """A named user wants the doubtful letter sent once more, byte for byte."""

    actor_id: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A caller (or, with actor None, the cause's going away) lets a blocked enrollment go on."""

    actor_id: int | None = None


@dataclass(frozen=True, slots=True)
class TaskCompleted:
    """The user completed the step's task."""

    task_id: int


@dataclass(frozen=True, slots=True)
class TaskDeleted:
    """A user deleted the step's open task."""

    task_id: int


@dataclass(frozen=True, slots=True)
class FinishRequested:
    """The enrollment is to end now; the actor is named only for `manual`."""

    reason: FinishedReason
    actor_id: int | None = None
    message_id: int | None = None  # the received message that is the evidence


@dataclass(frozen=True, slots=True)
class Bounced:
    """A letter that was accepted came back; nothing of its step changes."""

    position: int
    permanent: bool
    detail: str
    message_id: int


@dataclass(frozen=True, slots=True)
class AddressFailed:
    """No letter reaches the person's address any more."""

    detail: str


@dataclass(frozen=True, slots=True)
class Away:
    """The person is away until then, as an auto-reply said; without an instant only the fact is kept."""

    until: datetime | None
    message_id: int


@dataclass(frozen=True, slots=True)
class Continued:
    """What ended the enrollment was no reply: another one goes on where it stood."""

    by_id: int
    actor_id: int


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """The person has another address key now (None: no address), and later letters go there."""

    address_hash: str | None


@dataclass(frozen=True, slots=True)
class Frozen:
    """The sequence was paused: nothing of it is due."""


@dataclass(frozen=True, slots=True)
class Thawed:
    """The sequence goes on; the delay that was still to wait at `frozen_at` is given back."""

    frozen_at: datetime


@dataclass(frozen=True, slots=True)
class RhythmChanged:
    """The sequence's windows or holidays changed; the plan on the enrollment is the new one."""


EnrollmentEvent = (
    StepDue
    | PointOfNoReturnPassed
    | Accepted
    | CannotSend
    | Deferred
    | Postponed
    | Doubted
    | DoubtExpired
    | CountedAsSent
    | CountedAsNotSent
    | SentAgain
    | Resumed
    | TaskCompleted
    | TaskDeleted
    | FinishRequested
    | Bounced
    | AddressFailed
    | Away
    | Continued
    | AddressChanged
    | Frozen
    | Thawed
    | RhythmChanged
)

# What is to be done about it, beside storing the enrollment.


@dataclass(frozen=True, slots=True)
class SendLetter:
    """Claim a delivery for the current step."""


@dataclass(frozen=True, slots=True)
class RepeatLetter:
    """Queue the doubtful letter again with the same bytes."""


@dataclass(frozen=True, slots=True)
class OpenTask:
    """Create the step's task, due at `due_at`."""

    due_at: datetime


@dataclass(frozen=True, slots=True)
class RemoveTask:
    """Remove the step's open task; the machine's own removal is no event."""

    task_id: int


@dataclass(frozen=True, slots=True)
class RecordAction:
    """Keep what the step did: it was executed at `executed_at`."""

    position: int
    executed_at: datetime
    task_id: int | None


Effect = SendLetter | RepeatLetter | OpenTask | RemoveTask | RecordAction


@dataclass(frozen=True, slots=True)
class Decision:
    """The enrollment as it is to be stored, the effects to carry out, and the facts to journal."""

    enrollment: Enrollment
    effects: tuple[Effect, ...] = ()
    facts: tuple[Event, ...] = ()
