"""Undoing a reply that was none: another enrollment goes on where the reply ended one."""

from __future__ import annotations

from collections.abc import Mapping

from drumbeat.domain.enrollment import ActionStatus, Done, Enrollment, FinishedReason
from drumbeat.domain.errors import AlreadyExists, IncorrectValue, NotFound
from drumbeat.domain.happening import Continued
from drumbeat.domain.machine import go_on
from drumbeat.domain.person import Person
from drumbeat.operations.changes import apply, lane_of
from drumbeat.operations.enrollments import already_enrolled, check_person
from drumbeat.store import accounts, actions, enrollments, events, lanes, people, retention, sequences
from drumbeat.store.transaction import Tx


def undo_reply(tx: Tx, account_id: int, id: int, actor_id: int, *, seen_by: int | None = None) -> Enrollment:
    """Go on after what was not a reply: a new enrollment with the steps done so far and the delay left.

    Refused unless a reply ended the enrollment, once for each, and while the person runs the sequence again.
    """
    enrollments.get(tx, account_id, id, seen_by=seen_by)
    accounts.lock_ids(tx, account_id, "enrollment")
    (ended,) = enrollments.lock(tx, account_id, [id])
    _check(ended)
    if retention.is_emptied(tx, account_id, id):
        raise IncorrectValue("Its letters were kept long enough and are gone: enroll anew.", field="enrollment_id")
    person = _person_of(tx, ended)
    done = actions.list_of(tx, account_id, [id])[id]
    before = done.get(ended.position - 1)
    new_id = accounts.take_ids(tx, account_id, "enrollment")
    last_done_at = None if before is None else before.executed_at
    decision = go_on(ended, new_id, person.address_hash, last_done_at, tx.now, actor_id)
    _add(tx, decision.enrollment, done)
    events.add(tx, account_id, [(new_id, 0, decision.facts)])
    enrollments.link(tx, account_id, id, new_id)
    apply(tx, ended, Continued(new_id, actor_id))
    return enrollments.get(tx, account_id, new_id)


def _check(ended: Enrollment) -> None:
    if ended.finished_reason is not FinishedReason.REPLIED_TO_EMAIL:
        raise IncorrectValue("Only an enrollment that a reply has ended can go on.", field="enrollment_id")
    if ended.continued_by_id is not None:
        detail = f"Enrollment {ended.continued_by_id} goes on with it already."
        raise AlreadyExists(detail, field="enrollment_id")
    if ended.letter_is_out:
        raise IncorrectValue("A letter of it is still on its way, or in doubt; settle it.", field="enrollment_id")
    if ended.status is ActionStatus.COMPLETED:
        raise IncorrectValue("Every step of it was completed.", field="enrollment_id")


def _person_of(tx: Tx, ended: Enrollment) -> Person:
    """Whom it goes on for, if they may be enrolled and run nothing of it again."""
    account_id, subject = ended.account_id, ended.subject
    person = people.find(tx, account_id, subject.resource_type, subject.resource_id)
    if person is None:
        raise NotFound(f"There is no {subject.resource_type} {subject.resource_id}.")
    version = sequences.get_version(tx, account_id, subject.runs_sequence_id, subject.version)
    check_person(tx, account_id, person, version)
    for sequence_id in dict.fromkeys((subject.sequence_id, subject.runs_sequence_id)):
        whom = [(person.id, person.address_hash)]
        found = already_enrolled(tx, account_id, sequence_id, person.kind, whom, None)
        if found:
            detail = f"The {person.kind} runs this sequence again: enrollment {found[person.id].enrollment_id}."
            raise AlreadyExists(detail, field="enrollment_id")
    return person


def _add(tx: Tx, going_on: Enrollment, done: Mapping[int, Done]) -> None:
    account_id = going_on.account_id
    user = accounts.get_user(tx, account_id, going_on.subject.actor_id)
    lane = lane_of(going_on, user.mailbox_id)
    enrollments.add(tx, [(going_on, lane)])
    actions.add(tx, account_id, [(going_on.id, each) for _, each in sorted(done.items())])
    if going_on.due_at is not None:
        lanes.wake(tx, account_id, [(lane, going_on.due_at)])
