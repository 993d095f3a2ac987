"""Every row of the table of states, from outside in: what happens to an enrollment, and what shows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, State
from drumbeat.domain.errors import IncorrectValue, NotFound
from drumbeat.domain.happening import FinishRequested
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import Split
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.enrollments import finish_all, finish_ongoing, set_state
from drumbeat.operations.records import delete_person
from drumbeat.operations.tasks import complete, delete
from drumbeat.operations.unsubscribes import suppress, unsubscribe
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import CUT, At
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def active(office: Office) -> Enrollment:
    """Runs, with its first letter to come."""
    return office.enroll(office.house.sequence(letter("1 hours"), task()), office.house.person())


def with_task(office: Office) -> Enrollment:
    """Runs, with an open task."""
    enrolled = office.enroll(office.house.sequence(task(), letter()), office.house.person())
    office.work()
    return office.house.enrollment(enrolled.id)


def blocked(office: Office) -> Enrollment:
    """Blocked: its mailbox is off."""
    office.set_mailbox(is_active=False)
    enrolled = office.enroll(office.house.sequence(letter(), letter("1 hours")), office.house.person())
    office.work()
    return office.house.enrollment(enrolled.id)


def doubtful(office: Office) -> Enrollment:
    """Blocked in doubt: the connection broke behind the dot."""
    office.sink.script = {At.DOT: CUT}
    enrolled = office.enroll(office.house.sequence(letter(), letter("1 hours")), office.house.person())
    office.work()
    office.later(minutes=10, seconds=1)
    office.sink.script = {}
    return office.house.enrollment(enrolled.id)


def by_hand(office: Office, enrolled: Enrollment) -> None:
    office.set_state(enrolled.id, State.FINISHED)


def by_resource(office: Office, enrolled: Enrollment) -> None:
    subject, house = enrolled.subject, office.house
    office.transact(
        lambda tx: finish_ongoing(tx, house.account_id, subject.resource_type, subject.resource_id, [], house.owner_id)
    )


def by_reply(office: Office, enrolled: Enrollment) -> None:
    event = FinishRequested(FinishedReason.REPLIED_TO_EMAIL)
    office.transact(lambda tx: finish_all(tx, office.house.account_id, [enrolled.id], event))


def by_deletion(office: Office, enrolled: Enrollment) -> None:
    subject = enrolled.subject
    office.transact(lambda tx: delete_person(tx, office.house.account_id, subject.resource_type, subject.resource_id))


def by_unsubscribing(office: Office, enrolled: Enrollment) -> None:
    office.transact(lambda tx: unsubscribe(tx, office.house.account_id, enrolled.id, evidence="one-click"))


def by_complaint(office: Office, enrolled: Enrollment) -> None:
    address = office.hash_of("ada@example.com")
    office.transact(
        lambda tx: suppress(tx, office.house.account_id, address, Suppression.COMPLAINED, evidence="report")
    )


ENDS = [
    (by_hand, FinishedReason.MANUAL),
    (by_resource, FinishedReason.MANUAL),
    (by_reply, FinishedReason.REPLIED_TO_EMAIL),
    (by_deletion, FinishedReason.RESOURCE_DELETED),
    (by_unsubscribing, FinishedReason.SUBSCRIPTION_CANCELLED),
    (by_complaint, FinishedReason.SUBSCRIPTION_CANCELLED),
]


def test_enrolling_begins_active_at_position_zero_with_every_step_scheduled(office: Office) -> None:
    enrolled = active(office)
    assert (enrolled.state, enrolled.position) == (State.ACTIVE, 0)
    assert enrolled.created_at == enrolled.updated_at == office.clock.now
    stages = office.house.view(enrolled.id).stages
    assert [stage.status for stage in stages] == [ActionStatus.SCHEDULED] * 2
    assert [stage.estimated_at for stage in stages] == [office.clock.now + timedelta(hours=1)] * 2


def test_a_letter_that_cannot_go_blocks_and_later_steps_stay_scheduled(office: Office) -> None:
    enrolled = blocked(office)
    assert enrolled.state is State.BLOCKED
    first, second = office.house.view(enrolled.id).stages
    assert (first.status, first.failure_reason) == (ActionStatus.BLOCKED, FailureReason.SENDOUT_DISABLED)
    assert (second.status, second.failure_reason) == (ActionStatus.SCHEDULED, None)
    assert first.estimated_at is None
    assert second.estimated_at is None


def test_the_last_step_finishes_and_the_position_stays_at_it(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter(), letter("1 hours")), office.house.person())
    office.work()
    office.later(hours=1)
    done = office.house.enrollment(enrolled.id)
    assert (done.state, done.position) == (State.FINISHED, 1)
    assert (done.finished_reason, done.finished_actor_id) == (FinishedReason.ALL_STEPS_COMPLETED, None)
    assert done.finished_at == office.clock.now


@pytest.mark.parametrize("begin", [active, blocked, with_task])
@pytest.mark.parametrize(("end", "reason"), ENDS)
def test_each_end_finishes_what_runs_or_is_blocked(
    office: Office,
    begin: Callable[[Office], Enrollment],
    end: Callable[[Office, Enrollment], None],
    reason: FinishedReason,
) -> None:
    enrolled = begin(office)
    office.clock.advance(timedelta(minutes=5))
    end(office, enrolled)
    done = office.house.enrollment(enrolled.id)
    assert (done.state, done.finished_reason) == (State.FINISHED, reason)
    assert (done.finished_at, done.updated_at) == (office.clock.now, office.clock.now)
    assert done.finished_actor_id == (office.house.owner_id if reason is FinishedReason.MANUAL else None)
    for stage in office.house.view(enrolled.id).stages:
        assert stage.status is ActionStatus.CANCELLED
        assert (stage.executed_at, stage.estimated_at, stage.failure_reason, stage.task_id) == (None, None, None, None)
    assert office.count("SELECT count(*) FROM tasks") == 0
    assert office.count("SELECT count(*) FROM due") == 0
    office.set_mailbox(is_active=True)
    office.later(days=2)
    assert office.sink.letters == []


def test_the_first_cause_names_the_reason(office: Office) -> None:
    enrolled = active(office)
    by_reply(office, enrolled)
    before = office.house.enrollment(enrolled.id)
    office.clock.advance(timedelta(minutes=1))
    for end, _ in ENDS:
        end(office, enrolled) if end is not by_deletion else None
    assert office.house.enrollment(enrolled.id) == before


def test_deleting_a_person_decides_before_their_task_goes(office: Office) -> None:
    enrolled = with_task(office)
    by_deletion(office, enrolled)
    assert office.house.enrollment(enrolled.id).finished_reason is FinishedReason.RESOURCE_DELETED
    assert "task_deleted" not in "".join(office.facts(enrolled.id))


def test_deleting_the_open_task_finishes(office: Office) -> None:
    enrolled = with_task(office)
    task_id = enrolled.task_id or 0
    office.transact(lambda tx: delete(tx, office.house.account_id, task_id))
    done = office.house.enrollment(enrolled.id)
    assert (done.state, done.finished_reason) == (State.FINISHED, FinishedReason.TASK_DELETED)
    assert (done.finished_actor_id, done.task_id) == (None, None)


def test_resuming_tries_the_blocked_step_again_now(office: Office) -> None:
    enrolled = blocked(office)
    office.set_mailbox(is_active=True)
    office.clock.advance(timedelta(hours=3))
    resumed = office.set_state(enrolled.id, State.ACTIVE)
    assert (resumed.state, resumed.failure_reason) == (State.ACTIVE, None)
    assert resumed.due_at == office.clock.now
    office.work()
    assert office.recipients() == ["ada@example.com"]
    assert office.house.enrollment(enrolled.id).position == 1


def test_resuming_while_the_cause_stands_blocks_again(office: Office) -> None:
    enrolled = blocked(office)
    office.set_state(enrolled.id, State.ACTIVE)
    office.work()
    again = office.house.enrollment(enrolled.id)
    assert (again.state, again.failure_reason) == (State.BLOCKED, FailureReason.SENDOUT_DISABLED)


def test_resuming_a_doubt_counts_as_sent(office: Office) -> None:
    enrolled = doubtful(office)
    assert (enrolled.state, enrolled.failure_reason) == (State.BLOCKED, FailureReason.UNKNOWN)
    resumed = office.set_state(enrolled.id, State.ACTIVE)
    assert (resumed.state, resumed.position) == (State.ACTIVE, 1)
    first = office.house.view(enrolled.id).stages[0]
    assert (first.status, first.executed_at) == (ActionStatus.COMPLETED, office.clock.now)
    office.work()
    assert office.sink.letters == []
    assert office.delivered(enrolled.id) == ["accepted"]


def test_finishing_a_blocked_doubt_leaves_the_letter_in_progress(office: Office) -> None:
    enrolled = doubtful(office)
    done = office.set_state(enrolled.id, State.FINISHED)
    assert (done.state, done.status) == (State.FINISHED, ActionStatus.IN_PROGRESS)
    office.later(days=1)
    assert office.house.enrollment(enrolled.id) == done


@pytest.mark.parametrize("state", [State.ACTIVE, State.BLOCKED])
def test_finished_stays_finished(office: Office, state: State) -> None:
    enrolled = active(office)
    by_hand(office, enrolled)
    before = office.everything()
    with pytest.raises(IncorrectValue) as caught:
        office.set_state(enrolled.id, state)
    assert caught.value.field == "state"
    assert office.everything() == before


def test_nobody_can_set_blocked(office: Office) -> None:
    enrolled = active(office)
    with pytest.raises(IncorrectValue) as caught:
        office.set_state(enrolled.id, State.BLOCKED)
    assert caught.value.field == "state"


@pytest.mark.parametrize("begin", [active, blocked, with_task])
def test_setting_the_state_it_has_changes_nothing(office: Office, begin: Callable[[Office], Enrollment]) -> None:
    enrolled = begin(office)
    before = office.everything()
    office.clock.advance(timedelta(minutes=1))
    assert office.set_state(enrolled.id, enrolled.state).updated_at == enrolled.updated_at
    assert office.everything() == before


def test_finishing_twice_changes_nothing(office: Office) -> None:
    enrolled = active(office)
    by_hand(office, enrolled)
    before = office.everything()
    office.clock.advance(timedelta(minutes=1))
    by_hand(office, enrolled)
    by_resource(office, enrolled)
    assert office.everything() == before


def test_an_unknown_enrollment_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound):
        office.transact(lambda tx: set_state(tx, office.house.account_id, 99, State.FINISHED, office.house.owner_id))


def test_finish_ongoing_without_sequences_finishes_all_of_that_person_only(office: Office) -> None:
    house, ada = office.house, office.house.person("Ada")
    one, two = house.sequence(letter("1 hours"), name="1"), house.sequence(task("1 hours"), name="2")
    ids = [office.enroll(one, ada).id, office.enroll(two, ada).id]
    other = office.enroll(one, house.person("Bob"))
    office.enroll(one, house.person("Cleo", kind=PersonKind.LEAD))
    done = office.transact(
        lambda tx: finish_ongoing(tx, house.account_id, PersonKind.CONTACT, ada.id, [], house.owner_id)
    )
    assert [each.id for each in done] == ids
    assert all(each.finished_reason is FinishedReason.MANUAL for each in done)
    assert house.enrollment(other.id).state is State.ACTIVE
    assert office.count("SELECT count(*) FROM enrollments WHERE state = 'active'") == 2


def test_finish_ongoing_names_the_addressed_and_the_running_sequence_alike(office: Office) -> None:
    house = office.house
    b = house.sequence(letter("1 hours"), name="B")
    a = house.sequence(letter("1 hours"), name="A", split=Split(b.id, 99))
    other = house.sequence(letter("1 hours"), name="Other")
    for number, named in enumerate([a.id, b.id]):
        person = house.person(f"P{number}")
        runs_b = office.enroll(a, person)
        while runs_b.subject.runs_sequence_id != b.id:
            person = house.person(f"R{person.id}")
            runs_b = office.enroll(a, person)
        kept = office.enroll(other, person)
        done = office.transact(
            lambda tx, p=person, n=named: finish_ongoing(tx, house.account_id, p.kind, p.id, [n], house.owner_id)  # type: ignore[misc]
        )
        assert [each.id for each in done] == [runs_b.id]
        assert house.enrollment(kept.id).state is State.ACTIVE


def test_finish_ongoing_with_an_unknown_sequence_finishes_nothing(office: Office) -> None:
    enrolled = active(office)
    house, subject = office.house, enrolled.subject
    done = office.transact(
        lambda tx: finish_ongoing(tx, house.account_id, PersonKind.CONTACT, subject.resource_id, [77], house.owner_id)
    )
    assert done == []
    assert house.enrollment(enrolled.id).state is State.ACTIVE


def test_completing_the_task_completes_the_step_and_the_next_one_waits_from_then(office: Office) -> None:
    sequence = office.house.sequence(task(), letter("2 hours"))
    enrolled = office.enroll(sequence, office.house.person())
    office.work()
    office.clock.advance(timedelta(hours=30))
    task_id = office.house.enrollment(enrolled.id).task_id or 0
    office.transact(lambda tx: complete(tx, office.house.account_id, task_id))
    now = office.house.enrollment(enrolled.id)
    assert (now.position, now.status, now.due_at) == (
        1,
        ActionStatus.SCHEDULED,
        office.clock.now + timedelta(hours=2),
    )
    assert office.house.view(enrolled.id).stages[0].executed_at == office.clock.now


def test_resuming_after_no_such_user_tries_the_address_once_more(office: Office) -> None:
    office.sink.script = {At.RCPT: "550 5.1.1 no such user"}
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    office.set_state(enrolled.id, State.ACTIVE)
    office.work()
    assert office.house.enrollment(enrolled.id).failure_reason is FailureReason.RECIPIENT_INVALID
    office.sink.script = {}
    office.set_state(enrolled.id, State.ACTIVE)
    office.work()
    assert office.recipients() == ["ada@example.com"]


def test_what_ends_leaves_no_letter_waiting_for_another_try(office: Office) -> None:
    office.sink.script = {At.DOT: "451 4.3.0 later"}
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    assert office.delivered(enrolled.id) == ["queued"]
    office.set_state(enrolled.id, State.FINISHED)
    (closed,) = office.deliveries(enrolled.id)
    assert (closed.status, closed.reply) == ("refused", "not sent: the enrollment ended first")
