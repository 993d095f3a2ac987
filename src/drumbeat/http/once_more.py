"""A page's form whose sender was signed out, or signed in anew, since the page was opened: nothing of it is lost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from litestar import Response

from drumbeat.http.parts import AnyRequest, parts_of

_SECRETS: Final = frozenset(("password", "current_password", "client_secret", "refresh_token", "secret", "key"))


class NotTaken(Exception):
    """A form that was not taken: its texts, and the token that it may be sent with; None while nobody is signed in."""

    def __init__(self, texts: Iterable[tuple[str, str]], csrf: str | None, *, has_files: bool) -> None:
        super().__init__("The form was not taken.")
        self.texts, self.csrf, self.has_files = list(texts), csrf, has_files


def offer_once_more(request: AnyRequest, error: NotTaken) -> Response[bytes]:
    """A page that holds what was sent, but for secrets, and sends it again at the press of a button."""
    query = request.scope["query_string"].decode("latin-1")
    return parts_of(request).pages.page(
        "once_more.html",
        401 if error.csrf is None else 403,
        lang="en",
        action=f"{request.scope['path']}?{query}" if query else request.scope["path"],
        texts=[(name, text) for name, text in error.texts if name not in _SECRETS],
        lacks_secrets=any(name in _SECRETS and text for name, text in error.texts),
        csrf=error.csrf,
        has_files=error.has_files,
    )
