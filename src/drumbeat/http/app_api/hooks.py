"""/api/mailboxes/:id/hook: how a mailbox's provider tells what became of letters; admins set it and take it away."""

from __future__ import annotations

import msgspec
from litestar import Response, delete, put
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.http.app_api.admission import admit_writing
from drumbeat.http.app_api.shapes import One, nothing, reply
from drumbeat.http.decoding import BodyReader, LongText
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.mail.provider_proofs import HOOK_USER
from drumbeat.operations.hooks import hook_path, remove_hook, set_hook


class SettingHook(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What the provider proves itself with: Mailgun's signing key, SendGrid's verification key, the ARN of SES's topic,
    Resend's signing secret. Of Postmark a password of your own; without one it is made."""

    secret: LongText | None = None


class ShownHook(msgspec.Struct, rename="camel", frozen=True):
    """Where the provider is to post, and, for Postmark, the login it is to use; a password that was made is shown
    once."""

    url: str
    username: str | None
    password: str | None


_read = BodyReader(SettingHook)


@put(
    "/mailboxes/{id:str}/hook",
    sync_to_thread=True,
    opt=described(
        "Let a mailbox's provider tell what became of letters",
        role=Role.ADMIN,
        body=SettingHook,
        example={"secret": "the webhook's signing key"},
        answer=One[ShownHook],
        answer_example={"data": {"url": "https://mail.tea.example/hooks/1/2", "username": None, "password": None}},
        refusals=(404,),
    ),
)
def set_one(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Bounces, complaints and unsubscriptions that the provider hears of have their effect; a delivery settles a
    doubt."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number, sent = read_id(id, "mailbox"), _read(request, body)
    made = world.database.transact(
        lambda tx: set_hook(tx, world.vault, member.account_id, number, sent.secret, actor_id=member.user_id)
    )
    url = f"{world.settings.base_url}{hook_path(member.account_id, number)}"
    return reply(ShownHook(url, None if made is None else HOOK_USER, made))


@delete(
    "/mailboxes/{id:str}/hook",
    status_code=204,
    sync_to_thread=True,
    opt=described("Let a mailbox's provider tell no more", role=Role.ADMIN, status=204, refusals=(404,)),
)
def remove_one(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """What it posts is refused from now on, and what it proved itself with is forgotten."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number = read_id(id, "mailbox")
    parts_of(request).world.database.transact(
        lambda tx: remove_hook(tx, member.account_id, number, actor_id=member.user_id)
    )
    return nothing()


handlers = [set_one, remove_one]
