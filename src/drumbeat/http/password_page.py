"""/password: the page that letters to users link to; it works without script, too."""

from __future__ import annotations

from urllib.parse import parse_qs

from litestar import Response, Router, post
from litestar.params import RawBody

from drumbeat.domain.errors import IncorrectValue, LinkUsedUp
from drumbeat.http.app_api.admission import check_same_site
from drumbeat.http.app_api.passwords import choose_by_code
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable

_TITLE = "Choose your password"


@readable("/password", opt=described("The page to choose a password on", answer="text/html"))
def show_password_page(request: AnyRequest) -> Response[bytes]:
    """Asks for the code of the letter, which the link fills in, and for the password to be."""
    return _page(request)


@post(
    "/password",
    status_code=200,
    sync_to_thread=True,
    opt=described("The page's form", answer="text/html", refusals=(400, 403, 408, 410, 413)),
)
def take_password(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Sets the password; or shows the form again with what is wrong."""
    check_same_site(request)
    sent = parse_qs(bytes(body).decode("utf-8", "replace"), max_num_fields=10)
    code, password = (sent.get(name, [""])[0] for name in ("code", "password"))
    try:
        choose_by_code(request, code.strip(), password)
    except LinkUsedUp as error:
        return _page(request, 410, complaint=f"{error.message} {error.detail}")
    except IncorrectValue as error:
        return _page(request, 400, complaint=error.detail, code=code)
    pages = parts_of(request).pages
    words = ["You may sign in with it."]
    return pages.page("words.html", lang="en", title="Your password is set.", paragraphs=words, leads_on="/sign-in")


def _page(request: AnyRequest, status: int = 200, *, complaint: str = "", code: str = "") -> Response[bytes]:
    pages = parts_of(request).pages
    return pages.scripted("password.html", status, lang="en", title=_TITLE, complaint=complaint, code=code)


def router() -> Router:
    """The page and its form."""
    return Router("/", route_handlers=[show_password_page, take_password])
