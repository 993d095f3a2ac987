"""All that concerns one person: what ran, letters, replies, tasks and consent, the newest first, and what one sees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.person_page import MOST_SHOWN, Consent, PersonPage, person_page
from drumbeat.operations.tasks import add as add_task
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import received, unsubscribes
from drumbeat.store.database import Database
from drumbeat.store.received import Absence
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from tests.operations.office import Office, opened
from tests.operations.test_inbound import answer, heard, person_of, sent_to

NOTHING = PersonPage([], {}, [], {}, [], [], Consent())


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def shown(office: Office, person: Person, seen_by: int | None = None) -> PersonPage:
    """The person's page."""
    with office.database.read() as snapshot:
        return person_page(snapshot, person, seen_by=seen_by)


def add_tasks(office: Office, person: Person, count: int, owner_id: int | None = None) -> None:
    """Tasks about somebody."""
    fields = {"content": "Call", "resource_type": person.kind.value, "resource_id": person.id}
    ids = (office.house.account_id, owner_id or office.house.owner_id)
    office.transact(lambda tx: [add_task(tx, *ids, fields, completed=None) for _ in range(count)])


def test_it_holds_what_ran_for_the_person_with_its_letters_and_what_came_back(office: Office) -> None:
    first = sent_to(office, letter())
    ada = person_of(office, first)
    heard(office, answer(office, first, "Tell me more."))
    office.clock.advance(timedelta(days=2))
    second = office.enroll(office.house.sequence(letter(), name="Second"), ada)
    office.work()
    page = shown(office, ada)
    assert [each.id for each in page.enrollments] == [second.id, first.id]
    assert {id: sequence.name for id, sequence in page.sequences.items()} == {1: "For Ada", 2: "Second"}
    assert [(each.enrollment_id, each.status) for each in page.letters] == [
        (second.id, "accepted"),
        (first.id, "accepted"),
    ]
    assert page.subjects == {each.key: "Hello Ada" for each in page.letters}
    assert [(each.kind, each.words) for each in page.received] == [("reply", "Tell me more.")]
    assert page.consent == Consent()
    lead = office.house.person("Ada", kind=PersonKind.LEAD)
    assert (lead.id, lead.address_hash) == (ada.id, ada.address_hash)
    assert shown(office, lead) == NOTHING == shown(office, office.house.person("Bea"))


def test_what_is_in_the_way_of_letters_is_told_with_the_evidence(office: Office) -> None:
    ada, account_id = office.house.person("Ada"), office.house.account_id
    address, until = office.hash_of("ada@example.com"), office.clock() + timedelta(days=3)
    office.transact(lambda tx: received.save_absence(tx, account_id, address, Absence(until, 1)))
    office.transact(lambda tx: unsubscribes.mark_undeliverable(tx, account_id, address, "No such user."))
    assert shown(office, ada).consent == Consent(undeliverable="No such user.", away_until=until)
    since = office.clock().replace(microsecond=0)
    office.transact(lambda tx: suppress(tx, account_id, address, Suppression.COMPLAINED, evidence="a report"))
    office.clock.advance(timedelta(days=4))
    assert shown(office, ada).consent == Consent(Suppression.COMPLAINED, since, "a report", "No such user.")
    assert shown(office, office.nobody()).consent == Consent()


def test_the_newest_tasks_are_shown(office: Office) -> None:
    ada = office.house.person("Ada")
    add_tasks(office, ada, MOST_SHOWN + 1)
    add_tasks(office, office.house.person("Bea"), 1)
    assert [each.id for each in shown(office, ada).tasks] == list(range(MOST_SHOWN + 1, 1, -1))


def test_whoever_sees_their_own_records_sees_what_they_enrolled_and_have_to_do(office: Office) -> None:
    sam = office.add_user()
    first = sent_to(office, letter())
    ada = person_of(office, first)
    heard(office, answer(office, first))
    mine = office.enroll(office.house.sequence(letter(), name="Mine"), ada, actor_id=sam.id)
    add_tasks(office, ada, 2)
    add_tasks(office, ada, 1, sam.id)
    page = shown(office, ada, sam.id)
    assert [each.id for each in page.enrollments] == [mine.id]
    assert [each.owner_id for each in page.tasks] == [sam.id]
    assert [*page.letters, *page.received] == []
    assert list(page.sequences) == [mine.subject.sequence_id]
    hers = shown(office, ada, office.house.owner_id)
    assert ([each.id for each in hers.enrollments], len(hers.letters), len(hers.tasks)) == ([first.id], 1, 2)
    assert len(shown(office, ada).enrollments) == 2
