"""What a mailbox's page does beside its settings: limits, how it hears, switching, lifting a hold, removing."""

from __future__ import annotations

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.errors import IncorrectValue, Invalid, InvalidMany, MasterKeyWrong, Refused
from drumbeat.http.parts import AnyRequest
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Undo, opened, posted
from drumbeat.http.web.settings.mailbox_page import PAGE, page_again, password_in
from drumbeat.mail.session import Security
from drumbeat.operations.holds import lift_hold
from drumbeat.operations.inboxes import InboxSettings, listen, stop_listening
from drumbeat.operations.mailboxes import (
    LONGEST_SPACING,
    MOST_LETTERS,
    limit_mailbox,
    remove_mailbox,
    switch_mailbox,
)
from drumbeat.store import inboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.transaction import Tx

_LETTERS = ("per_day", "per_hour", "ramp_from", "per_domain")
_ON, _OFF = "on", "off"


@post(f"{PAGE}/{{id:str}}/limits", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def set_limits(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Limits how quickly a mailbox sends; whoever waits for a turn at it is given a new one."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    try:
        changes = _read_limits(sent.form)
        sent.transact(lambda tx: limit_mailbox(tx, sent.account_id, number, changes, actor_id=sent.by))
    except (Invalid, InvalidMany) as error:
        return page_again(sent, number, limits=sent.form.complain(error))
    return sent.to(f"{PAGE}/{number}", "The limits are kept.")


def _read_limits(form: Form) -> dict[str, int | None]:
    limits = {name: form.number(name, 1, MOST_LETTERS) for name in _LETTERS}
    return limits | {"spacing": form.number("spacing", 0, LONGEST_SPACING) or 0}


@post(f"{PAGE}/{{id:str}}/inbox", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def set_inbox(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """What comes back is read from the mailbox's next message on; nothing in it is changed."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    try:
        settings = _read_inbox(sent.form)

        def work(tx: Tx) -> Inbox:
            standing = inboxes.find(tx, sent.account_id, number)
            kept = _with_kept_password(sent, settings, standing)
            return listen(tx, sent.world.vault, sent.account_id, number, kept, actor_id=sent.by)

        sent.transact(work)
    except (Invalid, InvalidMany) as error:
        return page_again(sent, number, inbox_form=sent.form.complain(error))
    return sent.to(f"{PAGE}/{number}", "The mailbox hears from its next message on. Its pre-flight tells whether.")


def _read_inbox(form: Form) -> InboxSettings:
    return InboxSettings(
        host=form.text("host"),
        port=form.number("port", 1, 65535) or 993,
        security=form.chosen("security", Security),
        username=form.optional("username"),
        password=password_in(form),
    )


def _with_kept_password(sent: Sent, settings: InboxSettings, standing: Inbox | None) -> InboxSettings:
    """The same with the password that is stored, if it is blank, and for the same user of the same server."""
    is_same = standing is not None and (standing.host, standing.username) == (settings.host, settings.username)
    if standing is None or not is_same or settings.password or standing.sealed_password is None:
        return settings
    try:
        password = sent.world.vault.open(standing.sealed_password)
    except MasterKeyWrong:
        raise IncorrectValue("The stored password cannot be opened; write it anew.", field="password") from None
    return InboxSettings(settings.host, settings.port, settings.security, settings.username, password)


@post(f"{PAGE}/{{id:str}}/inbox/remove", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def remove_inbox(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """What comes back is not read any more, and how it was is forgotten."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    said = "The mailbox hears no more."
    return sent.done(f"{PAGE}/{number}", said, lambda tx: stop_listening(tx, sent.account_id, number, actor_id=sent.by))


@post(f"{PAGE}/{{id:str}}/switch", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def switch(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Lets a mailbox send, or not, as `to` says; switched on, what waited for that goes on."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    page, to = f"{PAGE}/{number}", sent.form.text("to")

    def work(tx: Tx) -> None:
        if to not in (_ON, _OFF):
            raise IncorrectValue(f"Say {_ON} or {_OFF}.", field="to")
        switch_mailbox(tx, sent.account_id, number, on=to == _ON, actor_id=sent.by)

    said = "The mailbox sends again." if to == _ON else "The mailbox is switched off: nothing leaves through it."
    return sent.done(page, said, work, undo=Undo(f"{page}/switch", fields={"to": _OFF if to == _ON else _ON}))


@post(f"{PAGE}/{{id:str}}/lift", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def lift(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """It sends again at once, and what its hold blocked goes on."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    page = f"{PAGE}/{number}"
    try:
        released = sent.transact(lambda tx: lift_hold(tx, sent.account_id, number))
    except Refused as error:
        return sent.to(page, error.detail or error.message, wrong=True)
    told = f" {sent.manner.plural(released, 'enrollment')} {'goes' if released == 1 else 'go'} on." if released else ""
    return sent.to(page, f"The hold is lifted: the mailbox is tried again at once.{told}")


@post(f"{PAGE}/{{id:str}}/remove", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def remove(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """It goes for good, with its login; running enrollments that sent from it block at their next letter."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    said = "The mailbox is removed, and its login is forgotten."
    return sent.done(PAGE, said, lambda tx: remove_mailbox(tx, sent.account_id, number, actor_id=sent.by))


handlers = [set_limits, set_inbox, remove_inbox, switch, lift, remove]
