"""After a restore nothing is sent until somebody says so, and what may have left is in doubt instead of sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.account import UnknownMeans
from drumbeat.domain.enrollment import ActionStatus, State
from drumbeat.domain.timeline import Binding, Lifter, Quarantine
from drumbeat.operations.dispatch import claim
from drumbeat.operations.doubts import count_as_sent, settle_by_evidence
from drumbeat.operations.quarantine import reconcile
from drumbeat.operations.verification import verify_account
from drumbeat.store import quarantine
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import At
from tests.operations.office import TOKEN, Office, opened

CAUSE = "The database is a copy of yesterday."


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office with a sink and a worker."""
    with opened(database, clock, tmp_path) as office:
        yield office


def begin(office: Office) -> None:
    office.transact(lambda tx: quarantine.begin(tx, Quarantine(tx.now, CAUSE)))


def end(office: Office, *, nothing_was_sent: bool = False) -> None:
    office.transact(lambda tx: reconcile(tx, nothing_was_sent=nothing_was_sent))


def test_in_quarantine_no_letter_leaves_and_no_task_opens_and_everybody_is_told_why(office: Office) -> None:
    begin(office)
    ids = [
        office.enroll(office.house.sequence(step, name=name), office.house.person()).id
        for name, step in {"Letters": letter(), "Tasks": task()}.items()
    ]
    office.later(days=2)
    assert office.sink.letters == []
    for id in ids:
        assert office.house.enrollment(id).status is ActionStatus.SCHEDULED
        hold = office.why(id)
        assert hold is not None
        assert (hold.binding, hold.lifter) == (Binding.QUARANTINE, Lifter.OPERATOR)
        assert CAUSE in hold.sentence


def test_a_letter_that_stands_ready_when_the_quarantine_begins_is_not_sent(office: Office) -> None:
    office.sink.script = lambda at, _: begin(office) if at is At.DATA else None
    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    office.work()
    assert office.sink.letters == []
    assert office.house.enrollment(id).status is ActionStatus.SCHEDULED


def test_what_was_due_before_is_in_doubt_after_and_what_comes_due_later_is_sent(office: Office) -> None:
    sequence = office.house.sequence(letter(), letter("24 hours"), letter("24 hours"))
    due, later = office.house.person("Ada"), office.house.person("Bob")
    first = office.enroll(sequence, due).id
    begin(office)
    office.clock.advance(timedelta(hours=1))
    end(office)
    second = office.enroll(sequence, later).id
    office.work()
    assert [each.recipient for each in office.sink.letters] == ["bob@example.com"]
    assert office.house.enrollment(first).in_doubt
    assert office.delivered(first) == ["unknown"]
    assert not office.house.enrollment(second).in_doubt
    office.later(minutes=11)
    assert office.house.enrollment(first).state is State.BLOCKED
    assert not any(part.breaches for part in verify_account(office.database, office.house.account_id))


def test_each_step_that_came_due_meanwhile_is_in_doubt_one_after_the_other(office: Office) -> None:
    sequence = office.house.sequence(letter(), letter("24 hours"), letter("24 hours"), letter("240 hours"))
    enrolled = office.enroll(sequence, office.house.person())
    account_id, owner_id = office.house.account_id, office.house.owner_id
    began = office.clock.now
    begin(office)
    office.clock.advance(timedelta(days=3))
    end(office)
    for position in range(3):
        office.work()
        waiting = office.house.enrollment(enrolled.id)
        assert (waiting.position, waiting.in_doubt) == (position, True)
        office.transact(lambda tx: count_as_sent(tx, account_id, enrolled.id, owner_id))
    office.work()
    assert office.sink.letters == []
    waiting = office.house.enrollment(enrolled.id)
    assert (waiting.position, waiting.due_at) == (3, began + timedelta(days=12))
    executed = [stage.executed_at for stage in office.house.view(enrolled.id).stages[:3]]
    assert executed == [began, began + timedelta(days=1), began + timedelta(days=2)]
    assert not any(part.breaches for part in verify_account(office.database, account_id))


def test_a_letter_that_did_not_leave_after_all_is_sent_when_somebody_says_so(office: Office) -> None:
    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    begin(office)
    office.clock.advance(timedelta(hours=1))
    end(office)
    office.work()
    before = office.deliveries(id)[0]
    office.send_again(id)
    office.work()
    assert len(office.sink.letters) == 1
    assert office.house.enrollment(id).state is State.FINISHED
    assert before.frozen == office.deliveries(id)[1].frozen


def test_a_letter_that_was_refused_before_and_a_held_mailbox_change_nothing_about_the_doubt(office: Office) -> None:
    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    office.set_mailbox(is_active=False)
    begin(office)
    office.clock.advance(timedelta(hours=1))
    end(office)
    office.work()
    assert office.house.enrollment(id).in_doubt
    office.set_mailbox(is_active=True)
    office.later(days=1)
    assert office.sink.letters == []


def test_where_the_account_says_so_a_letter_that_may_have_left_counts_as_sent(office: Office) -> None:
    office.set_account(unknown_means=UnknownMeans.SENT)
    id = office.enroll(office.house.sequence(letter(), letter("24 hours")), office.house.person()).id
    begin(office)
    office.clock.advance(timedelta(hours=1))
    end(office)
    office.work()
    office.later(minutes=11)
    assert office.house.enrollment(id).position == 1
    office.later(hours=24)
    assert len(office.sink.letters) == 1


def test_evidence_settles_the_doubt_as_it_settles_others(office: Office) -> None:
    id = office.enroll(office.house.sequence(letter(), letter("24 hours")), office.house.person()).id
    begin(office)
    office.clock.advance(timedelta(hours=1))
    end(office)
    office.work()
    key = office.deliveries(id)[0].key
    assert office.transact(lambda tx: settle_by_evidence(tx, office.house.account_id, key, "a copy was found"))
    assert office.house.enrollment(id).position == 1


def test_when_nothing_was_sent_everything_due_is_sent(office: Office) -> None:
    office.enroll(office.house.sequence(letter()), office.house.person())
    begin(office)
    office.clock.advance(timedelta(hours=1))
    end(office, nothing_was_sent=True)
    office.work()
    assert len(office.sink.letters) == 1


def test_a_letter_that_a_worker_held_when_the_copy_was_made_is_in_doubt_too(office: Office) -> None:
    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    world, account_id, mailbox_id = office.house.world, office.house.account_id, office.house.mailbox_id
    office.transact(lambda tx: claim(tx, world.identity, account_id, mailbox_id, limit=9, token=TOKEN))
    begin(office)
    office.later(seconds=31)
    assert office.delivered(id) == ["queued"]
    end(office)
    office.work()
    assert office.sink.letters == []
    assert office.house.enrollment(id).in_doubt


def test_ids_that_were_given_in_the_lost_time_are_not_given_again(office: Office) -> None:
    sequence = office.house.sequence(letter())
    assert office.enroll(sequence, office.house.person()).id == 1
    begin(office)
    bob = office.house.person("Bob")
    assert bob.id > 1_000_000
    assert office.enroll(sequence, bob).id > 1_000_000
    begin(office)
    end(office)
    assert office.house.person("Cleo").id < 2_000_000


def test_turns_of_the_lost_time_are_not_given_anew(office: Office) -> None:
    office.set_mailbox(per_hour=1)
    sequence = office.house.sequence(letter())
    ids = [office.enroll(sequence, office.house.person(name)).id for name in ("Ada", "Bob", "Cleo", "Dan")]
    office.clock.advance(timedelta(seconds=1))
    office.work()  # the first leaves, the others have turns in the hours that follow
    begin(office)
    office.clock.advance(timedelta(hours=2, minutes=30))
    end(office)
    office.work()
    doubts = [office.house.enrollment(id).in_doubt for id in ids]
    assert sum(doubts) == 2
    office.later(days=1)
    assert len(office.sink.letters) == 2
