"""How every list is paged: page and per_page in, the links to the neighbours out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from litestar import Response
from msgspec import UNSET

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import MalformedParameter
from drumbeat.http.openapi import Parameter
from drumbeat.http.parts import AnyRequest, json_reply, parts_of
from drumbeat.http.reading import shortened, whole_number
from drumbeat.http.sell_v2.envelope import Links, Page, PageMeta, Record, link

T = TypeVar("T")

PAGING = (
    Parameter("page", "Number of the page, from 1; 1 by default."),
    Parameter("per_page", "Records in a page, 1 to 100; 25 by default."),
)
# Set in next_page by lists that may be long.
AFTER = Parameter("after", "Set in next_page: begins behind this id, so that far pages are as quick as near ones.")


@dataclass(frozen=True, slots=True)
class Paging:
    """The page a caller asks for; `kept` are the parameters that its neighbours have too."""

    page: int
    per_page: int
    after: int
    kept: Mapping[str, object]

    @property
    def skip(self) -> int:
        """How many records lie before the page, counted from `after`."""
        return 0 if self.after else (self.page - 1) * self.per_page

    def of(self, found: Sequence[T]) -> Sequence[T]:
        """The part of a short list that is this page."""
        return found[self.skip : self.skip + self.per_page]

    def answer(
        self, request: AnyRequest, records: list[Record[Any]], *, has_next: bool, last_id: int = 0
    ) -> Response[bytes]:
        """The page; with a `last_id` its next_page begins behind that id."""
        here = parts_of(request).world.settings.base_url + request.scope["path"]
        meta = PageMeta("collection", len(records), self._links(here, has_next=has_next, last_id=last_id))
        return json_reply(Page(records, meta))

    def _links(self, here: str, *, has_next: bool, last_id: int) -> Links:
        def page(number: int, after: int = 0) -> str:
            behind = {"after": after} if after else {}
            return link(here, {"page": number, "per_page": self.per_page} | dict(self.kept) | behind)

        return Links(
            here=page(self.page, self.after),
            first_page=page(1),
            prev_page=page(self.page - 1) if self.page > 1 else UNSET,
            next_page=page(self.page + 1, last_id) if has_next else UNSET,
        )


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
SORTING = Parameter("sort_by", f"{', '.join(_ORDERS)}, then :asc or :desc; id:asc by default.")


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
    return Paging(
        page=whole_number(sent, "page", 1, 1, LARGEST_ID),
        per_page=whole_number(sent, "per_page", 25, 1, 100),
        after=whole_number(sent, "after", 0, 0, LARGEST_ID),
        kept={name: value for name, value in sent.items() if name not in ("page", "per_page", "after")},
    )
