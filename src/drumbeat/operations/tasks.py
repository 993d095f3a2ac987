"""Completing and deleting tasks, and what that means for the step that opened them."""

from __future__ import annotations

from drumbeat.domain.happening import TaskCompleted, TaskDeleted
from drumbeat.domain.task import Task
from drumbeat.operations.changes import apply
from drumbeat.store import enrollments, tasks
from drumbeat.store.transaction import Tx


def complete(tx: Tx, account_id: int, task_id: int) -> Task:
    """Complete a task, and with it the step that opened it; completing it twice changes nothing."""
    task = tasks.get(tx, account_id, task_id)
    if not task.completed:
        tasks.complete(tx, account_id, task_id)
        _tell(tx, task, TaskCompleted(task_id))
    return tasks.get(tx, account_id, task_id)


def delete(tx: Tx, account_id: int, task_id: int) -> None:
    """Delete a task as a user; the open task of a running step finishes its enrollment."""
    task = tasks.get(tx, account_id, task_id)
    _tell(tx, task, TaskDeleted(task_id))
    tasks.delete(tx, account_id, [task_id])


def _tell(tx: Tx, task: Task, event: TaskCompleted | TaskDeleted) -> None:
    if task.enrollment_id is None:
        return
    for enrollment in enrollments.lock(tx, task.account_id, [task.enrollment_id]):
        apply(tx, enrollment, event)
