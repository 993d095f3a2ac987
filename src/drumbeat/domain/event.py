"""The names of facts: history, webhooks and statistics read these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Fact(StrEnum):
    """What happened; each is written in the transaction that made it true."""

    ENROLLED = "enrolled"
    LETTER_SENT = "letter_sent"
    LETTER_DEFERRED = "letter_deferred"
    LETTER_IN_DOUBT = "letter_in_doubt"
    LETTER_COUNTED_AS_SENT = "letter_counted_as_sent"
    LETTER_COUNTED_AS_NOT_SENT = "letter_counted_as_not_sent"
    LETTER_SENT_AGAIN = "letter_sent_again"
    LETTER_CANCELLED = "letter_cancelled"
    LETTER_BOUNCED = "letter_bounced"
    PERSON_AWAY = "person_away"
    BLOCKED = "blocked"
    RESUMED = "resumed"
    TASK_OPENED = "task_opened"
    TASK_COMPLETED = "task_completed"
    REPLANNED = "replanned"
    ADDRESS_CHANGED = "address_changed"
    FINISHED = "finished"
    CONTINUED = "continued"


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about one enrollment, with its cause: step position, reason, actor, and what the world said."""

    fact: Fact
    cause: Mapping[str, Any] = field(default_factory=dict)
