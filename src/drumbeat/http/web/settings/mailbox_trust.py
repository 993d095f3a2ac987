"""What makes others trust a mailbox: a login by OAuth 2, a signature of one's own, and what its provider tells us."""

from __future__ import annotations

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.errors import IncorrectValue, Invalid, InvalidMany, Refused
from drumbeat.http.app_api.grants import Provider
from drumbeat.http.app_api.shown_mailboxes import standing_mailbox
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.http.web.settings.mailbox_page import PAGE, PROVIDERS
from drumbeat.mail.dkim import new_key
from drumbeat.mail.oauth import PROVIDERS as TOKEN_SERVERS
from drumbeat.mail.oauth import Grant
from drumbeat.mail.provider_proofs import HOOK_USER
from drumbeat.operations.grants import grant_mailbox
from drumbeat.operations.hooks import hook_path, remove_hook, set_hook
from drumbeat.operations.signing import USUAL_SELECTOR, Published, sign_with, stop_signing
from drumbeat.store import mailboxes
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx

_SECRETS = ("client_secret", "refresh_token", "key", "secret")
_LOGINS = (
    (Provider.GOOGLE.value, "Google"),
    (Provider.MICROSOFT.value, "Microsoft"),
    (Provider.OTHER.value, "Another one"),
)


@readable(f"{PAGE}/{{id:str}}/trust", opt=opened(Role.ADMIN))
def show_trust(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """How the mailbox logs in, signs, and is told of its letters."""
    with visiting(request, Role.ADMIN) as visit:
        return _page(visit, standing_mailbox(visit.snapshot, visit.member, read_id(id, "mailbox")))


def _page(
    visit: Visit,
    mailbox: StoredMailbox,
    status: int = 200,
    *,
    oauth: Form | None = None,
    dkim: Form | None = None,
    hook: Form | None = None,
    record: tuple[str, str] | None = None,
    made: str | None = None,
) -> Response[bytes]:
    world = parts_of(visit.request).world
    blank = dict.fromkeys(("client_id", "client_secret", "consent_url", "token_url", "scope", "refresh_token"))
    return visit.page(
        "settings/mailbox_trust.html",
        status,
        mailbox=mailbox,
        provider_name=dict(PROVIDERS).get(mailbox.provider or "", ""),
        oauth=oauth or Form.of(provider=Provider.GOOGLE.value, username=mailbox.sender_email, **blank),
        dkim=dkim or Form.of(selector=mailbox.dkim_selector or USUAL_SELECTOR, key=None, replace=False),
        hook=hook or Form.of(secret=None),
        logins=_LOGINS,
        redirect_uri=f"{world.settings.base_url}{PAGE}/consent",
        hook_url=f"{world.settings.base_url}{hook_path(visit.account_id, mailbox.id)}",
        hook_user=HOOK_USER,
        record=record,
        made=made,
    )


def trust_again(
    sent: Sent, id: int, oauth: Form | None = None, dkim: Form | None = None, hook: Form | None = None
) -> Response[bytes]:
    """The page again, with what is wrong in one of its forms; secrets are not shown again."""
    for form in (oauth, dkim, hook):
        if form is not None:
            shown = {name: texts for name, texts in form.values.items() if name not in _SECRETS}
            form.values = {**shown, **{name: [""] for name in _SECRETS}}
    with sent.again() as visit:
        mailbox = standing_mailbox(visit.snapshot, sent.member, id)
        return _page(visit, mailbox, 422, oauth=oauth, dkim=dkim, hook=hook)


@post(f"{PAGE}/{{id:str}}/grant", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def set_grant(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Lets the mailbox log in with a refresh token that somebody has already."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    try:
        provider = sent.form.chosen("provider", Provider)
        usual_url, usual_scope = TOKEN_SERVERS.get(provider, ("", ""))
        grant = Grant(
            sent.form.text("token_url") or usual_url,
            sent.form.text("client_id"),
            sent.form.text("client_secret"),
            sent.form.text("refresh_token"),
            sent.form.text("scope") or usual_scope,
        )
        username, vault = sent.form.text("username"), sent.world.vault
        sent.transact(lambda tx: grant_mailbox(tx, vault, sent.account_id, number, username, grant, actor_id=sent.by))
    except (Invalid, InvalidMany) as error:
        return trust_again(sent, number, oauth=sent.form.complain(error))
    return sent.to(f"{PAGE}/{number}", "The mailbox logs in by OAuth 2 now. Its pre-flight tells whether it works.")


@post(f"{PAGE}/{{id:str}}/dkim", status_code=200, sync_to_thread=True, opt=opened(Role.ADMIN))
def set_signature(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Signs from now on with a new key, or the one sent; shows the record to publish."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    pem, selector = sent.form.raw("key").strip() or new_key(), sent.form.text("selector")

    def work(tx: Tx) -> Published:
        if mailboxes.get(tx, sent.account_id, number).dkim_selector and not sent.form.is_on("replace"):
            raise IncorrectValue("Tick “Replace the key that signs now” to sign with another one.", field="replace")
        return sign_with(tx, sent.world.vault, sent.account_id, number, selector, pem, actor_id=sent.by)

    try:
        told = sent.transact(work)
    except (Invalid, InvalidMany) as error:
        return trust_again(sent, number, dkim=sent.form.complain(error))
    with sent.again() as visit:
        mailbox = standing_mailbox(visit.snapshot, sent.member, number)
        return _page(visit, mailbox, record=(told.name, told.text))


@post(f"{PAGE}/{{id:str}}/dkim/remove", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def remove_signature(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Letters leave without a signature of ours, and the key is forgotten."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    said = "Letters are signed no more, and the key is forgotten."
    return sent.done(
        f"{PAGE}/{number}/trust", said, lambda tx: stop_signing(tx, sent.account_id, number, actor_id=sent.by)
    )


@post(f"{PAGE}/{{id:str}}/hook", status_code=200, sync_to_thread=True, opt=opened(Role.ADMIN))
def set_telling(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Lets the provider tell of bounces and the like; a password that was made for it is shown this once."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    secret = sent.form.optional("secret")
    try:
        made = sent.transact(
            lambda tx: set_hook(tx, sent.world.vault, sent.account_id, number, secret, actor_id=sent.by)
        )
    except Refused as error:
        return trust_again(sent, number, hook=sent.form.complain(error))
    with sent.again() as visit:
        return _page(visit, standing_mailbox(visit.snapshot, sent.member, number), made=made or "")


@post(f"{PAGE}/{{id:str}}/hook/remove", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def remove_telling(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """What it posts is refused from now on."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    said = "What the provider tells is refused from now on."
    return sent.done(
        f"{PAGE}/{number}/trust", said, lambda tx: remove_hook(tx, sent.account_id, number, actor_id=sent.by)
    )


handlers = [show_trust, set_grant, set_signature, remove_signature, set_telling, remove_telling]
