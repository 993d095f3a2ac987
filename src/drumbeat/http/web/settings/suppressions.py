"""/settings/suppressions: addresses that nothing is sent to, looked at, added to and lifted."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from litestar import Response, post
from litestar.params import RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.errors import AdminsOnly, IncorrectValue, Invalid, MissingField, Refused
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.http.manner import Manner
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import shortened
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Undo, Visit, opened, own_path, posted, visiting
from drumbeat.operations.suppressions import (
    MOST_AT_ONCE,
    Suppressing,
    lift_suppression,
    restore_suppression,
    suppress_many,
)
from drumbeat.store import unsubscribes
from drumbeat.store.unsubscribes import Suppressed

_PAGE = "/settings/suppressions"
_SHOWN = 25
_CAUSES: Final = {
    Suppression.UNSUBSCRIBED: "Unsubscribed",
    Suppression.COMPLAINED: "Complained",
    Suppression.SUPPRESSED: "Suppressed",
}


@readable(_PAGE, opt=opened())
def show_suppressions(request: AnyRequest) -> Response[bytes]:
    """A page of them for admins, and a form to add to them."""
    with visiting(request) as visit:
        _check_sees_all(visit.seen_by)
        return _page(visit, Form.of(emails=None))


def _check_sees_all(seen_by: int | None) -> None:
    if seen_by is not None:
        raise AdminsOnly("Where agents see their own records alone, an admin suppresses: it acts on everybody's.")


def _page(visit: Visit, form: Form, status: int = 200) -> Response[bytes]:
    after = visit.query.get("after", "")
    found = _listed(visit, after) if visit.member.is_admin else []
    following = found[_SHOWN - 1].address_hash if len(found) > _SHOWN else ""
    return visit.page(
        "settings/suppressions.html",
        status,
        form=form,
        suppressed=found[:_SHOWN],
        causes=_CAUSES,
        most=MOST_AT_ONCE,
        here=f"{_PAGE}?{urlencode({'after': after})}" if after else _PAGE,
        first_page=_PAGE if after else "",
        next_page=f"{_PAGE}?{urlencode({'after': following})}" if following else "",
    )


def _listed(visit: Visit, after: str) -> list[Suppressed]:
    return unsubscribes.list_suppressed(visit.snapshot, visit.account_id, after, _SHOWN + 1)


@post(_PAGE, status_code=303, sync_to_thread=True, opt=opened())
def suppress_addresses(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Nothing is sent to them any more, and what runs for them finishes; what is no address is told and left out."""
    sent = posted(request, body)
    _check_sees_all(sent.member.seen_by)
    try:
        told = _suppressed(sent)
    except Invalid as error:
        with sent.again() as visit:
            return _page(visit, sent.form.complain(error), 422)
    if told.invalid:
        sent.form.values = {**sent.form.values, "emails": ["\n".join(told.invalid)]}
        sent.form.complaints["emails"] = f"{_words(told, sent.manner)} What stands here is no address.".strip()
        with sent.again() as visit:
            return _page(visit, sent.form, 422)
    return sent.to(_PAGE, _words(told, sent.manner))


def _suppressed(sent: Sent) -> Suppressing:
    emails = [line.strip() for line in sent.form.text("emails").splitlines() if line.strip()]
    if not emails:
        raise MissingField("Write at least one address.", field="emails")
    if len(emails) > MOST_AT_ONCE:
        raise IncorrectValue(f"Write at most {MOST_AT_ONCE:,} addresses at once.", field="emails")
    hash_key = sent.world.hash_key
    return sent.transact(
        lambda tx: suppress_many(tx, hash_key, sent.account_id, emails, evidence="by hand", actor_id=sent.by)
    )


def _words(told: Suppressing, manner: Manner) -> str:
    plural = manner.plural
    words = [f"Nothing is sent to {plural(told.added, 'address', 'addresses')} any more."] if told.added else []
    if told.already:
        words.append(f"{plural(told.already, 'address was', 'addresses were')} suppressed before.")
    if told.finished:
        words.append(f"{plural(told.finished, 'enrollment')} ended.")
    return " ".join(words)


@post(f"{_PAGE}/lift", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def lift_address(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The address may be written to again, as its owner wishes; what finished stays finished."""
    sent = posted(request, body, Role.ADMIN)
    email, back = sent.form.text("email"), own_path(sent.form.text("back"), _PAGE)
    hash_key = sent.world.hash_key
    try:
        lifted = sent.transact(lambda tx: lift_suppression(tx, hash_key, sent.account_id, email, actor_id=sent.by))
    except Refused as error:
        return sent.to(back, error.detail or error.message, wrong=True)
    if not lifted:
        return sent.to(back, f"{shortened(email)} was not suppressed.", wrong=True)
    undo = Undo(f"{_PAGE}/restore", "Suppress it again", {"note": str(lifted), "back": back})
    return sent.to(back, f"{shortened(email)} may be written to again.", undo=undo)


@post(f"{_PAGE}/restore", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def restore(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Takes back that an address was lifted: why, and since when, stand there as before."""
    sent = posted(request, body, Role.ADMIN)
    back, note = own_path(sent.form.text("back"), _PAGE), sent.form.needed("note")
    return sent.done(
        back,
        "Nothing is sent to that address any more.",
        lambda tx: restore_suppression(tx, sent.account_id, note, actor_id=sent.by),
    )


handlers = [show_suppressions, suppress_addresses, lift_address, restore]
