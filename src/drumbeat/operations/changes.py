"""Storing what the state machine decided: rows, schedule, tasks, history and the lanes to wake, set-based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from msgspec import structs

from drumbeat.domain.enrollment import ActionStatus, Done, Enrollment
from drumbeat.domain.event import Event
from drumbeat.domain.happening import AddressChanged, Decision, EnrollmentEvent, OpenTask, RecordAction, RemoveTask
from drumbeat.domain.machine import decide
from drumbeat.domain.task import Task
from drumbeat.domain.template import compile_text
from drumbeat.operations.values import task_values
from drumbeat.store import accounts, actions, deliveries, due, enrollments, events, lanes, people, tasks
from drumbeat.store.due import Waiting
from drumbeat.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Change:
    """A decision, the revision its enrollment was read at, and the tries the step has behind it.

    One that does not replan leaves the step's instant and tries, and whoever is at work on it, as they are.
    """

    decision: Decision
    read_at: int
    attempt: int = 0
    first_tried_at: datetime | None = None
    replans: bool = True
    came_due_at: datetime | None = None  # its new instant is a turn at its mailbox

    @property
    def enrollment(self) -> Enrollment:
        """The enrollment as it is to be stored."""
        return self.decision.enrollment


@dataclass(slots=True)
class _Rows:
    done: list[tuple[int, Done]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    facts: list[tuple[int, int, Sequence[Event]]] = field(default_factory=list)
    wakes: list[tuple[int, datetime]] = field(default_factory=list)
    removed_tasks: list[int] = field(default_factory=list)


def store(tx: Tx, account_id: int, changes: Sequence[Change]) -> frozenset[int]:
    """Store decisions of one account and carry out their effects; returns the ids of those stored.

    The enrollments' rows should be locked: a change whose enrollment somebody else changed is left out.
    """
    changes = _open_tasks(tx, account_id, changes)
    changed = [c for c in changes if c.enrollment.revision != c.read_at]
    if not changed:
        return frozenset()
    stored = enrollments.save(tx, account_id, [(c.enrollment, c.read_at) for c in changed])
    rows = _Rows()
    mailboxes = _mailboxes(tx, account_id, changed)
    for change in changed:
        if change.enrollment.id in stored:
            _collect(change, rows, mailboxes)
    _write(tx, account_id, rows)
    return stored


def apply(tx: Tx, enrollment: Enrollment, event: EnrollmentEvent) -> Enrollment:
    """Let something happen to a locked enrollment and store what follows; the enrollment as it is now."""
    change = Change(decide(enrollment, event, tx.now), enrollment.revision)
    store(tx, enrollment.account_id, [change])
    return change.enrollment


def readdress(tx: Tx, account_id: int, address_hash: str | None, moving: Sequence[Enrollment]) -> list[Enrollment]:
    """Let locked enrollments follow their person to another address key; they as they are now."""
    decisions = [decide(enrollment, AddressChanged(address_hash), tx.now) for enrollment in moving]
    changed = [decision for decision in decisions if decision.facts]
    enrollments.readdress(tx, account_id, address_hash, [decision.enrollment.id for decision in changed])
    events.add(tx, account_id, [(d.enrollment.id, d.enrollment.revision, d.facts) for d in changed])
    return [decision.enrollment for decision in decisions]


def _collect(change: Change, rows: _Rows, mailboxes: dict[int, int | None]) -> None:
    enrollment = change.enrollment
    for effect in change.decision.effects:
        if isinstance(effect, RecordAction):
            done = Done(effect.position, effect.executed_at, effect.task_id)
            rows.done.append((enrollment.id, done))
        elif isinstance(effect, RemoveTask):
            rows.removed_tasks.append(effect.task_id)
    if enrollment.is_ongoing and change.replans:
        lane = lane_of(enrollment, mailboxes.get(enrollment.subject.actor_id))
        rest = change.attempt, change.first_tried_at, change.came_due_at
        waiting = Waiting(enrollment.id, lane, enrollment.due_at, *rest)
        rows.waiting.append(waiting)
        if enrollment.due_at is not None:
            rows.wakes.append((lane, enrollment.due_at))
    elif not enrollment.is_ongoing:
        rows.ended.append(enrollment.id)
        if enrollment.status is ActionStatus.CANCELLED:
            rows.cancelled.append(enrollment.id)
    if change.decision.facts:
        rows.facts.append((enrollment.id, enrollment.revision, change.decision.facts))


def _write(tx: Tx, account_id: int, rows: _Rows) -> None:
    with tx.together():
        if rows.done:
            actions.add(tx, account_id, rows.done)
        if rows.waiting:
            due.plan(tx, account_id, rows.waiting)
        if rows.ended:
            due.remove(tx, account_id, rows.ended)
        if rows.cancelled:
            deliveries.close_unsent(tx, account_id, rows.cancelled)
        if rows.removed_tasks:
            tasks.delete(tx, account_id, rows.removed_tasks)
        events.add(tx, account_id, rows.facts)
        lanes.wake(tx, account_id, rows.wakes)


def lane_of(enrollment: Enrollment, actors_mailbox: int | None) -> int:
    """The lane the current step waits in: its mailbox's, or the one that needs none."""
    if not enrollment.step.is_letter:
        return lanes.NO_MAILBOX
    return enrollment.subject.mailbox_id or actors_mailbox or lanes.NO_MAILBOX


def _mailboxes(tx: Tx, account_id: int, changes: Sequence[Change]) -> dict[int, int | None]:
    unbound = {c.enrollment.subject.actor_id for c in changes if c.enrollment.subject.mailbox_id is None}
    found = {id: accounts.find_user(tx, account_id, id) for id in unbound}
    return {id: user.mailbox_id if user else None for id, user in found.items()}


def _open_tasks(tx: Tx, account_id: int, changes: Sequence[Change]) -> list[Change]:
    opened = {c.enrollment.id: e for c in changes for e in c.decision.effects if isinstance(e, OpenTask)}
    if not opened:
        return list(changes)
    first = accounts.take_ids(tx, account_id, "task", len(opened))
    ids = dict(zip(opened, range(first, first + len(opened)), strict=True))
    whom = {(c.enrollment.subject.resource_type, c.enrollment.subject.resource_id) for c in changes}
    found = people.find_many(tx, account_id, sorted(whom))
    account = accounts.get_account(tx, account_id)
    made, given = [], []
    for change in changes:
        e = change.enrollment
        if e.id in opened:
            person = found.get((e.subject.resource_type, e.subject.resource_id))
            values = task_values(person, account, accounts.get_user(tx, account_id, e.subject.actor_id))
            made.append(_task(tx.now, e, ids[e.id], opened[e.id].due_at, values))
            with_task = replace(change.decision, enrollment=structs.replace(e, task_id=ids[e.id]))
            change = replace(change, decision=with_task)
        given.append(change)
    tasks.add(tx, made)
    return given


def _task(now: datetime, enrollment: Enrollment, id: int, due_at: datetime, values: Mapping[str, Any]) -> Task:
    return Task(
        account_id=enrollment.account_id,
        id=id,
        owner_id=enrollment.subject.actor_id,
        creator_id=enrollment.subject.actor_id,
        resource_type=enrollment.subject.resource_type.value,
        resource_id=enrollment.subject.resource_id,
        content=compile_text(enrollment.step.task_content or "").render(values, now),
        due_at=due_at,
        completed_at=None,
        enrollment_id=enrollment.id,
        created_at=now,
        updated_at=now,
    )
