"""A mailbox that logs in by OAuth 2: its owner consents at the provider and comes back with a code (with PKCE)."""

from __future__ import annotations

import secrets
from typing import Final

import msgspec
from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.errors import GrantRefused, Invalid, InvalidMany, MasterKeyWrong, MissingField, Refused
from drumbeat.http.app_api.admission import admit_writing, forget_cookie, is_secure
from drumbeat.http.app_api.grants import Provider
from drumbeat.http.app_api.shown_mailboxes import standing_mailbox
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, opened, posted
from drumbeat.http.web.settings.mailbox_page import PAGE
from drumbeat.http.web.settings.mailbox_trust import trust_again
from drumbeat.mail.oauth import CONSENTS, PROVIDERS, Grant, check_grant, consent_url, redeem
from drumbeat.operations.grants import grant_mailbox

_LASTS: Final = 900  # seconds that a consent may take
_CALLBACK: Final = f"{PAGE}/consent"


class Pending(msgspec.Struct, frozen=True):
    """A consent that is waited for; it travels sealed in a cookie, and holds who asked for what."""

    account_id: int
    user_id: int
    mailbox_id: int
    state: str
    verifier: str
    username: str
    grant: Grant


@post(f"{PAGE}/{{id:str}}/consent", status_code=200, sync_to_thread=True, opt=opened(Role.ADMIN))
def begin_consent(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Keeps the application's name and secret for a quarter of an hour, and shows where to consent."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    with sent.again() as visit:
        standing_mailbox(visit.snapshot, sent.member, number)
    try:
        address, grant = _read(sent.form)
        check_grant(msgspec.structs.replace(grant, refresh_token="to come"))  # noqa: S106 - what consenting brings
        if not sent.form.text("username"):
            raise MissingField("Write whose mailbox it is, mostly its address.", field="username")
    except (Invalid, InvalidMany) as error:
        return trust_again(sent, number, oauth=sent.form.complain(error))
    pending = Pending(
        sent.account_id,
        sent.by,
        number,
        state=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        username=sent.form.text("username"),
        grant=grant,
    )
    url = consent_url(address, grant, _redirect_uri(request), pending.state, pending.verifier)
    with sent.again() as visit:
        answer = visit.page("settings/consent.html", mailbox_id=number, url=url, username=pending.username)
    answer.set_cookie(
        key=_cookie(request),
        value=parts_of(request).world.vault.seal(msgspec.json.encode(pending).decode()),
        max_age=_LASTS,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return answer


def _read(form: Form) -> tuple[str, Grant]:
    """Where to consent, and the grant without what consenting brings."""
    provider = form.chosen("provider", Provider)
    token_url, scope = PROVIDERS.get(provider, (form.text("token_url"), ""))
    address = CONSENTS.get(provider, form.text("consent_url"))
    if not address.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise MissingField("Write the address where one consents; it begins with https://.", field="consent_url")
    grant = Grant(token_url, form.text("client_id"), form.text("client_secret"), "", form.text("scope") or scope)
    return address, grant


def _redirect_uri(request: AnyRequest) -> str:
    return f"{parts_of(request).world.settings.base_url}{_CALLBACK}"


def _cookie(request: AnyRequest) -> str:
    return "__Host-drumbeat-consent" if is_secure(request) else "drumbeat-consent"


@readable(_CALLBACK, opt=opened(Role.ADMIN))
def end_consent(request: AnyRequest) -> Response[bytes]:
    """Where the provider sends the owner back to: the code is redeemed, and the mailbox logs in by it from now on."""
    sent = Sent(request, admit_writing(request, Role.ADMIN), Form())
    pending = _pending(sent)
    state = request.query_params.get("state", "")
    if pending is None or not secrets.compare_digest(pending.state.encode(), state.encode()):
        return sent.to(PAGE, "This consent is over or was begun elsewhere: begin it again.", wrong=True)
    page = f"{PAGE}/{pending.mailbox_id}"
    code = request.query_params.get("code", "")
    if not code:
        said = request.query_params.get("error_description") or request.query_params.get("error") or "no code came"
        return _over(sent, sent.to(f"{page}/trust", f"The provider did not consent: {said[:200]}.", wrong=True))
    world = sent.world
    try:
        grant = redeem(pending.grant, code, _redirect_uri(request), pending.verifier)
        sent.transact(
            lambda tx: grant_mailbox(
                tx, world.vault, sent.account_id, pending.mailbox_id, pending.username, grant, actor_id=sent.by
            )
        )
    except (Refused, GrantRefused, OSError) as error:
        return _over(sent, sent.to(f"{page}/trust", str(error), wrong=True))
    return _over(sent, sent.to(page, "The mailbox logs in by OAuth 2 now. Its pre-flight tells whether it works."))


def _pending(sent: Sent) -> Pending | None:
    """The consent that this user of this account began in this browser."""
    sealed = sent.request.cookies.get(_cookie(sent.request))
    if not sealed:
        return None
    try:
        pending = msgspec.json.decode(sent.world.vault.open(sealed), type=Pending)
    except (MasterKeyWrong, msgspec.DecodeError):
        return None
    is_theirs = (pending.account_id, pending.user_id) == (sent.account_id, sent.by)
    return pending if is_theirs else None


def _over(sent: Sent, answer: Response[bytes]) -> Response[bytes]:
    forget_cookie(sent.request, answer, _cookie(sent.request))
    return answer


handlers = [begin_consent, end_consent]
