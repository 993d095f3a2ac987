"""Pages of tasks as lists show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drumbeat.domain.task import Task
from drumbeat.store import pages
from drumbeat.store.pages import Order, Place
from drumbeat.store.stamps import to_stamp
from drumbeat.store.tasks import find_many
from drumbeat.store.transaction import Snapshot


@dataclass(frozen=True, slots=True)
class SoughtTasks:
    """Which tasks are wanted; what is None is not looked at. `text` is a part of the content, in any case."""

    ids: Sequence[int] | None = None
    creator_id: int | None = None
    owner_id: int | None = None
    resource_type: str | None = None
    resource_id: int | None = None
    related: bool | None = None
    completed: bool | None = None
    overdue: bool | None = None
    reminding: bool | None = None
    text: str | None = None


def list_page(
    snapshot: Snapshot, account_id: int, sought: SoughtTasks, place: Place, *, seen_by: int | None = None
) -> list[Task]:
    """A page of tasks in the place's order; only those of one owner where no others are seen."""
    where, given = conditions(account_id, sought, place.order, snapshot.now)
    if seen_by is not None:
        where.append("r.owner_id = :seen_by")
        given["seen_by"] = seen_by
    listed = snapshot.all(pages.statement("tasks", where, place), **given, **pages.parameters(place))
    ids = [row[0] for row in listed]
    found = find_many(snapshot, account_id, ids)
    return [found[id] for id in ids]


def conditions(account_id: int, sought: SoughtTasks, order: Order, now: datetime) -> tuple[list[str], dict[str, Any]]:
    """What a statement asks of each row, and the parameters of that."""
    where = ["r.account_id = :account_id"]
    given: dict[str, Any] = {"account_id": account_id}
    if sought.ids is not None:
        where.append("r.id {in: SELECT id FROM {ids: id int} AS named :in}")
        given["ids"] = [[id] for id in sought.ids]
    for column in ("creator_id", "owner_id", "resource_type", "resource_id"):
        value = getattr(sought, column)
        if value is not None:
            where.append(f"r.{column} = :{column}")
            given[column] = value
    for name, (yes, no) in _CONDITIONS.items():
        wanted = getattr(sought, name)
        if wanted is not None:
            # Not the open tasks' own index if the order is another one: it would sort all of them for each page.
            sign = "+" if order is Order.UPDATED else ""
            where.append((yes if wanted else no).format(sign=sign))
    if sought.overdue is not None:
        given["now"] = to_stamp(now)
    if sought.text is not None:
        where.append(r"lower(r.content) LIKE lower(:text) ESCAPE '\'")
        given["text"] = f"%{_literal(sought.text)}%"
    return where, given


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_CONDITIONS = {
    "related": ("r.resource_id IS NOT NULL", "r.resource_id IS NULL"),
    "completed": ("r.completed_at IS NOT NULL", "{sign}r.completed_at IS NULL"),
    "overdue": (
        "{sign}r.completed_at IS NULL AND r.due_at < :now",
        "(r.completed_at IS NOT NULL OR r.due_at IS NULL OR r.due_at >= :now)",
    ),
    "reminding": ("r.remind_at IS NOT NULL", "r.remind_at IS NULL"),
}
