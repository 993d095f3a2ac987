"""An account (tenant), its users, and the actor behind every change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from drumbeat.domain.locale import DEFAULT_LOCALE

LARGEST_ID: Final = 2**31 - 1
"""Ids are per account, and go from 1 to this on both databases."""

LONGEST_KEPT: Final = 36_500
"""Days that content may be kept for at most, if it is not for ever."""


class Role(StrEnum):
    """What a user may do: admins everything, agents their daily work."""

    ADMIN = "admin"
    AGENT = "agent"


class UserStatus(StrEnum):
    """An inactive user neither signs in nor sends."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class UnknownMeans(StrEnum):
    """What happens to a doubt nobody settled in time: a person is asked, or it counts as sent."""

    ASK = "ask"
    SENT = "sent"


class AgentsSee(StrEnum):
    """What the agents of an account see: everything in it, or only the records that are their own."""

    ALL = "all"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant. Every row belongs to exactly one."""

    id: int
    name: str
    time_zone: str
    postal_address: str | None
    sequences_enabled: bool
    unknown_means: UnknownMeans
    agents_see: AgentsSee
    created_at: datetime
    updated_at: datetime
    locale: str = DEFAULT_LOCALE
    monthly_allowance: int | None = None  # letters
    keep_days: int | None = None  # that the content of an enrollment is kept after its end; None: for ever


@dataclass(frozen=True, slots=True)
class User:
    """Someone who signs in, on whose behalf enrollments send; also the actor behind a change."""

    account_id: int
    id: int
    name: str
    email: str
    role: Role
    status: UserStatus
    time_zone: str | None
    mailbox_id: int | None
    created_at: datetime
    updated_at: datetime
    locale: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether the user may sign in, send and be given tasks."""
        return self.status is UserStatus.ACTIVE
