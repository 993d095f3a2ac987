"""API keys and tokens, their scopes, and comparing secrets without telling how close a guess was."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from drumbeat.domain.mac import base36

TOKEN_LENGTH = 64
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_SHAPE = re.compile(r"(dbt|dbk)_([0-9a-z]{8})([0-9a-z]{8})_([A-Za-z0-9_-]{43})", re.ASCII)


class Scope(StrEnum):
    """What a credential may do; `sequences:*` and `*` stand for several."""

    READ = "read"
    WRITE = "write"
    SEQUENCES_READ = "sequences:read"
    SEQUENCES_EXECUTE = "sequences:execute"


class CredentialKind(StrEnum):
    """A token speaks for a user on the Sell API; a key is an integration's, on the execute API."""

    TOKEN = "dbt"  # noqa: S105 - a prefix, no secret
    KEY = "dbk"


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


def write_credential(kind: CredentialKind, account_id: int, id: int, secret: str) -> str:
    """The 64 characters shown once; `secret` is 43 characters of URL-safe base64 (256 bits)."""
    if not _SECRET.fullmatch(secret):
        raise ValueError("the secret must be 43 characters of URL-safe base64")
    return f"{kind}_{base36(account_id):0>8}{base36(id):0>8}_{secret}"


def read_credential(text: str) -> Named | None:
    """Which credential the text claims to be, or None if it has not the shape of one."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    return Named(CredentialKind(match[1]), int(match[2], 36), int(match[3], 36))


def fingerprint(text: str) -> str:
    """What is stored of a credential: SHA-256 in hex. The secret holds 256 bits, so a plain hash suffices."""
    return hashlib.sha256(text.encode()).hexdigest()


def matches(text: str, stored: str) -> bool:
    """Whether the text is the credential whose fingerprint is stored, in constant time."""
    return hmac.compare_digest(fingerprint(text), stored)
