"""Stopping for good: what an address key's way out reaches, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import FinishedReason, State
from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import Unsubscribing
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.unsubscribes import suppress, unsubscribe, way_out
from drumbeat.store import accounts, unsubscribes
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def is_suppressed(office: Office, email: str) -> bool:
    """Whether nothing may go there."""
    with office.database.read() as snapshot:
        return unsubscribes.is_suppressed(snapshot, office.house.account_id, office.hash_of(email))


def test_one_way_out_ends_every_sequence_of_the_human(office: Office) -> None:
    house = office.house
    lead = house.person("Ada", "ada@example.com", PersonKind.LEAD)
    contact = house.person("Ada", "ADA@example.com")
    first = office.enroll(house.sequence(letter("1 hours"), name="1"), contact)
    others = [
        office.enroll(house.sequence(task("1 hours"), name="2"), contact),
        office.enroll(house.sequence(letter("1 hours"), name="3"), lead),
    ]
    bob = office.enroll(house.sequence(letter("1 hours"), name="4"), house.person("Bob"))
    office.transact(lambda tx: unsubscribe(tx, house.account_id, first.id, evidence="one-click"))
    for enrolled in (first, *others):
        assert house.enrollment(enrolled.id).finished_reason is FinishedReason.SUBSCRIPTION_CANCELLED
    assert house.enrollment(bob.id).state is State.ACTIVE
    office.later(hours=2)
    assert office.recipients() == ["bob@example.com"]


def test_doing_it_twice_is_fine_and_journalled_once(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter("1 hours")), office.house.person())
    office.transact(lambda tx: unsubscribe(tx, office.house.account_id, enrolled.id, evidence="one-click"))
    before = office.everything()
    office.clock.advance(timedelta(minutes=1))
    office.transact(lambda tx: unsubscribe(tx, office.house.account_id, enrolled.id, evidence="page"))
    assert office.everything() == before
    assert office.count("SELECT count(*) FROM journal WHERE fact = 'unsubscribed'") == 1


def test_suppressing_tells_how_many_were_finished(office: Office) -> None:
    house, ada = office.house, office.house.person()
    for name in ("1", "2"):
        office.enroll(house.sequence(letter("1 hours"), name=name), ada)
    address = office.hash_of("ada@example.com")
    act = [
        office.transact(
            lambda tx: suppress(tx, house.account_id, address, Suppression.SUPPRESSED, evidence="asked by phone")
        )
        for _ in range(2)
    ]
    assert act == [2, 0]


def test_the_link_of_a_finished_run_still_suppresses(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    office.transact(lambda tx: unsubscribe(tx, office.house.account_id, enrolled.id, evidence="one-click"))
    assert is_suppressed(office, "ada@example.com")
    assert office.house.enrollment(enrolled.id).finished_reason is FinishedReason.ALL_STEPS_COMPLETED


def test_the_link_in_a_letter_to_the_old_address_stops_the_old_and_the_new_one(office: Office) -> None:
    ada = office.house.person("Ada", "old@example.com")
    enrolled = office.enroll(office.house.sequence(letter(), letter("1 hours")), ada)
    office.work()
    office.change(ada, email="new@example.com")
    office.transact(lambda tx: unsubscribe(tx, office.house.account_id, enrolled.id, evidence="one-click"))
    assert is_suppressed(office, "old@example.com")
    assert is_suppressed(office, "new@example.com")
    office.later(hours=2)
    assert office.recipients() == ["old@example.com"]


def test_another_account_is_not_touched(office: Office) -> None:
    house = office.house
    enrolled = office.enroll(house.sequence(letter("1 hours")), house.person())
    with office.database.write() as tx:
        rival = accounts.add_account(tx, "Rival", "UTC", None)
        suppress(tx, rival.id, office.hash_of("ada@example.com"), Suppression.UNSUBSCRIBED, evidence="x")
        with pytest.raises(NotFound):
            unsubscribe(tx, rival.id, enrolled.id, evidence="x")
    assert house.enrollment(enrolled.id).state is State.ACTIVE
    assert not is_suppressed(office, "ada@example.com")


def test_a_link_of_who_has_no_address_suppresses_nobody(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(task("1 hours")), office.nobody())
    office.transact(lambda tx: unsubscribe(tx, office.house.account_id, enrolled.id, evidence="page"))
    assert office.count("SELECT count(*) FROM suppressions") == 0
    assert office.house.enrollment(enrolled.id).state is State.ACTIVE


def test_the_page_speaks_the_language_of_the_sequence_that_runs(office: Office) -> None:
    sequence = office.house.sequence(letter(), unsubscribing=Unsubscribing(locale="fr-FR"))
    enrolled = office.enroll(sequence, office.house.person())
    with office.database.read() as snapshot:
        assert way_out(snapshot, office.house.account_id, enrolled.id).locale == "fr-FR"
        with pytest.raises(NotFound):
            way_out(snapshot, office.house.account_id, 99)
