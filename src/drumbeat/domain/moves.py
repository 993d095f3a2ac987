"""The moves that the state machine's rules are made of: complete, block, try again, finish."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import structs

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, State
from drumbeat.domain.event import Event, Fact
from drumbeat.domain.happening import Decision, RecordAction, RemoveTask


def waits(enrollment: Enrollment) -> bool:
    """Whether the current step waits for its instant."""
    return enrollment.state is State.ACTIVE and enrollment.status is ActionStatus.SCHEDULED


def letter_is_open(enrollment: Enrollment) -> bool:
    """Whether the current step is a letter that may still be blocked or put off."""
    return enrollment.step.is_letter and (enrollment.state is State.ACTIVE or enrollment.in_doubt)


def has_open_task(enrollment: Enrollment, task_id: int) -> bool:
    """Whether this task is the current step's open one."""
    open_task = enrollment.status is ActionStatus.IN_PROGRESS and not enrollment.step.is_letter
    return enrollment.is_ongoing and open_task and enrollment.task_id == task_id


def complete(enrollment: Enrollment, now: datetime, fact: Event, *, done_at: datetime | None = None) -> Decision:
    """The current step was done, now if not at `done_at`: the next one waits, or the enrollment has finished."""
    done_at = done_at or now
    record = RecordAction(enrollment.position, done_at, enrollment.task_id)
    if enrollment.state is State.FINISHED:
        return Decision(_completed_late(enrollment, now), (record,), (fact,))
    position = enrollment.position + 1
    if position == len(enrollment.plan.steps):
        return _complete_last(enrollment, now, record, fact)
    ready_at = enrollment.plan.ready_at(position, done_at)
    advanced = changed(
        enrollment,
        now,
        state=State.ACTIVE,
        position=position,
        status=ActionStatus.SCHEDULED,
        anchor_at=done_at,
        ready_at=ready_at,
        due_at=None if enrollment.plan.paused else enrollment.plan.slot(position, ready_at),
        failure_reason=None,
        failure_detail=None,
        in_doubt=False,
        task_id=None,
    )
    return Decision(advanced, (record,), (fact,))


def _completed_late(enrollment: Enrollment, now: datetime) -> Enrollment:
    is_last = enrollment.position + 1 == len(enrollment.plan.steps)
    return changed(
        enrollment,
        now,
        position=enrollment.position if is_last else enrollment.position + 1,
        status=ActionStatus.COMPLETED if is_last else ActionStatus.CANCELLED,
        in_doubt=False,
        failure_detail=None,
    )


def _complete_last(enrollment: Enrollment, now: datetime, record: RecordAction, fact: Event) -> Decision:
    finished = changed(
        enrollment,
        now,
        state=State.FINISHED,
        status=ActionStatus.COMPLETED,
        due_at=None,
        failure_reason=None,
        failure_detail=None,
        in_doubt=False,
        task_id=None,
        finished_at=now,
        finished_reason=FinishedReason.ALL_STEPS_COMPLETED,
    )
    end = Event(Fact.FINISHED, {"reason": FinishedReason.ALL_STEPS_COMPLETED})
    return Decision(finished, (record,), (fact, end))


def block(enrollment: Enrollment, now: datetime, reason: FailureReason, detail: str, *, in_doubt: bool) -> Decision:
    """The letter waits for a cause to go away."""
    blocked = changed(
        enrollment,
        now,
        state=State.BLOCKED,
        status=ActionStatus.BLOCKED,
        due_at=None,
        failure_reason=reason,
        failure_detail=detail,
        in_doubt=in_doubt,
    )
    return Decision(blocked, (), (fact_of(enrollment, Fact.BLOCKED, reason=reason, detail=detail),))


def tried_again(enrollment: Enrollment, now: datetime, at: datetime, detail: str | None = None) -> Enrollment:
    """The letter waits for another try at `at`."""
    return changed(
        enrollment,
        now,
        state=State.ACTIVE,
        status=ActionStatus.SCHEDULED,
        due_at=None if enrollment.plan.paused else at,
        failure_reason=None,
        failure_detail=detail,
        in_doubt=False,
    )


def next_slot(enrollment: Enrollment, now: datetime) -> datetime:
    """The next instant at or after `now` at which the current step may run."""
    return enrollment.plan.slot(enrollment.position, now)


def finish(
    enrollment: Enrollment,
    now: datetime,
    reason: FinishedReason,
    actor_id: int | None,
    message_id: int | None = None,
) -> Decision:
    """The enrollment ends for this reason; what is out already cannot be called back."""
    # A letter past the point of no return, or in doubt, cannot be called back: it stays in progress.
    finished = changed(
        enrollment,
        now,
        state=State.FINISHED,
        status=ActionStatus.IN_PROGRESS if enrollment.letter_is_out else ActionStatus.CANCELLED,
        due_at=None,
        failure_reason=None,
        failure_detail=enrollment.failure_detail if enrollment.letter_is_out else None,
        task_id=None,
        finished_at=now,
        finished_reason=reason,
        finished_actor_id=actor_id if reason is FinishedReason.MANUAL else None,
    )
    removed = () if enrollment.task_id is None else (RemoveTask(enrollment.task_id),)
    cause: dict[str, Any] = {"reason": reason, "actor_id": actor_id}
    if message_id is not None:
        cause["message_id"] = message_id
    return Decision(finished, removed, (Event(Fact.FINISHED, cause),))


def cancel_letter(enrollment: Enrollment, now: datetime, detail: str) -> Decision:
    """A letter that was out of a finished enrollment did not arrive after all."""
    if not enrollment.letter_is_out:
        return Decision(enrollment)
    cancelled = changed(enrollment, now, status=ActionStatus.CANCELLED, in_doubt=False, failure_detail=None)
    return Decision(cancelled, (), (fact_of(enrollment, Fact.LETTER_CANCELLED, detail=detail),))


def changed(enrollment: Enrollment, now: datetime, **changes: Any) -> Enrollment:
    """The enrollment with a revision more and these changes."""
    return structs.replace(enrollment, updated_at=now, revision=enrollment.revision + 1, **changes)


def fact_of(enrollment: Enrollment, fact: Fact, **cause: Any) -> Event:
    """A fact about the current step."""
    told = {name: value for name, value in cause.items() if value is not None}
    return Event(fact, {"position": enrollment.position, **told})
