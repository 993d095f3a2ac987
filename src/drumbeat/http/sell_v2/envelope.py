"""The Sell envelope: every record under data beside meta, every list under items, and the links of a page."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar.exceptions import HTTPException
from msgspec import UNSET, UnsetType

from drumbeat.domain.errors import MalformedHeader
from drumbeat.http.parts import AnyRequest

T = TypeVar("T")


class Meta(msgspec.Struct, frozen=True):
    """What kind of record stands beside it."""

    type: str


class Record(msgspec.Struct, Generic[T], frozen=True):
    """One record."""

    data: T
    meta: Meta


class CountMeta(msgspec.Struct, frozen=True):
    """How many items a nested list holds."""

    type: str
    count: int


class Nested(msgspec.Struct, Generic[T], frozen=True):
    """A list inside a record."""

    items: list[T]
    meta: CountMeta


class Links(msgspec.Struct, frozen=True, rename={"here": "self"}):
    """Where this page and its neighbours are; a key that is absent means there is none."""

    here: str
    first_page: str
    prev_page: str | UnsetType = UNSET
    next_page: str | UnsetType = UNSET


class PageMeta(msgspec.Struct, frozen=True):
    """What stands beside a page: the number of items in it, and the links."""

    type: str
    count: int
    links: Links


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list."""

    items: list[T]
    meta: PageMeta


def nested(items: list[T]) -> Nested[T]:
    """A list inside a record, counted."""
    return Nested(items, CountMeta("collection", len(items)))


def link(base: str, parameters: dict[str, object]) -> str:
    """An address with its query; commas and colons stay readable."""
    return f"{base}?{urlencode(parameters, safe=',:')}"


def whole_seconds(instant: datetime) -> str:
    """A record's stamp: 2026-03-03T10:00:00Z."""
    return instant.isoformat()[:19] + "Z"


def with_milliseconds(instant: datetime) -> str:
    """An estimate: with milliseconds when it has a fraction."""
    if instant.microsecond < 1000:
        return whole_seconds(instant)
    return instant.isoformat(timespec="milliseconds")[:23] + "Z"


async def check_headers(request: AnyRequest) -> None:
    """Refuse a request without User-Agent, or one that accepts no JSON."""
    if not request.headers.get("user-agent", "").strip():
        raise MalformedHeader("Send a User-Agent that names your client.")
    accept = ",".join(request.headers.getall("accept", []))
    if accept.strip() and not any(_takes_json(part) for part in accept.split(",")):
        raise HTTPException(detail="Accept application/json.", status_code=406)


def _takes_json(media_range: str) -> bool:
    kind, *parameters = [part.strip().lower() for part in media_range.split(";")]
    refused = any(p.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for p in parameters)
    return kind in ("*/*", "application/*", "application/json") and not refused
