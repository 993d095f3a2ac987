"""/settings/profile: who one is, one's password, where one is signed in, and the other accounts one may work in."""

from __future__ import annotations

from litestar import Response, post
from litestar.params import RawBody

from drumbeat.domain.errors import IncorrectValue, Invalid, InvalidMany, Refused, TooManyAttempts
from drumbeat.domain.locale import offered_locales
from drumbeat.http.app_api.passwords import change_own
from drumbeat.http.app_api.session import change_account, keep
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.http.web.settings.zones import offered_zones
from drumbeat.operations.accounts import LONGEST_PASSWORD, SHORTEST_PASSWORD, change_user
from drumbeat.operations.sign_in import accounts_of, end_sessions

_PAGE = "/settings/profile"


@readable(_PAGE, opt=opened())
def show_profile(request: AnyRequest) -> Response[bytes]:
    """Who one is, and what one may do about it."""
    with visiting(request) as visit:
        return _page(visit, _blank(visit))


def _page(visit: Visit, form: Form, status: int = 200) -> Response[bytes]:
    others = accounts_of(visit.snapshot, visit.member.session.login_id)
    return visit.page(
        "settings/profile.html",
        status,
        form=form,
        others=[each for each in others if each.id != visit.account_id],
        zones=offered_zones(),
        locales=offered_locales(),
        shortest=SHORTEST_PASSWORD,
    )


def _blank(visit: Visit) -> Form:
    me = visit.user
    return Form.of(name=me.name, time_zone=me.time_zone, locale=me.locale, current_password=None, password=None)


@post(_PAGE, status_code=303, sync_to_thread=True, opt=opened())
def change_profile(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Changes one's name, clock and locale."""
    sent = posted(request, body)
    form = sent.form
    changes = {
        "name": form.text("name"),
        "time_zone": form.optional("time_zone"),
        "locale": form.optional("locale"),
    }
    try:
        sent.transact(lambda tx: change_user(tx, sent.account_id, sent.by, form.touched(changes), sent.by))
    except (Invalid, InvalidMany) as error:
        return _again(sent, error, 422)
    return sent.to(_PAGE, "What you changed is kept.")


def _again(sent: Sent, error: Refused, status: int) -> Response[bytes]:
    """The page with what was sent in one of its forms, and the other as it stands."""
    with sent.again() as visit:
        sent.form.values = {**_blank(visit).values, **sent.form.values}
        return _page(visit, sent.form.complain(error), status)


@post(f"{_PAGE}/password", status_code=303, sync_to_thread=True, opt=opened())
def change_password(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Changes one's password in every account, and ends one's other sessions."""
    sent = posted(request, body)
    current, password = sent.form.raw("current_password"), sent.form.raw("password")
    try:
        if len(current) > LONGEST_PASSWORD:
            raise IncorrectValue("This is not your password.", field="current_password")
        change_own(request, sent.member, current, password)
    except TooManyAttempts as error:
        answer = _again(sent, error, 429)
        answer.headers["retry-after"] = str(error.seconds)
        return answer
    except Invalid as error:
        return _again(sent, error, 422)
    return sent.to(_PAGE, "Your password is changed, and you are signed out everywhere else.")


@post(f"{_PAGE}/sign-out-elsewhere", status_code=303, sync_to_thread=True, opt=opened())
def sign_out_elsewhere(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Ends every other session of one's own, in every account."""
    sent = posted(request, body)
    session = sent.member.session
    said = "You are signed out everywhere else."
    return sent.done(_PAGE, said, lambda tx: end_sessions(tx, session.login_id, but=session))


@post(f"{_PAGE}/account", status_code=303, sync_to_thread=True, opt=opened())
def pick_account(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Ends this session and begins one in another account of the same login."""
    sent = posted(request, body)
    try:
        entered = change_account(request, sent.member, sent.form.needed("account_id"))
    except Refused as error:
        return sent.to(_PAGE, error.detail or error.message, wrong=True)
    return keep(request, entered, sent.to("/today", f"You work in {entered.account.name} now."))


handlers = [show_profile, change_profile, change_password, sign_out_elsewhere, pick_account]
