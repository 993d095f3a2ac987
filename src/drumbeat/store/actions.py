"""What completed steps did: one row per executed action; planned ones are not stored."""

from __future__ import annotations

from collections.abc import Sequence

from drumbeat.domain.enrollment import Done
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Insertion, Statement
from drumbeat.store.transaction import Snapshot, Tx


def add(tx: Tx, account_id: int, done: Sequence[tuple[int, Done]]) -> None:
    """Keep what steps did, each with its enrollment's id."""
    rows = [(account_id, id, d.position, to_stamp(d.executed_at), d.task_id) for id, d in done]
    tx.insert(_ADD, rows)


def list_of(snapshot: Snapshot, account_id: int, ids: Sequence[int]) -> dict[int, dict[int, Done]]:
    """What the completed steps of these enrollments did, by enrollment and position."""
    found: dict[int, dict[int, Done]] = {id: {} for id in ids}
    rows = snapshot.all(_LIST, account_id=account_id, sought=[[id] for id in ids]) if ids else []
    for id, position, executed_at, task_id in rows:
        found[id][position] = Done(position, from_stamp(executed_at), task_id)
    return found


_ADD = Insertion("actions", "account_id int, enrollment_id int, position int, executed_at bigint, task_id int")
_LIST = Statement("""
    SELECT a.enrollment_id, a.position, a.executed_at, a.task_id FROM {sought: id int} AS sought
    JOIN actions a ON a.account_id = :account_id AND {key: a.enrollment_id = sought.id}
""")
