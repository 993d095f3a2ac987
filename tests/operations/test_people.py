"""Leads and contacts as the Sell API's callers change them: twins at once, and what the journal tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.errors import IncorrectValue, SeveralMatch
from drumbeat.domain.person import Person, PersonKind
from drumbeat.operations import people as operations
from drumbeat.operations.conversions import convert
from drumbeat.operations.people import PersonEdit
from drumbeat.operations.records import delete_person
from drumbeat.store import people
from drumbeat.store.database import Database
from drumbeat.store.person_pages import Sought
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from tests.operations.office import Office, opened

LEAD, CONTACT = PersonKind.LEAD, PersonKind.CONTACT
TWINS = 8


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def edit(**more: Any) -> PersonEdit:
    """An edit that anything may come of."""
    return PersonEdit(settle=lambda before, after: after, **more)


def upsert(office: Office, sought: Sought, edit: PersonEdit) -> Person:
    """Create or change, as the owner."""
    house = office.house
    key, account_id, owner_id = house.world.hash_key, house.account_id, house.owner_id
    return office.transact(lambda tx: operations.upsert(tx, key, account_id, owner_id, sought, edit))


def change(office: Office, person: Person, edit: PersonEdit) -> Person:
    """Change, as the owner."""
    house = office.house
    return office.transact(
        lambda tx: operations.change(tx, house.world.hash_key, house.account_id, person.kind, person.id, edit)
    )


def at_once(act: Callable[[int], Any]) -> list[Any]:
    """What twins get who act at the same time; a refusal is told as the error."""

    def tried(number: int) -> Any:
        try:
            return act(number)
        except IncorrectValue as error:
            return error

    with ThreadPoolExecutor(TWINS) as pool:
        return list(pool.map(tried, range(TWINS)))


def test_twins_that_create_or_change_make_one_person(office: Office) -> None:
    sought = Sought(LEAD, values={"custom.external_id": "A1"})
    made = at_once(
        lambda n: upsert(office, sought, edit(custom={"external_id": "A1"}, fields={"last_name": f"L{n}"})).id
    )
    assert made == [1] * TWINS
    assert office.count("SELECT count(*) FROM people") == 1


def test_twins_that_change_different_parts_lose_nothing(office: Office) -> None:
    ada = office.house.person("Ada")
    at_once(lambda n: change(office, ada, edit(custom={f"field{n}": n}, details={f"detail{n}": str(n)})))
    with office.database.read() as snapshot:
        now = people.get(snapshot, office.house.account_id, ada.kind, ada.id)
    assert dict(now.custom) == {f"field{n}": n for n in range(TWINS)}
    assert dict(now.details) == {f"detail{n}": str(n) for n in range(TWINS)}


def test_a_filter_that_fits_several_changes_nobody(office: Office) -> None:
    for _ in range(3):
        office.house.person("Ada")
    before = office.everything()
    with pytest.raises(SeveralMatch, match="Contacts 1, 2 fit"):
        upsert(office, Sought(CONTACT, columns={"first_name": "Ada"}), edit(fields={"title": "Countess"}))
    assert office.everything() == before


def test_of_twins_that_convert_a_lead_one_does(office: Office) -> None:
    house = office.house
    lead = house.person("Ada", kind=LEAD)

    def converted(_: int) -> Any:
        key, owner_id = house.world.hash_key, house.owner_id
        return office.transact(lambda tx: convert(tx, key, house.account_id, owner_id, lead.id, None))

    done = at_once(converted)
    assert sum(isinstance(each, IncorrectValue) for each in done) == TWINS - 1
    assert office.count("SELECT count(*) FROM people WHERE kind = 'contact'") == 1


def test_an_organization_is_another_one_and_a_contact_of_the_account(office: Office) -> None:
    ada, tea = office.house.person("Ada"), office.house.person("Tea")
    change(office, tea, edit(fields={"is_organization": True, "organization_name": "Tea House"}))
    assert change(office, ada, edit(fields={"organization_id": tea.id})).organization_id == tea.id
    for person, id in ((tea, tea.id), (tea, ada.id), (ada, 99)):
        with pytest.raises(IncorrectValue) as caught:
            change(office, person, edit(fields={"organization_id": id}))
        assert caught.value.field == "contact_id"


def test_who_deleted_and_converted_whom_is_in_the_journal(office: Office) -> None:
    house = office.house
    ada, bob = house.person("Ada", kind=LEAD), house.person("Bob")

    def work(tx: Tx) -> None:
        convert(tx, house.world.hash_key, house.account_id, house.owner_id, ada.id, None)
        delete_person(tx, house.account_id, CONTACT, bob.id, house.owner_id)

    office.transact(work)
    told = [(*row[2:5], row[6]) for row in office.everything()["journal"]]
    assert ("lead", str(ada.id), "lead_converted", house.owner_id) in told
    assert ("contact", str(bob.id), "contact_deleted", house.owner_id) in told
