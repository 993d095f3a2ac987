"""The built-in catcher's letters, for whoever sits at this machine."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Response
from litestar.params import FromPath

from drumbeat.domain.errors import NotFound
from drumbeat.http.openapi import described
from drumbeat.http.pages import CAGE_POLICY
from drumbeat.http.parts import JSON, AnyRequest, Catcher, CaughtLetter, parts_of, readable
from drumbeat.mail.session import is_loopback

_NO_STORE = {"cache-control": "no-store"}


def may_see_letters(request: AnyRequest) -> bool:
    """Whether a catcher runs and the request comes from this machine, not through a proxy or another name."""
    if parts_of(request).catcher is None:
        return False
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip")):
        return False
    settings = parts_of(request).world.settings
    client = request.client.host if request.client else ""
    from_here = is_loopback(client) or is_loopback(settings.host)
    names = {urlsplit(settings.base_url).hostname, "localhost"}
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    return from_here and (host in names or is_loopback(host))


def _catcher(request: AnyRequest) -> Catcher:
    catcher = parts_of(request).catcher
    if catcher is None or not may_see_letters(request):
        raise NotFound("Caught letters are shown on the machine Drumbeat runs on, while the catcher runs.")
    return catcher


@readable("/caught", opt=described("The letters the catcher took in", answer="text/html"))
def list_caught(request: AnyRequest) -> Response[bytes]:
    """Newest first."""
    return parts_of(request).pages.page("caught.html", lang="en", letters=_catcher(request).letters())


@readable("/caught.json", opt=described("The same for programs", answer="application/json"))
def list_caught_json(request: AnyRequest) -> Response[bytes]:
    """Newest first."""
    told = [_told(letter) for letter in _catcher(request).letters()]
    return Response(msgspec.json.encode(told), media_type=JSON, headers=_NO_STORE)


def _told(letter: CaughtLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "received_at": letter.received_at,
        "from": letter.sender,
        "to": letter.recipient,
        "subject": letter.subject,
        "message_id": _header(letter, "message-id"),
        "in_reply_to": _header(letter, "in-reply-to"),
        "references": _header(letter, "references"),
        "list_unsubscribe": _header(letter, "list-unsubscribe"),
        "text": letter.text,
        "html": letter.html,
    }


def _header(letter: CaughtLetter, name: str) -> str | None:
    return next((value for key, value in letter.headers if key.lower() == name), None)


@readable("/caught/{id:str}", opt=described("One caught letter", answer="text/html"))
def show_caught(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """Its text, headers, a preview, and its unsubscribe link."""
    letter = _letter(request, id)
    offered = re.search(r"<(https?://[^>\s]+)>", _header(letter, "list-unsubscribe") or "")
    link = offered[1] if offered else None
    return parts_of(request).pages.page("letter.html", lang="en", letter=letter, unsubscribe=link)


@readable("/caught/{id:str}/html", opt=described("Its HTML, caged", answer="text/html"))
def show_caught_html(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """The letter's HTML in a sandbox: no script, no form, nothing from the network."""
    html = _letter(request, id).html or ""
    headers = {"content-security-policy": CAGE_POLICY, **_NO_STORE}
    return Response(html.encode(), media_type="text/html", headers=headers)


def _letter(request: AnyRequest, id: str) -> CaughtLetter:
    catcher = _catcher(request)
    letter = next((each for each in catcher.letters() if str(each.id) == id), None)
    if letter is None:
        raise NotFound("There is no such letter.")
    return letter
