"""Stop against send: whichever commits first wins, and no letter leaves after an acknowledged stop."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.happening import FinishRequested
from drumbeat.domain.person import PersonKind
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.deliveries import commit_turn
from drumbeat.operations.dispatch import ClaimedLetter, claim
from drumbeat.operations.enrollments import finish_all
from drumbeat.operations.execute import ContactInput, execute
from drumbeat.operations.records import PersonFields, change_person
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import people
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import House, letter, open_house

TRIES = 1000
TOKEN = "0123456789abcdef"
SHA256 = "0" * 64
Stop = Callable[[House, ClaimedLetter, Tx], object]


def _finish(house: House, held: ClaimedLetter, tx: Tx) -> None:
    finish_all(tx, house.account_id, [held.enrollment.id], FinishRequested(FinishedReason.MANUAL, house.owner_id))


def _unsubscribe(house: House, held: ClaimedLetter, tx: Tx) -> None:
    suppress(tx, house.account_id, held.delivery.address_hash, Suppression.UNSUBSCRIBED, evidence="one-click")


def _change_address(house: House, held: ClaimedLetter, tx: Tx) -> None:
    person = people.get(tx, house.account_id, PersonKind.CONTACT, held.enrollment.subject.resource_id)
    fields = PersonFields(first_name=person.first_name, email=f"new{person.id}@example.com")
    change_person(tx, house.world.hash_key, person, fields)


@pytest.mark.parametrize("stop", [_finish, _unsubscribe, _change_address])
def test_no_letter_passes_the_point_of_no_return_after_an_acknowledged_stop(
    database: Database, clock: FrozenClock, tmp_path: Path, stop: Stop
) -> None:
    house = open_house(database, 1, tmp_path)
    letters = _claimed(house, TRIES)
    granted_first = stopped_first = 0
    chance = random.Random(20260303)
    for held in letters:
        race = _Race(house, held, stop, head_start=chance.uniform(-0.002, 0.002))
        race.run()
        if race.granted:
            granted_first += 1
            assert race.stop_acknowledged_at > race.turn_began_at, "granted after the stop was acknowledged"
        else:
            stopped_first += 1
        _check_told_truth(house, held, race.granted, stop)
    assert granted_first + stopped_first == TRIES
    assert granted_first, "the send never won: this is no race"
    assert stopped_first, "the stop never won: this is no race"


def _claimed(house: House, count: int) -> list[ClaimedLetter]:
    sequence = house.sequence(letter())
    for start in range(0, count, 500):
        contacts = [ContactInput(f"p{n}@example.com", f"P{n}") for n in range(start, start + 500)]
        house.world.database.transact(
            lambda tx, c=contacts: execute(tx, house.world.hash_key, house.account_id, house.owner_id, sequence.id, c)
        )
    claimed = house.world.database.transact(
        lambda tx: claim(tx, house.world.identity, house.account_id, house.mailbox_id, limit=count, token=TOKEN)
    )
    return claimed.letters


class _Race:
    """Both sides at once; the stop gets a head start of so many seconds (negative: the send does)."""

    def __init__(self, house: House, held: ClaimedLetter, stop: Stop, *, head_start: float) -> None:
        self.house, self.held, self.stop = house, held, stop
        self._head_start = head_start
        self.granted = False
        self.turn_began_at = self.stop_acknowledged_at = 0.0
        self._barrier = threading.Barrier(2)

    def run(self) -> None:
        stopper = threading.Thread(target=self._stop)
        stopper.start()
        self._barrier.wait()
        time.sleep(max(0.0, self._head_start))
        self.turn_began_at = time.monotonic()
        key = self.held.delivery.key
        house = self.house
        self.granted = key in house.world.database.transact(
            lambda tx: commit_turn(tx, house.account_id, house.mailbox_id, [], [(self.held, SHA256)], token=TOKEN)
        )
        stopper.join()

    def _stop(self) -> None:
        self._barrier.wait()
        time.sleep(max(0.0, -self._head_start))
        self.house.world.database.transact(lambda tx: self.stop(self.house, self.held, tx))
        self.stop_acknowledged_at = time.monotonic()


def _check_told_truth(house: House, held: ClaimedLetter, granted: bool, stop: Stop) -> None:
    """What the stop left behind says whether the letter is out."""
    enrollment = house.enrollment(held.enrollment.id)
    if stop is _change_address:
        assert enrollment.state is State.ACTIVE
        assert enrollment.status is (ActionStatus.IN_PROGRESS if granted else ActionStatus.SCHEDULED)
    else:
        assert enrollment.state is State.FINISHED
        assert enrollment.status is (ActionStatus.IN_PROGRESS if granted else ActionStatus.CANCELLED)
