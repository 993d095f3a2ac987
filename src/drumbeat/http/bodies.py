"""How large a request's body may be and how long it may take; one that breaks off is its sender's fault, not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

from drumbeat.domain.errors import Unavailable

LARGEST_BODY = 1_000_000
_WITHIN_SECONDS = 30.0  # for what is small; and nobody pauses for longer
_LEAST_RATE = 100_000  # bytes a second, for what is large
_LARGE_AT_ONCE = 4
_TAKE_LARGE = ("/hooks/", "/people/import", "/templates/", "/api/imports", "/api/attachments")


def few_large_bodies() -> Callable[[ASGIApp], ASGIApp]:
    """Middleware that answers 503 to a large body while there are too many of them, where large ones are taken."""
    room = asyncio.Semaphore(_LARGE_AT_ONCE)

    def wrapped(app: ASGIApp) -> ASGIApp:
        async def weighing(scope: Scope, receive: Receive, send: Send) -> None:
            if not _may_be_large(scope):
                await app(scope, receive, send)
            elif room.locked():
                raise Unavailable("Too many large bodies arrive at once; send it again in a moment.")
            else:
                async with room:
                    await app(scope, receive, send)

        return weighing

    return wrapped


def _may_be_large(scope: Scope) -> bool:
    """Whether it goes where files and received mail are brought, and does not say that it is small."""
    if scope.get("method") != "POST" or not scope["path"].startswith(_TAKE_LARGE):
        return False
    said = dict(scope["headers"]).get(b"content-length", b"")
    return not said.isdigit() or int(said) > LARGEST_BODY


def whole_bodies(
    within_seconds: float = _WITHIN_SECONDS, least_rate: int = _LEAST_RATE
) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware that answers 408 to a body that dawdles and 400 to one that breaks off.

    A body has so many seconds, and those that what has come of it takes at the least rate; but never a longer pause.
    """

    def wrapped(app: ASGIApp) -> ASGIApp:
        async def receiving(scope: Scope, receive: Receive, send: Send) -> None:
            clock = asyncio.get_running_loop().time
            ends = clock() + within_seconds
            is_whole = False

            async def receive_in_time() -> ReceiveMessage:
                nonlocal is_whole, ends
                if is_whole:  # what comes now is how a streamed answer learns that nobody listens any more
                    return await receive()
                try:
                    async with asyncio.timeout_at(min(ends, clock() + within_seconds)):
                        message = await receive()
                except TimeoutError:
                    detail = f"Send it within {within_seconds:g} seconds, or {least_rate:,} bytes each second."
                    raise HTTPException(detail=detail, status_code=408, headers={"connection": "close"}) from None
                if message["type"] == "http.disconnect":
                    raise HTTPException(detail="The body broke off.", status_code=400)
                if message["type"] == "http.request":
                    is_whole = not message["more_body"]
                    ends += len(message["body"]) / least_rate
                return message

            await app(scope, receive_in_time, send)

        return receiving

    return wrapped
