"""What providers tell of letters they took, in one vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from drumbeat.domain.inbound import InboundKind, Reading


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


def read_told(told: Told) -> Reading | None:
    """What a received message of the same meaning would be read as; None if no message says that."""
    kind = _KINDS.get(told.kind)
    if kind is None or told.message_id is None:
        return None
    return Reading(kind, told.why, told.permanent, told.recipient, (told.message_id,))


_KINDS: Final[Mapping[ToldKind, InboundKind]] = MappingProxyType(
    {
        ToldKind.BOUNCED: InboundKind.BOUNCE,
        ToldKind.COMPLAINED: InboundKind.COMPLAINT,
        ToldKind.UNSUBSCRIBED: InboundKind.UNSUBSCRIBE,
    }
)
