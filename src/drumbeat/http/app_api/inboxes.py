"""/api/mailboxes/:id/inbox: how a mailbox hears what comes back; admins set it and take it away."""

from __future__ import annotations

import msgspec
from litestar import Response, delete, put
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.http.app_api.admission import admit_writing
from drumbeat.http.app_api.mailboxes import Port
from drumbeat.http.app_api.shapes import One, nothing, reply
from drumbeat.http.app_api.shown_mailboxes import MAILBOX_EXAMPLE, ShownMailbox, read_back
from drumbeat.http.decoding import BodyReader, Name
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.mail.session import Security
from drumbeat.operations.inboxes import InboxSettings, listen, stop_listening
from drumbeat.store.transaction import Tx


class SettingInbox(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """An incoming mail server (IMAP); without a username it is entered with the mailbox's own login."""

    host: Name
    port: Port = 993
    security: Security = Security.TLS
    username: Name | None = None
    password: Name | None = None


_read_inbox = BodyReader(SettingInbox)


@put(
    "/mailboxes/{id:str}/inbox",
    sync_to_thread=True,
    opt=described(
        "Let a mailbox hear",
        role=Role.ADMIN,
        body=SettingInbox,
        example={"host": "imap.tea.example"},
        answer=One[ShownMailbox],
        answer_example=MAILBOX_EXAMPLE,
        refusals=(404,),
    ),
)
def set_inbox(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """What comes back is read from the mailbox's next message on; nothing in it is changed."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number, sent = read_id(id, "mailbox"), _read_inbox(request, body)
    settings = InboxSettings(
        sent.host, sent.port, sent.security, username=sent.username or None, password=sent.password or None
    )

    def work(tx: Tx) -> ShownMailbox:
        listen(tx, world.vault, member.account_id, number, settings, actor_id=member.user_id)
        return read_back(tx, member, number)

    return reply(world.database.transact(work))


@delete(
    "/mailboxes/{id:str}/inbox",
    status_code=204,
    sync_to_thread=True,
    opt=described("Let a mailbox hear no more", role=Role.ADMIN, status=204, refusals=(404,)),
)
def remove_inbox(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """What comes back is not read any more, and how it was is forgotten."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number = read_id(id, "mailbox")
    parts_of(request).world.database.transact(
        lambda tx: stop_listening(tx, member.account_id, number, actor_id=member.user_id)
    )
    return nothing()


handlers = [set_inbox, remove_inbox]
