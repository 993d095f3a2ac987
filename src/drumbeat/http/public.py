"""What needs no credential: the front page, health, the style sheet, and the way out of every letter."""

from __future__ import annotations

import msgspec
from litestar import Response, Router, post
from litestar.params import FromPath, RawBody

from drumbeat import __version__
from drumbeat.domain.errors import NotFound, NotSignedIn, Unavailable
from drumbeat.domain.unsubscribe import language, page_words, read_unsubscribe_token
from drumbeat.http.app_api.admission import admit_member, cookie_name
from drumbeat.http.caught import may_see_letters
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable
from drumbeat.operations.unsubscribes import WayOut, unsubscribe, way_out
from drumbeat.store import installation
from drumbeat.store.transaction import Tx


class Health(msgspec.Struct, frozen=True):
    """Each word is `ok` or `unavailable`."""

    status: str
    database: str
    version: str


@readable("/", opt=described("The front page", answer="text/html"))
def show_front(request: AnyRequest) -> Response[bytes]:
    """Leads whoever is signed in to their day; names the product to others, and what can be read here."""
    if _is_signed_in(request):
        return Response(b"", status_code=303, headers={"location": "/today", "cache-control": "no-store"})
    pages = parts_of(request).pages
    return pages.page("front.html", lang="en", version=__version__, has_caught=may_see_letters(request))


def _is_signed_in(request: AnyRequest) -> bool:
    if cookie_name(request) not in request.cookies:
        return False
    try:
        with parts_of(request).world.database.read() as snapshot:
            admit_member(snapshot, request)
    except (NotSignedIn, Unavailable):
        return False
    return True


@readable("/health", opt=described("Whether Drumbeat works", answer=Health))
def show_health(request: AnyRequest) -> Response[bytes]:
    """200 when the database answers, else 503."""
    try:
        with parts_of(request).world.database.read() as snapshot:
            works = installation.is_installed(snapshot)
    except Unavailable:
        works = False
    word = "ok" if works else "unavailable"
    headers = {"cache-control": "no-store"} if works else {"cache-control": "no-store", "retry-after": "5"}
    return json_reply(Health(word, word, __version__), 200 if works else 503, headers)


@readable("/static/{name:str}", opt=described("The style sheet, and the script", answer="text/css", refusals=(404,)))
def show_static(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """What pages refer to; its name changes with its content, so it may be kept for ever."""
    found = parts_of(request).pages.static.get(name)
    if found is None:
        raise NotFound("There is no such file.")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(found[1], media_type=found[0], headers=headers)


@readable(
    "/u/{token:str}",
    opt=described("The page that a letter's unsubscribe link opens", answer="text/html", refusals=(404,)),
)
def ask_unsubscribe(request: AnyRequest, token: FromPath[str]) -> Response[bytes]:
    """Asks whether to stop, or says that it is done; changes nothing: mail scanners open links."""
    try:
        _, _, offered = _read(request, token)
    except NotFound:
        return _invalid(request)
    return _page(request, offered.locale, is_question=not offered.is_taken)


@post(
    "/u/{token:str}",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Unsubscribe (RFC 8058 one-click, and the page's button)", answer="text/html", refusals=(400, 404, 408, 413)
    ),
)
def take_unsubscribe(request: AnyRequest, token: FromPath[str], body: RawBody) -> Response[bytes]:
    """Stops everything for the address, once and for good; doing it twice is fine."""
    way = "one-click" if b"List-Unsubscribe" in bytes(body) else "the page's button"

    def work(tx: Tx) -> None:
        unsubscribe(tx, account_id, enrollment_id, evidence=f"unsubscribe by {way}")

    try:
        account_id, enrollment_id, offered = _read(request, token)
        parts_of(request).world.database.transact(work)
    except NotFound:
        return _invalid(request)
    return _page(request, offered.locale, is_question=False)


def _read(request: AnyRequest, token: str) -> tuple[int, int, WayOut]:
    world = parts_of(request).world
    named = read_unsubscribe_token(world.hash_key, token)
    if named is None:
        raise NotFound
    with world.database.read() as snapshot:
        return *named, way_out(snapshot, *named)


def _page(request: AnyRequest, locale: str, *, is_question: bool) -> Response[bytes]:
    words, lang = page_words(locale), language(locale)
    pages = parts_of(request).pages
    return pages.page("unsubscribe.html", lang=lang, words=words, is_question=is_question)


def _invalid(request: AnyRequest) -> Response[bytes]:
    pages, words = parts_of(request).pages, page_words("en")
    return pages.page("words.html", 404, lang="en", title=words.title, paragraphs=[words.invalid])


def router() -> Router:
    """The routes that need no credential, registered at once: the framework wraps a handler in a thread once
    more whenever another one is added to its path."""
    handlers = [show_front, show_health, show_static, ask_unsubscribe, take_unsubscribe]
    return Router("/", route_handlers=handlers)
