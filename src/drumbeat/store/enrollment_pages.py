"""Pages of enrollments as lists show them: by id, all of an account's, or those named, or of some people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.person import PersonKind
from drumbeat.store.enrollments import find_many
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot


def list_page(
    snapshot: Snapshot,
    account_id: int,
    *,
    ids: Sequence[int] | None = None,
    resource_type: PersonKind | None = None,
    resource_ids: Sequence[int] | None = None,
    after: int = 0,
    descending: bool = False,
    skip: int = 0,
    limit: int,
) -> list[Enrollment]:
    """A page of enrollments by id; only the (account, id) index is walked to skip, or the people's to find some."""
    where = ["e.account_id = :account_id"]
    if after:
        where.append("e.id < :after" if descending else "e.id > :after")
    if ids is not None:
        where.append("e.id {in: SELECT id FROM {named: id int} AS named :in}")
    if resource_ids is None and resource_type is not None:
        # Not the people's index: it would gather all of a kind and sort them for each page.
        where.append("e.resource_type || '' = :resource_type")
    if resource_ids is not None:
        where.append("e.resource_type IN ('lead', 'contact')" if resource_type is None else _OF_KIND)
        where.append("e.resource_id {in: SELECT id FROM {sought: id int} AS sought :in}")
    order = "DESC" if descending else "ASC"
    statement = _page_statement(" AND ".join(where), order)
    parameters: dict[str, Any] = {"account_id": account_id, "skip": skip, "limit": limit}
    if after:
        parameters["after"] = after
    if ids is not None:
        parameters["named"] = [[id] for id in ids]
    if resource_type is not None:
        parameters["resource_type"] = resource_type.value
    if resource_ids is not None:
        parameters["sought"] = [[id] for id in resource_ids]
    listed = [row[0] for row in snapshot.all(statement, **parameters)]
    found = {enrollment.id: enrollment for enrollment in find_many(snapshot, account_id, listed)}
    return [found[id] for id in listed]


_OF_KIND = "e.resource_type = :resource_type"


def _page_statement(where: str, order: str) -> Statement:
    found = _PAGES.get((where, order))
    if found is None:
        text = f"SELECT e.id FROM enrollments e WHERE {where} ORDER BY e.id {order} LIMIT :limit OFFSET :skip"
        found = _PAGES[where, order] = Statement(text)
    return found


_PAGES: dict[tuple[str, str], Statement] = {}
