"""What handlers work with, and where they find it: the application's state, never a global."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

import msgspec
from litestar import Request, Response, route
from litestar.connection import ASGIConnection

from drumbeat.http.hashing import Hashing
from drumbeat.http.pages import Pages
from drumbeat.http.rates import Rates
from drumbeat.wiring import World

AnyRequest = Request[Any, Any, Any]

JSON = "application/json; charset=utf-8"

# Registers a handler for GET and HEAD, which runs in a thread.
readable = partial(route, http_method=["GET", "HEAD"], sync_to_thread=True)

_REQUEST_ID = "drumbeat_request_id"


class CaughtLetter(Protocol):
    """A letter the built-in catcher took in."""

    @property
    def id(self) -> int | str: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def sender(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def headers(self) -> Sequence[tuple[str, str]]: ...
    @property
    def text(self) -> str | None: ...
    @property
    def html(self) -> str | None: ...
    @property
    def raw(self) -> bytes: ...


class Catcher(Protocol):
    """Shows the letters it took in, newest first."""

    def letters(self) -> Sequence[CaughtLetter]: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The world, the pages, the catcher if one runs, the rate limits, when a credential's use was last noted, and
    room for hashing passwords."""

    world: World
    pages: Pages
    catcher: Catcher | None
    rates: Rates
    noted: dict[Hashable, datetime] = field(default_factory=dict)
    hashing: Hashing = field(default_factory=Hashing)


def parts_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Parts:
    """The parts of the application a request came to."""
    parts = connection.app.state["parts"]
    assert isinstance(parts, Parts)
    return parts


def request_id(scope: Any) -> str:
    """The request's id: a UUID, made when first asked for, and the same from then on."""
    return str(scope["state"].setdefault(_REQUEST_ID, str(uuid4())))


def json_reply(
    answer: msgspec.Struct | dict[str, Any] | bytes, status: int = 200, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """The answer as JSON; bytes are JSON already."""
    encoded = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
    return Response(encoded, status_code=status, media_type=JSON, headers=headers)
