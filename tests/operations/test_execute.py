"""Executing a sequence for many contacts: one result each, all in one transaction or nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.account import UserStatus
from drumbeat.domain.enrollment import FinishedReason, State
from drumbeat.domain.errors import (
    ActorUnavailable,
    DrumbeatError,
    NoEligibleContacts,
    NotFound,
    SequenceEmpty,
    SequenceNotActive,
    SequencesDisabled,
    VariantUnavailable,
)
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import Sequence, SequenceStatus, Split
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.domain.variant import Variant
from drumbeat.operations.execute import ContactInput, ContactStatus, execute
from drumbeat.operations.records import delete_person
from drumbeat.operations.sequences import SequenceSettings, change_settings, set_status, settings_of
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import people
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from tests.operations.office import Office, opened

QUEUED, ALREADY = ContactStatus.QUEUED, ContactStatus.ALREADY_ENROLLED
INVALID, UNSUBSCRIBED, DUPLICATE = ContactStatus.INVALID, ContactStatus.UNSUBSCRIBED, ContactStatus.DUPLICATE


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def suppressed(office: Office, email: str) -> None:
    """Somebody who asked out."""
    office.transact(
        lambda tx: suppress(
            tx, office.house.account_id, office.hash_of(email), Suppression.UNSUBSCRIBED, evidence="one-click"
        )
    )


def contact(office: Office, id: int | None) -> Person:
    """A contact as stored."""
    assert id is not None
    with office.database.read() as snapshot:
        return people.get(snapshot, office.house.account_id, PersonKind.CONTACT, id)


def refused(office: Office, error: type[DrumbeatError], sequence_id: int, *emails: str) -> DrumbeatError:
    """What executing raises; every row of every table is as it was."""
    before = office.everything()
    with pytest.raises(error) as caught:
        office.execute(Numbered(sequence_id), *emails)  # type: ignore[arg-type]
    assert office.everything() == before
    return caught.value


class Numbered:
    """Something with the id of a sequence, there or not."""

    def __init__(self, id: int) -> None:
        self.id = id


def test_a_mixed_batch_answers_in_order(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    suppressed(office, "out@example.com")
    running = office.execute(sequence, "runs@example.com").results[0]
    given = [
        "new@example.com",
        "RUNS@example.com",
        "no address",
        "out@example.com",
        "New@Example.com",
        "two@example.com",
    ]
    done = office.execute(sequence, *given)
    assert [result.status for result in done.results] == [QUEUED, ALREADY, INVALID, UNSUBSCRIBED, DUPLICATE, QUEUED]
    assert [result.email for result in done.results] == given
    assert done.results[1].enrollment_id == running.enrollment_id
    assert done.results[1].contact_id == running.contact_id
    assert done.results[2].reason is not None
    assert done.results[2].reason.startswith("email: ")
    assert done.queued == 2
    assert all(result.variant is None for result in done.results)
    for result in (done.results[0], done.results[5]):
        assert result.enrollment_id is not None
        enrolled = office.house.enrollment(result.enrollment_id)
        assert enrolled.subject.resource_id == result.contact_id
    assert office.count("SELECT count(*) FROM people") == 3


def test_a_phone_number_without_a_country_is_invalid_with_its_reason(office: Office) -> None:
    done = office.execute(
        office.house.sequence(letter()),
        ContactInput("a@example.com", phone="12"),
        ContactInput("b@example.com", phone=" "),
    )
    assert [result.status for result in done.results] == [INVALID, QUEUED]
    assert (done.results[0].reason or "").startswith("phone: ")


def test_an_unknown_sequence_is_not_found(office: Office) -> None:
    refused(office, NotFound, 99, "a@example.com")


@pytest.mark.parametrize("status", [SequenceStatus.PAUSED, SequenceStatus.ARCHIVED])
def test_a_sequence_that_is_not_active_takes_nobody(office: Office, status: SequenceStatus) -> None:
    house, sequence = office.house, office.house.sequence(letter())
    office.transact(lambda tx: set_status(tx, house.account_id, sequence.id, status, house.owner_id))
    refused(office, SequenceNotActive, sequence.id, "a@example.com")


def test_a_sequence_without_steps_takes_nobody(office: Office) -> None:
    sequence = office.house.sequence(letter())
    office.run(f"UPDATE sequences SET version = 0 WHERE id = {sequence.id}")
    refused(office, SequenceEmpty, sequence.id, "a@example.com")


def test_sequences_switched_off_take_nobody(office: Office) -> None:
    sequence = office.house.sequence(letter())
    office.set_account(sequences_enabled=False)
    refused(office, SequencesDisabled, sequence.id, "a@example.com")


def test_an_unavailable_variant_takes_nobody(office: Office) -> None:
    house, b = office.house, office.house.sequence(letter(), name="B")
    a = house.sequence(letter(), name="A", split=Split(b.id, 1))
    office.transact(lambda tx: set_status(tx, house.account_id, b.id, SequenceStatus.PAUSED, house.owner_id))
    refused(office, VariantUnavailable, a.id, "a@example.com")


def test_nobody_to_act_takes_nobody(office: Office) -> None:
    sequence = office.house.sequence(letter())
    office.set_user(office.house.owner_id, status=UserStatus.INACTIVE)
    refused(office, ActorUnavailable, sequence.id, "a@example.com")


def test_the_sequences_default_actor_acts_while_active_and_else_the_caller(office: Office) -> None:
    sam = office.add_user()
    sequence = office.house.sequence(letter("1 hours"), default_actor_id=sam.id)
    first = office.execute(sequence, "a@example.com").results[0].enrollment_id or 0
    office.set_user(sam.id, status=UserStatus.INACTIVE)
    second = office.execute(sequence, "b@example.com").results[0].enrollment_id or 0
    assert office.house.enrollment(first).subject.actor_id == sam.id
    assert office.house.enrollment(second).subject.actor_id == office.house.owner_id


def test_when_everybody_is_invalid_or_unsubscribed_the_refusal_tells_each(office: Office) -> None:
    sequence = office.house.sequence(letter())
    suppressed(office, "out@example.com")
    error = refused(office, NoEligibleContacts, sequence.id, "nope", "out@example.com", "OUT@example.com")
    assert isinstance(error, NoEligibleContacts)
    assert [result["status"] for result in error.results] == [INVALID, UNSUBSCRIBED, DUPLICATE]
    assert error.results[0]["email"] == "nope"
    assert str(error.results[0]["reason"]).startswith("email: ")


def test_when_everybody_runs_already_that_is_no_refusal(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    office.execute(sequence, "a@example.com")
    again = office.execute(sequence, "a@example.com")
    assert [result.status for result in again.results] == [ALREADY]
    assert again.queued == 0


def test_empty_fields_are_filled_and_filled_ones_stay(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    first = office.execute(sequence, ContactInput("a@example.com", "Ada", " ", None)).results[0]
    office.clock.advance(timedelta(minutes=1))
    office.execute(sequence, ContactInput("A@example.com", "Eve", "Lovelace", "+15551234567"))
    person = contact(office, first.contact_id)
    assert (person.first_name, person.last_name, person.phone) == ("Ada", "Lovelace", "+15551234567")
    assert person.updated_at == office.clock.now
    office.clock.advance(timedelta(minutes=1))
    office.execute(sequence, ContactInput("a@example.com", "", None, ""))
    assert contact(office, first.contact_id) == person


def test_a_contact_made_before_is_the_one_enrolled_and_a_lead_is_not(office: Office) -> None:
    office.house.person("Ada", "ada@example.com", PersonKind.LEAD)
    ada = office.house.person("Ada", "Ada@example.com")
    result = office.execute(office.house.sequence(letter()), "ada@example.com").results[0]
    assert result.contact_id == ada.id
    assert office.house.enrollment(result.enrollment_id or 0).subject.resource_type is PersonKind.CONTACT


def test_another_contact_with_the_address_is_found_once_the_first_is_gone(office: Office) -> None:
    house = office.house
    first, second = house.person("Ada", "team@example.com"), house.person("Bob", "team@example.com")
    office.transact(lambda tx: delete_person(tx, house.account_id, first.kind, first.id))
    result = office.execute(house.sequence(letter()), "team@example.com").results[0]
    assert result.contact_id == second.id
    assert office.count("SELECT count(*) FROM people") == 1


def test_filling_a_field_lets_go_on_what_lacked_it(office: Office) -> None:
    blocked = office.execute(office.house.sequence(letter()), "a@example.com").results[0]
    office.work()
    assert office.house.enrollment(blocked.enrollment_id or 0).state is State.BLOCKED
    office.execute(office.house.sequence(letter("9 hours"), name="Later"), ContactInput("a@example.com", "Ada"))
    office.work()
    assert office.recipients() == ["a@example.com"]


def test_a_call_repeated_within_a_day_names_the_finished_run(office: Office) -> None:
    sequence = office.house.sequence(letter())
    first = office.execute(sequence, ContactInput("a@example.com", "Ada")).results[0]
    office.work()
    done = office.house.enrollment(first.enrollment_id or 0)
    assert done.finished_reason is FinishedReason.ALL_STEPS_COMPLETED
    office.clock.advance(timedelta(hours=23, minutes=59))
    again = office.execute(sequence, "a@example.com").results[0]
    assert (again.status, again.enrollment_id) == (ALREADY, first.enrollment_id)
    office.clock.advance(timedelta(minutes=1))
    fresh = office.execute(sequence, "a@example.com").results[0]
    assert fresh.status is QUEUED
    assert fresh.enrollment_id != first.enrollment_id


def test_a_run_finished_by_hand_does_not_stand_in_the_way(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    first = office.execute(sequence, "a@example.com").results[0]
    office.set_state(first.enrollment_id or 0, State.FINISHED)
    again = office.execute(sequence, "a@example.com").results[0]
    assert again.status is QUEUED
    assert again.contact_id == first.contact_id


def test_the_share_of_b_is_the_configured_one_and_a_changed_share_moves_nobody(office: Office) -> None:
    house = office.house
    b = house.sequence(letter("1 hours"), letter("1 hours"), name="B")
    a = house.sequence(letter("1 hours"), name="A", split=Split(b.id, 30))
    emails = [f"p{n}@example.com" for n in range(500)]
    first = {result.email: result for result in office.execute(a, *emails).results}
    share = sum(result.variant is Variant.B for result in first.values()) / len(emails)
    assert 0.2 < share < 0.4
    one = next(result for result in first.values() if result.variant is Variant.B)
    runs = house.enrollment(one.enrollment_id or 0).subject
    assert (runs.sequence_id, runs.runs_sequence_id) == (a.id, b.id)
    draft: SequenceSettings = settings_of(a)
    office.transact(
        lambda tx: change_settings(
            tx,
            house.account_id,
            a.id,
            SequenceSettings(draft.name, split=Split(b.id, 99), reenroll_after=timedelta(0)),
            house.owner_id,
        )
    )
    office.run("UPDATE enrollments SET state = 'finished'")
    second = office.execute(a, *emails).results
    assert all(result.status is QUEUED for result in second)
    assert all(result.variant is first[result.email].variant for result in second)


def test_who_runs_b_through_a_counts_as_enrolled_in_a(office: Office) -> None:
    b = office.house.sequence(letter("1 hours"), name="B")
    a = office.house.sequence(letter("1 hours"), name="A", split=Split(b.id, 50))
    first = office.execute(a, *(f"p{n}@example.com" for n in range(10)))
    again = office.execute(a, *(f"p{n}@example.com" for n in range(10)))
    assert [result.status for result in again.results] == [ALREADY] * 10
    assert [r.enrollment_id for r in again.results] == [r.enrollment_id for r in first.results]


def test_who_is_enrolled_answers_the_variant_they_run_and_is_given_no_other(office: Office) -> None:
    house = office.house
    b = house.sequence(letter("1 hours"), name="B")
    a = house.sequence(letter("1 hours"), name="A")
    (alone,) = office.execute(a, "early@example.com").results
    tested = replace(settings_of(a), split=Split(b.id, 99))
    office.transact(lambda tx: change_settings(tx, house.account_id, a.id, tested, house.owner_id))
    (again,) = office.execute(a, "early@example.com").results
    assert (again.status, again.variant, again.enrollment_id) == (ALREADY, None, alone.enrollment_id)
    assert office.count("SELECT count(*) FROM variants") == 0
    emails = [f"p{n}@example.com" for n in range(20)]
    direct = office.execute(b, *emails).results
    through = office.execute(a, *emails).results
    for before, now in zip(direct, through, strict=True):
        is_told = (now.status, now.enrollment_id, now.variant) == (ALREADY, before.enrollment_id, None)
        assert is_told is (now.variant is not Variant.A)


def test_twenty_identical_calls_at_once_enroll_everybody_once(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    emails = [f"p{n}@example.com" for n in range(5)]
    ready = threading.Barrier(20)

    def call(_: int) -> list[tuple[ContactStatus, int | None]]:
        ready.wait()
        return [(result.status, result.enrollment_id) for result in office.execute(sequence, *emails).results]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(call, range(20)))
    for each in zip(*answers, strict=True):
        assert sorted(status for status, _ in each) == [ALREADY] * 19 + [QUEUED]
        assert len({enrollment_id for _, enrollment_id in each}) == 1
    assert office.count("SELECT count(*) FROM enrollments") == 5
    assert office.count("SELECT count(*) FROM people") == 5


def test_a_hundred_contacts_are_enrolled_in_one_transaction(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    done = office.execute(sequence, *(ContactInput(f"p{n}@example.com", f"P{n}") for n in range(100)))
    assert done.queued == 100
    assert sorted(r.enrollment_id or 0 for r in done.results) == list(range(1, 101))
    assert office.count("SELECT count(DISTINCT created_at) FROM enrollments") == 1
    if not office.database.is_sqlite:
        assert office.count("SELECT count(DISTINCT xmin::text) FROM enrollments") == 1
    assert office.count("SELECT count(*) FROM due WHERE lane_id = 1") == 100


def test_a_call_that_fails_halfway_leaves_nothing(office: Office, breaks: Callable[[Office], None]) -> None:
    sequence = office.house.sequence(letter())
    breaks(office)
    before = office.everything()
    with pytest.raises(Exception, match="no more"):
        office.execute(sequence, "a@example.com", "b@example.com")
    assert office.everything() == before


@pytest.fixture
def breaks() -> Callable[[Office], None]:
    """Makes the database refuse the last rows such a call writes."""

    def breaks(office: Office) -> None:
        if office.database.is_sqlite:
            office.run("CREATE TRIGGER no_more BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no more'); END")
        else:
            office.run(
                "CREATE FUNCTION no_more() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no more'; END $$"
            )
            office.run("CREATE TRIGGER no_more BEFORE INSERT ON outbox EXECUTE FUNCTION no_more()")

    return breaks


def test_the_sequence_given_back_is_the_one_addressed(office: Office) -> None:
    sequence: Sequence = office.house.sequence(letter(), name="Spring")
    assert office.execute(sequence, "a@example.com").sequence.name == "Spring"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the draw does not ask the database
def test_of_ten_thousand_people_the_configured_share_runs_b_and_a_repetition_changes_nobody(office: Office) -> None:
    house, total, percent = office.house, 10_000, 30
    b = house.sequence(letter(), name="B")
    a = house.sequence(letter(), name="A", split=Split(b.id, percent))
    key = b"a key that never changes, so that the same people are drawn each time"

    def run(start: int) -> list[tuple[ContactStatus, Variant | None]]:
        contacts = [ContactInput(f"person{n}@example.com") for n in range(start, start + 100)]
        done = office.transact(lambda tx: execute(tx, key, house.account_id, house.owner_id, a.id, contacts))
        return [(result.status, result.variant) for result in done.results]

    first = [result for start in range(0, total, 100) for result in run(start)]
    assert {status for status, _ in first} == {QUEUED}
    in_b = sum(variant is Variant.B for _, variant in first)
    deviation = (total * 0.3 * 0.7) ** 0.5
    assert abs(in_b - total * 0.3) < 3 * deviation
    assert office.count(f"SELECT count(*) FROM enrollments WHERE runs_sequence_id = {b.id}") == in_b
    for start in range(0, total, 1000):
        assert run(start) == [(ALREADY, variant) for _, variant in first[start : start + 100]]


def test_a_lead_gets_the_variant_that_execute_drew_for_the_address(office: Office) -> None:
    house = office.house
    b = house.sequence(letter(), name="B")
    a = house.sequence(letter(), name="A", split=Split(b.id, 50))
    names = [f"Person{n}" for n in range(30)]
    drawn = [result.variant for result in office.execute(a, *(f"{n.lower()}@example.com" for n in names)).results]
    assert set(drawn) == {Variant.A, Variant.B}
    office.run("UPDATE enrollments SET state = 'finished'")
    made = [office.enroll(a, house.person(name, kind=PersonKind.LEAD)) for name in names]
    assert [enrollment.subject.variant for enrollment in made] == drawn
