"""What answers show of enrollments: the run, its timeline, and the sequence it was enrolled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Done, Enrollment
from drumbeat.domain.sequence import Sequence as SequenceSettings
from drumbeat.domain.task import Task
from drumbeat.domain.timeline import Circumstances, Hold, Stage, explain, timeline
from drumbeat.operations.pacing import allowance_of
from drumbeat.operations.rounds import state_of
from drumbeat.store import accounts, actions, mailboxes, quarantine, received, sequences, tasks, unsubscribes
from drumbeat.store.transaction import Snapshot


@dataclass(frozen=True, slots=True)
class EnrollmentView:
    """An enrollment as it is shown at one instant; `task_contents` are those of tasks already made, by position."""

    enrollment: Enrollment
    sequence: SequenceSettings
    stages: tuple[Stage, ...]
    task_contents: Mapping[int, str]


def view(snapshot: Snapshot, account_id: int, shown: Sequence[Enrollment]) -> list[EnrollmentView]:
    """Enrollments with their timelines as of now, in the given order."""
    done = actions.list_of(snapshot, account_id, [e.id for e in shown if e.has_completed_steps])
    named = sequences.find_many(snapshot, account_id, sorted({e.subject.sequence_id for e in shown}))
    made = _tasks(snapshot, account_id, shown, done)
    views = []
    for enrollment in shown:
        task = made.get(enrollment.task_id or 0)
        stages = timeline(enrollment, done.get(enrollment.id, {}), snapshot.now, task.due_at if task else None)
        contents = {s.position: made[s.task_id].content for s in stages if s.task_id in made}
        views.append(EnrollmentView(enrollment, named[enrollment.subject.sequence_id], stages, contents))
    return views


def _tasks(
    snapshot: Snapshot, account_id: int, shown: Sequence[Enrollment], done: Mapping[int, Mapping[int, Done]]
) -> dict[int, Task]:
    ids = {e.task_id for e in shown} | {each.task_id for steps in done.values() for each in steps.values()}
    known = sorted(id for id in ids if id is not None)
    return tasks.find_many(snapshot, account_id, known) if known else {}


def why(snapshot: Snapshot, account_id: int, enrollment: Enrollment) -> Hold | None:
    """What holds an enrollment now, since when, until when, and who can lift it."""
    subject = enrollment.subject
    sequence = sequences.get(snapshot, account_id, subject.runs_sequence_id)
    actor = accounts.get_user(snapshot, account_id, subject.actor_id)
    mailbox_id = subject.mailbox_id or actor.mailbox_id
    mailbox = None if mailbox_id is None else mailboxes.get(snapshot, account_id, mailbox_id)
    address = subject.address_hash
    undeliverable = unsubscribes.undeliverable_among(snapshot, account_id, [address] if address else [])
    away = received.away_among(snapshot, account_id, [address] if address else [], snapshot.now)
    account = accounts.get_account(snapshot, account_id)
    around = Circumstances(
        account=account,
        actor=actor,
        mailbox=state_of(mailbox),
        paused_at=sequence.paused_at,
        undeliverable=undeliverable.get(address) if address else None,
        away_until=away[address].until if address in away else None,
        allowance=allowance_of(snapshot, account),
        has_footer=sequence.unsubscribing.enabled,
        quarantine=quarantine.find(snapshot),
    )
    return explain(enrollment, around, snapshot.now)


def failure_reason_of(stage: Stage) -> FailureReason | None:
    """The reason shown for a step: only while it is blocked."""
    return stage.failure_reason if stage.status is ActionStatus.BLOCKED else None
