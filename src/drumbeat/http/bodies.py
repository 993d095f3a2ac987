"""How large a request's body may be and how long it may take; one that breaks off is its sender's fault, not ours."""

from __future__ import annotations

import asyncio

from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

LARGEST_BODY = 1_000_000
_WITHIN_SECONDS = 30.0


class WholeBody(ASGIMiddleware):
    """Answers 408 to a body that dawdles and 400 to one that breaks off."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, within_seconds: float = _WITHIN_SECONDS) -> None:
        self._within_seconds = within_seconds

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on, with a `receive` that keeps the time."""
        ends = asyncio.get_running_loop().time() + self._within_seconds

        async def receive_in_time() -> ReceiveMessage:
            try:
                async with asyncio.timeout_at(ends):
                    message = await receive()
            except TimeoutError:
                detail = f"Send it within {self._within_seconds:g} seconds."
                raise HTTPException(detail=detail, status_code=408, headers={"connection": "close"}) from None
            if message["type"] == "http.disconnect":
                raise HTTPException(detail="The body broke off.", status_code=400)
            return message

        await next_app(scope, receive_in_time, send)
