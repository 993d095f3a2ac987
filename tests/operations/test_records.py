"""People: what is stored of them, and what their changes mean for what runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.errors import IncorrectValue, NotFound
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.records import PersonFields, add_person, delete_person
from drumbeat.operations.tasks import complete
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import people
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import At
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def test_each_kind_has_ids_of_its_own(office: Office) -> None:
    assert [office.house.person("A").id, office.house.person("B", kind=PersonKind.LEAD).id] == [1, 1]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (PersonFields(email="no address"), "email"),
        (PersonFields(email="a@b@c.example"), "email"),
        (PersonFields(time_zone="Mars/Olympus"), "time_zone"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_stored(office: Office, fields: PersonFields, field: str) -> None:
    house, before = office.house, office.everything()
    with pytest.raises(IncorrectValue) as caught:
        office.transact(
            lambda tx: add_person(
                tx, house.world.hash_key, house.account_id, house.owner_id, PersonKind.CONTACT, fields
            )
        )
    assert caught.value.field == field
    assert office.everything() == before


def test_custom_fields_and_odd_names_come_back_as_they_were(office: Office) -> None:
    ada = office.change(
        office.house.person("Ada"), last_name="O'Łóve \U0001f375", custom={"tea": ["green", 2], "x": None}
    )
    with office.database.read() as snapshot:
        assert people.get(snapshot, office.house.account_id, ada.kind, ada.id) == ada
    assert ada.custom == {"tea": ["green", 2], "x": None}


def moved(office: Office, email: str | None, first: str = "ada@example.com") -> Person:
    """Ada, whose second letter is to go to another address."""
    ada = office.house.person("Ada", first)
    office.enroll(office.house.sequence(letter(), letter("1 hours"), name=first), ada)
    office.work()
    return office.change(ada, email=email)


def test_later_letters_go_to_the_new_address(office: Office) -> None:
    moved(office, "new@example.com")
    office.later(hours=1)
    assert office.recipients() == ["ada@example.com", "new@example.com"]


def test_a_new_address_is_in_the_history_once(office: Office) -> None:
    before = office.enroll(office.house.sequence(letter("1 hours")), ada := office.house.person())
    office.change(ada, email="new@example.com")
    office.later(hours=1)
    assert office.facts(before.id) == ["enrolled", "address_changed", "letter_sent", "finished"]
    assert office.house.enrollment(before.id).subject.address_hash == office.hash_of("new@example.com")


def test_an_address_written_differently_is_no_new_address(office: Office) -> None:
    ada = office.house.person("Ada", "ada@example.com")
    enrolled = office.enroll(office.house.sequence(letter("1 hours")), ada)
    before = office.house.enrollment(enrolled.id)
    office.change(ada, email="ADA@example.com")
    assert office.house.enrollment(enrolled.id) == before


def test_without_an_address_the_next_letter_blocks_until_there_is_one(office: Office) -> None:
    ada = moved(office, None)
    office.later(hours=1)
    blocked = office.house.enrollment(1)
    assert (blocked.state, blocked.failure_reason) == (State.BLOCKED, FailureReason.RECIPIENT_INVALID)
    office.change(ada, email="new@example.com")
    office.work()
    assert office.recipients() == ["ada@example.com", "new@example.com"]


def test_a_change_to_a_suppressed_address_ends_what_runs_at_once(office: Office) -> None:
    address = office.hash_of("out@example.com")
    office.transact(lambda tx: suppress(tx, office.house.account_id, address, Suppression.UNSUBSCRIBED, evidence="x"))
    moved(office, "out@example.com")
    assert office.house.enrollment(1).finished_reason is FinishedReason.SUBSCRIPTION_CANCELLED
    office.later(hours=1)
    assert office.recipients() == ["ada@example.com"]


def test_an_undeliverable_address_heals_when_it_changes_and_not_before(office: Office) -> None:
    office.sink.script = {(At.RCPT, "ada"): "550 5.1.1 no such user"}
    ada = office.house.person("Ada")
    enrolled = office.enroll(office.house.sequence(letter()), ada)
    office.work()
    assert office.house.enrollment(enrolled.id).failure_reason is FailureReason.RECIPIENT_INVALID
    office.change(ada, last_name="Lovelace")
    office.work()
    assert office.house.enrollment(enrolled.id).state is State.BLOCKED
    office.change(ada, email="ada.l@example.com")
    office.work()
    assert office.recipients() == ["ada.l@example.com"]


@pytest.mark.parametrize("days", [14, 15])
def test_nothing_heals_by_itself_after_two_weeks(office: Office, days: int) -> None:
    office.sink.script = {(At.RCPT, "ada"): "550 5.1.1 no such user"}
    ada, bob = office.house.person("Ada"), office.change(office.house.person("Bob"), first_name=None)
    sequence = office.house.sequence(letter())
    ids = [office.enroll(sequence, person).id for person in (ada, bob)]
    office.work()
    assert [office.house.enrollment(id).state for id in ids] == [State.BLOCKED] * 2
    office.clock.advance(timedelta(days=days))
    office.change(ada, email="ada.l@example.com")
    office.change(bob, first_name="Bob")
    office.work()
    healed = days == 14
    assert sorted(office.recipients()) == (["ada.l@example.com", "bob@example.com"] if healed else [])
    for id in ids:
        assert office.house.enrollment(id).is_ongoing is not healed
        office.set_state(id, State.FINISHED if healed else State.ACTIVE)
    office.work()
    assert sorted(office.recipients()) == ["ada.l@example.com", "bob@example.com"]


def test_two_runs_cannot_meet_at_one_address(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    ada, bob = office.house.person("Ada"), office.house.person("Bob")
    first, second = office.enroll(sequence, ada), office.enroll(sequence, bob)
    office.change(bob, email="ada@example.com")
    blocked = office.house.enrollment(second.id)
    assert (blocked.state, blocked.failure_reason) == (State.BLOCKED, FailureReason.RECIPIENT_INVALID)
    assert office.house.enrollment(first.id).state is State.ACTIVE
    office.later(hours=1)
    assert office.recipients() == ["ada@example.com"]


def test_a_run_that_met_another_goes_on_once_that_has_ended(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    ada, bob = office.house.person("Ada"), office.house.person("Bob")
    first, second = office.enroll(sequence, ada), office.enroll(sequence, bob)
    office.change(bob, email="ada@example.com")
    office.set_state(second.id, State.ACTIVE)
    office.work()
    assert office.house.enrollment(second.id).state is State.BLOCKED
    office.set_state(first.id, State.FINISHED)
    office.set_state(second.id, State.ACTIVE)
    office.work()
    assert office.recipients() == ["ada@example.com"]
    assert office.house.enrollment(second.id).subject.address_hash == office.hash_of("ada@example.com")


def test_a_run_that_met_another_during_a_task_blocks_at_its_next_letter(office: Office) -> None:
    sequence = office.house.sequence(task(), letter())
    ada, bob = office.house.person("Ada"), office.house.person("Bob")
    office.enroll(sequence, ada)
    second = office.enroll(sequence, bob)
    office.work()
    office.change(bob, email="ada@example.com")
    waiting = office.house.enrollment(second.id)
    assert waiting.status is ActionStatus.IN_PROGRESS
    office.transact(lambda tx: complete(tx, office.house.account_id, waiting.task_id or 0))
    office.work()
    blocked = office.house.enrollment(second.id)
    assert (blocked.state, blocked.failure_reason) == (State.BLOCKED, FailureReason.RECIPIENT_INVALID)
    assert office.sink.letters == []


def test_a_person_who_is_deleted_leaves_nothing_running(office: Office) -> None:
    house, ada = office.house, office.house.person()
    enrolled = office.enroll(house.sequence(letter("1 hours")), ada)
    office.transact(lambda tx: delete_person(tx, house.account_id, ada.kind, ada.id))
    assert house.enrollment(enrolled.id).finished_reason is FinishedReason.RESOURCE_DELETED
    office.later(hours=1)
    assert office.sink.letters == []
    with pytest.raises(NotFound):
        office.transact(lambda tx: delete_person(tx, house.account_id, ada.kind, ada.id))


def test_an_address_means_the_oldest_contact_left_that_has_it(office: Office) -> None:
    house = office.house
    first = house.person("A", "team@example.com")
    second, third = house.person("B", "team@example.com"), house.person("C", "team@example.com")
    sequence = house.sequence(letter("1 hours"), reenroll_after=timedelta(0))

    def meant() -> int | None:
        result = office.execute(sequence, "team@example.com").results[0]
        office.set_state(result.enrollment_id or 0, State.FINISHED)
        return result.contact_id

    assert meant() == first.id
    office.change(first, email="else@example.com")
    assert meant() == second.id
    office.transact(lambda tx: delete_person(tx, house.account_id, second.kind, second.id))
    assert meant() == third.id
