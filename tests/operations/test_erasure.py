"""What is left of a person who was erased: ids, instants, and a keyed hash that keeps mail from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import FinishedReason, State
from drumbeat.domain.errors import NoEligibleContacts, NotFound
from drumbeat.domain.person import Person, PersonKind
from drumbeat.operations import erasure
from drumbeat.operations.dispatch import claim
from drumbeat.operations.erasure import Erased, erase_address, erase_person
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.records import PersonFields, add_person, delete_person
from drumbeat.operations.verification import verify_account
from drumbeat.store import unsubscribes
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import CUT, At, Do, Talk
from tests.corpus.message import plain
from tests.operations.office import TOKEN, Office, opened

EMAIL = "zebedee.quagga@example.com"
MARKS = ("zebedee", "quagga", "+4930123", "striped", "gallop")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def zebedee(office: Office, kind: PersonKind = PersonKind.CONTACT) -> Person:
    house = office.house
    fields = PersonFields(
        first_name="Zebedee", last_name="Quagga", email=EMAIL, phone="+4930123", custom={"coat": "striped"}
    )
    return office.transact(
        lambda tx: add_person(tx, house.world.hash_key, house.account_id, house.owner_id, kind, fields)
    )


def erase(office: Office) -> Erased:
    house = office.house
    return erase_address(office.database, house.world.hash_key, house.account_id, EMAIL, actor_id=house.owner_id)


def traces(office: Office) -> list[str]:
    """Rows of any table that still tell of him."""
    return [
        f"{table}: {row}"
        for table, rows in office.everything().items()
        for row in rows
        if any(mark in str(row).lower() for mark in MARKS)
    ]


def live_through_much(office: Office) -> None:
    """A letter accepted and replied to, one refused, one in doubt, a task, and a row of a file that was refused."""
    person, told = zebedee(office), letter(text="Dear {{ person.first_name }}, your coat is {{ person.email }}.")
    said = f"550 5.1.1 <{EMAIL}> gallops"
    scripts = {"Replied": {}, "Refused": {At.RCPT: Do(reply=said)}, "Doubtful": {At.DOT: CUT}}
    for name, script in scripts.items():
        office.sink.script = script
        ids = [office.enroll(office.house.sequence(told, letter("48 hours"), name=name), person).id]
        office.work()
        if name == "Refused":
            office.transact(lambda tx: unsubscribes.clear_undeliverable(tx, 1, office.hash_of(EMAIL)))
    office.sink.script = {}
    office.enroll(office.house.sequence(task(), name="Call"), person)
    office.work()
    id = read_frozen(office.deliveries(1)[0].frozen).message_id
    raw = plain(f"From: Zebedee Quagga <{EMAIL}>\nSubject: Re: Hello Zebedee\nIn-Reply-To: {id}", "I gallop.")
    house, heard = office.house, read(raw)
    office.transact(lambda tx: take_in(tx, house.world.hash_key, house.account_id, house.mailbox_id, heard))
    office.run(
        "INSERT INTO imports (account_id, id, creator_id, kind, file_name, headers, mapping, created_at, updated_at)"
        " VALUES (1, 1, 1, 'lead', 'people.csv', '[]', '{}', 0, 0)"
    )
    rejected = Statement(
        "INSERT INTO rejected_rows (account_id, import_id, row, reason, cells) VALUES (1, 1, :row, 'phone', :cells)"
    )
    for number, cells in enumerate(('["Zebedee.Quagga@Example.com", "+49301234"]', '["zebedeeXquagga@example.com"]')):
        office.transact(lambda tx, n=number, c=cells: tx.run(rejected, row=n, cells=c))  # type: ignore[misc]
    office.transact(lambda tx: unsubscribes.mark_undeliverable(tx, 1, office.hash_of(EMAIL), said))
    assert ids


def test_nothing_tells_of_an_erased_person_any_more(office: Office) -> None:
    live_through_much(office)
    assert len(traces(office)) > 10
    assert erase(office) == Erased(people=1, enrollments=4, letters_out=0)
    assert traces(office) == ["rejected_rows: (1, 1, 1, 'phone', '[\"zebedeeXquagga@example.com\"]')"]
    assert {office.house.enrollment(id).state for id in range(1, 5)} == {State.FINISHED}
    assert office.house.enrollment(1).finished_reason is FinishedReason.REPLIED_TO_EMAIL
    found = [part.breaches for part in verify_account(office.database, office.house.account_id)]
    assert not any(found), found


def test_the_hash_keeps_mail_from_whoever_comes_again_with_the_address(office: Office) -> None:
    live_through_much(office)
    erase(office)
    sent = len(office.sink.letters)
    with pytest.raises(NoEligibleContacts, match="unsubscribed"):
        office.execute(office.house.sequence(letter(), name="Again"), EMAIL)
    office.later(days=3)
    assert len(office.sink.letters) == sent


def test_erasing_again_changes_nothing_and_others_are_left_alone(office: Office) -> None:
    live_through_much(office)
    office.enroll(office.house.sequence(letter(), letter("1 hours"), name="Other"), office.house.person("Ada"))
    office.work()
    erase(office)
    before = office.everything()
    assert erase(office) == Erased(0, 4, 0)
    assert office.everything() == before
    office.later(hours=1)
    assert [letter.recipient for letter in office.sink.letters][-2:] == ["ada@example.com"] * 2


def test_everybody_with_the_address_goes_whoever_is_named(office: Office) -> None:
    house = office.house
    lead, _, _ = zebedee(office, PersonKind.LEAD), zebedee(office), zebedee(office)
    key = house.world.hash_key
    assert erase_person(office.database, key, house.account_id, lead.kind, lead.id, actor_id=1).people == 3
    assert traces(office) == []
    with pytest.raises(NotFound):
        erase_person(office.database, key, house.account_id, lead.kind, lead.id, actor_id=1)


def test_a_person_without_an_address_can_be_erased(office: Office) -> None:
    house, nobody = office.house, office.nobody(name="Quagga")
    office.enroll(office.house.sequence(task()), nobody)
    office.work()
    erased = erase_person(office.database, house.world.hash_key, 1, nobody.kind, nobody.id, actor_id=1)
    assert (erased, traces(office)) == (Erased(1, 1, 0), [])


def test_what_was_written_to_somebody_deleted_before_is_erased_by_their_id(office: Office) -> None:
    live_through_much(office)
    house, key = office.house, office.house.world.hash_key
    office.transact(lambda tx: delete_person(tx, house.account_id, PersonKind.CONTACT, 1))
    assert any("deliveries" in trace for trace in traces(office))
    assert erase_person(office.database, key, house.account_id, PersonKind.CONTACT, 1, actor_id=1) == Erased(0, 4, 0)
    assert [trace for trace in traces(office) if not trace.startswith("rejected_rows")] == []


def test_an_erasure_that_breaks_off_writes_to_nobody_and_is_ended_by_the_next(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_through_much(office)

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(erasure, "_blank", killed)
        with pytest.raises(SystemExit):
            erase(office)
    sent = len(office.sink.letters)
    with pytest.raises(NoEligibleContacts):
        office.execute(office.house.sequence(letter(), name="Again"), EMAIL)
    office.later(days=3)
    assert len(office.sink.letters) == sent
    assert erase(office) == Erased(0, 4, 0)
    assert len(traces(office)) == 1


def test_an_address_nobody_has_is_named(office: Office) -> None:
    with pytest.raises(NotFound, match="Nobody has the address"):
        erase(office)
    assert traces(office) == []


def test_a_letter_that_a_worker_holds_does_not_leave(office: Office) -> None:
    house = office.house
    office.enroll(office.house.sequence(letter()), zebedee(office))
    office.transact(
        lambda tx: claim(tx, house.world.identity, house.account_id, house.mailbox_id, limit=9, token=TOKEN)
    )
    assert erase(office) == Erased(1, 1, 0)
    office.later(minutes=2)
    assert (office.sink.letters, traces(office)) == ([], [])


def test_a_letter_on_its_way_is_told_and_what_its_server_said_goes_the_next_time(office: Office) -> None:
    office.enroll(office.house.sequence(letter()), zebedee(office))
    seen: list[Erased] = []

    def script(at: At, talk: Talk) -> Do | None:
        if at is not At.DOT:
            return None
        seen.append(erase(office))
        return Do(reply=f"250 2.0.0 {EMAIL} gallops")

    office.sink.script = script
    office.work()
    assert seen == [Erased(1, 1, 1)]
    assert (len(office.sink.letters), office.delivered(1)) == (1, ["accepted"])
    erase(office)
    assert traces(office) == []


def test_a_rival_s_person_with_the_same_address_stays(office: Office) -> None:
    live_through_much(office)
    before = traces(office)
    house = office.house
    with pytest.raises(NotFound):
        erase_address(office.database, house.world.hash_key, house.account_id + 1, EMAIL, actor_id=None)
    assert traces(office) == before
