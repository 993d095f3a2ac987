"""How this API's lists that may be long are paged: from behind a record, as quick at any depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response

from drumbeat.domain.account import LARGEST_ID
from drumbeat.http.app_api.shapes import PageMeta, PageOf
from drumbeat.http.openapi import Parameter, number
from drumbeat.http.parts import json_reply
from drumbeat.http.reading import whole_number
from drumbeat.store.pages import Place

PER_PAGE = Parameter("perPage", "Records in a page, 1 to 100; 25 by default.", number(most=100))
AFTER = Parameter("after", "What meta.after of the page before says.", number(0))


def read_place(sent: Mapping[str, str]) -> Place:
    """The page that a query asks for, and one record more, which tells whether there is a next one."""
    return Place(
        limit=whole_number(sent, "perPage", 25, 1, 100) + 1,
        after=whole_number(sent, "after", 0, 0, LARGEST_ID),
    )


def reply_page(found: list[Any], place: Place) -> Response[bytes]:
    """The page, its records with their `id`, without the one that was asked for beyond it."""
    per_page = place.limit - 1
    shown, has_next = found[:per_page], len(found) > per_page
    return json_reply(PageOf(shown, PageMeta(per_page, str(shown[-1].id) if has_next else None)))
