"""What an enrollment and its plan say of themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from tests.domain.runs import DAY, HOUR, NOON, SITUATIONS, TASK_FIRST, after, enrolled, letter, plan, task


def test_the_words_are_those_of_the_public_api() -> None:
    assert set(State) == {"active", "blocked", "finished"}
    assert set(ActionStatus) == {"scheduled", "in_progress", "completed", "blocked", "cancelled"}
    assert set(FinishedReason) == {
        "manual",
        "all_steps_completed",
        "replied_to_email",
        "resource_deleted",
        "subscription_cancelled",
        "task_deleted",
    }


def test_a_plan_times_each_step_by_its_own_delay() -> None:
    followed = plan(letter("2 hours"), task("1 weekdays"))
    assert followed.ready_at(0, NOON) == NOON + 2 * HOUR
    assert followed.ready_at(1, NOON) == NOON + DAY


def test_letters_wait_for_a_window_and_tasks_do_not() -> None:
    followed = plan(letter(), task(), windows=["Wed 09:00-10:00"])
    assert followed.slot(0, NOON) == datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert followed.slot(1, NOON) == NOON


def test_where_no_window_ever_opens_a_letter_is_due_when_it_is_ready() -> None:
    never = plan(letter(), windows=["Tue 12:00-13:00"], days_off=[NOON + n * 7 * DAY for n in range(120)])
    assert never.slot(0, NOON) == NOON


@pytest.mark.parametrize("name", SITUATIONS)
def test_an_enrollment_is_ongoing_until_it_has_finished(name: str) -> None:
    assert SITUATIONS[name].is_ongoing == (not name.startswith("finished"))


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_letter_is_out_from_the_point_of_no_return_until_it_is_known_what_became_of_it(name: str) -> None:
    out = {"letter out", "letter in doubt", "doubt blocked", "finished, letter out", "finished, in doubt"}
    assert SITUATIONS[name].letter_is_out == (name in out)


def test_the_current_step_and_its_planned_instant_follow_the_position() -> None:
    enrollment = enrolled(plan(letter("1 hours"), windows=["Tue 15:00-16:00"]))
    assert enrollment.step.is_letter
    assert enrollment.slot == datetime(2026, 3, 3, 15, tzinfo=UTC)
    assert enrolled(TASK_FIRST).step == task()


def test_an_enrollment_is_a_value() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        enrolled(TASK_FIRST).position = 1  # type: ignore[misc]
    assert enrolled(TASK_FIRST) == enrolled(TASK_FIRST)
    assert after(enrolled(TASK_FIRST)) == enrolled(TASK_FIRST)


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_steps_are_completed_before_the_current_one_and_at_the_end(name: str) -> None:
    enrollment = SITUATIONS[name]
    assert enrollment.has_completed_steps == (enrollment.position > 0 or enrollment.status is ActionStatus.COMPLETED)
