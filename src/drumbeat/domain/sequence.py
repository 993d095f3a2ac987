"""A sequence is named, ordered steps and settings; a version is the immutable copy made when it is published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from drumbeat.domain.calendar import NO_HOLIDAYS, Delay, Holidays, Rhythm, Window
from drumbeat.domain.template import Attachment, TemplateText


class SequenceStatus(StrEnum):
    """Only an active sequence takes enrollments; a paused one also freezes those that run."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class ActionType(StrEnum):
    """What a step does."""

    AUTOMATED_EMAIL = "automated_email"
    TASK = "task"


class WindowZone(StrEnum):
    """Whose wall clock the sending windows are read on."""

    SEQUENCE = "sequence"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Step:
    """One letter or task; a letter carries the template's texts as they were when the version was made."""

    action_type: ActionType
    delay: Delay
    email_template_id: int | None = None
    is_reply: bool = False
    template: TemplateText | None = None
    attachments: tuple[Attachment, ...] = ()
    task_content: str | None = None

    @property
    def is_letter(self) -> bool:
        """Whether the step sends an e-mail."""
        return self.action_type is ActionType.AUTOMATED_EMAIL


@dataclass(frozen=True, slots=True)
class Version:
    """The immutable copy of a sequence's steps that an enrollment runs."""

    account_id: int
    sequence_id: int
    number: int
    steps: tuple[Step, ...]

    @property
    def has_letters(self) -> bool:
        """Whether any step sends an e-mail."""
        return any(step.is_letter for step in self.steps)


@dataclass(frozen=True, slots=True)
class Unsubscribing:
    """Whether letters carry a visible unsubscribe footer, and in which language."""

    enabled: bool = True
    locale: str = "en-US"


@dataclass(frozen=True, slots=True)
class Split:
    """An A/B test: the other sequence, and the percentage of people (1 to 99) who get it."""

    variant_b_id: int
    share: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence's live settings; its steps are those of the published version `version` (0: none yet)."""

    account_id: int
    id: int
    name: str
    status: SequenceStatus
    creator_id: int
    version: int
    steps_total: int
    time_zone: str | None = None
    default_actor_id: int | None = None
    calendar_id: int | None = None
    holidays: Holidays = NO_HOLIDAYS
    windows: tuple[Window, ...] = ()
    window_zone: WindowZone = WindowZone.SEQUENCE
    unsubscribing: Unsubscribing = Unsubscribing()
    split: Split | None = None
    reenroll_after: timedelta | None = None
    paused_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def takes_enrollments(self) -> bool:
        """Whether it is active and has at least one step."""
        return self.status is SequenceStatus.ACTIVE and self.steps_total > 0

    def rhythm(self, zone: str, recipient_zone: str | None) -> Rhythm:
        """How an enrollment with this zone is timed: the zone is fixed, windows and holidays are live."""
        of_recipient = self.window_zone is WindowZone.RECIPIENT
        return Rhythm(
            zone=zone,
            holidays=self.holidays,
            windows=self.windows,
            window_zone=recipient_zone if of_recipient else None,
        )
