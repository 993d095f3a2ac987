"""The rules of an enrollment, one by one: enrolling, doing a step, blocking and going on, finishing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from msgspec import structs

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.event import Event, Fact
from drumbeat.domain.happening import (
    Accepted,
    Away,
    Bounced,
    CannotSend,
    Continued,
    Deferred,
    DoubtExpired,
    FinishRequested,
    Frozen,
    OpenTask,
    RecordAction,
    RemoveTask,
    Resumed,
    SendLetter,
    StepDue,
    TaskCompleted,
    TaskDeleted,
)
from drumbeat.domain.machine import decide, go_on, start
from drumbeat.domain.timeline import timeline
from tests.domain.runs import (
    DAY,
    DOUBT,
    HOUR,
    LETTER_FIRST,
    MANUAL,
    MINUTE,
    NOON,
    OUT,
    REFUSED,
    SITUATIONS,
    SUBJECT,
    TASK_FIRST,
    TASK_ID,
    USER_ID,
    after,
    enrolled,
    letter,
    paused,
    plan,
    task,
)

ONGOING = [
    "letter waiting",
    "letter out",
    "letter in doubt",
    "letter blocked",
    "doubt blocked",
    "task waiting",
    "task open",
]
NOT_OUT = ["letter waiting", "letter blocked", "task waiting", "task open"]
STILL_OUT = ["letter out", "letter in doubt", "doubt blocked"]
OFFICE = ["Mon-Fri 09:00-17:00"]


# Enrolling.


def test_a_new_enrollment_is_active_at_position_0_with_every_step_scheduled_and_estimated() -> None:
    decision = start(1, 9, SUBJECT, plan(letter("1 hours"), task("2 hours")), NOON, {"by": 3})
    enrollment = decision.enrollment
    assert (enrollment.state, enrollment.position, enrollment.revision) == (State.ACTIVE, 0, 0)
    assert decision.facts == (Event(Fact.ENROLLED, {"by": 3}),)
    assert decision.effects == ()
    stages = timeline(enrollment, {}, NOON)
    assert [stage.status for stage in stages] == [ActionStatus.SCHEDULED] * 2
    assert [stage.estimated_at for stage in stages] == [NOON + HOUR, NOON + 3 * HOUR]


def test_a_new_record_was_updated_when_it_was_created() -> None:
    enrollment = enrolled(LETTER_FIRST)
    assert enrollment.created_at == enrollment.updated_at == NOON


def test_the_first_delay_counts_from_the_enrollment() -> None:
    enrollment = enrolled(plan(letter("26 hours")))
    assert (enrollment.anchor_at, enrollment.due_at) == (NOON, NOON + 26 * HOUR)


def test_a_first_letter_waits_for_a_window_and_a_first_task_does_not() -> None:
    evening = NOON + 8 * HOUR
    assert enrolled(plan(letter(), windows=OFFICE), evening).due_at == datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert enrolled(plan(task(), windows=OFFICE), evening).due_at == evening


def test_nothing_is_due_for_whoever_is_enrolled_while_the_sequence_is_paused() -> None:
    enrollment = enrolled(plan(letter(), paused=True))
    assert enrollment.due_at is None
    assert enrollment.ready_at == NOON


# Doing a step.


def test_a_due_letter_is_asked_for_and_a_due_task_opened() -> None:
    assert decide(SITUATIONS["letter waiting"], StepDue(), NOON).effects == (SendLetter(),)
    opened = decide(SITUATIONS["task waiting"], StepDue(), NOON)
    assert opened.effects == (OpenTask(datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC)),)
    assert opened.enrollment.status is ActionStatus.IN_PROGRESS
    assert [event.fact for event in opened.facts] == [Fact.TASK_OPENED]


@pytest.mark.parametrize("step", [letter("1 hours"), task("1 hours")])
def test_nothing_happens_before_its_instant(step: object) -> None:
    enrollment = enrolled(plan(step))  # type: ignore[arg-type]
    early = decide(enrollment, StepDue(), NOON + HOUR - MINUTE)
    assert (early.enrollment, early.effects) == (enrollment, ())
    assert decide(enrollment, StepDue(), NOON + HOUR).effects != ()


def test_nothing_is_asked_for_while_the_sequence_is_paused_even_if_it_was_due() -> None:
    for name in ("letter waiting", "task waiting"):
        enrollment = paused(SITUATIONS[name])
        assert enrollment.due_at is not None
        assert decide(enrollment, StepDue(), NOON + DAY).effects == ()


def test_a_task_opened_on_a_weekend_is_due_at_the_end_of_monday() -> None:
    saturday = datetime(2026, 3, 7, 12, tzinfo=UTC)
    opened = decide(enrolled(TASK_FIRST, saturday), StepDue(), saturday)
    assert opened.effects == (OpenTask(datetime(2026, 3, 9, 23, 59, 59, tzinfo=UTC)),)


def test_a_task_opened_on_a_day_off_is_due_at_the_end_of_the_next_working_day() -> None:
    off = enrolled(plan(task(), days_off=[NOON]))
    assert decide(off, StepDue(), NOON).effects == (OpenTask(datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC)),)


def test_a_tasks_due_date_ends_with_the_local_day() -> None:
    tokyo = enrolled(plan(task(), zone="Asia/Tokyo"))  # 21:00 there
    assert decide(tokyo, StepDue(), NOON).effects == (OpenTask(datetime(2026, 3, 3, 14, 59, 59, tzinfo=UTC)),)


@pytest.mark.parametrize(
    ("situation", "event", "task_id"),
    [("letter out", Accepted("250 ok"), None), ("task open", TaskCompleted(TASK_ID), TASK_ID)],
)
def test_a_completed_step_is_recorded_and_the_next_delay_counts_from_then(
    situation: str, event: Accepted | TaskCompleted, task_id: int | None
) -> None:
    later = NOON + 5 * MINUTE
    followed = replace(SITUATIONS[situation].plan, steps=(SITUATIONS[situation].step, letter("2 hours")))
    decision = decide(structs.replace(SITUATIONS[situation], plan=followed), event, later)
    assert decision.effects == (RecordAction(0, later, task_id),)
    enrollment = decision.enrollment
    assert (enrollment.position, enrollment.status, enrollment.task_id) == (1, ActionStatus.SCHEDULED, None)
    assert (enrollment.anchor_at, enrollment.ready_at, enrollment.due_at) == (later, later + 2 * HOUR, later + 2 * HOUR)


def test_a_step_that_waited_for_a_window_moves_the_later_ones_with_it() -> None:
    evening = NOON + 8 * HOUR
    enrollment = enrolled(plan(letter(), letter("24 hours"), windows=OFFICE), evening)
    morning = datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert after(enrollment, OUT, Accepted(), now=morning).due_at == morning + DAY


def test_a_step_completed_while_the_sequence_is_paused_leaves_nothing_due() -> None:
    enrollment = after(paused(SITUATIONS["letter out"]), Accepted())
    assert (enrollment.position, enrollment.status) == (1, ActionStatus.SCHEDULED)
    assert (enrollment.due_at, enrollment.ready_at) == (None, NOON)


def test_completing_another_task_or_the_task_again_does_nothing() -> None:
    waiting = SITUATIONS["task open"]
    assert decide(waiting, TaskCompleted(TASK_ID + 1), NOON).enrollment is waiting
    done = after(waiting, TaskCompleted(TASK_ID))
    assert decide(done, TaskCompleted(TASK_ID), NOON).enrollment is done


# Blocked, and out of it.


@pytest.mark.parametrize("reason", FailureReason)
def test_a_letter_that_cannot_be_sent_blocks_with_its_reason_and_later_steps_stay_scheduled(
    reason: FailureReason,
) -> None:
    decision = decide(SITUATIONS["letter waiting"], CannotSend(reason, "because"), NOON)
    assert decision.enrollment.state is State.BLOCKED
    stages = timeline(decision.enrollment, {}, NOON)
    assert [s.status for s in stages] == [ActionStatus.BLOCKED, ActionStatus.SCHEDULED, ActionStatus.SCHEDULED]
    assert [s.failure_reason for s in stages] == [reason, None, None]
    assert decision.facts == (Event(Fact.BLOCKED, {"position": 0, "reason": reason, "detail": "because"}),)


def test_a_task_never_blocks() -> None:
    for name in ("task waiting", "task open"):
        assert decide(SITUATIONS[name], REFUSED, NOON).enrollment is SITUATIONS[name]


def test_what_blocks_first_names_the_reason() -> None:
    twice = after(SITUATIONS["letter blocked"], CannotSend(FailureReason.AUTH, "535"))
    assert twice.failure_reason is FailureReason.RECIPIENT_INVALID


@pytest.mark.parametrize("actor_id", [USER_ID, None], ids=["by a caller", "healed"])
def test_a_resumed_letter_is_tried_again_now(actor_id: int | None) -> None:
    later = NOON + 3 * DAY
    decision = decide(SITUATIONS["letter blocked"], Resumed(actor_id), later)
    enrollment = decision.enrollment
    assert (enrollment.state, enrollment.position, enrollment.due_at) == (State.ACTIVE, 0, later)
    assert (enrollment.failure_reason, enrollment.failure_detail) == (None, None)
    assert decide(enrollment, StepDue(), later).effects == (SendLetter(),)
    assert decision.facts[0].cause.get("actor_id") == actor_id


def test_a_letter_resumed_at_night_waits_for_the_window() -> None:
    enrollment = after(enrolled(plan(letter(), windows=OFFICE)), REFUSED, Resumed(), now=NOON + 8 * HOUR)
    assert enrollment.due_at == datetime(2026, 3, 4, 9, tzinfo=UTC)


def test_a_letter_resumed_while_the_sequence_is_paused_is_not_due() -> None:
    assert after(paused(SITUATIONS["letter blocked"]), Resumed()).due_at is None


def test_a_letter_put_off_stays_scheduled_and_is_tried_again_by_itself() -> None:
    until = NOON + 5 * MINUTE
    for name in ("letter waiting", "letter out"):
        decision = decide(SITUATIONS[name], Deferred(until, "451 later"), NOON)
        assert (decision.enrollment.state, decision.enrollment.status) == (State.ACTIVE, ActionStatus.SCHEDULED)
        assert decision.enrollment.due_at == until
        assert decision.facts[0].cause == {"position": 0, "detail": "451 later", "until": until.isoformat()}
        assert decide(decision.enrollment, StepDue(), until).effects == (SendLetter(),)


def test_a_letter_put_off_while_the_sequence_is_paused_is_not_due() -> None:
    assert after(paused(SITUATIONS["letter out"]), Deferred(NOON + HOUR, "451")).due_at is None


# Finishing.


def test_the_last_step_completed_finishes_the_enrollment_at_the_last_position() -> None:
    decision = decide(after(enrolled(plan(letter())), OUT), Accepted("250"), NOON + MINUTE)
    enrollment = decision.enrollment
    assert enrollment.finished_reason is FinishedReason.ALL_STEPS_COMPLETED
    assert (enrollment.finished_at, enrollment.finished_actor_id) == (NOON + MINUTE, None)
    assert (enrollment.position, enrollment.status) == (0, ActionStatus.COMPLETED)
    assert [event.fact for event in decision.facts] == [Fact.LETTER_SENT, Fact.FINISHED]
    by_task = after(enrolled(plan(task())), StepDue(), TaskCompleted(TASK_ID))
    assert (by_task.finished_reason, by_task.task_id) == (FinishedReason.ALL_STEPS_COMPLETED, None)


def test_a_doubt_about_the_last_letter_counted_as_sent_finishes_too() -> None:
    doubtful = after(enrolled(plan(letter())), OUT, DOUBT, DoubtExpired())
    finished = after(doubtful, Resumed(USER_ID))
    assert finished.finished_reason is FinishedReason.ALL_STEPS_COMPLETED
    assert (finished.failure_reason, finished.in_doubt) == (None, False)


@pytest.mark.parametrize("name", ONGOING)
@pytest.mark.parametrize(
    "reason",
    [
        FinishedReason.MANUAL,
        FinishedReason.REPLIED_TO_EMAIL,
        FinishedReason.RESOURCE_DELETED,
        FinishedReason.SUBSCRIPTION_CANCELLED,
    ],
)
def test_an_active_or_blocked_enrollment_finishes_with_the_reason_of_its_cause(
    name: str, reason: FinishedReason
) -> None:
    decision = decide(SITUATIONS[name], FinishRequested(reason, USER_ID), NOON + HOUR)
    enrollment = decision.enrollment
    assert (enrollment.state, enrollment.finished_reason) == (State.FINISHED, reason)
    assert enrollment.finished_at == NOON + HOUR
    assert enrollment.finished_actor_id == (USER_ID if reason is FinishedReason.MANUAL else None)
    assert decision.facts == (Event(Fact.FINISHED, {"reason": reason, "actor_id": USER_ID}),)


def test_deleting_the_open_task_finishes_the_enrollment_and_removes_nothing_more() -> None:
    decision = decide(SITUATIONS["task open"], TaskDeleted(TASK_ID), NOON)
    assert decision.enrollment.finished_reason is FinishedReason.TASK_DELETED
    assert decision.effects == ()


def test_deleting_another_task_or_one_not_open_any_more_is_nothing_to_the_enrollment() -> None:
    waiting = SITUATIONS["task open"]
    assert decide(waiting, TaskDeleted(TASK_ID + 1), NOON).enrollment is waiting
    done = after(waiting, TaskCompleted(TASK_ID))
    assert decide(done, TaskDeleted(TASK_ID), NOON).enrollment is done


def test_finishing_removes_the_open_task_and_the_removal_never_re_enters() -> None:
    decision = decide(SITUATIONS["task open"], MANUAL, NOON)
    assert decision.effects == (RemoveTask(TASK_ID),)
    assert decision.enrollment.task_id is None
    again = decide(decision.enrollment, TaskDeleted(TASK_ID), NOON)
    assert again.enrollment.finished_reason is FinishedReason.MANUAL


@pytest.mark.parametrize("name", NOT_OUT)
def test_finishing_cancels_every_action_not_completed_and_clears_its_times_and_reasons(name: str) -> None:
    stages = timeline(after(SITUATIONS[name], MANUAL), {}, NOON)
    assert [stage.status for stage in stages] == [ActionStatus.CANCELLED] * 3
    for stage in stages:
        assert (stage.executed_at, stage.estimated_at, stage.failure_reason, stage.task_id) == (None,) * 4
        assert not stage.overdue


def test_the_first_cause_names_the_reason() -> None:
    finished = after(SITUATIONS["letter blocked"], FinishRequested(FinishedReason.REPLIED_TO_EMAIL))
    later = decide(finished, MANUAL, NOON + HOUR)
    assert later.enrollment is finished
    assert later.facts == ()


def test_a_persons_deletion_decided_before_their_task_goes_names_the_reason() -> None:
    gone = after(SITUATIONS["task open"], FinishRequested(FinishedReason.RESOURCE_DELETED), TaskDeleted(TASK_ID))
    assert gone.finished_reason is FinishedReason.RESOURCE_DELETED


# What comes back.


def test_a_reply_is_named_as_the_evidence_of_the_end() -> None:
    reply = FinishRequested(FinishedReason.REPLIED_TO_EMAIL, message_id=8)
    (fact,) = decide(SITUATIONS["letter waiting"], reply, NOON).facts
    assert fact == Event(Fact.FINISHED, {"reason": "replied_to_email", "actor_id": None, "message_id": 8})


def test_a_bounce_names_the_step_that_came_back() -> None:
    sent = after(enrolled(LETTER_FIRST), OUT, Accepted())
    decision = decide(sent, Bounced(0, permanent=True, detail="550", message_id=8), NOON + HOUR)
    cause = {"position": 0, "detail": "550", "permanent": True, "message_id": 8}
    assert decision.facts == (Event(Fact.LETTER_BOUNCED, cause),)
    assert structs.replace(decision.enrollment, updated_at=sent.updated_at, revision=sent.revision) == sent


def test_an_absence_moves_the_letter_and_the_plan_with_it() -> None:
    away = after(enrolled(plan(letter("5 hours"), task("1 hours"))), Away(NOON + DAY, 8))
    assert (away.ready_at, away.due_at, away.anchor_at) == (NOON + DAY, NOON + DAY, NOON)
    stages = timeline(away, {}, NOON + 23 * HOUR)
    assert [stage.estimated_at for stage in stages] == [NOON + DAY, NOON + DAY + HOUR]
    assert not stages[0].overdue


def test_an_absence_ends_within_a_window() -> None:
    followed = plan(letter(), windows=["Mon-Fri 09:00-10:00"])
    assert after(enrolled(followed), Away(NOON + DAY, 8)).due_at == NOON + DAY + 21 * HOUR


def test_an_absence_that_is_over_before_the_letter_s_instant_moves_nothing() -> None:
    waiting = enrolled(plan(letter("5 hours")))
    away = after(waiting, Away(NOON + HOUR, 8))
    assert (away.ready_at, away.due_at) == (waiting.ready_at, waiting.due_at)


def test_an_absence_leaves_what_has_no_instant_without_one() -> None:
    frozen = after(enrolled(plan(letter("5 hours"))), Frozen(), Away(NOON + DAY, 8))
    assert (frozen.ready_at, frozen.due_at) == (NOON + DAY, None)
    without_a_day = after(enrolled(plan(letter("5 hours"))), Away(None, 8))
    assert without_a_day.due_at == NOON + 5 * HOUR


# Going on after a reply that was none.


def test_a_letter_goes_on_with_the_delay_it_still_had_to_wait() -> None:
    waiting = after(enrolled(plan(task(), letter("48 hours"))), StepDue(), TaskCompleted(TASK_ID))
    ended = after(waiting, MANUAL, now=NOON + 30 * HOUR)
    decision = go_on(ended, 10, "b" * 32, NOON, NOON + 100 * HOUR, USER_ID)
    new = decision.enrollment
    assert (new.id, new.position, new.state, new.status) == (10, 1, State.ACTIVE, ActionStatus.SCHEDULED)
    assert new.due_at == new.ready_at == NOON + 118 * HOUR
    assert (new.created_at, new.continues_id, new.subject.address_hash) == (NOON + 100 * HOUR, ended.id, "b" * 32)
    assert decision.facts == (Event(Fact.ENROLLED, {"by": USER_ID, "continues_id": ended.id}),)


@pytest.mark.parametrize("situation", ["letter waiting", "letter blocked", "task open"])
def test_what_was_ready_when_it_ended_goes_on_at_once(situation: str) -> None:
    ended = after(SITUATIONS[situation], MANUAL, now=NOON + HOUR)
    new = go_on(ended, 10, ended.subject.address_hash, None, NOON + DAY, USER_ID).enrollment
    assert (new.position, new.status, new.due_at, new.task_id) == (0, ActionStatus.SCHEDULED, NOON + DAY, None)


def test_it_goes_on_within_a_window_and_not_while_paused() -> None:
    ended = after(enrolled(plan(letter(), windows=["Mon-Fri 12:00-13:00"])), MANUAL)
    assert go_on(ended, 10, None, None, NOON + 2 * HOUR, USER_ID).enrollment.due_at == NOON + DAY
    assert go_on(paused(ended), 10, None, None, NOON + 2 * HOUR, USER_ID).enrollment.due_at is None


def test_after_a_letter_that_was_out_when_it_ended_the_whole_delay_is_waited() -> None:
    out = after(enrolled(plan(letter(), letter("5 hours"))), OUT, MANUAL)
    accepted = after(out, Accepted(), now=NOON + HOUR)
    new = go_on(accepted, 10, None, NOON + HOUR, NOON + 8 * HOUR, USER_ID).enrollment
    assert (new.position, new.due_at) == (1, NOON + 13 * HOUR)


def test_an_enrollment_is_continued_once() -> None:
    once = after(SITUATIONS["finished"], Continued(10, USER_ID))
    assert once.continued_by_id == 10
    assert decide(once, Continued(11, USER_ID), NOON).enrollment is once
