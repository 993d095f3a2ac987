"""/settings/mailboxes: how users send; admins connect and correct them, agents look at how they stand."""

from __future__ import annotations

from typing import Any

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role, User
from drumbeat.domain.errors import Invalid, InvalidMany, MasterKeyWrong, TestClockRefused
from drumbeat.http.app_api.shapes import fields_named
from drumbeat.http.app_api.shown_mailboxes import standing_mailbox
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.http.web.settings.mailbox_page import (
    MOST_CONNECTIONS,
    PAGE,
    PROVIDERS,
    SECURITIES,
    hearing_of,
    mailbox_page,
    page_again,
    password_in,
    sending_of,
)
from drumbeat.mail.session import Provider, Security
from drumbeat.operations.accounts import active_user
from drumbeat.operations.mailboxes import MailboxSettings, add_mailbox, change_mailbox, standing, way_out
from drumbeat.store import accounts, inboxes, mailboxes
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx

_USUAL_CONNECTIONS = 4


@readable(PAGE, opt=opened())
def show_mailboxes(request: AnyRequest) -> Response[bytes]:
    """Every mailbox, who sends with it, and how it stands."""
    with visiting(request) as visit:
        found = mailboxes.list_all(visit.snapshot, visit.account_id)
        hearing = inboxes.list_all(visit.snapshot, visit.account_id)
        users = accounts.list_users(visit.snapshot, visit.account_id)
        return visit.page(
            "settings/mailboxes.html",
            mailboxes=found,
            sending={each.id: sending_of(each, visit.snapshot.now) for each in found},
            hearing={each.id: hearing_of(each, hearing.get(each.id)) for each in found},
            senders={each.id: [user.name for user in users if user.mailbox_id == each.id] for each in found},
            without=[user.name for user in users if user.is_active and user.mailbox_id is None],
        )


@readable(f"{PAGE}/new", opt=opened(Role.ADMIN))
def show_new_mailbox(request: AnyRequest) -> Response[bytes]:
    """Asks for the sender, the server and its login."""
    with visiting(request, Role.ADMIN) as visit:
        form = Form.of(
            sender_email=None,
            sender_name=None,
            name=None,
            provider=None,
            host=None,
            port=None,
            security=None,
            username=None,
            password=None,
            user_id=None,
            connections=_USUAL_CONNECTIONS,
        )
        return _new_page(visit, form)


def _new_page(visit: Visit, form: Form, status: int = 200) -> Response[bytes]:
    users = accounts.list_users(visit.snapshot, visit.account_id)
    return visit.page(
        "settings/mailbox_new.html",
        status,
        form=form,
        owners=[(user.id, user.name) for user in users if user.is_active and user.id != visit.user.id],
        providers=PROVIDERS,
        securities=SECURITIES,
        most_connections=MOST_CONNECTIONS,
    )


@post(f"{PAGE}/new", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def make_mailbox(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Connects a mailbox, which its user sends with from now on; what waited for one goes on."""
    sent = posted(request, body, Role.ADMIN)
    try:
        with fields_named(user="user_id"):
            added = _added(sent)
    except (Invalid, InvalidMany, TestClockRefused) as error:
        with sent.again() as visit:
            return _new_page(visit, sent.form.complain(error), 422)
    said = "The mailbox is connected. Run its pre-flight to see whether letters get through."
    return sent.to(f"{PAGE}/{added.id}", said)


def _added(sent: Sent) -> StoredMailbox:
    form, world = sent.form, sent.world
    user_id = form.number("user_id", 1) or sent.by
    read = _read_new(form)

    def work(tx: Tx) -> StoredMailbox:
        user = active_user(tx, sent.account_id, user_id)
        return add_mailbox(
            tx,
            world.vault,
            sent.account_id,
            user.id,
            _settings(read, user),
            test_clock=world.settings.test_clock,
            actor_id=sent.by,
        )

    return sent.transact(work)


def _read_new(form: Form) -> dict[str, Any]:
    provider = form.chosen("provider", Provider) if form.text("provider") else None
    security = form.chosen("security", Security) if form.text("security") else None
    return {
        "name": form.text("name"),
        "sender_name": form.text("sender_name"),
        "sender_email": form.text("sender_email"),
        "username": form.optional("username"),
        "password": password_in(form),
        "connections": form.number("connections", 1, MOST_CONNECTIONS) or _USUAL_CONNECTIONS,
        "needs_identity": form.is_on("needs_identity"),
        **way_out(provider, form.optional("host"), form.number("port", 1, 65535), security),
    }


def _settings(read: dict[str, Any], user: User) -> MailboxSettings:
    return MailboxSettings(**read | {"sender_name": read["sender_name"] or user.name})


@readable(f"{PAGE}/{{id:str}}", opt=opened())
def show_mailbox(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """How a mailbox stands; for admins also its forms."""
    with visiting(request) as visit:
        return mailbox_page(visit, standing_mailbox(visit.snapshot, visit.member, read_id(id, "mailbox")))


@post(f"{PAGE}/{{id:str}}", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def update_mailbox(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Changes what was written otherwise; what the mailbox's trouble blocked is tried again at once."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    try:
        read = _read_changes(sent.form)

        def work(tx: Tx) -> StoredMailbox:
            changes = _changed(standing(tx, sent.account_id, number), read)
            return change_mailbox(tx, sent.world.vault, sent.account_id, number, changes, actor_id=sent.by)

        sent.transact(work)
    except MasterKeyWrong as error:
        return page_again(sent, number, settings=sent.form.complain(_unopened(error)))
    except (Invalid, InvalidMany) as error:
        return page_again(sent, number, settings=sent.form.complain(error))
    return sent.to(f"{PAGE}/{number}", "The settings are kept. What waited for them is tried at once.")


def _read_changes(form: Form) -> dict[str, Any]:
    read = {
        "name": form.text("name"),
        "sender_name": form.text("sender_name"),
        "sender_email": form.text("sender_email"),
        "host": form.text("host"),
        "port": form.needed("port", 1, 65535),
        "security": form.chosen("security", Security),
        "username": form.optional("username"),
        "connections": form.needed("connections", 1, MOST_CONNECTIONS),
        "needs_identity": form.is_on("needs_identity"),
    }
    password = password_in(form)
    return read if password is None else read | {"password": password}


def _changed(mailbox: StoredMailbox, read: dict[str, Any]) -> dict[str, Any]:
    """What differs from how the mailbox stands; without a user name it keeps no password either."""
    changes = {name: value for name, value in read.items() if name == "password" or value != getattr(mailbox, name)}
    if changes.get("username", "") is None and mailbox.provider is None:
        changes.setdefault("password", None)
    return changes


def _unopened(error: MasterKeyWrong) -> MasterKeyWrong:
    return MasterKeyWrong(f"{error} Or write the password anew.", field="password")


handlers = [show_mailboxes, show_new_mailbox, make_mailbox, show_mailbox, update_mailbox]
