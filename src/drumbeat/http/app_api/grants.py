"""/api/mailboxes/:id/grant: a mailbox that logs in by OAuth 2."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from litestar import Response, put
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.http.app_api.admission import admit_writing
from drumbeat.http.app_api.shapes import One, reply
from drumbeat.http.app_api.shown_mailboxes import MAILBOX_EXAMPLE, ShownMailbox, read_back
from drumbeat.http.decoding import BodyReader, LongText, Name
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.mail.oauth import PROVIDERS, Grant
from drumbeat.operations.grants import grant_mailbox
from drumbeat.store.transaction import Tx


class Provider(StrEnum):
    """Whose token server renews the grant; another one is named by tokenUrl."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    OTHER = "other"


class Granting(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Whose mailbox it is at the provider, your application there, and the refresh token it was given."""

    provider: Provider
    username: Name
    client_id: Name
    refresh_token: LongText
    client_secret: Name = ""
    token_url: Name = ""
    scope: LongText = ""


_read = BodyReader(Granting)


@put(
    "/mailboxes/{id:str}/grant",
    sync_to_thread=True,
    opt=described(
        "Let a mailbox log in by OAuth 2",
        role=Role.ADMIN,
        body=Granting,
        example={
            "provider": "google",
            "username": "olive@tea.example",
            "clientId": "1234.apps.example",
            "clientSecret": "the application's secret",
            "refreshToken": "the refresh token",
        },
        answer=One[ShownMailbox],
        answer_example=MAILBOX_EXAMPLE,
        refusals=(404,),
    ),
)
def grant_one(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """To send and to read, instead of a password, which is forgotten; what its trouble blocked is tried at once."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number, sent = read_id(id, "mailbox"), _read(request, body)
    usual_url, usual_scope = PROVIDERS.get(sent.provider, ("", ""))
    grant = Grant(
        token_url=sent.token_url or usual_url,
        client_id=sent.client_id,
        client_secret=sent.client_secret,
        refresh_token=sent.refresh_token,
        scope=sent.scope or usual_scope,
    )

    def work(tx: Tx) -> ShownMailbox:
        account_id = member.account_id
        grant_mailbox(tx, world.vault, account_id, number, sent.username, grant, actor_id=member.user_id)
        return read_back(tx, member, number)

    return reply(world.database.transact(work))


handlers = [grant_one]
