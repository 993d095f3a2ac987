"""The list of addresses that nothing is sent to."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.errors import IncorrectValue, NotFound
from drumbeat.domain.person import PersonKind
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.records import delete_person
from drumbeat.operations.spreadsheets import read_table
from drumbeat.operations.suppressions import (
    Suppressing,
    addresses_in,
    lift_suppression,
    restore_suppression,
    suppress_many,
    suppression_table,
)
from drumbeat.store import unsubscribes
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def suppress(office: Office, *emails: str) -> Suppressing:
    house = office.house
    return office.transact(
        lambda tx: suppress_many(
            tx, house.world.hash_key, house.account_id, emails, evidence="by hand", actor_id=house.owner_id
        )
    )


def lift(office: Office, email: str) -> int | None:
    house = office.house
    return office.transact(
        lambda tx: lift_suppression(tx, house.world.hash_key, house.account_id, email, actor_id=house.owner_id)
    )


def listed(office: Office) -> list[list[str]]:
    with office.database.read() as snapshot:
        return list(suppression_table(snapshot, office.house.account_id))[1:]


def test_addresses_are_suppressed_once_whatever_their_case_and_what_is_none_is_told(office: Office) -> None:
    assert suppress(office, "Ada@Example.com", "ada@example.com", "nobody", "bob@example.com") == (
        Suppressing(added=2, already=0, finished=0, invalid=("nobody",))
    )
    assert suppress(office, "ada@example.com", "eve@example.com") == Suppressing(1, 1, 0, ())


def test_what_runs_finishes_and_nobody_is_enrolled_again(office: Office) -> None:
    ada = office.house.person("Ada")
    welcome = office.house.sequence(letter("1 hours"))
    enrolled = office.enroll(welcome, ada)
    assert suppress(office, "ada@example.com").finished == 1
    assert office.house.enrollment(enrolled.id).finished_reason is FinishedReason.SUBSCRIPTION_CANCELLED
    with pytest.raises(IncorrectValue, match="suppressed"):
        office.enroll(welcome, ada)


def test_a_suppression_is_lifted_by_somebody_and_that_is_journalled(office: Office) -> None:
    suppress(office, "ada@example.com")
    assert lift(office, " ADA@example.com") is not None
    assert lift(office, "ada@example.com") is None
    office.enroll(office.house.sequence(letter()), office.house.person("Ada"))
    assert office.count("SELECT count(*) FROM journal WHERE fact = 'suppression_lifted' AND actor_id = 1") == 1
    with pytest.raises(IncorrectValue):
        lift(office, "nobody")


def test_a_suppression_that_was_lifted_by_mistake_stands_again_with_its_evidence_and_since_when(office: Office) -> None:
    house, hashed = office.house, office.hash_of("ada@example.com")
    office.transact(
        lambda tx: unsubscribes.suppress(tx, house.account_id, hashed, Suppression.COMPLAINED, evidence="RFC 5965")
    )
    before = listed(office)
    office.clock.advance(timedelta(days=3))
    note = lift(office, "ada@example.com")
    assert note is not None
    enrolled = office.enroll(house.sequence(letter("1 hours")), house.person("Ada"))
    office.transact(lambda tx: restore_suppression(tx, house.account_id, note, actor_id=house.owner_id))
    assert [row[1:] for row in listed(office)] == [row[1:] for row in before]
    assert listed(office)[0][2:] == ["complained", "2026-03-03T10:00:00+00:00", "RFC 5965"]
    assert office.house.enrollment(enrolled.id).finished_reason is FinishedReason.SUBSCRIPTION_CANCELLED
    with pytest.raises(NotFound):
        office.transact(lambda tx: restore_suppression(tx, house.account_id, note + 1, actor_id=house.owner_id))


def test_the_list_names_the_address_as_long_as_somebody_has_it(office: Office) -> None:
    ada = office.house.person("Ada")
    suppress(office, "ada@example.com", "stranger@example.com")
    rows = {row[1]: row for row in listed(office)}
    hashed = office.hash_of("ada@example.com")
    assert rows[hashed] == ["ada@example.com", hashed, "suppressed", "2026-03-03T10:00:00+00:00", "by hand"]
    assert rows[office.hash_of("stranger@example.com")][0] == ""
    account_id = office.house.account_id
    office.transact(lambda tx: delete_person(tx, account_id, PersonKind.CONTACT, ada.id))
    assert [row[0] for row in listed(office)] == ["", ""]
    with pytest.raises(IncorrectValue, match="suppressed"):
        office.enroll(office.house.sequence(letter()), office.house.person("Ada"))


def test_a_long_list_is_written_whole_and_in_order(office: Office) -> None:
    suppress(office, *(f"p{number}@example.com" for number in range(1000)))
    suppress(office, *(f"q{number}@example.com" for number in range(1000)))
    hashes = [row[1] for row in listed(office)]
    assert len(hashes) == 2000
    assert hashes == sorted(set(hashes))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a@x.example\nb@x.example\n", ["a@x.example", "b@x.example"]),
        (b"Name;E-Mail\nAda;a@x.example\nBob;\n;c@x.example", ["a@x.example", "c@x.example"]),
        (b"email,reason\nc@x.example,x\n", ["c@x.example"]),
        (b"who\na@x.example\n", ["a@x.example"]),
    ],
)
def test_the_addresses_of_a_file_are_found(content: bytes, found: list[str]) -> None:
    assert list(addresses_in(read_table(io.BytesIO(content)))) == found
