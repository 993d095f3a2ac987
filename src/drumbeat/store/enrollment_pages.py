"""Pages of enrollments by id: as lists show them, or of those that a cause which went away had blocked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.person import PersonKind
from drumbeat.store.enrollments import find_many
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot


def list_page(
    snapshot: Snapshot,
    account_id: int,
    *,
    ids: Sequence[int] | None = None,
    resource_type: PersonKind | None = None,
    resource_ids: Sequence[int] | None = None,
    actor_id: int | None = None,
    runs_sequence_id: int | None = None,
    variant_b_of: int | None = None,
    failure_reason: FailureReason | None = None,
    after: int = 0,
    descending: bool = False,
    skip: int = 0,
    limit: int,
) -> list[Enrollment]:
    """A page of enrollments by id; only the (account, id) index is walked to skip, or one of those that find some.

    Of a sequence that runs only the ongoing ones are listed, as of those that run another as its variant B; by a
    failure reason only those that are blocked.
    """
    values = {
        "actor_id": actor_id,
        "runs_sequence_id": runs_sequence_id,
        "variant_b_of": variant_b_of,
        "failure_reason": failure_reason and failure_reason.value,
        "resource_type": resource_type and resource_type.value,
        "named": None if ids is None else [[id] for id in ids],
        "sought": None if resource_ids is None else [[id] for id in resource_ids],
        "after": after or None,
    }
    given = {name: value for name, value in values.items() if value is not None}
    where = ["e.account_id = :account_id", *(_CONDITIONS[name] for name in given if name in _CONDITIONS)]
    where += _about_people(resource_type, has_ids=resource_ids is not None)
    if after:
        where.append("e.id < :after" if descending else "e.id > :after")
    order = "DESC" if descending else "ASC"
    statement = _page_statement(" AND ".join(where), order)
    rows = snapshot.all(statement, account_id=account_id, skip=skip, limit=limit, **given)
    listed = [row[0] for row in rows]
    found = {enrollment.id: enrollment for enrollment in find_many(snapshot, account_id, listed)}
    return [found[id] for id in listed]


def list_blocked(
    snapshot: Snapshot,
    account_id: int,
    reason: FailureReason,
    planned_since: datetime,
    *,
    mailbox_id: int | None = None,
    actor_id: int | None = None,
    after: int,
    limit: int,
) -> list[int]:
    """Ids of enrollments blocked for `reason`, planned since then, by id: those that send from this mailbox,
    for this actor, or (neither named) all of the account."""
    rows = snapshot.all(
        _BLOCKED,
        account_id=account_id,
        reason=reason.value,
        since=to_stamp(planned_since),
        mailbox_id=mailbox_id or _ANY,
        actor_id=actor_id or _ANY,
        after=after,
        limit=limit,
    )
    return [row[0] for row in rows]


_CONDITIONS = {
    "actor_id": "e.actor_id = :actor_id",
    "runs_sequence_id": "e.state <> 'finished' AND e.runs_sequence_id = :runs_sequence_id",
    "variant_b_of": "e.state <> 'finished' AND e.sequence_id <> e.runs_sequence_id AND e.sequence_id = :variant_b_of",
    "failure_reason": "e.state = 'blocked' AND e.failure_reason = :failure_reason",
    "named": "e.id {in: SELECT id FROM {named: id int} AS named :in}",
    "sought": "e.resource_id {in: SELECT id FROM {sought: id int} AS sought :in}",
}


def _about_people(kind: PersonKind | None, *, has_ids: bool) -> Sequence[str]:
    if has_ids:
        return ["e.resource_type IN ('lead', 'contact')" if kind is None else "e.resource_type = :resource_type"]
    # Not the people's index: it would gather all of a kind and sort them for each page.
    return [] if kind is None else ["e.resource_type || '' = :resource_type"]


def _page_statement(where: str, order: str) -> Statement:
    found = _PAGES.get((where, order))
    if found is None:
        text = f"SELECT e.id FROM enrollments e WHERE {where} ORDER BY e.id {order} LIMIT :limit OFFSET :skip"
        found = _PAGES[where, order] = Statement(text)
    return found


_PAGES: dict[tuple[str, str], Statement] = {}
_ANY = 0
_BLOCKED = Statement("""
    SELECT e.id FROM enrollments e JOIN users u ON u.account_id = e.account_id AND u.id = e.actor_id
    WHERE e.account_id = :account_id AND e.state = 'blocked' AND e.failure_reason = :reason
        AND :mailbox_id IN (0, coalesce(e.mailbox_id, u.mailbox_id)) AND :actor_id IN (0, e.actor_id)
        AND e.ready_at >= :since AND e.id > :after
    ORDER BY e.id LIMIT :limit
""")
