"""What all answers of the app's API look like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Response

from drumbeat.domain.errors import IncorrectValue, Invalid, InvalidMany
from drumbeat.http.parts import json_reply
from drumbeat.http.sell_v2.envelope import whole_seconds

T = TypeVar("T")


class One(msgspec.Struct, Generic[T], frozen=True):
    """One record."""

    data: T


class Many(msgspec.Struct, Generic[T], frozen=True):
    """All records of a short list."""

    data: list[T]


class PageMeta(msgspec.Struct, rename="camel", frozen=True):
    """`after` is the parameter of the next page; null on the last one."""

    per_page: int
    after: str | None


class PageOf(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list that may be long."""

    data: list[T]
    meta: PageMeta


def reply(answer: Any, status: int = 200) -> Response[bytes]:
    """The answer under `data`."""
    return json_reply(One(answer), status)


def reply_all(answers: list[Any]) -> Response[bytes]:
    """A short list under `data`."""
    return json_reply(Many(answers))


def nothing() -> Response[None]:
    """Done, and nothing to say."""
    return Response(None, status_code=204)


def stamp(instant: datetime | None) -> str | None:
    """An instant as answers show it, or null."""
    return None if instant is None else whole_seconds(instant)


@contextmanager
def fields_named(**names: str) -> Iterator[None]:
    """Complaints about these fields name them as this API does, where that is more than camelCase."""
    try:
        yield
    except Invalid as error:
        error.field = names.get(error.field or "", error.field)
        raise
    except InvalidMany as error:
        for each in error.errors:
            each.field = names.get(each.field or "", each.field)
        raise


def utc_second(instant: datetime) -> datetime:
    """An instant as it is kept where it is shown to the second; IncorrectValue where no calendar knows it."""
    try:
        return instant.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise IncorrectValue("Name an instant of our time.", field="body") from None
