"""/api/keys: tokens and API keys; each is shown once, when it is made."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import GRANTABLE, CredentialKind, check_scopes
from drumbeat.domain.account import Role
from drumbeat.domain.errors import IncorrectValue
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import Many, One, fields_named, nothing, reply, reply_all, stamp
from drumbeat.http.decoding import BodyReader, Id, Name
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.operations.accounts import mint, new_secret, revoke
from drumbeat.store import credentials
from drumbeat.store.stamps import instant_or_none
from drumbeat.store.transaction import Tx

_Scopes = Annotated[list[Name], msgspec.Meta(min_length=1, max_length=20)]


class MakingKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A dbt is a token for /v2, a dbk a key for /api/v1; it acts as its user, else as whoever makes it."""

    name: Name
    scopes: _Scopes
    kind: CredentialKind = CredentialKind.KEY
    user_id: Id | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class ShownKey(msgspec.Struct, rename="camel", frozen=True):
    """A token or key without its text, which is not stored."""

    id: int
    kind: CredentialKind
    name: str
    user_id: int
    scopes: list[str]
    created_at: str | None
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class MadeKey(msgspec.Struct, rename="camel", frozen=True):
    """The text of a new token or key: keep it, nobody can show it again."""

    text: str


_KEY = {
    "id": 3,
    "kind": "dbk",
    "name": "Booking page",
    "userId": 1,
    "scopes": ["sequences:execute"],
    "createdAt": "2026-03-02T09:30:00Z",
    "expiresAt": None,
    "lastUsedAt": "2026-03-03T10:00:00Z",
    "revokedAt": None,
}
_read = BodyReader(MakingKey, {"scopes": f"Send at least one of {', '.join(GRANTABLE)}."})


@readable(
    "/keys",
    opt=described("List tokens and keys", role=Role.ADMIN, answer=Many[ShownKey], answer_example={"data": [_KEY]}),
)
def list_keys(request: AnyRequest) -> Response[bytes]:
    """Every token and key of the account, revoked ones too, with their last use to the minute."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request, Role.ADMIN)
        read_parameters(request)
        found = credentials.list_all(snapshot, member.account_id)
    return reply_all([_shown(each) for each in found])


@post(
    "/keys",
    sync_to_thread=True,
    opt=described(
        "Make a token or key",
        role=Role.ADMIN,
        body=MakingKey,
        example={"name": "Booking page", "scopes": ["sequences:execute"]},
        answer=One[MadeKey],
        answer_example={"data": {"text": "dbk_…"}},
        status=201,
    ),
)
def make_key(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new token or key; the answer is the only one that holds its text."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    sent = _read(request, body)
    with fields_named(user="userId"):
        check_scopes(sent.scopes)

        def work(tx: Tx) -> str:
            if sent.expires_at is not None and sent.expires_at <= tx.now:
                raise IncorrectValue("Name an instant in the future.", field="expiresAt")
            return mint(
                tx,
                member.account_id,
                sent.kind,
                sent.user_id or member.user_id,
                sent.scopes,
                name=sent.name,
                secret=new_secret(),
                expires_at=sent.expires_at,
                actor_id=member.user_id,
            )

        return reply(MadeKey(parts_of(request).world.database.transact(work)), 201)


@delete(
    "/keys/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Revoke a token or key", role=Role.ADMIN, status=204, refusals=(404,)),
)
def revoke_key(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """It opens nothing from now on; it stays in the list."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number = read_id(id, "token or key")
    parts_of(request).world.database.transact(lambda tx: revoke(tx, member.account_id, number, member.user_id))
    return nothing()


def _shown(row: dict[str, Any]) -> ShownKey:
    return ShownKey(
        id=row["id"],
        kind=CredentialKind(row["kind"]),
        name=row["name"],
        user_id=row["user_id"],
        scopes=row["scopes"].split(),
        **{name: stamp(instant_or_none(row[name])) for name in _INSTANTS},
    )


_INSTANTS = ("created_at", "expires_at", "last_used_at", "revoked_at")
handlers = [list_keys, make_key, revoke_key]
