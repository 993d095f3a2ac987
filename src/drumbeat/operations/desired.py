"""What files ask for: calendars, templates, sequences and people, named but not yet looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from drumbeat.domain.calendar import Delay, Holidays, Window
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import ActionType, SequenceStatus, Unsubscribing, WindowZone
from drumbeat.domain.template import Attachment, TemplateText
from drumbeat.operations.yaml_text import Place


@dataclass(frozen=True, slots=True)
class Reference:
    """Another thing meant by its name, and where that is written."""

    name: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class DesiredCalendar:
    """A holiday calendar as a file asks for it."""

    name: str
    holidays: Holidays
    place: Place


@dataclass(frozen=True, slots=True)
class DesiredTemplate:
    """A template as a file asks for it; its texts parse."""

    name: str
    source: TemplateText
    attachments: tuple[Attachment, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class DesiredStep:
    """A step as a file asks for it: a letter of the template referred to, or a task."""

    action_type: ActionType
    delay: Delay
    template: Reference | None
    is_reply: bool
    task_content: str | None


@dataclass(frozen=True, slots=True)
class DesiredSequence:
    """A sequence as a file asks for it; what it refers to may stand in the files or in the account."""

    name: str
    status: SequenceStatus
    time_zone: str | None
    calendar: Reference | None
    actor: Reference | None
    windows: tuple[Window, ...]
    window_zone: WindowZone
    unsubscribing: Unsubscribing
    reenroll_after: timedelta | None
    variant: Reference | None
    share: int
    steps: tuple[DesiredStep, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class DesiredPerson:
    """A person as a file asks for it: the fields it names (None empties one); others stay as they are."""

    kind: PersonKind
    email: str
    fields: Mapping[str, str | None]
    custom: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class Desired:
    """What files ask for, and the contents of the attachments by their SHA-256 in hex."""

    calendars: tuple[DesiredCalendar, ...] = ()
    templates: tuple[DesiredTemplate, ...] = ()
    sequences: tuple[DesiredSequence, ...] = ()
    people: tuple[DesiredPerson, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)
