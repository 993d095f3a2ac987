"""Who calls and what they may do: `Authorization: Bearer` on every API, `X-API-Key` on /api."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio
from litestar.types import Scope as AnyScope

from drumbeat.domain.access import Credential, Scope, Session, matches, read_credential
from drumbeat.domain.errors import (
    CredentialExpired,
    CredentialMalformed,
    CredentialMissing,
    InsufficientScope,
    TooManyCalls,
    Unauthorized,
    Unavailable,
)
from drumbeat.domain.rate import Standing
from drumbeat.http.parts import AnyRequest, Parts, parts_of
from drumbeat.store import credentials, sessions
from drumbeat.store.transaction import Snapshot

_NOBODYS = "0" * 64  # compared when there is no such credential, so that both take the same time
_NOTE_EVERY = timedelta(minutes=1)
_USED, _STANDING = "drumbeat_used", "drumbeat_standing"
_MOST_NOTED = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The user behind a checked credential; `seen_by` is whose records they see, None: everybody's."""

    account_id: int
    user_id: int
    credential_id: int
    seen_by: int | None


def admit(snapshot: Snapshot, request: AnyRequest, scope: Scope) -> Caller:
    """The caller of v2, or Unauthorized, TooManyCalls or InsufficientScope."""
    credential, seen_by = _checked(snapshot, _presented(request))
    parts_of(request).rates.count_v2(credential.account_id, credential.id, snapshot.now)
    return _allowed(request, credential, seen_by, scope, snapshot.now)


def admit_execute(request: AnyRequest, scope: Scope) -> Caller:
    """The caller of the execute API, read and counted on its own; or what `admit` raises."""
    parts = parts_of(request)
    with parts.world.database.read() as snapshot:
        (credential, seen_by), now = _checked(snapshot, _presented(request)), snapshot.now
    standing = parts.rates.count_execute(credential.account_id, now)
    request.scope["state"][_STANDING] = standing
    if standing is not None and standing.is_exceeded:
        raise TooManyCalls(
            f"An account may make {standing.limit} calls a minute; call again in {standing.ends_in} seconds."
        )
    return _allowed(request, credential, seen_by, scope, now)


def standing_of(scope: AnyScope) -> Standing | None:
    """Where the caller's rate limit stands, if it has one."""
    standing: Standing | None = scope["state"].get(_STANDING)
    return standing


def _allowed(request: AnyRequest, credential: Credential, seen_by: int | None, scope: Scope, now: datetime) -> Caller:
    if not credential.allows(scope):
        raise InsufficientScope(f"This needs the scope {scope}.")
    request.scope["state"][_USED] = (credentials, credential.account_id, credential.id, now)
    return Caller(credential.account_id, credential.user_id, credential.id, seen_by)


def note_session(request: AnyRequest, session: Session, now: datetime) -> None:
    """Let the use of a session be noted once the answer has left."""
    request.scope["state"][_USED] = (sessions, session.account_id, session.id, now)


def _presented(request: AnyRequest) -> str:
    takes_keys = request.scope["path"].startswith("/api/")
    key = request.headers.get("x-api-key", "").strip() if takes_keys else ""
    if key:
        return key
    kind, _, text = request.headers.get("authorization", "").strip().partition(" ")
    if not kind:
        or_key = ", or X-API-Key: <key>" if takes_keys else ""
        raise CredentialMissing(f"Send the header Authorization: Bearer <token>{or_key}.")
    if kind.lower() != "bearer" or not text.strip():
        raise CredentialMalformed("The header reads Authorization: Bearer <token>.")
    return text.strip()


def _checked(snapshot: Snapshot, text: str) -> tuple[Credential, int | None]:
    named = read_credential(text)
    if named is None:
        raise CredentialMalformed("It has 64 characters and begins with dbt_ or dbk_; this one does not.")
    found = credentials.find(snapshot, named.account_id, named.id)
    genuine = matches(text, found[1] if found else _NOBODYS)
    if found is None or not genuine:
        raise Unauthorized("The token or key is not valid.")
    credential, _, user_is_active, seen_by = found
    if credential.kind is not named.kind or credential.revoked_at is not None or not user_is_active:
        raise Unauthorized("The token or key is not valid any more.")
    if not credential.is_valid(snapshot.now):
        raise CredentialExpired("Make a new one.")
    return credential, seen_by


async def note_use(request: AnyRequest) -> None:
    """After the answer has left: note the use of its credential or session, at most once a minute."""
    used = request.scope["state"].get(_USED)
    if used is None:
        return
    parts = parts_of(request)
    kind, account_id, id, now = used
    noted = parts.noted.get((kind, account_id, id))
    if noted is None or not noted <= now < noted + _NOTE_EVERY:
        if len(parts.noted) >= _MOST_NOTED:
            parts.noted.clear()
        parts.noted[kind, account_id, id] = now
        await anyio.to_thread.run_sync(_touch, parts, kind, account_id, id, now)


def _touch(parts: Parts, kind: Any, account_id: int, id: int, now: datetime) -> None:
    with suppress(Unavailable):  # a busy database must not turn an answered request into an error
        parts.world.database.transact(lambda tx: kind.touch(tx, account_id, id, now))
