"""Enrolling one person: what is refused and on which field, and who may run a sequence twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.account import UserStatus
from drumbeat.domain.enrollment import FinishedReason, State
from drumbeat.domain.errors import AlreadyExists, IncorrectValue, Invalid, InvalidMany, SequencesDisabled
from drumbeat.domain.happening import FinishRequested
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import Sequence, SequenceStatus, Split
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.domain.variant import Variant
from drumbeat.operations.enrollments import EnrollRequest, enroll, finish_all
from drumbeat.operations.sequences import SequenceSettings, create, set_status
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store.database import Database
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def refusal(office: Office, request: EnrollRequest) -> Invalid:
    """What enrolling raises; nothing may be stored."""
    house, before = office.house, office.everything()
    with pytest.raises(Invalid) as caught:
        office.transact(lambda tx: enroll(tx, house.world.hash_key, house.account_id, house.owner_id, request))
    assert office.everything() == before
    return caught.value


def paused(office: Office) -> Sequence:
    """A paused sequence."""
    return status(office, office.house.sequence(letter(), name="Paused"), SequenceStatus.PAUSED)


def status(office: Office, sequence: Sequence, status: SequenceStatus) -> Sequence:
    """The sequence in another status."""
    house = office.house
    return office.transact(lambda tx: set_status(tx, house.account_id, sequence.id, status, house.owner_id))


def archived(office: Office) -> Sequence:
    """An archived sequence."""
    return status(office, office.house.sequence(letter(), name="Archived"), SequenceStatus.ARCHIVED)


def draft(office: Office) -> Sequence:
    """A sequence without steps."""
    house = office.house
    return office.transact(lambda tx: create(tx, house.account_id, house.owner_id, SequenceSettings("Draft")))


@pytest.mark.parametrize("make", [paused, archived, draft])
def test_a_sequence_that_is_not_active_is_an_incorrect_sequence_id(
    office: Office, make: Callable[[Office], Sequence]
) -> None:
    error = refusal(office, EnrollRequest(make(office).id, PersonKind.CONTACT, office.house.person().id))
    assert isinstance(error, IncorrectValue)
    assert error.field == "sequence_id"


def test_an_active_sequence_without_steps_is_an_incorrect_sequence_id(office: Office) -> None:
    sequence = office.house.sequence(letter())
    office.run(f"UPDATE sequences SET version = 0 WHERE id = {sequence.id}")
    error = refusal(office, EnrollRequest(sequence.id, PersonKind.CONTACT, office.house.person().id))
    assert (type(error), error.field) == (IncorrectValue, "sequence_id")


def test_an_unknown_sequence_and_an_unknown_person_are_incorrect_values(office: Office) -> None:
    sequence, person = office.house.sequence(letter()), office.house.person()
    assert refusal(office, EnrollRequest(99, person.kind, person.id)).field == "sequence_id"
    assert refusal(office, EnrollRequest(sequence.id, PersonKind.CONTACT, 99)).field == "resource_id"


def test_a_contacts_id_does_not_name_a_lead(office: Office) -> None:
    sequence, contact = office.house.sequence(letter()), office.house.person()
    error = refusal(office, EnrollRequest(sequence.id, PersonKind.LEAD, contact.id))
    assert (type(error), error.field) == (IncorrectValue, "resource_id")


def test_an_unknown_or_inactive_actor_is_an_incorrect_actor_id(office: Office) -> None:
    sequence, person = office.house.sequence(letter()), office.house.person()
    gone = office.add_user(status=UserStatus.INACTIVE)
    for actor_id in (0, 99, gone.id):
        error = refusal(office, EnrollRequest(sequence.id, person.kind, person.id, actor_id))
        assert (type(error), error.field) == (IncorrectValue, "actor_id")


def test_without_an_actor_the_caller_is_the_actor(office: Office) -> None:
    sam = office.add_user()
    sequence, person = office.house.sequence(letter()), office.house.person()
    request = EnrollRequest(sequence.id, person.kind, person.id)
    house = office.house
    enrolled = office.transact(lambda tx: enroll(tx, house.world.hash_key, house.account_id, sam.id, request))
    assert enrolled.subject.actor_id == sam.id


def test_the_named_actor_sends_and_not_the_caller(office: Office) -> None:
    sam = office.add_user()
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person(), actor_id=sam.id)
    assert enrolled.subject.actor_id == sam.id


def test_several_wrong_fields_are_told_at_once(office: Office) -> None:
    house = office.house
    with pytest.raises(InvalidMany) as caught:
        office.transact(
            lambda tx: enroll(
                tx,
                house.world.hash_key,
                house.account_id,
                house.owner_id,
                EnrollRequest(98, PersonKind.LEAD, 99, 97),
            )
        )
    assert [error.field for error in caught.value.errors] == ["sequence_id", "resource_id", "actor_id"]


def test_a_suppressed_person_is_an_incorrect_resource_id_even_for_tasks(office: Office) -> None:
    person = office.house.person()
    office.transact(
        lambda tx: suppress(
            tx, office.house.account_id, office.hash_of("ada@example.com"), Suppression.SUPPRESSED, evidence="asked"
        )
    )
    for sequence in (office.house.sequence(letter()), office.house.sequence(task(), name="Calls")):
        error = refusal(office, EnrollRequest(sequence.id, person.kind, person.id))
        assert (type(error), error.field) == (IncorrectValue, "resource_id")


def test_a_lead_with_the_address_of_somebody_suppressed_is_refused_too(office: Office) -> None:
    lead = office.house.person("Ada", "ADA@example.com", PersonKind.LEAD)
    office.transact(
        lambda tx: suppress(
            tx, office.house.account_id, office.hash_of("ada@EXAMPLE.com"), Suppression.COMPLAINED, evidence="fbl"
        )
    )
    assert refusal(office, EnrollRequest(office.house.sequence(letter()).id, lead.kind, lead.id)).field == "resource_id"


def test_who_has_no_address_cannot_run_letters(office: Office) -> None:
    nobody = office.nobody()
    sequence = office.house.sequence(task(), letter("1 hours"))
    error = refusal(office, EnrollRequest(sequence.id, nobody.kind, nobody.id))
    assert (type(error), error.field) == (IncorrectValue, "resource_id")


def test_tasks_alone_need_neither_address_nor_mailbox(office: Office) -> None:
    sam, nobody = office.add_user(), office.nobody()
    enrolled = office.enroll(office.house.sequence(task()), nobody, actor_id=sam.id)
    office.work()
    assert office.house.enrollment(enrolled.id).task_id is not None


def test_an_actor_without_a_mailbox_is_allowed(office: Office) -> None:
    sam = office.add_user()
    enrolled = office.enroll(office.house.sequence(letter("1 hours")), office.house.person(), actor_id=sam.id)
    assert enrolled.state is State.ACTIVE
    assert office.lane(enrolled.id) == NO_MAILBOX


def test_sequences_switched_off_refuse_everybody(office: Office) -> None:
    sequence, person = office.house.sequence(letter()), office.house.person()
    office.set_account(sequences_enabled=False)
    with pytest.raises(SequencesDisabled):
        office.enroll(sequence, person)


def test_a_second_one_already_exists_while_the_first_is_active(office: Office) -> None:
    sequence, person = office.house.sequence(letter("5 hours")), office.house.person()
    first = office.enroll(sequence, person)
    office.clock.advance(timedelta(hours=3))
    error = refusal(office, EnrollRequest(sequence.id, person.kind, person.id))
    assert (type(error), error.field) == (AlreadyExists, "resource_id")
    assert str(first.id) in error.detail


def test_a_second_one_already_exists_while_the_first_is_blocked(office: Office) -> None:
    sequence, person = office.house.sequence(letter()), office.house.person()
    first = office.enroll(sequence, person, actor_id=office.add_user().id)
    office.work()
    assert office.house.enrollment(first.id).state is State.BLOCKED
    office.clock.advance(timedelta(days=30))
    assert isinstance(refusal(office, EnrollRequest(sequence.id, person.kind, person.id)), AlreadyExists)


def test_who_was_enrolled_within_a_minute_already_exists_though_finished(office: Office) -> None:
    sequence, person = office.house.sequence(letter()), office.house.person()
    office.enroll(sequence, person)
    office.work()
    office.clock.advance(timedelta(seconds=59))
    assert isinstance(refusal(office, EnrollRequest(sequence.id, person.kind, person.id)), AlreadyExists)
    office.clock.advance(timedelta(seconds=1))
    assert office.enroll(sequence, person, limited=True).state is State.ACTIVE


def test_a_run_finished_by_hand_may_begin_again_at_once(office: Office) -> None:
    sequence, person = office.house.sequence(letter("1 hours")), office.house.person()
    first = office.enroll(sequence, person)
    office.set_state(first.id, State.FINISHED)
    second = office.enroll(sequence, person, limited=True)
    assert second.id > first.id


def test_a_run_finished_by_a_reply_may_not_begin_again_at_once(office: Office) -> None:
    sequence, person = office.house.sequence(letter("1 hours")), office.house.person()
    first = office.enroll(sequence, person)
    event = FinishRequested(FinishedReason.REPLIED_TO_EMAIL)
    office.transact(lambda tx: finish_all(tx, office.house.account_id, [first.id], event))
    assert isinstance(refusal(office, EnrollRequest(sequence.id, person.kind, person.id)), AlreadyExists)


def test_a_sequence_says_itself_how_soon_somebody_may_run_it_again(office: Office) -> None:
    sequence = office.house.sequence(letter(), reenroll_after=timedelta(days=7))
    person = office.house.person()
    office.enroll(sequence, person)
    office.work()
    office.clock.advance(timedelta(days=6))
    assert isinstance(refusal(office, EnrollRequest(sequence.id, person.kind, person.id)), AlreadyExists)


@pytest.mark.parametrize("first", PersonKind)
def test_a_lead_and_a_contact_with_one_address_are_one_human(office: Office, first: PersonKind) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    people: dict[PersonKind, Person] = {
        kind: office.house.person("Ada", "Ada@Example.com" if kind is first else "ada@example.com", kind)
        for kind in PersonKind
    }
    other = next(kind for kind in PersonKind if kind is not first)
    office.enroll(sequence, people[first])
    error = refusal(office, EnrollRequest(sequence.id, other, people[other].id))
    assert (type(error), error.field) == (AlreadyExists, "resource_id")


def test_one_person_may_run_two_sequences(office: Office) -> None:
    person = office.house.person()
    office.enroll(office.house.sequence(letter(), name="One"), person)
    assert office.enroll(office.house.sequence(letter(), name="Two"), person).state is State.ACTIVE


def test_ab_enrolls_in_the_persons_variant_and_keeps_it(office: Office) -> None:
    house = office.house
    b = house.sequence(letter("2 hours"), letter("1 hours"), name="B")
    a = house.sequence(letter("1 hours"), name="A", split=Split(b.id, 50))
    seen = set()
    for number in range(12):
        person = house.person(f"P{number}")
        first = office.enroll(a, person)
        runs = {Variant.A: a.id, Variant.B: b.id}
        assert first.subject.variant is not None
        assert first.subject.sequence_id == a.id
        assert first.subject.runs_sequence_id == runs[first.subject.variant]
        assert len(first.plan.steps) == (2 if first.subject.variant is Variant.B else 1)
        office.set_state(first.id, State.FINISHED)
        assert office.enroll(a, person).subject.variant is first.subject.variant
        seen.add(first.subject.variant)
    assert seen == set(Variant)


@pytest.mark.parametrize("make", [paused, draft])
def test_an_unavailable_variant_is_an_incorrect_sequence_id(office: Office, make: Callable[[Office], Sequence]) -> None:
    b = make(office)
    a = office.house.sequence(letter(), name="A", split=Split(b.id, 1))
    person = office.house.person()
    error = refusal(office, EnrollRequest(a.id, person.kind, person.id))
    assert (type(error), error.field) == (IncorrectValue, "sequence_id")


def test_who_runs_b_directly_is_not_enrolled_in_b_through_a(office: Office) -> None:
    b = office.house.sequence(letter("1 hours"), name="B")
    a = office.house.sequence(letter("1 hours"), name="A", split=Split(b.id, 99))
    person = office.house.person("Q")
    probe = office.enroll(a, person)
    while probe.subject.variant is not Variant.B:
        person = office.house.person(f"Q{person.id}")
        probe = office.enroll(a, person)
    office.set_state(probe.id, State.FINISHED)
    office.enroll(b, person)
    error = refusal(office, EnrollRequest(a.id, person.kind, person.id))
    assert (type(error), error.field) == (AlreadyExists, "resource_id")
