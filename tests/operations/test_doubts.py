"""Doubts: how long evidence is awaited, and what a person or the account makes of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.account import UnknownMeans
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, State
from drumbeat.domain.errors import IncorrectValue, NotFound
from drumbeat.operations.doubts import (
    count_as_not_sent,
    count_as_sent,
    send_again,
)
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import CUT, At, Do
from tests.operations.office import Office, opened

SHA256 = "0" * 64
ARRIVED_UNHEARD = Do(reply="", cut=True, accept=True)


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def one(office: Office, *more: str) -> Enrollment:
    """Ada's enrollment, with one letter more for each delay given."""
    sequence = office.house.sequence(letter(), *(letter(after) for after in more))
    return office.enroll(sequence, office.house.person("Ada"))


def doubtful(office: Office, *more: str, at: Do = CUT) -> Enrollment:
    """In doubt: the connection broke behind the dot."""
    enrolled = one(office, *more)
    office.sink.script = {At.DOT: at}
    office.work()
    office.sink.script = {}
    return office.house.enrollment(enrolled.id)


def test_a_cut_behind_the_dot_is_in_progress_for_ten_minutes_and_then_blocked(office: Office) -> None:
    enrolled = doubtful(office, "1 hours")
    assert (enrolled.state, enrolled.status) == (State.ACTIVE, ActionStatus.IN_PROGRESS)
    assert office.delivered(enrolled.id) == ["unknown"]
    office.later(minutes=10)
    assert office.house.enrollment(enrolled.id).state is State.ACTIVE
    office.later(seconds=1)
    blocked = office.house.enrollment(enrolled.id)
    assert (blocked.state, blocked.status) == (State.BLOCKED, ActionStatus.BLOCKED)
    assert blocked.failure_reason is FailureReason.UNKNOWN
    assert "not known" in (blocked.failure_detail or "")
    assert office.sink.letters == []


def test_where_the_account_says_so_a_doubt_counts_as_sent_after_ten_minutes(office: Office) -> None:
    office.set_account(unknown_means=UnknownMeans.SENT)
    enrolled = doubtful(office, "1 hours")
    office.later(minutes=9)
    assert office.house.enrollment(enrolled.id).position == 0
    office.later(minutes=1, seconds=1)
    now = office.house.enrollment(enrolled.id)
    assert (now.state, now.position) == (State.ACTIVE, 1)
    assert now.due_at == office.clock.now + timedelta(hours=1)


def test_a_definite_refusal_is_no_doubt_for_such_an_account(office: Office) -> None:
    office.set_account(unknown_means=UnknownMeans.SENT)
    enrolled = one(office)
    office.sink.script = {At.DOT: "554 5.6.0 no"}
    office.work()
    office.later(hours=1)
    assert office.house.enrollment(enrolled.id).state is State.BLOCKED


@pytest.mark.parametrize("wait", [timedelta(), timedelta(minutes=11)])
def test_a_person_may_count_a_doubt_as_sent_before_and_after_it_blocks(office: Office, wait: timedelta) -> None:
    enrolled = doubtful(office, "1 hours")
    office.clock.advance(wait)
    office.work()
    house = office.house
    now = office.transact(lambda tx: count_as_sent(tx, house.account_id, enrolled.id, house.owner_id))
    assert (now.state, now.position, now.in_doubt) == (State.ACTIVE, 1, False)
    assert "letter_counted_as_sent" in office.facts(enrolled.id)
    office.later(hours=1)
    assert len(office.sink.letters) == 1


def test_a_letter_sent_again_has_the_same_bytes_and_the_same_message_id(office: Office) -> None:
    enrolled = doubtful(office, at=ARRIVED_UNHEARD)
    office.later(minutes=11)
    again = office.send_again(enrolled.id)
    assert (again.state, again.status, again.in_doubt) == (State.ACTIVE, ActionStatus.SCHEDULED, False)
    office.change(office.house.person("Ada", "other@example.com"), first_name="Eve")
    office.work()
    first, second = office.sink.letters
    assert hashlib.sha256(first.content).digest() == hashlib.sha256(second.content).digest()
    assert office.mail(0)["Message-ID"] == office.mail(1)["Message-ID"]
    assert office.house.enrollment(enrolled.id).state is State.FINISHED
    assert office.delivered(enrolled.id) == ["refused", "accepted"]
    assert "letter_sent_again" in office.facts(enrolled.id)


def test_sending_again_is_refused_when_the_bytes_cannot_be_made_again(office: Office) -> None:
    enrolled = doubtful(office)
    house, before = office.house, office.everything()
    with pytest.raises(IncorrectValue) as caught:
        office.transact(
            lambda tx: send_again(tx, house.account_id, enrolled.id, house.owner_id, rewritten_sha256=SHA256)
        )
    assert "byte for byte" in caught.value.detail
    assert office.everything() == before


def test_what_is_not_in_doubt_cannot_be_settled(office: Office) -> None:
    enrolled = one(office)
    house = office.house
    for act in (count_as_sent, count_as_not_sent):
        with pytest.raises(NotFound):
            office.transact(lambda tx, act=act: act(tx, house.account_id, enrolled.id, house.owner_id))  # type: ignore[misc]
    with pytest.raises(NotFound):
        office.transact(
            lambda tx: send_again(tx, house.account_id, enrolled.id, house.owner_id, rewritten_sha256=SHA256)
        )


def test_a_doubt_of_a_finished_run_waits_for_a_person_and_is_never_sent_again(office: Office) -> None:
    enrolled = doubtful(office)
    done = office.set_state(enrolled.id, State.FINISHED)
    assert done.status is ActionStatus.IN_PROGRESS
    office.later(days=1)
    assert office.house.enrollment(enrolled.id).status is ActionStatus.IN_PROGRESS
    with pytest.raises(IncorrectValue):
        office.send_again(enrolled.id)
    house = office.house
    settled = office.transact(lambda tx: count_as_not_sent(tx, house.account_id, enrolled.id, house.owner_id))
    assert (settled.state, settled.status) == (State.FINISHED, ActionStatus.CANCELLED)
    assert (settled.finished_reason, settled.finished_at) == (done.finished_reason, done.finished_at)
    assert office.delivered(enrolled.id) == ["refused"]


def test_a_doubt_of_a_finished_run_can_be_counted_as_sent(office: Office) -> None:
    enrolled = doubtful(office, "1 hours")
    done = office.set_state(enrolled.id, State.FINISHED)
    house = office.house
    settled = office.transact(lambda tx: count_as_sent(tx, house.account_id, enrolled.id, house.owner_id))
    assert (settled.state, settled.finished_at) == (State.FINISHED, done.finished_at)
    assert [s.status for s in house.view(enrolled.id).stages] == [ActionStatus.COMPLETED, ActionStatus.CANCELLED]


def test_counting_as_not_sent_is_refused_while_it_runs(office: Office) -> None:
    enrolled = doubtful(office)
    house = office.house
    with pytest.raises(IncorrectValue):
        office.transact(lambda tx: count_as_not_sent(tx, house.account_id, enrolled.id, house.owner_id))
