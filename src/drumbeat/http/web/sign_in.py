"""/sign-in and /sign-out: the door of the app, and what to do about a forgotten password."""

from __future__ import annotations

from litestar import Response, post
from litestar.params import RawBody

from drumbeat.domain.errors import DrumbeatError, MissingField, TooManyAttempts, WrongPassword
from drumbeat.http.app_api.passwords import send_link
from drumbeat.http.app_api.session import enter, keep, leave
from drumbeat.http.caught import may_see_letters
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.web.forms import Form, read_form
from drumbeat.http.web.frame import opened, own_path, posted

_FIRST = "/today"
_LONGEST = 1000


@readable("/sign-in", opt=opened())
def show_sign_in(request: AnyRequest) -> Response[bytes]:
    """Asks for address and password."""
    return _page(request, Form.of(email="", password="", next=request.query_params.get("next", "")))


@post("/sign-in", status_code=303, sync_to_thread=True, opt=opened())
def take_sign_in(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Opens a session and leads to the page that was asked for."""
    form = read_form(request, bytes(body))
    try:
        if len(form.text("email")) > _LONGEST or len(form.raw("password")) > _LONGEST:
            raise WrongPassword("Check both.")
        entered = enter(request, form.text("email"), form.raw("password"))
    except WrongPassword as error:
        return _page(request, form.complain(DrumbeatError(f"{error.message} {error.detail}")), 401)
    except TooManyAttempts as error:
        answer = _page(request, form.complain(error), 429)
        answer.headers["retry-after"] = str(error.seconds)
        return answer
    to = own_path(form.text("next"), _FIRST)
    return keep(request, entered, Response(b"", status_code=303, headers={"location": to, "cache-control": "no-store"}))


def _page(request: AnyRequest, form: Form, status: int = 200) -> Response[bytes]:
    pages = parts_of(request).pages
    return pages.page("sign_in.html", status, lang="en", form=form, first_run=may_see_letters(request))


@readable("/sign-in/forgotten", opt=opened())
def show_forgotten(request: AnyRequest) -> Response[bytes]:
    """Asks for the address that a letter is to go to."""
    return parts_of(request).pages.page("forgotten.html", lang="en", form=Form.of(email=""))


@post("/sign-in/forgotten", sync_to_thread=True, opt=opened())
def take_forgotten(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Sends the letter; what is shown does not tell whether anybody signs in with the address."""
    form, pages = read_form(request, bytes(body)), parts_of(request).pages
    try:
        if not 0 < len(form.text("email")) <= _LONGEST:
            raise MissingField("Write the address you sign in with.", field="email")
        send_link(request, form.text("email"))
    except (MissingField, TooManyAttempts) as error:
        status = 429 if isinstance(error, TooManyAttempts) else 422
        return pages.page("forgotten.html", status, lang="en", form=form.complain(error))
    words = ["If somebody signs in with this address, a letter with a link is on its way. The link works for an hour."]
    return pages.page("words.html", lang="en", title="Look into your mailbox.", paragraphs=words)


@post("/sign-out", status_code=303, sync_to_thread=True, opt=opened())
def take_sign_out(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Ends this session."""
    sent = posted(request, body)
    return leave(request, sent.member, sent.to("/sign-in"))


handlers = [show_sign_in, take_sign_in, show_forgotten, take_forgotten, take_sign_out]
