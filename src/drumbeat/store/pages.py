"""How a page of a long list is asked for: the ids alone are walked, in an order an index has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from drumbeat.store.statement import Statement


class Order(StrEnum):
    """What a list may be sorted by; ids grow with the time of creation."""

    ID = "id"
    UPDATED = "updated_at"
    NAME = "last_name"


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of a list is wanted: from behind a row (its id, and its stamp where the order is by change), or
    so many rows after the first; and how many."""

    limit: int
    skip: int = 0
    after: int = 0
    after_at: int | None = None
    order: Order = Order.ID
    descending: bool = False


def statement(table: str, where: Sequence[str], place: Place) -> Statement:
    """The ids of a page of rows `r` of the table; its parameters are those of `where`, and the place's."""
    return _statement(table, tuple(where), place.order, place.descending, bool(place.after))


def parameters(place: Place) -> dict[str, int]:
    """What the place adds to the parameters of a statement."""
    given = {"skip": place.skip, "limit": place.limit}
    if place.after:
        given["after"] = place.after
        if place.order is Order.UPDATED:
            given["after_at"] = place.after_at or 0
    return given


@lru_cache(maxsize=512)
def _statement(table: str, where: tuple[str, ...], order: Order, descending: bool, behind: bool) -> Statement:
    if behind:
        row, given = ("(r.updated_at, r.id)", "(:after_at, :after)") if order is Order.UPDATED else ("r.id", ":after")
        where = (*where, f"{row} {'<' if descending else '>'} {given}")
    way = "DESC" if descending else "ASC"
    by = ", ".join(f"r.{column} {way}" for column in _COLUMNS[order])
    return Statement(f"SELECT r.id FROM {table} r WHERE {' AND '.join(where)} ORDER BY {by} LIMIT :limit OFFSET :skip")


_COLUMNS = {
    Order.ID: ("id",),
    Order.UPDATED: ("updated_at", "id"),
    Order.NAME: ("last_name", "first_name", "id"),
}
