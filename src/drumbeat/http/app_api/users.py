"""/api/users: who works in the account; admins invite and change them."""

from __future__ import annotations

import msgspec
from litestar import Response, post, put
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import Role, User, UserStatus
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import Many, One, nothing, reply, reply_all, stamp
from drumbeat.http.decoding import BodyReader, Email, Id, Name, struct_changes
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.operations.accounts import NewUser, change_user, new_secret
from drumbeat.operations.passwords import invite, send_invitation
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx


class Inviting(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Somebody who is to work in the account; they get a letter."""

    email: Email
    name: Name = ""
    role: Role = Role.AGENT
    time_zone: Name | None = None


class ChangingUser(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What is left out stays; null takes a time zone, a locale or a mailbox away."""

    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    status: UserStatus | UnsetType = UNSET
    time_zone: Name | UnsetType | None = UNSET
    locale: Name | UnsetType | None = UNSET
    mailbox_id: Id | UnsetType | None = UNSET


class ShownUser(msgspec.Struct, rename="camel", frozen=True):
    """A user; without a time zone or a locale the account's holds, without a mailbox their letters block."""

    id: int
    name: str
    email: str
    role: Role
    status: UserStatus
    time_zone: str | None
    locale: str | None
    mailbox_id: int | None
    created_at: str | None
    updated_at: str | None


_USER = {
    "id": 2,
    "name": "Sam Seller",
    "email": "sam@tea.example",
    "role": "agent",
    "status": "active",
    "timeZone": None,
    "locale": None,
    "mailboxId": 1,
    "createdAt": "2026-03-02T09:30:00Z",
    "updatedAt": "2026-03-03T10:00:00Z",
}
_EXAMPLE = {"data": _USER}
_read_invitation = BodyReader(Inviting)
_read_changes = BodyReader(ChangingUser)


@readable(
    "/users",
    opt=described("List users", role=Role.AGENT, answer=Many[ShownUser], answer_example={"data": [_USER]}),
)
def list_users(request: AnyRequest) -> Response[bytes]:
    """Every user of the account by id, inactive ones too."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = accounts.list_users(snapshot, member.account_id)
    return reply_all([_shown(user) for user in found])


@readable(
    "/users/{id:str}",
    opt=described("Show a user", role=Role.AGENT, answer=One[ShownUser], answer_example=_EXAMPLE, refusals=(404,)),
)
def show_user(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One user of the account."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = accounts.get_user(snapshot, member.account_id, read_id(id, "user"))
    return reply(_shown(found))


@post(
    "/users",
    sync_to_thread=True,
    opt=described(
        "Invite a user",
        role=Role.ADMIN,
        body=Inviting,
        example={"email": "sam@tea.example", "name": "Sam Seller"},
        answer=One[ShownUser],
        answer_example=_EXAMPLE,
        status=201,
        refusals=(409,),
    ),
)
def invite_user(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new user, who gets a letter with a link to choose a password; whoever has one already signs in with that."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    sent = _read_invitation(request, body)
    new = NewUser(sent.name, sent.email, sent.role, sent.time_zone)

    def work(tx: Tx) -> User:
        base_url = world.settings.base_url
        return invite(tx, world.vault, base_url, member.account_id, new, secret=new_secret(), actor_id=member.user_id)

    return reply(_shown(world.database.transact(work)), 201)


@put(
    "/users/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change a user",
        role=Role.ADMIN,
        body=ChangingUser,
        example={"role": "admin"},
        answer=One[ShownUser],
        answer_example=_EXAMPLE,
        refusals=(404,),
    ),
)
def update_user(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change the fields sent. An inactive user neither signs in nor sends; what waited for the change goes on."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number, changes = read_id(id, "user"), struct_changes(_read_changes(request, body))

    def work(tx: Tx) -> User:
        return change_user(tx, member.account_id, number, changes, member.user_id)

    return reply(_shown(parts_of(request).world.database.transact(work)))


@post(
    "/users/{id:str}/invitation",
    status_code=204,
    sync_to_thread=True,
    opt=described("Send the invitation again", role=Role.ADMIN, status=204, refusals=(404,)),
)
def invite_again(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """Another letter with another link; the one before opens nothing any more."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number = read_id(id, "user")

    def work(tx: Tx) -> None:
        user = accounts.get_user(tx, member.account_id, number)
        base_url = world.settings.base_url
        send_invitation(tx, world.vault, base_url, user, secret=new_secret(), actor_id=member.user_id)

    world.database.transact(work)
    return nothing()


def _shown(user: User) -> ShownUser:
    return ShownUser(
        id=user.id,
        name=user.name,
        email=user.email,
        role=user.role,
        status=user.status,
        time_zone=user.time_zone,
        locale=user.locale,
        mailbox_id=user.mailbox_id,
        created_at=stamp(user.created_at),
        updated_at=stamp(user.updated_at),
    )


handlers = [list_users, show_user, invite_user, update_user, invite_again]
