"""/hooks: what providers tell of the letters they took, and the mail they receive; each request proves itself."""

from __future__ import annotations

import structlog
from litestar import Response, Router, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import Malformed, MasterKeyWrong, NotFound, Unauthorized, Unavailable
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.mail.courier import fetch_received
from drumbeat.mail.provider_events import read_events
from drumbeat.mail.provider_mail import LARGEST_BROUGHT, received_message
from drumbeat.mail.provider_proofs import fetch_from_amazon, proven_request
from drumbeat.mail.session import Provider
from drumbeat.operations.hooks import take_in_told
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.mailboxes import server_of
from drumbeat.store import mailboxes
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.wiring import World

_log = structlog.get_logger()


@post(
    "/hooks/{account:str}/{mailbox:str}",
    status_code=204,
    sync_to_thread=True,
    request_max_body_size=LARGEST_BROUGHT,
    opt=described(
        "What a mailbox's provider tells of its letters, and the mail it receives",
        status=204,
        refusals=(400, 401, 408, 413, 503),
    ),
)
def take_told(request: AnyRequest, account: FromPath[str], mailbox: FromPath[str], body: RawBody) -> Response[None]:
    """Each event and each message has its effect once; whoever cannot prove to be the provider learns nothing, also not
    whether there is such a mailbox."""
    return _take(request, account, mailbox, bytes(body))


# A handler of its own: the framework wraps one with two paths in a thread twice.
@post(
    "/hooks/{account:str}/{mailbox:str}/mime",
    status_code=204,
    sync_to_thread=True,
    request_max_body_size=LARGEST_BROUGHT,
    opt=described(
        "The mail a mailbox's provider receives, where Mailgun wants it",
        status=204,
        refusals=(400, 401, 408, 413, 503),
    ),
)
def take_mail(request: AnyRequest, account: FromPath[str], mailbox: FromPath[str], body: RawBody) -> Response[None]:
    """The same: Mailgun brings messages as they arrived only to an address that ends with mime."""
    return _take(request, account, mailbox, bytes(body))


def _take(request: AnyRequest, account: str, mailbox: str, raw: bytes) -> Response[None]:
    world = parts_of(request).world
    found = _mailbox(request, account, mailbox)
    request_id = None if found is None else _proven(request, found, raw)
    if found is None or found.provider is None or request_id is None:
        raise Unauthorized("This does not prove to come from the mailbox's provider.")
    provider, kind = Provider(found.provider), request.headers.get("content-type", "")
    try:
        message = received_message(provider, kind, raw, lambda id: _fetched(world, found, id))
        told = read_events(provider, raw, request_id) if message is None else []
    except ValueError as error:
        raise Malformed(str(error)) from error
    if message is not None:
        heard = read(message)
        world.database.transact(lambda tx: take_in(tx, world.hash_key, found.account_id, found.id, heard))
    elif told:
        did = world.database.transact(lambda tx: take_in_told(tx, world.hash_key, found, told))
        _log.info("told", account_id=found.account_id, mailbox_id=found.id, events=len(told), effects=did)
    return Response(None, status_code=204)


def _fetched(world: World, mailbox: StoredMailbox, id: str) -> bytes:
    try:
        return fetch_received(server_of(world.vault, mailbox), id)
    except (OSError, MasterKeyWrong) as error:
        _log.warning("message cannot be had", account_id=mailbox.account_id, mailbox_id=mailbox.id, error=str(error))
        raise Unavailable("The message cannot be had from the provider now.") from error


def _mailbox(request: AnyRequest, account: str, mailbox: str) -> StoredMailbox | None:
    ids = [int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0 for text in (account, mailbox)]
    if not all(1 <= id <= LARGEST_ID for id in ids):
        return None
    try:
        with parts_of(request).world.database.read() as snapshot:
            return mailboxes.get(snapshot, ids[0], ids[1])
    except NotFound:
        return None


def _proven(request: AnyRequest, mailbox: StoredMailbox, body: bytes) -> str | None:
    world, headers = parts_of(request).world, {name.lower(): value for name, value in request.headers.items()}
    if mailbox.sealed_hook is None or mailbox.provider is None:
        return None
    try:
        secret = world.vault.open(mailbox.sealed_hook)
    except MasterKeyWrong as error:
        _log.warning("hook cannot be opened", account_id=mailbox.account_id, mailbox_id=mailbox.id, error=str(error))
        return None
    with world.database.read() as snapshot:
        now = snapshot.now
    return proven_request(Provider(mailbox.provider), secret, headers, body, now, fetch_from_amazon)


def router() -> Router:
    """The routes, registered at once."""
    return Router("/", route_handlers=[take_told, take_mail])
