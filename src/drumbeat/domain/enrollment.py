"""One person's run through one version: its states, reasons and action statuses, and the plan it follows.

What may happen to it, and what follows, is `domain/machine.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from drumbeat.domain.calendar import Rhythm
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import Step
from drumbeat.domain.variant import Variant


class State(StrEnum):
    """Where an enrollment stands; `finished` is terminal."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    FINISHED = "finished"


class FinishedReason(StrEnum):
    """Why an enrollment ended; the first committed cause names it."""

    MANUAL = "manual"
    ALL_STEPS_COMPLETED = "all_steps_completed"
    REPLIED_TO_EMAIL = "replied_to_email"
    RESOURCE_DELETED = "resource_deleted"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    TASK_DELETED = "task_deleted"


class ActionStatus(StrEnum):
    """Where the action of a step stands."""

    SCHEDULED = "scheduled"  # waits for its instant, a cap, a window or a retry
    IN_PROGRESS = "in_progress"  # past the point of no return, in doubt, or an open task
    COMPLETED = "completed"  # accepted by the mail server, or the task is done
    BLOCKED = "blocked"  # a cause must go away first
    CANCELLED = "cancelled"  # the enrollment ended first


@dataclass(frozen=True, slots=True)
class Plan:
    """What an enrollment follows: its version's steps, the rhythm they are timed by, whether the
    sequence is paused (then nothing is due), and the actor's zone, in which tasks are due."""

    steps: tuple[Step, ...]
    rhythm: Rhythm
    paused: bool = False
    task_zone: str | None = None

    def ready_at(self, position: int, anchor: datetime) -> datetime:
        """When the step's delay is over, counted from `anchor`; windows not yet considered."""
        return self.rhythm.after(anchor, self.steps[position].delay)

    def slot(self, position: int, ready_at: datetime) -> datetime:
        """When the step runs: letters wait for a window, tasks do not."""
        if not self.steps[position].is_letter:
            return ready_at
        return self.rhythm.opening(ready_at) or ready_at

    def task_due_at(self, opened_at: datetime) -> datetime:
        """When a task opened now is due: the end of the actor's working day."""
        rhythm = self.rhythm if self.task_zone is None else replace(self.rhythm, zone=self.task_zone)
        return rhythm.end_of_working_day(opened_at)


# A letter makes a dozen of these two, and a dataclass of so many fields takes ten times as long to make.
class Subject(Struct, frozen=True):
    """Who is enrolled by whom in what; only the address and the mailbox may still change.

    `sequence_id` is the sequence addressed, `runs_sequence_id` the one whose `version` runs (variant B's,
    or the same). The zones are fixed at enrollment; the mailbox is bound at the first letter.
    """

    actor_id: int
    resource_type: PersonKind
    resource_id: int
    address_hash: str | None
    sequence_id: int
    runs_sequence_id: int
    version: int
    variant: Variant | None
    mailbox_id: int | None
    zone: str
    recipient_zone: str | None


class Enrollment(Struct, frozen=True):
    """One person's run through one version.

    `position`, `status`, `ready_at` and the failure fields describe the current step: the first one not
    completed, or the last one. `failure_detail` is what stood in its letter's way last, also while it is
    tried again. `due_at` is when the engine looks next (None: something else must happen
    first). `revision` counts stored changes. `continues_id` is the enrollment that a mistaken reply had ended
    and this one goes on with, `continued_by_id` the way back. With `has_turn`, `due_at` is when the mailbox's own
    limits let the letter leave.
    """

    account_id: int
    id: int
    subject: Subject
    plan: Plan
    state: State
    position: int
    status: ActionStatus
    anchor_at: datetime
    ready_at: datetime
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime
    failure_reason: FailureReason | None = None
    failure_detail: str | None = None
    in_doubt: bool = False
    task_id: int | None = None
    finished_at: datetime | None = None
    finished_reason: FinishedReason | None = None
    finished_actor_id: int | None = None
    revision: int = 0
    continues_id: int | None = None
    continued_by_id: int | None = None
    has_turn: bool = False

    @property
    def step(self) -> Step:
        """The current step."""
        return self.plan.steps[self.position]

    @property
    def has_completed_steps(self) -> bool:
        """Whether any step is completed."""
        return self.position > 0 or self.status is ActionStatus.COMPLETED

    @property
    def is_ongoing(self) -> bool:
        """Whether it still runs, blocked or not."""
        return self.state is not State.FINISHED

    @property
    def letter_is_out(self) -> bool:
        """Whether the current step's letter is past the point of no return, in doubt or not: it may arrive."""
        in_progress = self.status is ActionStatus.IN_PROGRESS
        return self.step.is_letter and (in_progress or self.in_doubt)

    @property
    def slot(self) -> datetime:
        """When the current step was planned to run, windows and holidays included, caps and retries not."""
        return self.plan.slot(self.position, self.ready_at)


@dataclass(frozen=True, slots=True)
class Done:
    """What a completed step did."""

    position: int
    executed_at: datetime
    task_id: int | None
