"""Tasks: work a seller does by hand; a sequence's tasks name their enrollment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drumbeat.domain.access import sees
from drumbeat.domain.errors import NotFound
from drumbeat.domain.task import Task
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Insertion, Record, Statement
from drumbeat.store.transaction import Snapshot, Tx


def add(tx: Tx, tasks: Sequence[Task]) -> None:
    """Store new tasks; ids are given."""
    tx.insert(_ADD, [_row(task) for task in tasks])


def get(snapshot: Snapshot, account_id: int, id: int, *, seen_by: int | None = None) -> Task:
    """The task, or NotFound; also where only the records of `seen_by` are seen, and it is somebody else's."""
    row = snapshot.first(_GET, account_id=account_id, id=id)
    if row is None or not sees(seen_by, row.owner_id):
        raise NotFound(f"There is no task {id}.")
    return _task(row)


def find_many(snapshot: Snapshot, account_id: int, ids: Sequence[int]) -> dict[int, Task]:
    """Those of these tasks that exist, by id."""
    rows = snapshot.all(_FIND, account_id=account_id, sought=[[id] for id in ids])
    return {row.id: _task(row) for row in rows}


def list_open(snapshot: Snapshot, account_id: int, after: int, limit: int) -> list[Task]:
    """The account's open tasks by id, a page at a time."""
    return [_task(row) for row in snapshot.all(_LIST_OPEN, account_id=account_id, after=after, limit=limit)]


def list_due(snapshot: Snapshot, account_id: int, owner_id: int, until: datetime, limit: int) -> list[Task]:
    """Open tasks of a user that are due until an instant, the longest due first."""
    given = {"account_id": account_id, "owner_id": owner_id, "until": to_stamp(until), "limit": limit}
    return [_task(row) for row in snapshot.all(_LIST_DUE, **given)]


def list_open_by_due(
    snapshot: Snapshot, account_id: int, limit: int, *, owner_id: int | None = None, after: Task | None = None
) -> list[Task]:
    """Open tasks of a user, or everybody's, behind one of them: the longest due first, those without a date last."""
    dated, undated = (_DATED, _UNDATED) if owner_id is None else (_DATED_OF, _UNDATED_OF)
    given = {"account_id": account_id} | ({} if owner_id is None else {"owner_id": owner_id})
    found: list[Record] = []
    after_id = after.id if after is not None else 0
    if after is None or after.due_at is not None:
        behind = _LONG_AGO if after is None or after.due_at is None else to_stamp(after.due_at)
        found = list(snapshot.all(dated, **given, after_at=behind, after=after_id, limit=limit))
        after_id = 0
    if len(found) < limit:
        found += snapshot.all(undated, **given, after=after_id, limit=limit - len(found))
    return [_task(row) for row in found]


def list_done(snapshot: Snapshot, account_id: int, owner_id: int, since: datetime, limit: int) -> list[Task]:
    """Tasks of a user that were completed since an instant, the last one first."""
    given = {"account_id": account_id, "owner_id": owner_id, "since": to_stamp(since), "limit": limit}
    return [_task(row) for row in snapshot.all(_LIST_DONE, **given)]


def complete(tx: Tx, account_id: int, id: int) -> None:
    """Mark a task as done now."""
    tx.run(_COMPLETE, account_id=account_id, id=id, now=to_stamp(tx.now))


def lock(tx: Tx, account_id: int, id: int) -> None:
    """Let no other transaction change a task until this one has ended."""
    tx.lock(_LOCK, account_id=account_id, id=id)


def save(tx: Tx, task: Task) -> None:
    """Store a task's fields."""
    tx.run(_SAVE, saved=[_row(task)], account_id=task.account_id)


def move(tx: Tx, account_id: int, before: tuple[str, int], after: tuple[str, int]) -> None:
    """Let a person's tasks be another one's, both as (kind, id)."""
    keys = {"kind": before[0], "id": before[1], "new_kind": after[0], "new_id": after[1]}
    tx.run(_MOVE, account_id=account_id, now=to_stamp(tx.now), **keys)


def delete_of_person(tx: Tx, account_id: int, kind: str, id: int) -> None:
    """Remove every task of a person."""
    tx.run(_DELETE_OF_PERSON, account_id=account_id, kind=kind, id=id)


def delete(tx: Tx, account_id: int, ids: Sequence[int]) -> None:
    """Remove tasks."""
    tx.run(_DELETE, account_id=account_id, removed=[[id] for id in ids])


def _row(task: Task) -> tuple[Any, ...]:
    return (
        task.account_id,
        task.id,
        task.owner_id,
        task.creator_id,
        task.resource_type,
        task.resource_id,
        task.content,
        stamp_or_none(task.due_at),
        stamp_or_none(task.completed_at),
        task.enrollment_id,
        to_stamp(task.created_at),
        to_stamp(task.updated_at),
        stamp_or_none(task.remind_at),
    )


def _task(row: Record) -> Task:
    return Task(
        account_id=row.account_id,
        id=row.id,
        owner_id=row.owner_id,
        creator_id=row.creator_id,
        resource_type=row.resource_type,
        resource_id=row.resource_id,
        content=row.content,
        due_at=instant_or_none(row.due_at),
        completed_at=instant_or_none(row.completed_at),
        enrollment_id=row.enrollment_id,
        created_at=from_stamp(row.created_at),
        updated_at=from_stamp(row.updated_at),
        remind_at=instant_or_none(row.remind_at),
    )


_TYPED = (
    "account_id int, id int, owner_id int, creator_id int, resource_type text, resource_id int, content text, "
    "due_at bigint, completed_at bigint, enrollment_id int, created_at bigint, updated_at bigint, "
    "remind_at bigint"
)
_COLUMNS = ", ".join(f"t.{column.split()[0]}" for column in _TYPED.split(", "))
_ADD = Insertion("tasks", _TYPED)
_GET = Statement(f"SELECT {_COLUMNS} FROM tasks t WHERE t.account_id = :account_id AND t.id = :id")
_FIND = Statement(f"""
    SELECT {_COLUMNS} FROM {{sought: id int}} AS sought
    JOIN tasks t ON t.account_id = :account_id AND {{key: t.id = sought.id}}
""")
_LOCK = Statement("SELECT id FROM tasks WHERE account_id = :account_id AND id = :id {lock}")
_LIST_OPEN = Statement(f"""
    SELECT {_COLUMNS} FROM tasks t
    WHERE t.account_id = :account_id AND t.completed_at IS NULL AND t.id > :after ORDER BY t.id LIMIT :limit
""")
_LIST_DUE = Statement(f"""
    SELECT {_COLUMNS} FROM tasks t
    WHERE t.account_id = :account_id AND t.owner_id = :owner_id AND t.completed_at IS NULL AND t.due_at IS NOT NULL
        AND t.due_at <= :until ORDER BY t.due_at, t.id LIMIT :limit
""")
_LONG_AGO = -(2**62)
_BY_DUE = f"""
    SELECT {_COLUMNS} FROM tasks t WHERE t.account_id = :account_id {{0}} AND t.completed_at IS NULL
        AND t.due_at IS NOT NULL AND (t.due_at, t.id) > (:after_at, :after)
    ORDER BY t.due_at, t.id LIMIT :limit
"""
_WITHOUT_DUE = f"""
    SELECT {_COLUMNS} FROM tasks t WHERE t.account_id = :account_id {{0}} AND t.completed_at IS NULL
        AND t.due_at IS NULL AND t.id > :after
    ORDER BY t.id LIMIT :limit
"""
_OF_OWNER = "AND t.owner_id = :owner_id"
_DATED, _UNDATED = Statement(_BY_DUE.format("")), Statement(_WITHOUT_DUE.format(""))
_DATED_OF, _UNDATED_OF = Statement(_BY_DUE.format(_OF_OWNER)), Statement(_WITHOUT_DUE.format(_OF_OWNER))
_LIST_DONE = Statement(f"""
    SELECT {_COLUMNS} FROM tasks t
    WHERE t.account_id = :account_id AND t.owner_id = :owner_id AND t.completed_at > 0
        AND t.completed_at >= :since
    ORDER BY t.completed_at DESC, t.id DESC LIMIT :limit
""")
_COMPLETE = Statement("""
    UPDATE tasks SET completed_at = :now, updated_at = :now
    WHERE account_id = :account_id AND id = :id AND completed_at IS NULL
""")
_DELETE = Statement("""
    DELETE FROM tasks WHERE account_id = :account_id
        AND id {in: SELECT id FROM {removed: id int} AS removed :in}
""")
_SAVE = Statement(f"""
    UPDATE tasks SET
        owner_id = saved.owner_id, resource_type = saved.resource_type, resource_id = saved.resource_id,
        content = saved.content, due_at = saved.due_at, completed_at = saved.completed_at,
        remind_at = saved.remind_at, updated_at = saved.updated_at
    FROM {{saved: {_TYPED}}} AS saved
    WHERE tasks.account_id = :account_id AND {{key: tasks.id = saved.id}}
""")
_MOVE = Statement("""
    UPDATE tasks SET resource_type = :new_kind, resource_id = :new_id, updated_at = :now
    WHERE account_id = :account_id AND resource_type = :kind AND resource_id = :id
""")
_DELETE_OF_PERSON = Statement(
    "DELETE FROM tasks WHERE account_id = :account_id AND resource_type = :kind AND resource_id = :id"
)
