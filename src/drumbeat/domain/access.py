"""Who may do what: tokens and keys with their scopes, sessions with their roles, and comparing secrets."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from drumbeat.domain.account import AgentsSee, Role
from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.mac import base36, mac

TOKEN_LENGTH = 64
SESSION_IDLE_FOR: Final = timedelta(hours=12)
"""A session that is not used for this long is over."""
SESSION_LASTS: Final = timedelta(days=14)
"""However much it is used, a session is over after this."""
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_SHAPE = re.compile(r"(db[tksl])_([0-9a-z]{8})([0-9a-z]{8})_([A-Za-z0-9_-]{43})", re.ASCII)


class Scope(StrEnum):
    """What a credential may do; `sequences:*` and `*` stand for several."""

    READ = "read"
    WRITE = "write"
    SEQUENCES_READ = "sequences:read"
    SEQUENCES_EXECUTE = "sequences:execute"


GRANTABLE: Final = (*Scope, "sequences:*", "*")
"""What a credential may be given."""


class CredentialKind(StrEnum):
    """A token speaks for a user on the Sell API; a key is an integration's, on the execute API."""

    TOKEN = "dbt"  # noqa: S105 - a prefix, no secret
    KEY = "dbk"


class SecretKind(StrEnum):
    """A session is a signed-in browser's; a password link lets whoever got it by mail choose a password."""

    SESSION = "dbs"
    PASSWORD_LINK = "dbl"  # noqa: S105 - a prefix, no secret


@dataclass(frozen=True, slots=True)
class Named:
    """What a presented credential says of itself before it is checked: kind, account and id."""

    kind: CredentialKind
    account_id: int
    id: int


@dataclass(frozen=True, slots=True)
class Credential:
    """A checked token or key: whose it is and what it may do."""

    account_id: int
    id: int
    kind: CredentialKind
    user_id: int
    scopes: frozenset[str]
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it has neither expired nor been revoked."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: Scope) -> bool:
        """Whether its scopes cover this one."""
        return covers(self.scopes, scope)


def covers(granted: Collection[str], scope: Scope) -> bool:
    """Whether granted scopes, wildcards included, cover `scope`."""
    family = scope.split(":")[0] + ":*"
    return scope in granted or family in granted or "*" in granted


def check_scopes(scopes: Collection[str]) -> None:
    """Refuse a scope that there is not."""
    unknown = sorted(set(scopes) - set(GRANTABLE))
    if unknown:
        raise IncorrectValue(f"There is no scope {unknown[0]!r}; there is: {', '.join(GRANTABLE)}.", field="scopes")


def write_credential(kind: CredentialKind | SecretKind, account_id: int, id: int, secret: str) -> str:
    """The 64 characters shown once; `secret` is 43 characters of URL-safe base64 (256 bits)."""
    if not _SECRET.fullmatch(secret):
        raise ValueError("the secret must be 43 characters of URL-safe base64")
    return f"{kind}_{base36(account_id):0>8}{base36(id):0>8}_{secret}"


def read_credential(text: str) -> Named | None:
    """Which credential the text claims to be, or None if it has not the shape of one."""
    match = _SHAPE.fullmatch(text)
    if match is None or match[1] not in list(CredentialKind):
        return None
    return Named(CredentialKind(match[1]), int(match[2], 36), int(match[3], 36))


def read_secret(kind: SecretKind, text: str) -> tuple[int, int] | None:
    """The account and the id that the text of this kind names, or None if it has not its shape."""
    match = _SHAPE.fullmatch(text)
    if match is None or match[1] != kind:
        return None
    return int(match[2], 36), int(match[3], 36)


def fingerprint(text: str) -> str:
    """What is stored of a credential: SHA-256 in hex. The secret holds 256 bits, so a plain hash suffices."""
    return hashlib.sha256(text.encode()).hexdigest()


def matches(text: str, stored: str) -> bool:
    """Whether the text is the credential whose fingerprint is stored, in constant time."""
    return hmac.compare_digest(fingerprint(text), stored)


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser: whose it is, and since when."""

    account_id: int
    id: int
    user_id: int
    login_id: int
    role: Role
    created_at: datetime
    seen_at: datetime
    agents_see: AgentsSee = AgentsSee.ALL

    @property
    def seen_by(self) -> int | None:
        """Whose records it shows, as `owner_seen` tells."""
        return owner_seen(self.role, self.agents_see, self.user_id)

    @property
    def ends_at(self) -> datetime:
        """When it is over, unless it is used before."""
        return min(self.created_at + SESSION_LASTS, self.seen_at + SESSION_IDLE_FOR)


def has_role(role: Role, least: Role) -> bool:
    """Whether a user of this role may do what takes at least the other one: an admin may do what agents may."""
    return role is Role.ADMIN or role is least


def owner_seen(role: Role, agents_see: AgentsSee, user_id: int) -> int | None:
    """Whose records a user sees and may change: None is everybody's in the account, else their own alone.

    People and tasks are their owner's, enrollments their actor's; sequences and what they are made of are shared.
    """
    return user_id if role is Role.AGENT and agents_see is AgentsSee.OWN else None


def sees(seen_by: int | None, owner_id: int) -> bool:
    """Whether somebody of whom `owner_seen` told this sees a record of this owner."""
    return seen_by is None or seen_by == owner_id


def csrf_token(hash_key: bytes, session: Session, stored: str) -> str:
    """What changing requests of a session must carry beside its cookie, which other sites can make a browser send.

    `stored` is the session's fingerprint.
    """
    return mac(hash_key, "csrf", session.account_id, session.id, stored).hex()
