"""Tasks as their owner works through them: by their due date, done and opened again, changed, handed over, deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from drumbeat.domain.account import User
from drumbeat.domain.enrollment import FinishedReason, State
from drumbeat.domain.happening import StepDue
from drumbeat.domain.task import Task
from drumbeat.operations.tasks import add as add_task
from drumbeat.operations.tasks import complete
from drumbeat.store import tasks
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.work import Works, at_work, complaint, led, post, said, see, value, words

Happen = Callable[..., None]


@pytest.fixture
def works(world: World, cast: Cast, clock: FrozenClock) -> Iterator[Works]:
    """Our account at work."""
    with at_work(world, cast, clock) as works:
        yield works


def make(works: Works, *contents: str, owner: User | None = None, **fields: Any) -> list[int]:
    """Tasks of our seller's or somebody else's; their ids."""
    whose = (owner or works.cast.us.seller).id

    def work(tx: Tx) -> list[int]:
        account_id = works.account_id
        return [add_task(tx, account_id, whose, {"content": each} | fields, completed=None).id for each in contents]

    return works.transact(work)


def task_of(works: Works, id: int) -> Task:
    """A task as it stands."""
    return works.read(lambda snapshot: tasks.get(snapshot, works.account_id, id))


def test_the_longest_due_come_first_whenever_they_were_made_and_those_without_a_date_last(
    works: Works, seller: Browser, owner: Browser, cast: Cast
) -> None:
    now = works.clock.now
    make(works, "Some day", "Another day")
    make(works, *(f"Later {number:02}" for number in range(50)), due_at=now + timedelta(days=1))
    make(works, "Overdue call", due_at=now - timedelta(days=3))
    make(works, "Olga's call", due_at=now - timedelta(days=9), owner=cast.us.owner)
    first = see(seller, "/tasks")
    shown = words(first)
    assert shown.index("Overdue call") < shown.index("Later 00") < shown.index("Later 48")
    assert ("Later 49" in shown, "Some day" in shown, "First page" in shown) == (False, False, False)
    second = words(see(seller, "/tasks?after=51"))
    assert second.index("Later 49") < second.index("Some day") < second.index("Another day")
    assert ("Later 48" in second, "Next page" in second, "First page" in second) == (False, False, True)
    assert 'href="/tasks?after=51"' in first.text
    assert "Some day" not in words(see(seller, "/tasks?after=1"))
    assert "Overdue call" in words(see(seller, "/tasks?after=9999"))
    everybody = see(owner, "/tasks?whose=all")
    assert words(everybody).index("Olga's call") < words(everybody).index("Overdue call")
    assert "/tasks?after=50&amp;whose=all" in everybody.text
    assert "Overdue call" not in words(see(owner, "/tasks"))


def test_a_task_names_whom_it_is_about(works: Works, seller: Browser) -> None:
    lena = works.lead()
    make(works, "Call", resource_type="lead", resource_id=lena.id)
    assert "Call No due date · Lena Lead · Change" in words(see(seller, "/tasks"))


def test_what_was_done_by_mistake_is_opened_again_at_once_and_for_a_day(
    works: Works, seller: Browser, cast: Cast
) -> None:
    (id,) = make(works, "Call")
    done = led(seller, post(seller, f"/tasks/{id}/complete", back="/tasks"))
    assert said(done) == "Done: Call"
    assert f'action="/tasks/{id}/reopen"' in done.text.partition("<main")[0]
    assert ">Undo</button>" in done.text
    assert "Done in the last 24 hours Call Done today 11:00 Open again" in words(done)
    again = led(seller, post(seller, f"/tasks/{id}/reopen", back="/tasks"))
    assert said(again) == "Open again: Call"
    assert "Done in the last" not in words(again)
    works.transact(lambda tx: complete(tx, works.account_id, id))
    account_id, mine, done_at = works.account_id, cast.us.seller.id, works.clock.now

    def done_since(since: datetime) -> int:
        return works.read(lambda snapshot: len(tasks.list_done(snapshot, account_id, mine, since, 9)))

    assert done_since(done_at) == 1
    assert done_since(done_at + timedelta(microseconds=1)) == 0


def test_opening_a_sequence_s_task_again_says_beforehand_that_its_step_stays_done(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    enrolled = works.enroll(cast.us.with_task, works.lead())
    happen(enrolled.id, StepDue())
    done = led(seller, post(seller, f"/tasks/{works.enrollment(enrolled.id).task_id}/complete"))
    assert "Open it again; its step stays done" in done.text


def test_a_task_is_worded_anew_and_dated_on_one_s_own_clock(works: Works, seller: Browser) -> None:
    (id,) = make(works, "Call Lena", due_at=works.clock.now + timedelta(seconds=7))
    page = see(seller, f"/tasks/{id}")
    assert value(page, "due_at") == "2026-03-03T11:00"
    changed = led(seller, post(seller, f"/tasks/{id}", content="Call Leo", due_at="2026-03-04T09:30"))
    assert said(changed) == "The task is changed."
    assert "Call Leo tomorrow 09:30" in words(changed)
    blank = post(seller, f"/tasks/{id}", content=" ", due_at="2026-03-04T09:30")
    assert (blank.status_code, complaint(blank, "content")) == (422, "Say what is to be done.")
    wrong = post(seller, f"/tasks/{id}", content="Call Leo", due_at="soon")
    assert wrong.status_code == 422
    assert "Write a date and a time" in complaint(wrong, "due_at")
    assert task_of(works, id).content == "Call Leo"


def test_an_old_tab_takes_nothing_back_that_was_changed_since(works: Works, seller: Browser) -> None:
    due_at = works.clock.now + timedelta(seconds=7)
    (id,) = make(works, "Call Lena", due_at=due_at)
    was = '{"content":["Call Leo"],"due_at":["2026-03-03T11:00"]}'
    post(seller, f"/tasks/{id}", content="Call Lia", due_at="2026-03-03T11:00", was=was)
    assert (task_of(works, id).content, task_of(works, id).due_at) == ("Call Lia", due_at)
    post(seller, f"/tasks/{id}", content="Call Leo", due_at="2026-03-03T11:00", was=was)
    assert task_of(works, id).content == "Call Lia"


def test_a_task_is_handed_over_by_whoever_sees_everybody_s(works: Works, seller: Browser, cast: Cast) -> None:
    (id,) = make(works, "Call")
    assert "Whose it is" in words(see(seller, f"/tasks/{id}"))
    led(seller, post(seller, f"/tasks/{id}", content="Call", owner_id=cast.us.owner.id))
    assert task_of(works, id).owner_id == cast.us.owner.id
    nobody = post(seller, f"/tasks/{id}", content="Call", owner_id=9999)
    assert nobody.status_code == 422
    (own,) = make(works, "Write")
    works.let_agents_see_their_own()
    assert "Whose it is" not in words(see(seller, f"/tasks/{own}"))
    post(seller, f"/tasks/{own}", content="Write", owner_id=cast.us.owner.id)
    assert task_of(works, own).owner_id == cast.us.seller.id
    for answer in (seller("GET", f"/tasks/{id}"), post(seller, f"/tasks/{id}", content="Mine")):
        assert answer.status_code == 404
    assert "There is no task" in said(led(seller, post(seller, f"/tasks/{id}/delete")))
    assert task_of(works, id).content == "Call"


def test_deleting_an_open_task_of_a_sequence_asks_and_finishes_its_enrollment(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    enrolled = works.enroll(cast.us.with_task, works.lead())
    happen(enrolled.id, StepDue())
    task_id = works.enrollment(enrolled.id).task_id
    assert "Its enrollment ends with it: no further letter" in words(see(seller, f"/tasks/{task_id}"))
    assert said(led(seller, post(seller, f"/tasks/{task_id}/delete"))) == "The task is deleted."
    ended = works.enrollment(enrolled.id)
    assert (ended.state, ended.finished_reason) == (State.FINISHED, FinishedReason.TASK_DELETED)
    assert seller("GET", f"/tasks/{task_id}").status_code == 404
    (own,) = make(works, "Write")
    assert "ends with it" not in words(see(seller, f"/tasks/{own}"))


def test_a_new_task_that_cannot_be_taken_keeps_what_was_written(works: Works, seller: Browser) -> None:
    lena = works.lead()
    about = {"kind": "lead", "person": str(lena.id), "back": f"/people/lead/{lena.id}"}
    wrong = post(seller, "/tasks", content="Buy bulbs", due_at="soon", **about)
    assert wrong.status_code == 422
    assert "Buy bulbs" in wrong.text
    assert "Write a date and a time" in complaint(wrong, "due_at")
    for name, sent in about.items():
        assert f'name="{name}" value="{sent}"' in wrong.text
    blank = post(seller, "/tasks", content=" ", back="/tasks")
    assert (blank.status_code, complaint(blank, "content")) == (422, "Say what is to be done.")
    assert works.count("tasks") == 0
    made = led(seller, post(seller, "/tasks", content="Buy bulbs", due_at="", **about))
    assert said(made) == "The task is made."
    assert task_of(works, 1).resource_id == lena.id
