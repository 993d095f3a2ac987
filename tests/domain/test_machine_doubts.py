"""Letters past the point of no return: whether one arrived may be open, and it is never sent twice by itself."""

from __future__ import annotations

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.event import Event, Fact
from drumbeat.domain.happening import (
    Accepted,
    CannotSend,
    CountedAsNotSent,
    CountedAsSent,
    Deferred,
    DoubtExpired,
    RecordAction,
    RepeatLetter,
    Resumed,
    SentAgain,
    StepDue,
)
from drumbeat.domain.machine import decide
from drumbeat.domain.timeline import timeline
from tests.domain.runs import (
    DAY,
    DOUBT,
    HOUR,
    MANUAL,
    MINUTE,
    NOON,
    OUT,
    REFUSED,
    SITUATIONS,
    USER_ID,
    after,
    enrolled,
    letter,
    plan,
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
STILL_OUT = ["letter out", "letter in doubt", "doubt blocked"]


def shown(name: str) -> list[ActionStatus]:
    return [stage.status for stage in timeline(SITUATIONS[name], {}, NOON)]


# In a finished enrollment.


@pytest.mark.parametrize("name", STILL_OUT)
def test_a_letter_past_the_point_of_no_return_stays_in_progress_when_its_enrollment_finishes(name: str) -> None:
    finished = after(SITUATIONS[name], MANUAL)
    statuses = [stage.status for stage in timeline(finished, {}, NOON)]
    assert statuses == [ActionStatus.IN_PROGRESS, ActionStatus.CANCELLED, ActionStatus.CANCELLED]
    assert finished.failure_reason is None


def test_a_letter_out_when_its_enrollment_finished_ends_completed_and_nothing_follows() -> None:
    before = SITUATIONS["finished, letter out"]
    decision = decide(before, Accepted("250 ok"), NOON + MINUTE)
    record = RecordAction(0, NOON + MINUTE, None)
    assert decision.effects == (record,)
    enrollment = decision.enrollment
    assert (enrollment.position, enrollment.due_at) == (1, None), "the first step not completed"
    assert (enrollment.finished_at, enrollment.finished_reason) == (before.finished_at, before.finished_reason)


def test_a_last_letter_out_when_its_enrollment_finished_keeps_the_last_position() -> None:
    late = after(enrolled(plan(letter())), OUT, MANUAL, Accepted())
    assert (late.position, late.status, late.finished_reason) == (0, ActionStatus.COMPLETED, FinishedReason.MANUAL)


@pytest.mark.parametrize("event", [REFUSED, Deferred(NOON + HOUR, "451 later")], ids=["refused", "put off"])
@pytest.mark.parametrize("name", ["finished, letter out", "finished, in doubt"])
def test_a_letter_out_when_its_enrollment_finished_ends_cancelled_if_it_is_refused(
    name: str, event: CannotSend | Deferred
) -> None:
    decision = decide(SITUATIONS[name], event, NOON)
    assert (decision.enrollment.status, decision.enrollment.in_doubt) == (ActionStatus.CANCELLED, False)
    assert [fact.fact for fact in decision.facts] == [Fact.LETTER_CANCELLED]
    assert decision.enrollment.failure_detail is None


def test_a_doubt_in_a_finished_enrollment_does_not_expire_and_is_not_sent_again() -> None:
    doubtful = SITUATIONS["finished, in doubt"]
    for event in (DoubtExpired(), SentAgain(USER_ID), Resumed(USER_ID)):
        assert decide(doubtful, event, NOON + DAY).enrollment is doubtful


@pytest.mark.parametrize(
    ("event", "status", "fact"),
    [
        (CountedAsSent(USER_ID), ActionStatus.COMPLETED, Fact.LETTER_COUNTED_AS_SENT),
        (CountedAsNotSent(USER_ID), ActionStatus.CANCELLED, Fact.LETTER_COUNTED_AS_NOT_SENT),
    ],
)
def test_a_doubt_in_a_finished_enrollment_is_settled_by_a_person(
    event: CountedAsSent | CountedAsNotSent, status: ActionStatus, fact: Fact
) -> None:
    doubtful = after(enrolled(plan(letter())), OUT, DOUBT, MANUAL)
    decision = decide(doubtful, event, NOON)
    assert decision.enrollment.status is status
    assert decision.facts == (Event(fact, {"position": 0, "actor_id": USER_ID}),)
    assert decision.enrollment.finished_reason is FinishedReason.MANUAL


def test_count_as_not_sent_is_no_choice_while_the_enrollment_runs() -> None:
    blocked = SITUATIONS["doubt blocked"]
    assert decide(blocked, CountedAsNotSent(USER_ID), NOON).enrollment is blocked


# In a running one.


def test_a_doubt_shows_in_progress_while_evidence_is_awaited_then_blocked_as_unknown() -> None:
    assert shown("letter in doubt")[0] is ActionStatus.IN_PROGRESS
    assert shown("doubt blocked")[0] is ActionStatus.BLOCKED
    expired = SITUATIONS["doubt blocked"]
    assert (expired.failure_reason, expired.in_doubt) == (FailureReason.UNKNOWN, True)
    assert expired.failure_detail == DOUBT.detail


@pytest.mark.parametrize("name", ["letter out", "letter in doubt", "doubt blocked"])
def test_a_letter_out_is_never_asked_for_by_time(name: str) -> None:
    for days in (0, 1, 20):
        assert decide(SITUATIONS[name], StepDue(), NOON + days * DAY).effects == ()


def test_put_active_counts_a_doubt_as_sent() -> None:
    decision = decide(SITUATIONS["doubt blocked"], Resumed(USER_ID), NOON + HOUR)
    assert decision.effects == (RecordAction(0, NOON + HOUR, None),)
    assert (decision.enrollment.state, decision.enrollment.position) == (State.ACTIVE, 1)
    assert decision.facts == (Event(Fact.LETTER_COUNTED_AS_SENT, {"position": 0, "actor_id": USER_ID}),)


def test_a_doubt_does_not_heal_by_itself() -> None:
    doubtful = SITUATIONS["doubt blocked"]
    assert decide(doubtful, Resumed(None), NOON + DAY).enrollment is doubtful


@pytest.mark.parametrize("name", ["letter in doubt", "doubt blocked"])
def test_evidence_or_the_accounts_setting_settles_a_doubt_without_a_name(name: str) -> None:
    decision = decide(SITUATIONS[name], CountedAsSent(), NOON)
    assert decision.enrollment.position == 1
    assert decision.facts[0].cause == {"position": 0}


def test_a_letter_that_left_long_ago_counts_from_then() -> None:
    decision = decide(SITUATIONS["doubt blocked"], CountedAsSent(USER_ID, NOON + HOUR), NOON + 9 * DAY)
    assert decision.effects == (RecordAction(0, NOON + HOUR, None),)
    advanced = decision.enrollment
    assert advanced.anchor_at == NOON + HOUR
    assert advanced.ready_at == advanced.plan.ready_at(1, NOON + HOUR)
    assert advanced.updated_at == NOON + 9 * DAY


@pytest.mark.parametrize("name", ["letter in doubt", "doubt blocked"])
def test_sending_again_is_a_named_users_and_queues_the_same_letter(name: str) -> None:
    decision = decide(SITUATIONS[name], SentAgain(USER_ID), NOON + HOUR)
    assert decision.effects == (RepeatLetter(),)
    assert decision.facts == (Event(Fact.LETTER_SENT_AGAIN, {"position": 0, "actor_id": USER_ID}),)
    enrollment = decision.enrollment
    assert (enrollment.state, enrollment.in_doubt, enrollment.due_at) == (State.ACTIVE, False, NOON + HOUR)


@pytest.mark.parametrize("name", ["letter in doubt", "doubt blocked"])
def test_a_late_answer_settles_a_doubt(name: str) -> None:
    accepted = after(SITUATIONS[name], Accepted("250"))
    assert (accepted.state, accepted.position, accepted.in_doubt) == (State.ACTIVE, 1, False)
    refused = after(SITUATIONS[name], REFUSED)
    assert (refused.state, refused.failure_reason) == (State.BLOCKED, FailureReason.RECIPIENT_INVALID)
    assert not refused.in_doubt
    put_off = after(SITUATIONS[name], Deferred(NOON + HOUR, "451"))
    assert (put_off.state, put_off.due_at, put_off.failure_reason) == (State.ACTIVE, NOON + HOUR, None)
    assert (put_off.in_doubt, put_off.failure_detail) == (False, "451")
