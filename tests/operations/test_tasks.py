"""Tasks that a sequence opens: their words, their due date, and what completing or deleting them does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.errors import NotFound
from drumbeat.domain.task import Task
from drumbeat.operations.tasks import complete, delete
from drumbeat.store import tasks
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def the_task(office: Office) -> Task:
    """The only task there is."""
    with office.database.read() as snapshot:
        found = tasks.list_open(snapshot, office.house.account_id, 0, 10)
    assert len(found) == 1
    return found[0]


def test_a_task_is_opened_for_the_actor_with_its_tags_filled(office: Office) -> None:
    ada = office.change(office.house.person("Ada"), last_name="Lovelace")
    step = task(content="Call {{ contact.name }} ({{ person.phone | default: 'no number' }}) {{ lead.title }}")
    enrolled = office.enroll(office.house.sequence(step), ada)
    office.work()
    opened = the_task(office)
    assert opened.content == "Call Ada Lovelace (no number)"
    assert (opened.owner_id, opened.creator_id) == (office.house.owner_id, office.house.owner_id)
    assert (opened.resource_type, opened.resource_id, opened.enrollment_id) == ("contact", ada.id, enrolled.id)
    now = office.house.enrollment(enrolled.id)
    assert (now.task_id, now.status) == (opened.id, ActionStatus.IN_PROGRESS)
    assert office.house.view(enrolled.id).stages[0].task_id == opened.id


def test_a_task_knows_who_it_is_for_the_account_and_the_day(office: Office) -> None:
    step = task(content="{{ sender.name }} <{{ sender.email }}> of {{ account.name }}, {{ 'now' | date: '%d.%m.' }}")
    office.enroll(office.house.sequence(step), office.house.person())
    office.work()
    assert the_task(office).content == "Olive Owner <olive@tea.example> of Tea House, 03.03."


@pytest.mark.parametrize(
    ("zone", "opened_at", "due_at"),
    [
        ("UTC", datetime(2026, 3, 3, 10, tzinfo=UTC), datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC)),
        ("UTC", datetime(2026, 3, 7, 10, tzinfo=UTC), datetime(2026, 3, 9, 23, 59, 59, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 7, 3, tzinfo=UTC), datetime(2026, 3, 7, 4, 59, 59, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 3, 6, 16, tzinfo=UTC), datetime(2026, 3, 9, 14, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_task_is_due_at_the_end_of_its_working_day_where_the_actor_is(
    office: Office, zone: str, opened_at: datetime, due_at: datetime
) -> None:
    office.set_user(office.house.owner_id, time_zone=zone)
    office.clock.now = opened_at
    enrolled = office.enroll(office.house.sequence(task()), office.house.person())
    office.work()
    assert the_task(office).due_at == due_at
    stage = office.house.view(enrolled.id).stages[0]
    assert (stage.estimated_at, stage.overdue) == (due_at, False)
    office.clock.now = due_at + timedelta(seconds=1)
    assert office.house.view(enrolled.id).stages[0].overdue


def test_a_task_comes_when_its_delay_is_over_and_not_before(office: Office) -> None:
    office.enroll(office.house.sequence(task("2 hours")), office.house.person())
    office.work()
    office.later(hours=1, minutes=59)
    assert office.count("SELECT count(*) FROM tasks") == 0
    office.later(minutes=1)
    assert office.count("SELECT count(*) FROM tasks") == 1


def test_completing_advances_once_however_often_it_is_done(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(task(), task("1 hours")), office.house.person())
    office.work()
    first = the_task(office)
    done = office.transact(lambda tx: complete(tx, office.house.account_id, first.id))
    assert done.completed_at == office.clock.now
    office.clock.advance(timedelta(minutes=1))
    again = office.transact(lambda tx: complete(tx, office.house.account_id, first.id))
    assert again == done
    assert office.house.enrollment(enrolled.id).position == 1
    assert office.house.view(enrolled.id).stages[0].task_id == first.id


def test_completing_the_last_task_finishes(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(task()), office.house.person())
    office.work()
    opened = the_task(office)
    office.transact(lambda tx: complete(tx, office.house.account_id, opened.id))
    done = office.house.enrollment(enrolled.id)
    assert (done.state, done.finished_reason) == (State.FINISHED, FinishedReason.ALL_STEPS_COMPLETED)
    assert office.house.view(enrolled.id).stages[0].executed_at == office.clock.now


def test_deleting_a_completed_task_does_not_touch_its_enrollment(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(task(), letter("1 hours")), office.house.person())
    office.work()
    opened = the_task(office)
    office.transact(lambda tx: complete(tx, office.house.account_id, opened.id))
    before = office.house.enrollment(enrolled.id)
    office.transact(lambda tx: delete(tx, office.house.account_id, opened.id))
    assert office.house.enrollment(enrolled.id) == before
    assert office.count("SELECT count(*) FROM tasks") == 0


def test_finishing_removes_the_open_task_and_keeps_the_completed_one(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(task(), task()), office.house.person())
    office.work()
    first = the_task(office)
    office.transact(lambda tx: complete(tx, office.house.account_id, first.id))
    office.work()
    assert the_task(office).id != first.id
    office.set_state(enrolled.id, State.FINISHED)
    with office.database.read() as snapshot:
        assert tasks.list_open(snapshot, office.house.account_id, 0, 10) == []
        assert tasks.get(snapshot, office.house.account_id, first.id).completed
    stages = office.house.view(enrolled.id).stages
    assert [(s.status, s.task_id) for s in stages] == [
        (ActionStatus.COMPLETED, first.id),
        (ActionStatus.CANCELLED, None),
    ]


def test_an_unknown_task_is_not_found(office: Office) -> None:
    for act in (complete, delete):
        with pytest.raises(NotFound):
            office.transact(lambda tx, act=act: act(tx, office.house.account_id, 99))  # type: ignore[misc]


def test_an_actor_without_a_mailbox_or_active_status_still_gets_tasks(office: Office) -> None:
    sam = office.add_user()
    office.enroll(office.house.sequence(task()), office.house.person(), actor_id=sam.id)
    office.work()
    assert the_task(office).owner_id == sam.id
