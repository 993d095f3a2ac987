"""How every list is paged: page and per_page in, the links to the neighbours out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from litestar import Response
from msgspec import UNSET

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import MalformedParameter
from drumbeat.http.openapi import Parameter, Schema, choice, number
from drumbeat.http.parts import AnyRequest, json_reply, parts_of
from drumbeat.http.reading import shortened, whole_number
from drumbeat.http.sell_v2.envelope import Links, Page, PageMeta, Record, link
from drumbeat.store.pages import Order, Place

T = TypeVar("T")

PAGING = (
    Parameter("page", "Number of the page, from 1; 1 by default.", number()),
    Parameter("per_page", "Records in a page, 1 to 100; 25 by default.", number(most=100)),
)
_BEHIND: Schema = {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,18})?$"}
# Set in next_page by lists that may be long.
AFTER = Parameter(
    "after", "Set in next_page: begins behind this record, so that far pages are as quick as near ones.", _BEHIND
)
_AFTER = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,18}))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Paging:
    """The page a caller asks for; `kept` are the parameters that its neighbours have too.

    `after` is the id of the record it begins behind, and `after_at` that one's stamp in lists by change.
    """

    page: int
    per_page: int
    after: int
    after_at: int | None
    kept: Mapping[str, object]

    @property
    def skip(self) -> int:
        """How many records lie before the page, counted from `after`."""
        return 0 if self.after else (self.page - 1) * self.per_page

    def of(self, found: Sequence[T]) -> Sequence[T]:
        """The part of a short list that is this page."""
        return found[self.skip : self.skip + self.per_page]

    def answer(
        self,
        request: AnyRequest,
        records: list[Record[Any]],
        *,
        has_next: bool,
        last_id: int = 0,
        last_at: int | None = None,
    ) -> Response[bytes]:
        """The page; with a `last_id` (and a stamp) its next_page begins behind that record."""
        here = parts_of(request).world.settings.base_url + request.scope["path"]
        links = self._links(here, has_next=has_next, behind=_after(last_id, last_at))
        return json_reply(Page(records, PageMeta("collection", len(records), links)))

    def _links(self, here: str, *, has_next: bool, behind: dict[str, str]) -> Links:
        def page(number: int, after: Mapping[str, str] | None = None) -> str:
            return link(here, {"page": number, "per_page": self.per_page} | dict(self.kept) | dict(after or {}))

        return Links(
            here=page(self.page, _after(self.after, self.after_at)),
            first_page=page(1),
            prev_page=page(self.page - 1) if self.page > 1 else UNSET,
            next_page=page(self.page + 1, behind) if has_next else UNSET,
        )


def _after(id: int, at: int | None) -> dict[str, str]:
    if not id:
        return {}
    return {"after": str(id) if at is None else f"{id}.{at}"}


class Listed(Protocol):
    """What short lists hold, and are sorted by."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def updated_at(self) -> datetime | None: ...


L = TypeVar("L", bound=Listed)
_ORDERS: dict[str, Callable[[Listed], Any]] = {
    "id": lambda each: each.id,
    "name": lambda each: (each.name.casefold(), each.id),
    "created_at": lambda each: (each.created_at, each.id),
    "updated_at": lambda each: (each.updated_at, each.id),
}


def _sorts(names: Iterable[str]) -> Schema:
    return choice(f"{name}{way}" for name in names for way in ("", ":asc", ":desc"))


SORTING = Parameter("sort_by", f"{', '.join(_ORDERS)}, then :asc or :desc; id:asc by default.", _sorts(_ORDERS))


def sorted_by(sent: Mapping[str, str], found: Iterable[L]) -> list[L]:
    """What was found, in the order of sort_by: a field, field:asc or field:desc."""
    text = sent.get("sort_by", "id")
    name, _, way = text.partition(":")
    if name not in _ORDERS or way not in ("", "asc", "desc"):
        raise MalformedParameter(
            f"sort_by is one of {', '.join(_ORDERS)}, then :asc or :desc; {shortened(text)!r} is not."
        )
    return sorted(found, key=_ORDERS[name], reverse=way == "desc")


def read_paging(sent: dict[str, str]) -> Paging:
    """The page that a query asks for."""
    after, after_at = _read_after(sent.get("after"))
    return Paging(
        page=whole_number(sent, "page", 1, 1, LARGEST_ID),
        per_page=whole_number(sent, "per_page", 25, 1, 100),
        after=after,
        after_at=after_at,
        kept={name: value for name, value in sent.items() if name not in ("page", "per_page", "after")},
    )


def _read_after(text: str | None) -> tuple[int, int | None]:
    found = _AFTER.match("0" if text is None else text)
    if found is None or int(found[1]) > LARGEST_ID:
        raise MalformedParameter(f"after is what next_page holds; {shortened(text or '')!r} is not.")
    return int(found[1]), None if found[2] is None else int(found[2])


def long_order(orders: Collection[Order]) -> Parameter:
    """The parameter by which a list that may be long is sorted."""
    names = _told(orders).split(", ")
    return Parameter("sort_by", f"{_told(orders)}, then :asc or :desc; id:asc by default.", _sorts(names))


def _told(orders: Collection[Order]) -> str:
    return ", ".join(name for order in orders for name in (order.value, _ALIASES.get(order)) if name)


def read_place(sent: Mapping[str, str], paging: Paging, orders: Collection[Order]) -> Place:
    """The part of a list that may be long, and one record more, which tells whether there is a next page."""
    name, _, way = sent.get("sort_by", "id").partition(":")
    order = next((each for each in orders if name in (each.value, _ALIASES.get(each))), None)
    if order is None or way not in ("", "asc", "desc"):
        told = f"sort_by is one of {_told(orders)}, then :asc or :desc"
        raise MalformedParameter(f"{told}; {shortened(sent.get('sort_by', ''))!r} is not.")
    if paging.after and (order is Order.NAME or (order is Order.UPDATED) is (paging.after_at is None)):
        raise MalformedParameter("after is of a list in another order; take next_page as it is.")
    return Place(
        limit=paging.per_page + 1,
        skip=paging.skip,
        after=paging.after,
        after_at=paging.after_at,
        order=order,
        descending=way == "desc",
    )


# Ids grow with the time of creation.
_ALIASES = {Order.ID: "created_at"}
