"""/api/mailboxes: how users send; admins connect, correct, test and remove them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from litestar import Response, delete, post, put
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import Role
from drumbeat.domain.errors import MasterKeyWrong
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import Many, One, fields_named, nothing, reply, reply_all
from drumbeat.http.app_api.shown_mailboxes import (
    MAILBOX_EXAMPLE,
    MAILBOX_SHOWN,
    ShownMailbox,
    read_back,
    shown_mailbox,
    standing_mailbox,
)
from drumbeat.http.decoding import BodyReader, Email, Id, Name, struct_changes
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.mail.outgoing import check
from drumbeat.mail.session import Provider, Security
from drumbeat.operations.accounts import active_user
from drumbeat.operations.holds import lift_hold
from drumbeat.operations.inboxes import trouble_of_inbox
from drumbeat.operations.mailboxes import (
    LONGEST_SPACING,
    MOST_LETTERS,
    MailboxSettings,
    add_mailbox,
    change_mailbox,
    limit_mailbox,
    remove_mailbox,
    server_of,
    switch_mailbox,
    way_out,
)
from drumbeat.store import accounts, inboxes, mailboxes
from drumbeat.store.transaction import Tx

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
_Connections = Annotated[int, msgspec.Meta(ge=1, le=50)]
_Letters = Annotated[int, msgspec.Meta(ge=1, le=MOST_LETTERS)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=LONGEST_SPACING)]


class AddingMailbox(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A server and who letters come from; it is userId's from now on, else whoever adds it.

    With a provider its API takes the letters, and the password is its key; SES has its access key id as username, and
    its region's host; Mailgun may have its sending domain as username. With needsIdentity it sends only while receivers
    find SPF, DKIM and DMARC of the sender as they want them.
    """

    sender_email: Email
    host: Name | None = None
    provider: Provider | None = None
    sender_name: Name | None = None
    name: Name = ""
    port: Port | None = None
    security: Security | None = None
    username: Name | None = None
    password: Name | None = None
    connections: _Connections = 4
    needs_identity: bool = False
    user_id: Id | None = None


class ChangingMailbox(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What is left out stays; username null sends without a login. `active` switches it off and on.

    Its own limits: letters a day and an hour of the account's zone (null: any number), spacing, the seconds between two
    letters, rampFrom, a slow start: so many letters today, and a fifth more each day, and perDomain, how many are on
    their way to one recipients' domain at once.
    """

    host: Name | UnsetType = UNSET
    sender_email: Email | UnsetType = UNSET
    sender_name: Name | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    security: Security | UnsetType = UNSET
    username: Name | UnsetType | None = UNSET
    password: Name | UnsetType = UNSET
    connections: _Connections | UnsetType = UNSET
    needs_identity: bool | UnsetType = UNSET
    per_day: _Letters | UnsetType | None = UNSET
    per_hour: _Letters | UnsetType | None = UNSET
    spacing: _Seconds | UnsetType = UNSET
    ramp_from: _Letters | UnsetType | None = UNSET
    per_domain: _Letters | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET


class MailboxTest(msgspec.Struct, rename="camel", frozen=True):
    """Whether the trial sessions came through; else at which stage sending or reading failed, and what the server
    said."""

    works: bool
    trouble: str | None
    inbox_trouble: str | None


class LiftedHold(msgspec.Struct, rename="camel", frozen=True):
    """How many enrollments go on."""

    released: int


_LIMITS: Final = ("per_day", "per_hour", "spacing", "ramp_from", "per_domain")
_read_new = BodyReader(AddingMailbox)
_read_changes = BodyReader(ChangingMailbox)


@readable(
    "/mailboxes",
    opt=described(
        "List mailboxes", role=Role.AGENT, answer=Many[ShownMailbox], answer_example={"data": [MAILBOX_SHOWN]}
    ),
)
def list_mailboxes(request: AnyRequest) -> Response[bytes]:
    """Every mailbox of the account by id, with the users who send with it."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = mailboxes.list_all(snapshot, member.account_id)
        users = accounts.list_users(snapshot, member.account_id)
        hearing = inboxes.list_all(snapshot, member.account_id)
    return reply_all([shown_mailbox(each, users, hearing.get(each.id)) for each in found])


@readable(
    "/mailboxes/{id:str}",
    opt=described(
        "Show a mailbox", role=Role.AGENT, answer=One[ShownMailbox], answer_example=MAILBOX_EXAMPLE, refusals=(404,)
    ),
)
def show_mailbox(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One mailbox, and what holds it."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        return reply(read_back(snapshot, member, read_id(id, "mailbox")))


@post(
    "/mailboxes",
    sync_to_thread=True,
    opt=described(
        "Connect a mailbox",
        role=Role.ADMIN,
        body=AddingMailbox,
        example={
            "host": "smtp.tea.example",
            "senderEmail": "olive@tea.example",
            "username": "olive",
            "password": "the mail server's password",
        },
        answer=One[ShownMailbox],
        answer_example=MAILBOX_EXAMPLE,
        status=201,
        refusals=(409,),
    ),
)
def add_one(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new mailbox, which its user sends with from now on; what waited for one goes on. Its password is sealed."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    sent = _read_new(request, body)

    def work(tx: Tx) -> ShownMailbox:
        user = active_user(tx, member.account_id, sent.user_id or member.user_id)
        settings = MailboxSettings(
            name=sent.name,
            sender_name=sent.sender_name or user.name,
            sender_email=sent.sender_email,
            username=sent.username or None,
            password=sent.password or None,
            connections=sent.connections,
            needs_identity=sent.needs_identity,
            **way_out(sent.provider, sent.host, sent.port, sent.security),
        )
        added = add_mailbox(
            tx,
            world.vault,
            member.account_id,
            user.id,
            settings,
            test_clock=world.settings.test_clock,
            actor_id=member.user_id,
        )
        return read_back(tx, member, added.id)

    with fields_named(user="userId"):
        return reply(world.database.transact(work), 201)


@put(
    "/mailboxes/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Correct a mailbox, or switch it",
        role=Role.ADMIN,
        body=ChangingMailbox,
        example={"password": "the new password"},
        answer=One[ShownMailbox],
        answer_example=MAILBOX_EXAMPLE,
        refusals=(404,),
    ),
)
def update_mailbox(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change the fields sent; what the mailbox's trouble blocked is tried again at once."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number, changes = read_id(id, "mailbox"), struct_changes(_read_changes(request, body))
    is_active = changes.pop("active", None)
    limits: dict[str, int | None] = {
        name: changes.pop(name)
        for name in ("per_day", "per_hour", "spacing", "ramp_from", "per_domain")
        if name in changes
    }
    if changes.get("username", "") is None:
        changes["password"] = None

    def work(tx: Tx) -> ShownMailbox:
        account_id, by = member.account_id, member.user_id
        if changes:
            change_mailbox(tx, world.vault, account_id, number, changes, actor_id=by)
        if limits:
            limit_mailbox(tx, account_id, number, limits, actor_id=by)
        if is_active is not None:
            switch_mailbox(tx, account_id, number, on=is_active, actor_id=by)
        return read_back(tx, member, number)

    return reply(world.database.transact(work))


@delete(
    "/mailboxes/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Remove a mailbox", role=Role.ADMIN, status=204, refusals=(404,)),
)
def remove_one(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """It goes for good, with its login; running enrollments that sent from it block at their next letter."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number = read_id(id, "mailbox")
    parts_of(request).world.database.transact(
        lambda tx: remove_mailbox(tx, member.account_id, number, actor_id=member.user_id)
    )
    return nothing()


@post(
    "/mailboxes/{id:str}/test",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Test a mailbox",
        role=Role.ADMIN,
        answer=One[MailboxTest],
        answer_example={"data": {"works": False, "trouble": "auth: 535 5.7.8 wrong password", "inboxTrouble": None}},
        refusals=(404,),
    ),
)
def test_one(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """Connects and logs in as sending and reading would, for 20 seconds at most; no letter is sent or read."""
    world = parts_of(request).world
    with world.database.read() as snapshot:
        member = admit_member(snapshot, request, Role.ADMIN)
        read_parameters(request)
        mailbox = standing_mailbox(snapshot, member, read_id(id, "mailbox"))
        inbox = inboxes.find(snapshot, member.account_id, mailbox.id)
    sending = _tried(lambda: check(server_of(world.vault, mailbox, world.tokens.source(mailbox))).trouble)
    reading = _tried(lambda: trouble_of_inbox(world.vault, mailbox, inbox, world.tokens.source(mailbox)))
    return reply(MailboxTest(sending is None and reading is None, sending, reading))


def _tried(session: Callable[[], str | None]) -> str | None:
    try:
        return session()
    except MasterKeyWrong as error:
        return f"{error} Or send the password anew."


@post(
    "/mailboxes/{id:str}/lift",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Lift the hold on a mailbox",
        role=Role.ADMIN,
        answer=One[LiftedHold],
        answer_example={"data": {"released": 12}},
        refusals=(404,),
    ),
)
def lift_one(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """It sends again at once, and what its hold blocked goes on."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number = read_id(id, "mailbox")
    released = parts_of(request).world.database.transact(lambda tx: lift_hold(tx, member.account_id, number))
    return reply(LiftedHold(released))


handlers = [
    list_mailboxes,
    show_mailbox,
    add_one,
    update_mailbox,
    remove_one,
    test_one,
    lift_one,
]
