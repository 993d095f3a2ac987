"""Anything may happen to an enrollment at any time, and what is promised of it holds."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import structs

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Done, Enrollment, FinishedReason, State
from drumbeat.domain.happening import (
    Accepted,
    CannotSend,
    CountedAsNotSent,
    CountedAsSent,
    Decision,
    Deferred,
    Doubted,
    EnrollmentEvent,
    FinishRequested,
    Frozen,
    PointOfNoReturnPassed,
    RecordAction,
    RemoveTask,
    RepeatLetter,
    Resumed,
    RhythmChanged,
    SendLetter,
    SentAgain,
    StepDue,
    TaskCompleted,
    TaskDeleted,
    Thawed,
)
from drumbeat.domain.machine import decide
from drumbeat.domain.sequence import Step
from drumbeat.domain.timeline import timeline
from tests.domain.runs import (
    DAY,
    EVENTS,
    MINUTE,
    NOON,
    TASK_ID,
    USER_ID,
    carried_out,
    enrolled,
    letter,
    paused,
    plan,
    task,
)

OVER = {ActionStatus.COMPLETED, ActionStatus.CANCELLED}


class AnyRun(RuleBasedStateMachine):
    """One enrollment, to which anything happens at any time."""

    @initialize(
        steps=st.lists(
            st.builds(
                lambda make, delay: make(delay),
                st.sampled_from([letter, task]),
                st.sampled_from(["0 hours", "5 hours", "0 weekdays", "2 weekdays"]),
            ),
            min_size=1,
            max_size=4,
        ),
        windows=st.sampled_from([(), ("Mon-Fri 09:00-17:00",), ("Sat 10:00-11:00",)]),
        starts_paused=st.booleans(),
    )
    def enroll(self, steps: list[Step], windows: tuple[str, ...], starts_paused: bool) -> None:
        self.now = NOON
        self.enrollment = enrolled(plan(*steps, windows=windows, paused=starts_paused))
        self.done: dict[int, Done] = {}
        self.out_at: int | None = None
        self.ended: tuple[object, ...] | None = None
        self.paused_at = NOON
        assert self.enrollment.updated_at == self.enrollment.created_at

    def happen(self, event: EnrollmentEvent) -> Decision:
        before = self.enrollment
        decision = decide(before, event, self.now)
        self.enrollment = carried_out(decision)
        self.check_change(before, decision)
        self.check_records(before, decision)
        self.check_letter(before, decision, event)
        return decision

    def check_change(self, before: Enrollment, decision: Decision) -> None:
        after = decision.enrollment
        if after == before:
            assert decision.facts == ()
            assert set(decision.effects) <= {SendLetter()}
            return
        assert (after.revision, after.updated_at) == (before.revision + 1, self.now)
        address_hash = after.subject.address_hash  # the one thing that may change of whom it is about
        subject = structs.replace(before.subject, address_hash=address_hash)
        assert (after.account_id, after.id, after.subject, after.plan) == (
            before.account_id,
            before.id,
            subject,
            before.plan,
        )
        assert after.created_at == before.created_at

    def check_records(self, before: Enrollment, decision: Decision) -> None:
        records = [effect for effect in decision.effects if isinstance(effect, RecordAction)]
        for record in records:
            assert record.position not in self.done, "recorded twice"
            assert record.position == before.position
            assert record.executed_at == self.now
            assert record.task_id == before.task_id
            self.done[record.position] = Done(record.position, record.executed_at, record.task_id)
        last = len(before.plan.steps) - 1
        assert len(records) <= 1
        assert decision.enrollment.position == min(before.position + len(records), last)

    def check_letter(self, before: Enrollment, decision: Decision, event: EnrollmentEvent) -> None:
        after = decision.enrollment
        asked = SendLetter() in decision.effects
        assert not (asked and self.out_at == before.position), "asked for a letter that may have been sent"
        assert not (asked and (before.in_doubt or not before.is_ongoing or before.plan.paused))
        assert (RepeatLetter() in decision.effects) == (isinstance(event, SentAgain) and after != before)
        removed = before.task_id is not None and not after.is_ongoing and not isinstance(event, TaskDeleted)
        removed = removed and not isinstance(event, TaskCompleted)
        assert (RemoveTask(TASK_ID) in decision.effects) == removed
        if after == before:
            return
        if isinstance(event, PointOfNoReturnPassed):
            self.out_at = before.position
        elif isinstance(event, Deferred | CannotSend | SentAgain | CountedAsNotSent):
            self.out_at = None  # the server said no, or somebody with a name took the risk

    @rule(
        event=st.one_of(
            st.sampled_from([e for k, e in EVENTS.items() if k is not FinishRequested]),
            st.builds(CannotSend, st.sampled_from(FailureReason), st.sampled_from(["", "said so"])),
            st.just(Resumed()),
            st.just(TaskCompleted(TASK_ID + 1)),
            st.just(TaskDeleted(TASK_ID + 1)),
        )
    )
    def anything_happens(self, event: EnrollmentEvent) -> None:
        self.happen(event)

    @rule(minutes=st.integers(1, 3 * 24 * 60))
    def it_is_put_off(self, minutes: int) -> None:
        self.happen(Deferred(self.now + minutes * MINUTE, "later"))

    @rule(passed=st.one_of(st.integers(0, 120).map(lambda n: n * MINUTE), st.integers(1, 5).map(lambda n: n * DAY)))
    def time_passes(self, passed: timedelta) -> None:
        self.now += passed

    @rule()
    def the_worker_does_the_step(self) -> None:
        if self.enrollment.due_at is not None:
            self.now = max(self.now, self.enrollment.due_at)
        if SendLetter() in self.happen(StepDue()).effects:
            self.happen(PointOfNoReturnPassed())
            assert self.enrollment.status is ActionStatus.IN_PROGRESS

    @rule(doubted=st.booleans())
    def the_step_comes_to_its_end(self, doubted: bool) -> None:
        if doubted:
            self.happen(Doubted("no answer"))
            self.happen(CountedAsSent())
        self.happen(Accepted())
        self.happen(TaskCompleted(TASK_ID))

    @rule()
    def the_sequence_is_paused(self) -> None:
        if not self.enrollment.plan.paused:
            self.paused_at = self.now
        self.enrollment = paused(self.enrollment)
        self.happen(Frozen())

    @rule()
    def the_sequence_goes_on(self) -> None:
        was_paused = self.enrollment.plan.paused
        self.enrollment = paused(self.enrollment, by=False)
        if was_paused and self.enrollment.anchor_at < self.now:
            self.happen(Thawed(self.paused_at))
        else:
            self.happen(RhythmChanged())
        waits = self.enrollment.state is State.ACTIVE and self.enrollment.status is ActionStatus.SCHEDULED
        assert (self.enrollment.due_at is not None) == waits, "nothing is lost in a pause"

    @rule(reason=st.sampled_from(FinishedReason), actor_id=st.sampled_from([None, USER_ID]), likely=st.integers(0, 3))
    def it_is_to_finish(self, reason: FinishedReason, actor_id: int | None, likely: int) -> None:
        if likely == 0:
            self.happen(FinishRequested(reason, actor_id))
            assert not self.enrollment.is_ongoing

    @invariant()
    def finished_is_terminal(self) -> None:
        e = self.enrollment
        fields = (e.finished_at, e.finished_reason, e.finished_actor_id)
        if self.ended is not None:
            assert (e.state, *fields) == self.ended, "the first cause names the reason, for good"
        elif e.state is State.FINISHED:
            assert e.finished_at == self.now
            assert e.finished_reason is not None
            assert e.finished_actor_id is None or e.finished_reason is FinishedReason.MANUAL
            self.ended = (e.state, *fields)
        else:
            assert fields == (None, None, None)

    @invariant()
    def nothing_is_due_where_nothing_is_to_be_done(self) -> None:
        e = self.enrollment
        if e.state is not State.ACTIVE or e.status is not ActionStatus.SCHEDULED or e.plan.paused:
            assert e.due_at is None

    @invariant()
    def failures_show_exactly_while_blocked(self) -> None:
        e = self.enrollment
        assert (e.failure_reason is not None) == (e.status is ActionStatus.BLOCKED) == (e.state is State.BLOCKED)
        assert e.failure_detail is not None or not (e.state is State.BLOCKED or e.in_doubt)
        assert e.failure_detail is None or (e.step.is_letter and e.status not in OVER)
        assert not (e.state is State.BLOCKED and not e.step.is_letter)
        assert not e.in_doubt or e.letter_is_out

    @invariant()
    def the_task_shows_exactly_while_it_is_open(self) -> None:
        e = self.enrollment
        is_open = e.is_ongoing and e.status is ActionStatus.IN_PROGRESS and not e.step.is_letter
        assert (e.task_id is not None) == is_open

    @invariant()
    def the_position_is_the_first_step_not_completed_or_the_last(self) -> None:
        e = self.enrollment
        assert sorted(self.done) == list(range(len(self.done)))
        assert e.position == min(len(self.done), len(e.plan.steps) - 1)

    @invariant()
    def what_is_shown_agrees(self) -> None:
        e = self.enrollment
        stages = timeline(e, self.done, self.now)
        assert stages == timeline(e, self.done, self.now)
        assert [stage.position for stage in stages] == list(range(len(e.plan.steps)))
        for stage in stages:
            self.check_stage(stage.status, stage.position, stage.estimated_at, stage.executed_at)
        assert sum(stage.overdue for stage in stages) <= 1

    def check_stage(
        self, status: ActionStatus, position: int, estimated_at: datetime | None, executed_at: datetime | None
    ) -> None:
        assert (status is ActionStatus.COMPLETED) == (position in self.done) == (executed_at is not None)
        if status is not ActionStatus.SCHEDULED:
            assert estimated_at is None
        if position > self.enrollment.position:
            later = ActionStatus.SCHEDULED if self.enrollment.is_ongoing else ActionStatus.CANCELLED
            assert status is later


TestAnyRun = AnyRun.TestCase
TestAnyRun.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
