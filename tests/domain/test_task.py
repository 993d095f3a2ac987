"""A task is done or it is not, and late once its due date has passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from drumbeat.domain.task import Task
from tests.domain.runs import NOON

TASK = Task(
    account_id=1,
    id=7,
    owner_id=2,
    creator_id=2,
    resource_type="contact",
    resource_id=5,
    content="Call",
    due_at=NOON,
    completed_at=None,
    enrollment_id=9,
    created_at=NOON,
    updated_at=NOON,
)


def test_a_task_is_completed_once_it_has_a_time_of_completion() -> None:
    assert not TASK.completed
    assert replace(TASK, completed_at=NOON).completed


def test_an_open_task_is_overdue_once_its_due_date_has_passed() -> None:
    assert not TASK.is_overdue(NOON)
    assert TASK.is_overdue(NOON + timedelta(microseconds=1))


def test_a_completed_task_or_one_without_a_due_date_is_never_overdue() -> None:
    later = NOON + timedelta(days=9)
    assert not replace(TASK, completed_at=later).is_overdue(later)
    assert not replace(TASK, due_at=None).is_overdue(later)
