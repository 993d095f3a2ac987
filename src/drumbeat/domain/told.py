"""What providers tell of letters they took, in one vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ToldKind(StrEnum):
    """What became of a letter; OTHER is of no concern here (opened, clicked, processed)."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Told:
    """One event: `id` is the provider's own, the same when it is told again, `message_id` our letter's, None if it is
    not ours; `permanent` is a bounce's, and `why` a sentence for people."""

    kind: ToldKind
    id: str
    message_id: str | None
    recipient: str | None
    why: str
    permanent: bool | None = None
