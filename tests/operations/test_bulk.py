"""Enrolling many known people at once: rehearsed without a trace, then the same for good, and nobody twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from drumbeat.domain.account import Role
from drumbeat.domain.enrollment import State
from drumbeat.domain.errors import (
    DatabaseBusy,
    DrumbeatError,
    Invalid,
    NotFound,
    SequenceNotActive,
    SequencesDisabled,
)
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import Sequence as SequenceSettings
from drumbeat.domain.sequence import SequenceStatus, Split
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.domain.variant import Variant
from drumbeat.operations.bulk import AT_ONCE, MOST_AT_ONCE, Tally, Whom, enroll_many, rehearse_many
from drumbeat.operations.execute import ContactStatus
from drumbeat.operations.sequences import change_settings, set_status, settings_of
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import accounts, enrollments, people, sequences
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import House, letter, task
from tests.operations.office import Office, opened

LEAD, CONTACT = PersonKind.LEAD, PersonKind.CONTACT
QUEUED, ALREADY = ContactStatus.QUEUED, ContactStatus.ALREADY_ENROLLED
INVALID, UNSUBSCRIBED, DUPLICATE = ContactStatus.INVALID, ContactStatus.UNSUBSCRIBED, ContactStatus.DUPLICATE
NOBODY = 2_000_000_001


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def whom(office: Office, sequence: SequenceSettings, ids: Sequence[int], kind: PersonKind = CONTACT) -> Whom:
    """These people, by the owner."""
    return Whom(office.house.account_id, sequence.id, kind, ids, office.house.owner_id)


def rehearsed(office: Office, asked: Whom) -> Tally:
    """What would become of them; nothing of it is kept, in any table."""
    before = office.everything()
    tally = rehearse_many(office.database, office.house.world.hash_key, asked)
    assert office.everything() == before
    return tally


def enrolled(office: Office, asked: Whom) -> Tally:
    """What became of them, which is what was told before."""
    told = rehearsed(office, asked)
    tally = enroll_many(office.database, office.house.world.hash_key, asked)
    assert tally == told
    return tally


def refused(office: Office, error: type[DrumbeatError], asked: Whom) -> DrumbeatError:
    """What stands in the way of all of them; nothing of it is kept."""
    before = office.everything()
    with pytest.raises(error):
        rehearse_many(office.database, office.house.world.hash_key, asked)
    with pytest.raises(error) as caught:
        enroll_many(office.database, office.house.world.hash_key, asked)
    assert office.everything() == before
    return caught.value


def running(office: Office) -> list[int]:
    """Ids of the people for whom something was ever enrolled."""
    with office.database.read() as snapshot:
        found = enrollments.find_many(snapshot, office.house.account_id, range(1, 2000))
    return sorted(each.subject.resource_id for each in found)


def crowd(office: Office, like: Person, size: int) -> list[int]:
    """So many people like this one, each with an address of their own, put in at once."""
    hashes = [office.hash_of(f"crowd{number}@example.com") for number in range(size)]

    def add(tx: Tx) -> int:
        first = accounts.take_ids(tx, like.account_id, like.kind, size)
        numbered = enumerate(hashes)
        made = [
            structs.replace(like, id=first + number, email=f"crowd{number}@example.com", address_hash=hashed)
            for number, hashed in numbered
        ]
        people.add(tx, made)
        people.name_contacts(tx, like.account_id, [(each.address_hash or "", each.id) for each in made])
        return first

    first = office.transact(add)
    return list(range(first, first + size))


@pytest.mark.parametrize("kind", [CONTACT, LEAD])
def test_each_is_told_what_becomes_of_them_and_again_enrolls_nobody_twice(office: Office, kind: PersonKind) -> None:
    house, sequence = office.house, office.house.sequence(letter("1 hours"))
    new, runs, gone = (house.person(name, kind=kind) for name in ("New", "Runs", "Gone"))
    nobody, twin = office.nobody(kind), house.person("Twin", "NEW@example.com", kind)
    before = office.enroll(sequence, runs)
    address = office.hash_of("gone@example.com")
    office.transact(lambda tx: suppress(tx, house.account_id, address, Suppression.UNSUBSCRIBED, evidence="one-click"))
    asked = whom(office, sequence, [new.id, runs.id, nobody.id, gone.id, NOBODY, twin.id], kind)
    tally = enrolled(office, asked)
    assert (tally.total, tally.queued, tally.variants) == (6, 1, {})
    reasons = dict(tally.left_out)
    if kind is CONTACT:
        assert tally.statuses == {QUEUED: 1, ALREADY: 1, INVALID: 2, UNSUBSCRIBED: 1, DUPLICATE: 1}
        assert reasons[nobody.id] == "email: The contact has no address, and the sequence sends e-mails."
        assert reasons[gone.id] == "Unsubscribed or is suppressed."
        assert reasons[twin.id] == "Has the same address as somebody before."
        assert reasons[NOBODY] == f"contactIds: There is no contact {NOBODY}."
    else:
        assert tally.statuses == {QUEUED: 1, ALREADY: 2, INVALID: 2, UNSUBSCRIBED: 1}
        assert reasons[nobody.id] == "The lead has no e-mail address, and the sequence sends e-mails."
        assert reasons[gone.id] == "Unsubscribed or is suppressed."
        assert reasons[NOBODY] == f"There is no lead {NOBODY}."
        assert reasons[twin.id] == reasons[runs.id]
    assert reasons[runs.id] == "Runs this sequence, or ran it a short while ago."
    assert [id for id, _ in tally.left_out] == [runs.id, nobody.id, gone.id, NOBODY, twin.id], "in order"
    assert running(office) == sorted([new.id, runs.id])
    again = enrolled(office, asked)
    assert (again.queued, again.statuses[ALREADY]) == (0, 2 if kind is CONTACT else 3)
    assert office.house.enrollment(before.id).state is State.ACTIVE
    office.later(hours=2)
    assert sorted(office.recipients()) == ["new@example.com", "runs@example.com"]


def test_whoever_ran_it_within_a_day_is_left_out(office: Office) -> None:
    sequence = office.house.sequence(letter())
    contact, lead = office.house.person("Ada"), office.house.person("Lena", kind=LEAD)
    both = [whom(office, sequence, [person.id], person.kind) for person in (contact, lead)]
    assert [enrolled(office, asked).queued for asked in both] == [1, 1]
    office.later(hours=23)
    assert {office.house.enrollment(id).state for id in (1, 2)} == {State.FINISHED}
    assert [enrolled(office, asked).statuses for asked in both] == [{ALREADY: 1}] * 2
    office.later(hours=2)
    assert [enrolled(office, asked).queued for asked in both] == [1, 1]


def test_more_than_one_transaction_takes_are_enrolled_in_parts(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    ids = crowd(office, office.house.person("Ada"), AT_ONCE + 1)
    tally = enrolled(office, whom(office, sequence, ids))
    assert (tally.statuses, tally.left_out) == ({QUEUED: AT_ONCE + 1}, [])
    assert running(office) == ids
    if not office.database.is_sqlite:
        assert office.count("SELECT count(DISTINCT xmin::text) FROM enrollments") == 2
    asked = whom(office, sequence, ids)
    again = enroll_many(office.database, office.house.world.hash_key, asked)
    assert again.statuses == {ALREADY: AT_ONCE + 1}


def test_what_comes_in_the_way_of_a_later_part_is_told_with_what_was_done(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence, key = office.house.sequence(letter("1 hours")), office.house.world.hash_key
    ids = crowd(office, office.house.person("Ada"), AT_ONCE + 1)
    transact, parts = office.database.transact, []

    def busy_after_the_first(work: Any) -> Any:
        parts.append(work)
        if len(parts) == 2:
            raise DatabaseBusy("Try again.")
        return transact(work)

    monkeypatch.setattr(office.database, "transact", busy_after_the_first)
    tally = enroll_many(office.database, key, whom(office, sequence, ids))
    assert (tally.statuses, isinstance(tally.stopped_by, DatabaseBusy)) == ({QUEUED: AT_ONCE}, True)
    again = enroll_many(office.database, key, whom(office, sequence, ids))
    assert (again.statuses, again.stopped_by) == ({ALREADY: AT_ONCE, QUEUED: 1}, None)


@pytest.mark.parametrize("kind", [CONTACT, LEAD])
def test_who_enrolls_is_who_sends_whatever_default_the_sequence_names(office: Office, kind: PersonKind) -> None:
    sam, sequence = office.add_user(), office.house.sequence(letter("1 hours"))
    settings = replace(settings_of(sequence), default_actor_id=office.house.owner_id)
    ids = (office.house.account_id, sequence.id)
    office.transact(lambda tx: change_settings(tx, *ids, settings, office.house.owner_id))
    asked = replace(whom(office, sequence, [office.house.person("Ada", kind=kind).id], kind), by=sam.id)
    assert enrolled(office, asked).queued == 1
    assert office.house.enrollment(1).subject.actor_id == sam.id


def test_where_nobody_may_be_enrolled_everybody_is_told_why_and_the_next_part_follows(office: Office) -> None:
    letters, call = office.house.sequence(letter("1 hours")), office.house.sequence(task("1 hours"), name="Call")
    for kind in (CONTACT, LEAD):
        nobody = office.nobody(kind)
        tally = enrolled(office, whom(office, letters, [nobody.id, NOBODY], kind))
        assert tally.statuses == {INVALID: 2}
        assert [id for id, _ in tally.left_out] == [nobody.id, NOBODY]
        assert all(reason for _, reason in tally.left_out)
        assert enrolled(office, whom(office, letters, [], kind)) == Tally()
    strangers = list(range(NOBODY, NOBODY + MOST_AT_ONCE - 1))
    ada, last = office.nobody(), office.nobody()
    asked = whom(office, call, [*strangers, ada.id, last.id])
    tally = enroll_many(office.database, office.house.world.hash_key, asked)
    assert (tally.total, tally.queued) == (MOST_AT_ONCE, 1)
    assert running(office) == [ada.id], "the one behind the ten thousandth is not looked at"


def test_the_variants_of_an_ab_test_are_counted(office: Office) -> None:
    house = office.house
    b = house.sequence(task("1 hours"), name="B")
    a = house.sequence(task("1 hours"), name="A", split=Split(b.id, 50))
    for kind in (CONTACT, LEAD):
        ids = [house.person("P", f"{kind}{number}@example.com", kind).id for number in range(24)]
        tally = enrolled(office, whom(office, a, ids, kind))
        assert set(tally.variants) == {Variant.A, Variant.B}
        assert tally.queued == sum(tally.variants.values()) == 24
        for variant, sequence in ((Variant.A, a), (Variant.B, b)):
            runs = f"resource_type = '{kind}' AND variant = '{variant}' AND runs_sequence_id = {sequence.id}"
            assert office.count(f"SELECT count(*) FROM enrollments WHERE {runs}") == tally.variants[variant]
        again = enrolled(office, whom(office, a, ids, kind))
        assert (again.variants, again.statuses) == ({}, {ALREADY: 24})


def test_what_takes_nobody_or_is_another_account_s_is_refused_as_a_whole(office: Office) -> None:
    house, sequence, theirs = office.house, office.house.sequence(letter()), a_rival_s_sequence(office)
    contact, lead = house.person("Ada"), house.person("Lena", kind=LEAD)
    ids: Any = (house.account_id, sequence.id)
    refused(office, NotFound, whom(office, theirs, [contact.id]))
    assert refused(office, Invalid, whom(office, theirs, [lead.id], LEAD)).field == "sequence_id"
    office.transact(lambda tx: set_status(tx, *ids, SequenceStatus.PAUSED, house.owner_id))
    refused(office, SequenceNotActive, whom(office, sequence, [contact.id]))
    assert refused(office, Invalid, whom(office, sequence, [lead.id], LEAD)).field == "sequence_id"
    office.transact(lambda tx: set_status(tx, *ids, SequenceStatus.ACTIVE, house.owner_id))
    office.set_account(sequences_enabled=False)
    for person in (contact, lead):
        refused(office, SequencesDisabled, whom(office, sequence, [person.id], person.kind))


def a_rival_s_sequence(office: Office) -> SequenceSettings:
    """An active sequence of another account."""

    def found(tx: Tx) -> House:
        account = accounts.add_account(tx, "Rival", "UTC", None)
        accounts.start_ids_at(tx, account.id, "sequence", 1_000_001)
        owner = accounts.add_user(tx, account.id, name="Rob", email="rob@rival.example", role=Role.ADMIN)
        return House(office.house.world, account.id, owner.id, 0)

    return office.transact(found).sequence(letter())


def test_whoever_sees_their_own_records_enrolls_their_own(office: Office) -> None:
    sam, sequence = office.add_user(), office.house.sequence(task())
    for kind in (CONTACT, LEAD):
        hers = office.house.person("Hers", f"hers.{kind}@example.com", kind)
        mine = structs.replace(hers, id=hers.id + 1, owner_id=sam.id, email=None, address_hash=None)
        office.transact(lambda tx, mine=mine: people.add(tx, [mine]))
        asked = replace(whom(office, sequence, [hers.id, mine.id], kind), by=sam.id, seen_by=sam.id)
        tally = enrolled(office, asked)
        assert tally.statuses == {QUEUED: 1, INVALID: 1}
        assert tally.left_out[0][0] == hers.id
        assert f"There is no {kind} {hers.id}." in tally.left_out[0][1]


def test_a_lead_who_asked_out_gets_no_variant(office: Office) -> None:
    house = office.house
    b = house.sequence(letter("1 hours"), name="B")
    a = house.sequence(letter("1 hours"), split=Split(b.id, 50))
    gone = house.person("Gone", kind=LEAD)
    address = office.hash_of("gone@example.com")
    office.transact(lambda tx: suppress(tx, house.account_id, address, Suppression.UNSUBSCRIBED, evidence="one-click"))
    assert enrolled(office, whom(office, a, [gone.id], LEAD)).statuses == {UNSUBSCRIBED: 1}
    with office.database.read() as snapshot:
        assert sequences.assigned_variants(snapshot, house.account_id, a.id, [address]) == {}


def test_twins_in_two_parts_are_told_as_they_will_be(office: Office) -> None:
    house, sequence = office.house, office.house.sequence(letter("1 hours"))
    first, twin = house.person("Ada", "ada@example.com"), house.person("Twin", "ADA@example.com")
    ids = [first.id, *crowd(office, first, AT_ONCE - 1), twin.id]
    assert enrolled(office, whom(office, sequence, ids)).statuses == {QUEUED: AT_ONCE, ALREADY: 1}
