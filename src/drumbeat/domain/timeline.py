"""Estimates, overdue, and explain(): what holds an enrollment, since when, until when, who can lift it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from drumbeat.domain.account import Account, User
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Done, Enrollment, Plan, State
from drumbeat.domain.limits import Allowance
from drumbeat.domain.sequence import Step

LATE_AFTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of an enrollment as it is shown: what ran, what is planned and when."""

    position: int
    step: Step
    status: ActionStatus
    executed_at: datetime | None = None
    estimated_at: datetime | None = None
    overdue: bool = False
    failure_reason: FailureReason | None = None
    task_id: int | None = None


def timeline(
    enrollment: Enrollment,
    done: Mapping[int, Done],
    now: datetime,
    task_due_at: datetime | None = None,
) -> tuple[Stage, ...]:
    """Every step in order; a pure function, so reading it twice at one instant shows the same.

    `task_due_at` is the due date of the current step's open task.
    """
    stages = []
    chained: datetime | None = None
    shows_times = enrollment.state is State.ACTIVE and not enrollment.plan.paused
    for position, step in enumerate(enrollment.plan.steps):
        if position in done:
            stages.append(_completed(step, done[position]))
        elif position == enrollment.position:
            stage = _current(enrollment, now, task_due_at, shows_times=shows_times)
            chained = max(stage.estimated_at or now, now)
            stages.append(stage)
        elif not enrollment.is_ongoing:
            stages.append(Stage(position, step, ActionStatus.CANCELLED))
        else:
            if shows_times and chained is not None:
                chained = enrollment.plan.slot(position, enrollment.plan.ready_at(position, chained))
            estimate = chained if shows_times else None
            stages.append(Stage(position, step, ActionStatus.SCHEDULED, estimated_at=estimate))
    return tuple(stages)


def forecast(plan: Plan, start: datetime) -> tuple[datetime, ...]:
    """When each step of a plan runs for somebody enrolled at `start`, if nothing holds it."""
    instants, chained = [], start
    for position in range(len(plan.steps)):
        chained = plan.slot(position, plan.ready_at(position, chained))
        instants.append(chained)
    return tuple(instants)


def _completed(step: Step, done: Done) -> Stage:
    return Stage(done.position, step, ActionStatus.COMPLETED, executed_at=done.executed_at, task_id=done.task_id)


def _current(enrollment: Enrollment, now: datetime, task_due_at: datetime | None, *, shows_times: bool) -> Stage:
    step = enrollment.step
    estimate = None
    if shows_times and enrollment.status is ActionStatus.SCHEDULED:
        estimate = enrollment.due_at
    elif shows_times and not step.is_letter:
        estimate = task_due_at
    return Stage(
        position=enrollment.position,
        step=step,
        status=enrollment.status,
        estimated_at=estimate,
        overdue=is_overdue(enrollment, now, task_due_at),
        failure_reason=enrollment.failure_reason,
        task_id=enrollment.task_id,
    )


def is_overdue(enrollment: Enrollment, now: datetime, task_due_at: datetime | None) -> bool:
    """Whether the current step is late: a letter by more than 15 minutes on its plan, a task on its due date."""
    if not enrollment.is_ongoing or enrollment.plan.paused:
        return False
    if enrollment.step.is_letter:
        return now > enrollment.slot + LATE_AFTER
    return task_due_at is not None and task_due_at < now


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Why nothing is sent by the whole installation: what left since then may be missing in its database."""

    since: datetime
    cause: str

    @property
    def sentence(self) -> str:
        """What stands still, why, and who ends it."""
        return f"Nothing is sent: {self.cause} An operator ends that with `drumbeat reconcile`."


class Binding(StrEnum):
    """What holds an enrollment."""

    QUARANTINE = "quarantine"
    DELAY = "delay"
    WINDOW = "window"
    RETRY = "retry"
    ERROR = "error"
    SEQUENCE_PAUSED = "sequence_paused"
    SEQUENCES_DISABLED = "sequences_disabled"
    ACTOR_INACTIVE = "actor_inactive"
    NO_MAILBOX = "no_mailbox"
    MAILBOX_OFF = "mailbox_off"
    MAILBOX_HELD = "mailbox_held"
    SENDER_UNKNOWN = "sender_unknown"
    NO_POSTAL_ADDRESS = "no_postal_address"
    UNDELIVERABLE = "undeliverable"
    AWAY = "away"
    QUOTA = "quota"
    PACE = "pace"
    TASK_OPEN = "task_open"
    TRANSMITTING = "transmitting"
    IN_DOUBT = "in_doubt"
    BLOCKED = "blocked"


class Lifter(StrEnum):
    """Who can lift a hold."""

    TIME = "time"
    USER = "user"
    ADMIN = "admin"
    SERVER = "server"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class MailboxState:
    """What matters of a mailbox: whether it may send, and the hold on it (reason None: only a pause)."""

    id: int
    is_active: bool
    held_since: datetime | None = None
    held_until: datetime | None = None
    hold_reason: FailureReason | None = None
    hold_detail: str | None = None
    is_removed: bool = False
    pace: str = ""  # its limits in words
    is_catcher: bool = False
    is_unproven: bool = False  # whether receivers know its sender is not known yet, and it needs that


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a letter's leaving depends on beside its enrollment."""

    account: Account
    actor: User
    mailbox: MailboxState | None
    paused_at: datetime | None = None
    undeliverable: str | None = None
    away_until: datetime | None = None
    allowance: Allowance | None = None
    has_footer: bool = False  # the sequence's letters are commercial: they say how to get no more
    quarantine: Quarantine | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """What holds an enrollment, since when, until when (None: until lifted), who can lift it, in a sentence.

    `reason` is set when the letter blocks; without one it merely waits.
    """

    binding: Binding
    since: datetime | None
    until: datetime | None
    lifter: Lifter
    sentence: str
    reason: FailureReason | None = None


def hold_on_letter(enrollment: Enrollment, around: Circumstances, now: datetime) -> Hold | None:
    """What keeps a due letter from leaving now, or None: the dispatcher asks this and nothing else."""
    since = enrollment.due_at or enrollment.slot
    hold = _hold_of_sequence(around, since) or _hold_of_sender(around, since, now)
    if hold is not None:
        return hold
    if around.undeliverable is not None:
        sentence = f"No letter reaches this address: {around.undeliverable} Change the person's e-mail address."
        reason = FailureReason.RECIPIENT_INVALID
        return Hold(Binding.UNDELIVERABLE, since, None, Lifter.USER, sentence, reason)
    if around.allowance is not None and not around.allowance.left:
        return _hold_of_quota(around.allowance, since)
    if around.away_until is not None and around.away_until > now:
        return _hold_of_absence(enrollment, around.away_until, since)
    opening = enrollment.plan.rhythm.opening(now)
    if opening is not None and opening > now:
        return Hold(Binding.WINDOW, since, opening, Lifter.TIME, _NEXT_WINDOW)
    return None


def _hold_of_quota(allowance: Allowance, since: datetime) -> Hold:
    sentence = f"The account's {allowance.letters} letters of this month are used up. An admin can raise the allowance."
    return Hold(Binding.QUOTA, since, allowance.renews_at, Lifter.ADMIN, sentence, FailureReason.QUOTA_EXCEEDED)


def _hold_of_absence(enrollment: Enrollment, until: datetime, since: datetime) -> Hold:
    day = until.astimezone(ZoneInfo(enrollment.subject.zone)).date()
    sentence = f"An automatic reply said that the person is away until {day.isoformat()}."
    return Hold(Binding.AWAY, since, until, Lifter.TIME, sentence)


_NEXT_WINDOW = "Waiting for the next sending window."


def _hold_of_sequence(around: Circumstances, since: datetime) -> Hold | None:
    pause = _hold_of_pause(around)
    if pause is not None or around.account.sequences_enabled:
        return pause
    sentence = "Sequences are switched off for the account. An admin can switch them on."
    return _disabled(Binding.SEQUENCES_DISABLED, since, Lifter.ADMIN, sentence)


def _hold_of_pause(around: Circumstances) -> Hold | None:
    if around.paused_at is None:
        return None
    sentence = "The sequence is paused. Resume the sequence to go on."
    return Hold(Binding.SEQUENCE_PAUSED, around.paused_at, None, Lifter.USER, sentence)


def _hold_of_sender(around: Circumstances, since: datetime, now: datetime) -> Hold | None:
    mailbox = around.mailbox
    if not around.actor.is_active:
        sentence = f"{around.actor.name} is inactive. An admin can activate the user."
        return _disabled(Binding.ACTOR_INACTIVE, since, Lifter.ADMIN, sentence)
    if mailbox is None:
        sentence = f"{around.actor.name} has no mailbox. Connect one to send."
        return _disabled(Binding.NO_MAILBOX, since, Lifter.USER, sentence)
    if not mailbox.is_active:
        sentence = "The mailbox is switched off. Switch it on to send."
        if mailbox.is_removed:
            sentence = "The mailbox that this thread began with was removed. Finish it, and enroll anew."
        return _disabled(Binding.MAILBOX_OFF, since, Lifter.USER, sentence)
    if mailbox.hold_reason is not None:
        sentence = f"The mailbox is held: {mailbox.hold_detail or f'{mailbox.hold_reason}.'}"
        # A limit is lifted by the provider in time; a login that is refused, by whoever knows the password.
        lifter = Lifter.SERVER if mailbox.hold_reason is FailureReason.SENDOUT_LIMITED else Lifter.USER
        held_since, until = mailbox.held_since or since, mailbox.held_until
        return Hold(Binding.MAILBOX_HELD, held_since, until, lifter, sentence, mailbox.hold_reason)
    if mailbox.is_unproven:
        sentence = f"What receivers find about the sender is being looked up. {mailbox.hold_detail or ''}".rstrip()
        return Hold(Binding.SENDER_UNKNOWN, since, mailbox.held_until, Lifter.SERVER, sentence)
    if mailbox.held_until is not None and mailbox.held_until > now:
        sentence = f"The mail server is not reachable: {mailbox.hold_detail or 'no answer.'}"
        held_since = mailbox.held_since or since
        return Hold(Binding.MAILBOX_HELD, held_since, mailbox.held_until, Lifter.SERVER, sentence)
    if around.has_footer and not (around.account.postal_address or mailbox.is_catcher):
        sentence = (
            "Letters with an unsubscribe footer name the sender's postal address. An admin can set the account's."
        )
        return _disabled(Binding.NO_POSTAL_ADDRESS, since, Lifter.ADMIN, sentence)
    return None


def _disabled(binding: Binding, since: datetime, lifter: Lifter, sentence: str) -> Hold:
    return Hold(binding, since, None, lifter, sentence, FailureReason.SENDOUT_DISABLED)


def explain(enrollment: Enrollment, around: Circumstances, now: datetime) -> Hold | None:
    """What holds the enrollment at `now`; None if nothing does, or it has finished without a doubt."""
    if enrollment.in_doubt:
        return _explain_doubt(enrollment)
    if not enrollment.is_ongoing:
        return None
    if enrollment.state is State.BLOCKED:
        return _explain_blocked(enrollment, around, now)
    if enrollment.status is ActionStatus.IN_PROGRESS:
        return _explain_in_progress(enrollment)
    since = enrollment.due_at or enrollment.slot
    stopped = _hold_of_sequence(around, since) if enrollment.step.is_letter else _hold_of_pause(around)
    if stopped is not None or enrollment.due_at is None:
        return stopped
    if enrollment.due_at > now:
        return _explain_waiting(enrollment, around, enrollment.due_at)
    if around.quarantine is not None:
        sentence = around.quarantine.sentence
        return Hold(Binding.QUARANTINE, around.quarantine.since, None, Lifter.OPERATOR, sentence)
    return hold_on_letter(enrollment, around, now) if enrollment.step.is_letter else None


def _explain_doubt(enrollment: Enrollment) -> Hold:
    choice = "send it again" if enrollment.is_ongoing else "count it as not sent"
    sentence = f"Whether the letter arrived is not known. Count it as sent, or {choice}."
    since, reason = enrollment.updated_at, enrollment.failure_reason
    return Hold(Binding.IN_DOUBT, since, None, Lifter.USER, sentence, reason)


def _explain_blocked(enrollment: Enrollment, around: Circumstances, now: datetime) -> Hold:
    reason = enrollment.failure_reason
    sentence = enrollment.failure_detail or str(reason)
    cause = hold_on_letter(enrollment, around, now)
    until, lifter = None, Lifter.USER
    if cause is not None and cause.reason is reason:
        until, lifter = cause.until, cause.lifter
    return Hold(Binding.BLOCKED, enrollment.updated_at, until, lifter, sentence, reason)


def _explain_in_progress(enrollment: Enrollment) -> Hold:
    since = enrollment.updated_at
    if enrollment.step.is_letter:
        sentence = "The letter is being sent."
        return Hold(Binding.TRANSMITTING, since, None, Lifter.SERVER, sentence)
    return Hold(Binding.TASK_OPEN, since, None, Lifter.USER, "Waiting for the task to be completed.")


def _explain_waiting(enrollment: Enrollment, around: Circumstances, due_at: datetime) -> Hold:
    if enrollment.has_turn and around.mailbox is not None:
        sentence = f"The mailbox sends {around.mailbox.pace or 'at its own pace'}: this letter's turn is then."
        return Hold(Binding.PACE, enrollment.slot, due_at, Lifter.USER, sentence)
    until = around.away_until
    if enrollment.step.is_letter and until is not None and enrollment.ready_at <= until <= due_at:
        return _hold_of_absence(enrollment, until, enrollment.anchor_at)
    if enrollment.failure_detail is not None:
        sentence = f"{enrollment.failure_detail} The next try follows by itself."
        return Hold(Binding.RETRY, enrollment.slot, due_at, Lifter.SERVER, sentence)
    if due_at <= enrollment.ready_at:
        return Hold(Binding.DELAY, enrollment.anchor_at, due_at, Lifter.TIME, "Waiting for the step's delay.")
    if enrollment.step.is_letter and _window_opens(enrollment, due_at):
        return Hold(Binding.WINDOW, enrollment.ready_at, due_at, Lifter.TIME, _NEXT_WINDOW)
    return Hold(Binding.ERROR, enrollment.slot, due_at, Lifter.ADMIN, _WENT_WRONG)


def _window_opens(enrollment: Enrollment, instant: datetime) -> bool:
    before = instant - timedelta(seconds=1)
    return enrollment.plan.rhythm.opening(before) != before


_WENT_WRONG = "Something went wrong inside Drumbeat, which the worker's log describes. It is tried again by itself."
