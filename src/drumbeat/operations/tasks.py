"""Adding, changing, completing and deleting tasks, and what that means for the step that opened them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from drumbeat.domain.errors import MissingField
from drumbeat.domain.happening import TaskCompleted, TaskDeleted
from drumbeat.domain.person import PersonKind
from drumbeat.domain.task import Task
from drumbeat.operations.accounts import active_user
from drumbeat.operations.changes import apply
from drumbeat.operations.people import find_person
from drumbeat.store import accounts, enrollments, tasks
from drumbeat.store.transaction import Tx


def add(
    tx: Tx,
    account_id: int,
    caller_id: int,
    fields: Mapping[str, Any],
    *,
    completed: bool | None,
    seen_by: int | None = None,
) -> Task:
    """A new task from fields of Task by name; it is the caller's unless another owner is named."""
    blank = Task(
        account_id=account_id,
        id=0,
        owner_id=caller_id,
        creator_id=caller_id,
        resource_type=None,
        resource_id=None,
        content="",
        due_at=None,
        completed_at=None,
        enrollment_id=None,
        created_at=tx.now,
        updated_at=tx.now,
    )
    made = replace(blank, **fields, completed_at=tx.now if completed else None)
    _check(tx, blank, made, seen_by)
    made = replace(made, id=accounts.take_ids(tx, account_id, "task"))
    tasks.add(tx, [made])
    return made


def change(
    tx: Tx,
    account_id: int,
    task_id: int,
    fields: Mapping[str, Any],
    *,
    completed: bool | None,
    seen_by: int | None = None,
) -> Task:
    """Change fields of a task by name; completing it completes its step, opening it again leaves the step done."""
    tasks.lock(tx, account_id, task_id)
    before = tasks.get(tx, account_id, task_id, seen_by=seen_by)
    completed_at = before.completed_at if completed is not False else None
    after = replace(before, **fields, completed_at=completed_at)
    if after != before:
        _check(tx, before, after, seen_by)
        tasks.save(tx, replace(after, updated_at=tx.now))
    return complete(tx, account_id, task_id) if completed else tasks.get(tx, account_id, task_id)


def _check(tx: Tx, before: Task, after: Task, seen_by: int | None) -> None:
    if not after.content.strip():
        raise MissingField("Say what is to be done.", field="content")
    if after.owner_id != before.owner_id:
        active_user(tx, after.account_id, after.owner_id, "owner_id")
    whose = (after.resource_type, after.resource_id)
    if whose == (before.resource_type, before.resource_id):
        return
    if after.resource_type is None or after.resource_id is None:
        if whose != (None, None):
            missing = "resource_type" if after.resource_type is None else "resource_id"
            raise MissingField("A task names both resource_type and resource_id, or neither.", field=missing)
        return
    kind, id = PersonKind(after.resource_type), after.resource_id
    find_person(tx, after.account_id, kind, id, "resource_id", seen_by=seen_by)


def complete(tx: Tx, account_id: int, task_id: int) -> Task:
    """Complete a task, and with it the step that opened it; completing it twice changes nothing."""
    task = tasks.get(tx, account_id, task_id)
    if not task.completed:
        tasks.complete(tx, account_id, task_id)
        _tell(tx, task, TaskCompleted(task_id))
    return tasks.get(tx, account_id, task_id)


def delete(tx: Tx, account_id: int, task_id: int, *, seen_by: int | None = None) -> None:
    """Delete a task as a user; the open task of a running step finishes its enrollment."""
    task = tasks.get(tx, account_id, task_id, seen_by=seen_by)
    _tell(tx, task, TaskDeleted(task_id))
    tasks.delete(tx, account_id, [task_id])


def _tell(tx: Tx, task: Task, event: TaskCompleted | TaskDeleted) -> None:
    if task.enrollment_id is None:
        return
    for enrollment in enrollments.lock(tx, task.account_id, [task.enrollment_id]):
        apply(tx, enrollment, event)
