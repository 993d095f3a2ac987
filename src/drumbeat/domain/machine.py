"""The enrollment's state machine: start() and decide().

`decide(enrollment, event, now)` is pure and total: every event in every state gives a decision, and one
that does not apply leaves the enrollment as it is. The action's status is part of the state, so that a
block and its resume can never send a letter twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, Plan, State, Subject
from drumbeat.domain.event import Event, Fact
from drumbeat.domain.happening import (
    Accepted,
    AddressChanged,
    CannotSend,
    CountedAsNotSent,
    CountedAsSent,
    Decision,
    Deferred,
    Doubted,
    DoubtExpired,
    EnrollmentEvent,
    FinishRequested,
    Frozen,
    OpenTask,
    PointOfNoReturnPassed,
    Postponed,
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


def start(
    account_id: int,
    id: int,
    subject: Subject,
    plan: Plan,
    now: datetime,
    cause: Mapping[str, Any],
) -> Decision:
    """A new enrollment at position 0, its first delay counted from `now`."""
    ready_at = plan.ready_at(0, now)
    enrollment = Enrollment(
        account_id=account_id,
        id=id,
        subject=subject,
        plan=plan,
        state=State.ACTIVE,
        position=0,
        status=ActionStatus.SCHEDULED,
        anchor_at=now,
        ready_at=ready_at,
        due_at=None if plan.paused else plan.slot(0, ready_at),
        created_at=now,
        updated_at=now,
    )
    return Decision(enrollment, (), (Event(Fact.ENROLLED, cause),))


def decide(enrollment: Enrollment, event: EnrollmentEvent, now: datetime) -> Decision:
    """What becomes of the enrollment when `event` happens at `now`."""
    return _RULES[type(event)](enrollment, event, now)


def _step_due(enrollment: Enrollment, event: StepDue, now: datetime) -> Decision:
    if not _waits(enrollment) or enrollment.plan.paused:
        return Decision(enrollment)
    if enrollment.due_at is None or now < enrollment.due_at:
        return Decision(enrollment)
    if enrollment.step.is_letter:
        return Decision(enrollment, (SendLetter(),))
    opened = _changed(enrollment, now, status=ActionStatus.IN_PROGRESS, due_at=None)
    due_at = enrollment.plan.task_due_at(now)
    return Decision(opened, (OpenTask(due_at),), (_fact(enrollment, Fact.TASK_OPENED),))


def _point_of_no_return_passed(enrollment: Enrollment, event: PointOfNoReturnPassed, now: datetime) -> Decision:
    if not (_waits(enrollment) and enrollment.step.is_letter):
        return Decision(enrollment)
    return Decision(_changed(enrollment, now, status=ActionStatus.IN_PROGRESS, due_at=None))


def _accepted(enrollment: Enrollment, event: Accepted, now: datetime) -> Decision:
    if not enrollment.letter_is_out:
        return Decision(enrollment)
    return _complete(enrollment, now, _fact(enrollment, Fact.LETTER_SENT, detail=event.detail))


def _cannot_send(enrollment: Enrollment, event: CannotSend, now: datetime) -> Decision:
    if enrollment.state is State.FINISHED:
        return _cancel_letter(enrollment, now, event.detail)
    if not _letter_is_open(enrollment):
        return Decision(enrollment)
    return _block(enrollment, now, event.reason, event.detail, in_doubt=False)


def _deferred(enrollment: Enrollment, event: Deferred, now: datetime) -> Decision:
    if enrollment.state is State.FINISHED:
        return _cancel_letter(enrollment, now, event.detail)
    if not _letter_is_open(enrollment):
        return Decision(enrollment)
    # What put it off is kept: whoever asks why it waits is told.
    until = _next_slot(enrollment, event.until)
    fact = _fact(enrollment, Fact.LETTER_DEFERRED, detail=event.detail, until=until.isoformat())
    return Decision(_tried_again(enrollment, now, until, event.detail), (), (fact,))


def _postponed(enrollment: Enrollment, event: Postponed, now: datetime) -> Decision:
    if not _waits(enrollment) or enrollment.plan.paused:
        return Decision(enrollment)
    fact = _fact(enrollment, Fact.REPLANNED, by=event.by)
    return Decision(_changed(enrollment, now, due_at=event.until), (), (fact,))


def _doubted(enrollment: Enrollment, event: Doubted, now: datetime) -> Decision:
    if not enrollment.letter_is_out or enrollment.in_doubt:
        return Decision(enrollment)
    doubtful = _changed(enrollment, now, in_doubt=True, due_at=None, failure_detail=event.detail)
    return Decision(doubtful, (), (_fact(enrollment, Fact.LETTER_IN_DOUBT, detail=event.detail),))


def _doubt_expired(enrollment: Enrollment, event: DoubtExpired, now: datetime) -> Decision:
    if not (enrollment.in_doubt and enrollment.state is State.ACTIVE):
        return Decision(enrollment)
    detail = enrollment.failure_detail or ""
    return _block(enrollment, now, FailureReason.UNKNOWN, detail, in_doubt=True)


def _counted_as_sent(enrollment: Enrollment, event: CountedAsSent, now: datetime) -> Decision:
    if not enrollment.in_doubt:
        return Decision(enrollment)
    fact = _fact(enrollment, Fact.LETTER_COUNTED_AS_SENT, actor_id=event.actor_id)
    return _complete(enrollment, now, fact)


def _counted_as_not_sent(enrollment: Enrollment, event: CountedAsNotSent, now: datetime) -> Decision:
    if not (enrollment.in_doubt and enrollment.state is State.FINISHED):
        return Decision(enrollment)
    fact = _fact(enrollment, Fact.LETTER_COUNTED_AS_NOT_SENT, actor_id=event.actor_id)
    settled = _changed(enrollment, now, status=ActionStatus.CANCELLED, in_doubt=False, failure_detail=None)
    return Decision(settled, (), (fact,))


def _sent_again(enrollment: Enrollment, event: SentAgain, now: datetime) -> Decision:
    if not (enrollment.in_doubt and enrollment.is_ongoing):
        return Decision(enrollment)
    fact = _fact(enrollment, Fact.LETTER_SENT_AGAIN, actor_id=event.actor_id)
    again = _tried_again(enrollment, now, _next_slot(enrollment, now))
    return Decision(again, (RepeatLetter(),), (fact,))


def _resumed(enrollment: Enrollment, event: Resumed, now: datetime) -> Decision:
    if enrollment.state is not State.BLOCKED:
        return Decision(enrollment)
    if enrollment.in_doubt:
        # A doubt does not heal: only somebody with a name may count the letter as sent.
        if event.actor_id is None:
            return Decision(enrollment)
        return _counted_as_sent(enrollment, CountedAsSent(event.actor_id), now)
    fact = _fact(enrollment, Fact.RESUMED, actor_id=event.actor_id)
    return Decision(_tried_again(enrollment, now, _next_slot(enrollment, now)), (), (fact,))


def _task_completed(enrollment: Enrollment, event: TaskCompleted, now: datetime) -> Decision:
    if not _has_open_task(enrollment, event.task_id):
        return Decision(enrollment)
    return _complete(enrollment, now, _fact(enrollment, Fact.TASK_COMPLETED, task_id=event.task_id))


def _task_deleted(enrollment: Enrollment, event: TaskDeleted, now: datetime) -> Decision:
    if not _has_open_task(enrollment, event.task_id):
        return Decision(enrollment)
    return _finish(replace(enrollment, task_id=None), now, FinishedReason.TASK_DELETED, None)


def _finish_requested(enrollment: Enrollment, event: FinishRequested, now: datetime) -> Decision:
    if not enrollment.is_ongoing:
        return Decision(enrollment)
    return _finish(enrollment, now, event.reason, event.actor_id)


def _address_changed(enrollment: Enrollment, event: AddressChanged, now: datetime) -> Decision:
    if not enrollment.is_ongoing or enrollment.subject.address_hash == event.address_hash:
        return Decision(enrollment)
    subject = replace(enrollment.subject, address_hash=event.address_hash)
    return Decision(_changed(enrollment, now, subject=subject), (), (_fact(enrollment, Fact.ADDRESS_CHANGED),))


def _frozen(enrollment: Enrollment, event: Frozen, now: datetime) -> Decision:
    if not _waits(enrollment) or enrollment.due_at is None:
        return Decision(enrollment)
    return Decision(_changed(enrollment, now, due_at=None))


def _thawed(enrollment: Enrollment, event: Thawed, now: datetime) -> Decision:
    if not _waits(enrollment) or enrollment.anchor_at >= now:
        return Decision(enrollment)
    rhythm, delay = enrollment.plan.rhythm, enrollment.step.delay
    frozen_at = max(event.frozen_at, enrollment.anchor_at)
    ready_at = rhythm.thawed(enrollment.ready_at, delay.unit, frozen_at, now)
    if ready_at <= frozen_at < enrollment.slot:
        ready_at = now  # its delay was over, but it was in time: it waited for a window
    # The anchor moves along, so that a later change of the calendar counts from the shifted start.
    moved = ready_at != enrollment.ready_at
    anchor_at = rhythm.before(ready_at, delay) if moved else enrollment.anchor_at
    return _replanned(enrollment, now, anchor_at, ready_at)


def _rhythm_changed(enrollment: Enrollment, event: RhythmChanged, now: datetime) -> Decision:
    if not _waits(enrollment):
        return Decision(enrollment)
    anchor_at, due_at = enrollment.anchor_at, enrollment.due_at
    ready_at = enrollment.plan.ready_at(enrollment.position, anchor_at)
    if due_at is not None and due_at > now > enrollment.plan.slot(enrollment.position, ready_at):
        # It could leave earlier than it was planned to, which makes nobody late.
        ready_at, anchor_at = now, enrollment.plan.rhythm.before(now, enrollment.step.delay)
    return _replanned(enrollment, now, anchor_at, ready_at)


def _replanned(enrollment: Enrollment, now: datetime, anchor_at: datetime, ready_at: datetime) -> Decision:
    due_at = None if enrollment.plan.paused else enrollment.plan.slot(enrollment.position, ready_at)
    if due_at is not None and enrollment.due_at is not None and enrollment.failure_detail is not None:
        due_at = _next_slot(enrollment, max(enrollment.due_at, due_at))  # what waits for another try waits on
    if (anchor_at, ready_at, due_at) == (enrollment.anchor_at, enrollment.ready_at, enrollment.due_at):
        return Decision(enrollment)
    moved = _changed(enrollment, now, anchor_at=anchor_at, ready_at=ready_at, due_at=due_at)
    return Decision(moved, (), (_fact(enrollment, Fact.REPLANNED),))


def _waits(enrollment: Enrollment) -> bool:
    return enrollment.state is State.ACTIVE and enrollment.status is ActionStatus.SCHEDULED


def _letter_is_open(enrollment: Enrollment) -> bool:
    return enrollment.step.is_letter and (enrollment.state is State.ACTIVE or enrollment.in_doubt)


def _has_open_task(enrollment: Enrollment, task_id: int) -> bool:
    open_task = enrollment.status is ActionStatus.IN_PROGRESS and not enrollment.step.is_letter
    return enrollment.is_ongoing and open_task and enrollment.task_id == task_id


def _complete(enrollment: Enrollment, now: datetime, fact: Event) -> Decision:
    record = RecordAction(enrollment.position, now, enrollment.task_id)
    if enrollment.state is State.FINISHED:
        return Decision(_completed_late(enrollment, now), (record,), (fact,))
    position = enrollment.position + 1
    if position == len(enrollment.plan.steps):
        return _complete_last(enrollment, now, record, fact)
    ready_at = enrollment.plan.ready_at(position, now)
    advanced = _changed(
        enrollment,
        now,
        state=State.ACTIVE,
        position=position,
        status=ActionStatus.SCHEDULED,
        anchor_at=now,
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
    return _changed(
        enrollment,
        now,
        position=enrollment.position if is_last else enrollment.position + 1,
        status=ActionStatus.COMPLETED if is_last else ActionStatus.CANCELLED,
        in_doubt=False,
        failure_detail=None,
    )


def _complete_last(enrollment: Enrollment, now: datetime, record: RecordAction, fact: Event) -> Decision:
    finished = _changed(
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


def _block(enrollment: Enrollment, now: datetime, reason: FailureReason, detail: str, *, in_doubt: bool) -> Decision:
    blocked = _changed(
        enrollment,
        now,
        state=State.BLOCKED,
        status=ActionStatus.BLOCKED,
        due_at=None,
        failure_reason=reason,
        failure_detail=detail,
        in_doubt=in_doubt,
    )
    return Decision(blocked, (), (_fact(enrollment, Fact.BLOCKED, reason=reason, detail=detail),))


def _tried_again(enrollment: Enrollment, now: datetime, at: datetime, detail: str | None = None) -> Enrollment:
    return _changed(
        enrollment,
        now,
        state=State.ACTIVE,
        status=ActionStatus.SCHEDULED,
        due_at=None if enrollment.plan.paused else at,
        failure_reason=None,
        failure_detail=detail,
        in_doubt=False,
    )


def _next_slot(enrollment: Enrollment, now: datetime) -> datetime:
    return enrollment.plan.slot(enrollment.position, now)


def _finish(enrollment: Enrollment, now: datetime, reason: FinishedReason, actor_id: int | None) -> Decision:
    # A letter past the point of no return, or in doubt, cannot be called back: it stays in progress.
    finished = _changed(
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
    fact = Event(Fact.FINISHED, {"reason": reason, "actor_id": actor_id})
    return Decision(finished, removed, (fact,))


def _cancel_letter(enrollment: Enrollment, now: datetime, detail: str) -> Decision:
    if not enrollment.letter_is_out:
        return Decision(enrollment)
    cancelled = _changed(enrollment, now, status=ActionStatus.CANCELLED, in_doubt=False, failure_detail=None)
    return Decision(cancelled, (), (_fact(enrollment, Fact.LETTER_CANCELLED, detail=detail),))


def _changed(enrollment: Enrollment, now: datetime, **changes: Any) -> Enrollment:
    return replace(enrollment, updated_at=now, revision=enrollment.revision + 1, **changes)


def _fact(enrollment: Enrollment, fact: Fact, **cause: Any) -> Event:
    told = {name: value for name, value in cause.items() if value is not None}
    return Event(fact, {"position": enrollment.position, **told})


_RULES: Mapping[type[EnrollmentEvent], Callable[[Enrollment, Any, datetime], Decision]] = {
    StepDue: _step_due,
    PointOfNoReturnPassed: _point_of_no_return_passed,
    Accepted: _accepted,
    CannotSend: _cannot_send,
    Deferred: _deferred,
    Postponed: _postponed,
    Doubted: _doubted,
    DoubtExpired: _doubt_expired,
    CountedAsSent: _counted_as_sent,
    CountedAsNotSent: _counted_as_not_sent,
    SentAgain: _sent_again,
    Resumed: _resumed,
    TaskCompleted: _task_completed,
    TaskDeleted: _task_deleted,
    FinishRequested: _finish_requested,
    AddressChanged: _address_changed,
    Frozen: _frozen,
    Thawed: _thawed,
    RhythmChanged: _rhythm_changed,
}
