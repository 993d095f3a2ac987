"""The enrollment's state machine: start() and decide().

`decide(enrollment, event, now)` is pure and total: every event in every state gives a decision, and one
that does not apply leaves the enrollment as it is. The action's status is part of the state, so that a
block and its resume can never send a letter twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import structs

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, Plan, State, Subject
from drumbeat.domain.event import Event, Fact
from drumbeat.domain.happening import (
    Accepted,
    AddressChanged,
    AddressFailed,
    Away,
    Bounced,
    CannotSend,
    Continued,
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
from drumbeat.domain.moves import (
    block,
    cancel_letter,
    changed,
    complete,
    fact_of,
    finish,
    has_open_task,
    letter_is_open,
    next_slot,
    tried_again,
    waits,
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


def go_on(
    ended: Enrollment, id: int, address_hash: str | None, last_done_at: datetime | None, now: datetime, actor_id: int
) -> Decision:
    """A new enrollment that goes on where this one was ended by mistake, with the delay that it still had to wait.

    `last_done_at` is when the step before the current one was executed, None for the first.
    """
    assert ended.finished_at is not None
    rhythm, delay = ended.plan.rhythm, ended.step.delay
    was_late = last_done_at is not None and last_done_at > ended.finished_at  # its letter was out when it ended
    stopped_at = last_done_at if was_late and last_done_at is not None else ended.finished_at
    ready_at = ended.plan.ready_at(ended.position, stopped_at) if was_late else ended.ready_at
    ready_at = rhythm.thawed(ready_at, delay.unit, stopped_at, now) if ready_at > stopped_at else now
    enrollment = Enrollment(
        account_id=ended.account_id,
        id=id,
        subject=structs.replace(ended.subject, address_hash=address_hash),
        plan=ended.plan,
        state=State.ACTIVE,
        position=ended.position,
        status=ActionStatus.SCHEDULED,
        anchor_at=rhythm.before(ready_at, delay),
        ready_at=ready_at,
        due_at=None if ended.plan.paused else ended.plan.slot(ended.position, ready_at),
        created_at=now,
        updated_at=now,
        continues_id=ended.id,
    )
    return Decision(enrollment, (), (Event(Fact.ENROLLED, {"by": actor_id, "continues_id": ended.id}),))


def decide(enrollment: Enrollment, event: EnrollmentEvent, now: datetime) -> Decision:
    """What becomes of the enrollment when `event` happens at `now`."""
    return _RULES[type(event)](enrollment, event, now)


def _step_due(enrollment: Enrollment, event: StepDue, now: datetime) -> Decision:
    if not waits(enrollment) or enrollment.plan.paused:
        return Decision(enrollment)
    if enrollment.due_at is None or now < enrollment.due_at:
        return Decision(enrollment)
    if enrollment.step.is_letter:
        return Decision(enrollment, (SendLetter(),))
    opened = changed(enrollment, now, status=ActionStatus.IN_PROGRESS, due_at=None)
    due_at = enrollment.plan.task_due_at(now)
    return Decision(opened, (OpenTask(due_at),), (fact_of(enrollment, Fact.TASK_OPENED),))


def _point_of_no_return_passed(enrollment: Enrollment, event: PointOfNoReturnPassed, now: datetime) -> Decision:
    if not (waits(enrollment) and enrollment.step.is_letter):
        return Decision(enrollment)
    return Decision(changed(enrollment, now, status=ActionStatus.IN_PROGRESS, due_at=None))


def _accepted(enrollment: Enrollment, event: Accepted, now: datetime) -> Decision:
    if not enrollment.letter_is_out:
        return Decision(enrollment)
    return complete(enrollment, now, fact_of(enrollment, Fact.LETTER_SENT, detail=event.detail))


def _cannot_send(enrollment: Enrollment, event: CannotSend, now: datetime) -> Decision:
    if enrollment.state is State.FINISHED:
        return cancel_letter(enrollment, now, event.detail)
    if not letter_is_open(enrollment):
        return Decision(enrollment)
    return block(enrollment, now, event.reason, event.detail, in_doubt=False)


def _deferred(enrollment: Enrollment, event: Deferred, now: datetime) -> Decision:
    if enrollment.state is State.FINISHED:
        return cancel_letter(enrollment, now, event.detail)
    if not letter_is_open(enrollment):
        return Decision(enrollment)
    # What put it off is kept: whoever asks why it waits is told.
    until = next_slot(enrollment, event.until)
    fact = fact_of(enrollment, Fact.LETTER_DEFERRED, detail=event.detail, until=until.isoformat())
    return Decision(tried_again(enrollment, now, until, event.detail), (), (fact,))


def _postponed(enrollment: Enrollment, event: Postponed, now: datetime) -> Decision:
    if not waits(enrollment) or enrollment.plan.paused:
        return Decision(enrollment)
    fact = fact_of(enrollment, Fact.REPLANNED, by=event.by)
    return Decision(changed(enrollment, now, due_at=event.until), (), (fact,))


def _doubted(enrollment: Enrollment, event: Doubted, now: datetime) -> Decision:
    if not enrollment.letter_is_out or enrollment.in_doubt:
        return Decision(enrollment)
    doubtful = changed(enrollment, now, in_doubt=True, due_at=None, failure_detail=event.detail)
    return Decision(doubtful, (), (fact_of(enrollment, Fact.LETTER_IN_DOUBT, detail=event.detail),))


def _doubt_expired(enrollment: Enrollment, event: DoubtExpired, now: datetime) -> Decision:
    if not (enrollment.in_doubt and enrollment.state is State.ACTIVE):
        return Decision(enrollment)
    detail = enrollment.failure_detail or ""
    return block(enrollment, now, FailureReason.UNKNOWN, detail, in_doubt=True)


def _counted_as_sent(enrollment: Enrollment, event: CountedAsSent, now: datetime) -> Decision:
    if not enrollment.in_doubt:
        return Decision(enrollment)
    fact = fact_of(enrollment, Fact.LETTER_COUNTED_AS_SENT, actor_id=event.actor_id)
    return complete(enrollment, now, fact, done_at=event.left_at)


def _counted_as_not_sent(enrollment: Enrollment, event: CountedAsNotSent, now: datetime) -> Decision:
    if not (enrollment.in_doubt and enrollment.state is State.FINISHED):
        return Decision(enrollment)
    fact = fact_of(enrollment, Fact.LETTER_COUNTED_AS_NOT_SENT, actor_id=event.actor_id)
    settled = changed(enrollment, now, status=ActionStatus.CANCELLED, in_doubt=False, failure_detail=None)
    return Decision(settled, (), (fact,))


def _sent_again(enrollment: Enrollment, event: SentAgain, now: datetime) -> Decision:
    if not (enrollment.in_doubt and enrollment.is_ongoing):
        return Decision(enrollment)
    fact = fact_of(enrollment, Fact.LETTER_SENT_AGAIN, actor_id=event.actor_id)
    again = tried_again(enrollment, now, next_slot(enrollment, now))
    return Decision(again, (RepeatLetter(),), (fact,))


def _resumed(enrollment: Enrollment, event: Resumed, now: datetime) -> Decision:
    if enrollment.state is not State.BLOCKED:
        return Decision(enrollment)
    if enrollment.in_doubt:
        # A doubt does not heal: only somebody with a name may count the letter as sent.
        if event.actor_id is None:
            return Decision(enrollment)
        return _counted_as_sent(enrollment, CountedAsSent(event.actor_id), now)
    fact = fact_of(enrollment, Fact.RESUMED, actor_id=event.actor_id)
    return Decision(tried_again(enrollment, now, next_slot(enrollment, now)), (), (fact,))


def _task_completed(enrollment: Enrollment, event: TaskCompleted, now: datetime) -> Decision:
    if not has_open_task(enrollment, event.task_id):
        return Decision(enrollment)
    return complete(enrollment, now, fact_of(enrollment, Fact.TASK_COMPLETED, task_id=event.task_id))


def _task_deleted(enrollment: Enrollment, event: TaskDeleted, now: datetime) -> Decision:
    if not has_open_task(enrollment, event.task_id):
        return Decision(enrollment)
    return finish(structs.replace(enrollment, task_id=None), now, FinishedReason.TASK_DELETED, None)


def _finish_requested(enrollment: Enrollment, event: FinishRequested, now: datetime) -> Decision:
    if not enrollment.is_ongoing:
        return Decision(enrollment)
    return finish(enrollment, now, event.reason, event.actor_id, event.message_id)


def _bounced(enrollment: Enrollment, event: Bounced, now: datetime) -> Decision:
    cause = {"position": event.position, "detail": event.detail, "permanent": event.permanent}
    fact = Event(Fact.LETTER_BOUNCED, {**cause, "message_id": event.message_id})
    return Decision(changed(enrollment, now), (), (fact,))


def _address_failed(enrollment: Enrollment, event: AddressFailed, now: datetime) -> Decision:
    # A task goes on, and so does a letter that is out: the next one blocks when it is due.
    if not (waits(enrollment) and enrollment.step.is_letter):
        return Decision(enrollment)
    return block(enrollment, now, FailureReason.RECIPIENT_INVALID, event.detail, in_doubt=False)


def _away(enrollment: Enrollment, event: Away, now: datetime) -> Decision:
    if not enrollment.is_ongoing:
        return Decision(enrollment)
    until = None if event.until is None else event.until.isoformat()
    fact = fact_of(enrollment, Fact.PERSON_AWAY, until=until, message_id=event.message_id)
    away = changed(enrollment, now)
    if event.until is not None and waits(enrollment) and enrollment.step.is_letter:
        # The plan moves along: nobody is late who waits for somebody to come back.
        ready_at = max(enrollment.ready_at, event.until)
        due_at = enrollment.due_at and max(enrollment.due_at, enrollment.plan.slot(enrollment.position, ready_at))
        away = structs.replace(away, ready_at=ready_at, due_at=due_at)
    return Decision(away, (), (fact,))


def _continued(enrollment: Enrollment, event: Continued, now: datetime) -> Decision:
    if enrollment.is_ongoing or enrollment.letter_is_out or enrollment.continued_by_id is not None:
        return Decision(enrollment)
    fact = fact_of(enrollment, Fact.CONTINUED, continued_by_id=event.by_id, actor_id=event.actor_id)
    return Decision(changed(enrollment, now, continued_by_id=event.by_id), (), (fact,))


def _address_changed(enrollment: Enrollment, event: AddressChanged, now: datetime) -> Decision:
    if not enrollment.is_ongoing or enrollment.subject.address_hash == event.address_hash:
        return Decision(enrollment)
    subject = structs.replace(enrollment.subject, address_hash=event.address_hash)
    return Decision(changed(enrollment, now, subject=subject), (), (fact_of(enrollment, Fact.ADDRESS_CHANGED),))


def _frozen(enrollment: Enrollment, event: Frozen, now: datetime) -> Decision:
    if not waits(enrollment) or enrollment.due_at is None:
        return Decision(enrollment)
    return Decision(changed(enrollment, now, due_at=None))


def _thawed(enrollment: Enrollment, event: Thawed, now: datetime) -> Decision:
    if not waits(enrollment) or enrollment.anchor_at >= now:
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
    if not waits(enrollment):
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
        due_at = next_slot(enrollment, max(enrollment.due_at, due_at))  # what waits for another try waits on
    if (anchor_at, ready_at, due_at) == (enrollment.anchor_at, enrollment.ready_at, enrollment.due_at):
        return Decision(enrollment)
    moved = changed(enrollment, now, anchor_at=anchor_at, ready_at=ready_at, due_at=due_at)
    return Decision(moved, (), (fact_of(enrollment, Fact.REPLANNED),))


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
    Bounced: _bounced,
    AddressFailed: _address_failed,
    Away: _away,
    Continued: _continued,
}
