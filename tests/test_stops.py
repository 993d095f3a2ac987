"""After an acknowledged stop no letter leaves, at whatever moment of its sending the stop came."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, State
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import At, Do, Talk
from tests.operations.office import Office, opened
from tests.stops import STOPS

BEFORE = [At.EHLO, At.MAIL, At.RCPT, At.DATA]
AGAINST_THE_CLOCK = 10


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


@dataclass
class Sending:
    """Somebody's second letter, about to leave, and what came of the stop."""

    office: Office
    enrollment: Enrollment
    stop: Callable[[Office, Enrollment], None]
    acknowledged: Enrollment | None = None

    def do_stop(self) -> None:
        self.stop(self.office, self.enrollment)
        self.acknowledged = self.office.house.enrollment(self.enrollment.id)

    def check(self) -> None:
        """The promise: what the acknowledged stop does not show as being sent was never sent."""
        assert self.acknowledged is not None
        after = self.office.house.enrollment(self.enrollment.id)
        assert (after.state, after.finished_reason) == (State.FINISHED, self.acknowledged.finished_reason)
        arrived = len(self.office.sink.letters) == 2
        was_out = self.acknowledged.status is ActionStatus.IN_PROGRESS or self.acknowledged.position == 2
        assert arrived is was_out
        assert [d.status.value for d in self.office.deliveries(after.id)].count("accepted") == 1 + arrived


def sending(office: Office, stop: str) -> Sending:
    sequence = office.house.sequence(letter(), letter("1 hours"), letter("1 hours"))
    enrolled = office.enroll(sequence, office.house.person("Ada"))
    office.work()
    office.worker.close()  # so that the next letter's conversation begins with a greeting
    return Sending(office, office.house.enrollment(enrolled.id), STOPS[stop].act)


def stopping_at(moment: At, what: Sending) -> Callable[[At, Talk], Do | None]:
    def script(at: At, _: Talk) -> Do | None:
        if at is moment and what.acknowledged is None:
            what.do_stop()
        return None

    return script


@pytest.mark.parametrize("moment", BEFORE)
@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_before_the_point_of_no_return_keeps_the_letter(office: Office, stop: str, moment: At) -> None:
    what = sending(office, stop)
    office.sink.script = stopping_at(moment, what)
    office.later(hours=1)
    assert len(office.sink.letters) == 1
    assert office.house.enrollment(what.enrollment.id).finished_reason is STOPS[stop].reason
    what.check()


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_behind_it_is_told_that_the_letter_is_out(office: Office, stop: str) -> None:
    what = sending(office, stop)
    office.sink.script = stopping_at(At.DOT, what)
    office.later(hours=1)
    assert len(office.sink.letters) == 2
    assert what.acknowledged is not None
    assert what.acknowledged.status is ActionStatus.IN_PROGRESS
    after = office.house.enrollment(what.enrollment.id)
    assert (after.state, after.position, after.status) == (State.FINISHED, 2, ActionStatus.CANCELLED)
    what.check()
    office.later(hours=9)
    assert len(office.sink.letters) == 2


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_before_the_claim_leaves_nothing_to_send(office: Office, stop: str) -> None:
    what = sending(office, stop)
    what.do_stop()
    office.later(hours=1)
    what.check()


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_at_any_instant_keeps_its_word(office: Office, stop: str) -> None:
    """A few tries against the clock; `script/bench stops` makes ten thousand."""
    chance = random.Random(stop)
    sequence = office.house.sequence(letter(), letter("1 hours"), letter("1 hours"))
    for number in range(AGAINST_THE_CLOCK):
        name = f"P{number}"
        enrolled = office.enroll(sequence, office.house.person(name))
        office.work()
        office.sink.letters = [each for each in office.sink.letters if each.recipient == f"{name.lower()}@example.com"]
        what = Sending(office, office.house.enrollment(enrolled.id), STOPS[stop].act)
        office.clock.advance(office.house.enrollment(enrolled.id).due_at - office.clock())  # type: ignore[operator]
        working = threading.Thread(target=office.work)
        working.start()
        time.sleep(chance.random() * 0.012)
        what.do_stop()
        working.join()
        office.work()
        what.check()


def test_the_stops_are_all_there_are() -> None:
    assert {each.reason for each in STOPS.values()} == set(FinishedReason) - {
        FinishedReason.ALL_STEPS_COMPLETED,
        FinishedReason.TASK_DELETED,
    }
