"""What is shown of an enrollment: statuses by position, estimates, and what is overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Done, Enrollment
from drumbeat.domain.happening import Accepted, CountedAsSent, Deferred, Resumed, StepDue, TaskCompleted
from drumbeat.domain.timeline import LATE_AFTER, Stage, is_overdue, timeline
from tests.domain.runs import (
    DAY,
    DOUBT,
    HOUR,
    MINUTE,
    NOON,
    OUT,
    REFUSED,
    SITUATIONS,
    TASK_ID,
    after,
    enrolled,
    letter,
    paused,
    plan,
    task,
)

DONE_FIRST = {0: Done(0, NOON, None)}
LATE = timedelta(minutes=15)
SECOND = timedelta(seconds=1)


def estimates(enrollment: Enrollment, now: datetime = NOON, due_at: datetime | None = None) -> list[datetime | None]:
    return [stage.estimated_at for stage in timeline(enrollment, {}, now, due_at)]


# Statuses by position.


def test_a_completed_step_shows_when_it_was_executed_and_its_task() -> None:
    advanced = after(SITUATIONS["task open"], TaskCompleted(TASK_ID))
    first, second, third = timeline(advanced, {0: Done(0, NOON, TASK_ID)}, NOON)
    assert first == Stage(0, task(), ActionStatus.COMPLETED, executed_at=NOON, task_id=TASK_ID)
    assert second == Stage(1, letter(), ActionStatus.SCHEDULED, estimated_at=NOON)
    assert third.status is ActionStatus.SCHEDULED


def test_an_open_task_shows_its_id() -> None:
    assert [stage.task_id for stage in timeline(SITUATIONS["task open"], {}, NOON)] == [TASK_ID, None, None]


def test_only_the_blocked_step_shows_a_reason() -> None:
    reasons = [stage.failure_reason for stage in timeline(SITUATIONS["letter blocked"], {}, NOON)]
    assert reasons == [FailureReason.RECIPIENT_INVALID, None, None]


def test_a_letter_completed_after_the_finish_shows_completed_and_the_rest_cancelled() -> None:
    late = after(SITUATIONS["finished, letter out"], Accepted())
    statuses = [stage.status for stage in timeline(late, DONE_FIRST, NOON)]
    assert statuses == [ActionStatus.COMPLETED, ActionStatus.CANCELLED, ActionStatus.CANCELLED]


def test_everything_completed_shows_so() -> None:
    stages = timeline(SITUATIONS["finished, completed"], DONE_FIRST, NOON)
    assert stages == (Stage(0, letter(), ActionStatus.COMPLETED, executed_at=NOON),)


# Estimates.


def test_estimates_chain_from_the_estimate_of_the_step_before() -> None:
    assert estimates(enrolled(plan(letter("1 hours"), task("2 hours"), letter("1 weekdays")))) == [
        NOON + HOUR,
        NOON + 3 * HOUR,
        NOON + 3 * HOUR + DAY,
    ]


def test_a_window_moves_the_later_estimates_with_it_and_tasks_ignore_windows() -> None:
    followed = plan(letter("8 hours"), task("1 hours"), letter("10 hours"), windows=["Mon-Fri 09:00-17:00"])
    nine = datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert estimates(enrolled(followed)) == [nine, nine + HOUR, nine + DAY]


def test_the_current_steps_instant_moves_only_by_an_event_and_later_ones_chain_from_now_once_it_is_late() -> None:
    enrollment = enrolled(plan(letter("1 hours"), letter("2 hours")))
    late = NOON + 5 * HOUR
    assert estimates(enrollment, late) == [NOON + HOUR, late + 2 * HOUR]
    put_off = after(enrollment, Deferred(late + HOUR, "451"), now=late)
    assert estimates(put_off, late) == [late + HOUR, late + 3 * HOUR]


def test_an_open_task_is_estimated_at_its_due_date_and_later_steps_chain_from_it() -> None:
    due_at = NOON + 12 * HOUR
    waiting = after(enrolled(plan(task(), letter("2 hours"))), StepDue())
    assert estimates(waiting, due_at=due_at) == [due_at, due_at + 2 * HOUR]
    assert estimates(waiting, NOON + DAY, due_at) == [due_at, NOON + DAY + 2 * HOUR]
    assert estimates(waiting) == [None, NOON + 2 * HOUR], "a task whose due date was taken away"


@pytest.mark.parametrize("name", ["letter out", "letter in doubt"])
def test_a_letter_under_way_has_no_estimate_and_later_steps_chain_from_now(name: str) -> None:
    assert estimates(SITUATIONS[name], NOON + HOUR) == [None, NOON + HOUR, NOON + HOUR]


@pytest.mark.parametrize("name", [name for name in SITUATIONS if "blocked" in name or "finished" in name])
def test_there_is_no_estimate_while_blocked_or_once_finished(name: str) -> None:
    assert set(estimates(SITUATIONS[name], due_at=NOON + HOUR)) == {None}


@pytest.mark.parametrize("name", SITUATIONS)
def test_there_is_no_estimate_while_the_sequence_is_paused(name: str) -> None:
    assert set(estimates(paused(SITUATIONS[name]), due_at=NOON + HOUR)) == {None}


@settings(max_examples=100)
@given(
    name=st.sampled_from(sorted(SITUATIONS)),
    passed=st.integers(-100_000, 1_000_000),
    due=st.none() | st.integers(-100_000, 100_000),
)
def test_the_timeline_is_a_pure_function_and_estimates_never_go_backwards(
    name: str, passed: int, due: int | None
) -> None:
    enrollment, now = SITUATIONS[name], NOON + passed * SECOND
    due_at = None if due is None else NOON + due * SECOND
    stages = timeline(enrollment, {}, now, due_at)
    assert timeline(enrollment, {}, now, due_at) == stages
    shown = [stage.estimated_at for stage in stages if stage.estimated_at is not None]
    assert shown == sorted(shown)
    assert all(each >= now for each in shown[1:])


# Overdue.


def test_late_means_more_than_15_minutes() -> None:
    assert LATE_AFTER == LATE
    enrollment = enrolled(plan(letter("1 hours")))
    planned = NOON + HOUR
    assert not is_overdue(enrollment, planned + LATE, None)
    assert is_overdue(enrollment, planned + LATE + timedelta(microseconds=1), None)


def test_the_plan_of_a_letter_includes_windows_and_holidays() -> None:
    followed = plan(letter(), windows=["Mon-Fri 09:00-10:00"], days_off=[NOON + DAY])
    enrollment = enrolled(followed)
    planned = datetime(2026, 3, 5, 9, tzinfo=UTC)
    assert not is_overdue(enrollment, planned + LATE, None)
    assert is_overdue(enrollment, planned + LATE + SECOND, None)


@pytest.mark.parametrize(
    "enrollment",
    [
        after(enrolled(plan(letter())), Deferred(NOON + DAY, "451")),
        after(enrolled(plan(letter())), REFUSED),
        after(enrolled(plan(letter())), REFUSED, Resumed(), now=NOON + 15 * MINUTE),
        after(enrolled(plan(letter())), OUT, DOUBT),
    ],
    ids=["a retry", "a block", "a block resumed", "a doubt"],
)
def test_a_retry_or_a_block_is_no_excuse(enrollment: Enrollment) -> None:
    assert not is_overdue(enrollment, NOON + LATE, None)
    assert is_overdue(enrollment, NOON + LATE + SECOND, None)


def test_a_task_is_overdue_once_its_due_date_has_passed() -> None:
    waiting = SITUATIONS["task open"]
    assert not is_overdue(waiting, NOON, NOON)
    assert is_overdue(waiting, NOON + SECOND, NOON)
    assert not is_overdue(waiting, NOON + 9 * DAY, None)


def test_a_task_not_yet_opened_is_not_overdue() -> None:
    assert not is_overdue(SITUATIONS["task waiting"], NOON + 9 * DAY, None)


@pytest.mark.parametrize("name", SITUATIONS)
def test_nothing_is_overdue_while_the_sequence_is_paused_or_once_it_has_finished(name: str) -> None:
    assert not is_overdue(paused(SITUATIONS[name]), NOON + 9 * DAY, NOON)
    if name.startswith("finished"):
        assert not is_overdue(SITUATIONS[name], NOON + 9 * DAY, NOON)


def test_only_the_current_step_can_be_overdue() -> None:
    enrollment = after(SITUATIONS["letter in doubt"], CountedAsSent())
    shown = timeline(structs.replace(enrollment, task_id=TASK_ID), DONE_FIRST, NOON + 9 * DAY, NOON)
    assert [stage.overdue for stage in shown] == [False, True, False]
    late = timeline(SITUATIONS["letter waiting"], {}, NOON + 9 * DAY)
    assert [stage.overdue for stage in late] == [True, False, False]
