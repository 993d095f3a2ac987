"""/settings/users: who works in the account; admins invite, change, and let go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role, User, UserStatus
from drumbeat.domain.errors import Invalid, InvalidMany, Refused
from drumbeat.domain.locale import offered_locales
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Undo, Visit, opened, posted, visiting
from drumbeat.http.web.settings.zones import offered_zones
from drumbeat.operations.accounts import NewUser, change_user, new_secret
from drumbeat.operations.passwords import invite, send_invitation
from drumbeat.store import accounts, mailboxes
from drumbeat.store.transaction import Tx

_PAGE = "/settings/users"
_ROLES = ((Role.AGENT.value, "Agent: the daily work"), (Role.ADMIN.value, "Admin: everything"))


@readable(_PAGE, opt=opened())
def show_users(request: AnyRequest) -> Response[bytes]:
    """Everybody, inactive ones too, and for admins a form to invite with."""
    with visiting(request) as visit:
        return _list_page(visit, Form.of(email=None, name=None, role=Role.AGENT.value, time_zone=None))


def _list_page(visit: Visit, form: Form, status: int = 200) -> Response[bytes]:
    return visit.page(
        "settings/users.html",
        status,
        form=form,
        users=accounts.list_users(visit.snapshot, visit.account_id),
        mailbox_names=dict(_mailboxes(visit)),
        roles=_ROLES,
        zones=offered_zones(),
        has_sender=_has_sender(visit),
    )


def _mailboxes(visit: Visit) -> list[tuple[int, str]]:
    return [(each.id, each.name) for each in mailboxes.list_all(visit.snapshot, visit.account_id)]


def _has_sender(visit: Visit) -> bool:
    """Whether anybody takes the installation's own letters, such as invitations."""
    return parts_of(visit.request).world.sender is not None


@post(_PAGE, status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def invite_user(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Invites somebody, who gets a letter with a link to choose a password."""
    sent = posted(request, body, Role.ADMIN)
    form, world = sent.form, sent.world
    try:
        new = NewUser(form.text("name"), form.text("email"), form.chosen("role", Role), form.optional("time_zone"))
        user = sent.transact(
            lambda tx: invite(
                tx, world.vault, world.settings.base_url, sent.account_id, new, secret=new_secret(), actor_id=sent.by
            )
        )
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _list_page(visit, form.complain(error), 422)
    return sent.to(_PAGE, f"{user.name} is invited; the letter goes to {user.email}.")


@readable(f"{_PAGE}/{{id:str}}", opt=opened(Role.ADMIN))
def show_user(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """What a user is called, may do, and sends with."""
    with visiting(request, Role.ADMIN) as visit:
        user = accounts.get_user(visit.snapshot, visit.account_id, read_id(id, "user"))
        form = Form.of(
            name=user.name,
            role=user.role.value,
            time_zone=user.time_zone,
            locale=user.locale,
            mailbox_id=user.mailbox_id,
        )
        return _user_page(visit, user, form)


def _user_page(visit: Visit, user: User, form: Form, status: int = 200) -> Response[bytes]:
    return visit.page(
        "settings/user.html",
        status,
        form=form,
        user=user,
        has_login=accounts.login_of(visit.snapshot, visit.account_id, user.id) is not None,
        locales=offered_locales(),
        mailboxes=_mailboxes(visit),
        roles=_ROLES,
        zones=offered_zones(),
        has_sender=_has_sender(visit),
    )


@post(f"{_PAGE}/{{id:str}}", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def update_user(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Changes a user; letters that waited for a mailbox go on."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "user")
    try:
        user = _change(sent, number, sent.form.touched(_changes(sent.form)))
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            standing = accounts.get_user(visit.snapshot, sent.account_id, number)
            return _user_page(visit, standing, sent.form.complain(error), 422)
    return sent.to(_PAGE, f"What you changed of {user.name} is kept.")


def _changes(form: Form) -> dict[str, Any]:
    return {
        "name": form.text("name"),
        "role": form.chosen("role", Role),
        "time_zone": form.optional("time_zone"),
        "locale": form.optional("locale"),
        "mailbox_id": form.number("mailbox_id", 1),
    }


def _change(sent: Sent, number: int, changes: dict[str, Any]) -> User:
    return sent.transact(lambda tx: change_user(tx, sent.account_id, number, changes, sent.by))


@post(f"{_PAGE}/{{id:str}}/status", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def switch_user(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Lets a user neither sign in nor send any more, or again."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "user")
    page = f"{_PAGE}/{number}"
    try:
        status = sent.form.chosen("status", UserStatus)
        user = _change(sent, number, {"status": status})
    except Refused as error:
        return sent.to(page, error.detail or error.message, wrong=True)
    if number == sent.by and not user.is_active:
        return sent.to("/sign-in")
    before = UserStatus.INACTIVE if user.is_active else UserStatus.ACTIVE
    words = "may sign in and send again" if user.is_active else "is signed out, and sends no more"
    undo = Undo(f"{page}/status", fields={"status": before.value})
    return sent.to(page, f"{user.name} {words}.", undo=undo)


@post(f"{_PAGE}/{{id:str}}/invitation", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def invite_again(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Sends the letter again; the link of the one before opens nothing any more."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "user")
    return sent.done(f"{_PAGE}/{number}", "Another letter is on its way.", _inviting(sent, number))


def _inviting(sent: Sent, number: int) -> Callable[[Tx], None]:
    world = sent.world

    def work(tx: Tx) -> None:
        user = accounts.get_user(tx, sent.account_id, number)
        url = world.settings.base_url
        send_invitation(tx, world.vault, url, user, secret=new_secret(), actor_id=sent.by)

    return work


handlers = [show_users, invite_user, show_user, update_user, switch_user, invite_again]
