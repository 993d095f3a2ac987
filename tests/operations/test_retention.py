"""Content goes some days after an enrollment's end: what happened, when and to whose record, stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import Enrollment, State
from drumbeat.domain.errors import IncorrectValue
from drumbeat.operations.accounts import change_account
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.mistaken_replies import undo_reply
from drumbeat.operations.verification import verify_account
from drumbeat.store import accounts
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import CUT, At
from tests.corpus.message import plain
from tests.operations.office import Office, opened

SECRET = "Zuleika"


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office with a sink and a worker."""
    with opened(database, clock, tmp_path) as office:
        yield office


def keep(office: Office, days: int | None) -> None:
    account_id = office.house.account_id
    office.transact(lambda tx: change_account(tx, replace(accounts.get_account(tx, account_id), keep_days=days)))


def finished(office: Office, name: str = SECRET) -> Enrollment:
    """An enrollment that a reply ended after its first letter."""
    steps = letter(), letter("48 hours")
    enrolled = office.enroll(office.house.sequence(*steps, name=f"For {name}"), office.house.person(name))
    office.work()
    id = read_frozen(office.deliveries(enrolled.id)[0].frozen).message_id
    raw = plain(f"From: {name.lower()}@example.com\nSubject: Re: Hello {name}\nIn-Reply-To: {id}", f"{name} says yes.")
    house = office.house
    office.transact(lambda tx: take_in(tx, house.world.hash_key, house.account_id, house.mailbox_id, read(raw)))
    assert office.house.enrollment(enrolled.id).state is State.FINISHED
    return office.house.enrollment(enrolled.id)


def named(office: Office, tables: tuple[str, ...] = ("deliveries", "events", "received_messages")) -> bool:
    """Whether the tables of what happened name the person."""
    everything = office.everything()
    return any(SECRET.lower() in repr(everything[name]).lower() for name in tables)


def test_content_stays_for_the_days_it_is_kept_and_goes_after_them(office: Office) -> None:
    keep(office, 30)
    ended = finished(office)
    assert named(office)
    office.later(days=29)
    assert named(office)
    office.later(days=2)
    assert not named(office)
    after = office.house.enrollment(ended.id)
    assert (after.state, after.finished_at) == (State.FINISHED, ended.finished_at)
    assert office.delivered(ended.id) == ["accepted"]
    assert office.facts(ended.id) == ["enrolled", "letter_sent", "finished"]
    assert office.house.view(ended.id).stages[0].executed_at is not None
    assert not any(part.breaches for part in verify_account(office.database, office.house.account_id))


def test_without_a_number_of_days_content_stays_for_ever(office: Office) -> None:
    finished(office)
    office.later(days=4000)
    assert named(office)


def test_what_runs_or_is_in_doubt_keeps_its_content(office: Office) -> None:
    keep(office, 1)
    office.sink.script = {At.DOT: CUT}
    doubtful = office.enroll(office.house.sequence(letter()), office.house.person(SECRET))
    office.work()
    office.set_state(doubtful.id, State.FINISHED)
    office.later(days=9)
    assert named(office)
    assert office.house.enrollment(doubtful.id).in_doubt


def test_what_another_one_goes_on_with_keeps_its_content_while_that_runs(office: Office) -> None:
    keep(office, 3)
    ended, house = finished(office), office.house
    going_on = office.transact(lambda tx: undo_reply(tx, house.account_id, ended.id, house.owner_id))
    office.later(days=1)
    assert named(office)
    office.later(days=1, hours=1)
    assert office.house.enrollment(going_on.id).state is State.FINISHED
    office.later(days=5)
    assert not named(office)


def test_what_was_emptied_cannot_go_on(office: Office) -> None:
    keep(office, 3)
    ended, house = finished(office), office.house
    office.later(days=5)
    with pytest.raises(IncorrectValue, match="enroll anew"):
        office.transact(lambda tx: undo_reply(tx, house.account_id, ended.id, house.owner_id))


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_a_number_of_days_that_is_none_is_refused(office: Office, days: int) -> None:
    with pytest.raises(IncorrectValue, match="number of days"):
        keep(office, days)


def test_another_account_s_content_is_its_own(office: Office) -> None:
    with office.database.write() as tx:
        other = accounts.add_account(tx, "Rival", "UTC", None)
        accounts.save_account(tx, replace(other, keep_days=1))
    finished(office)
    office.later(days=9)
    assert named(office)
