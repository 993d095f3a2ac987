"""/hooks: what providers tell of the letters they took; each request proves itself."""

from __future__ import annotations

import structlog
from litestar import Response, Router, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import Malformed, MasterKeyWrong, NotFound, Unauthorized
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.mail.provider_events import read_events
from drumbeat.mail.provider_proofs import fetch_from_amazon, proven_request
from drumbeat.mail.session import Provider
from drumbeat.operations.hooks import take_in_told
from drumbeat.store import mailboxes
from drumbeat.store.mailboxes import StoredMailbox

_log = structlog.get_logger()


@post(
    "/hooks/{account:str}/{mailbox:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("What a mailbox's provider tells of its letters", status=204, refusals=(400, 401, 408, 413)),
)
def take_told(request: AnyRequest, account: FromPath[str], mailbox: FromPath[str], body: RawBody) -> Response[None]:
    """Each event has its effect once; whoever cannot prove to be the provider learns nothing, also not whether there
    is such a mailbox."""
    world, raw = parts_of(request).world, bytes(body)
    found = _mailbox(request, account, mailbox)
    request_id = None if found is None else _proven(request, found, raw)
    if found is None or found.provider is None or request_id is None:
        raise Unauthorized("This does not prove to come from the mailbox's provider.")
    try:
        told = read_events(Provider(found.provider), raw, request_id)
    except ValueError as error:
        raise Malformed(str(error)) from error
    did = world.database.transact(lambda tx: take_in_told(tx, world.hash_key, found, told))
    _log.info("told", account_id=found.account_id, mailbox_id=found.id, events=len(told), effects=did)
    return Response(None, status_code=204)


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
    return Router("/", route_handlers=[take_told])
