"""A worker that sleeps through its leases, or is told to stop, does no harm when it wakes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import State
from drumbeat.operations.verification import verify_account
from drumbeat.store.database import Database
from drumbeat.testing.crew import crew
from drumbeat.testing.house import House, open_house
from drumbeat.testing.sink import At, Do, Sink, Talk
from tests.faults.test_windows import advance, arrivals, enroll, enrollments, until


@pytest.fixture
def house(database_url: str, sink: Sink, tmp_path: Path) -> Iterator[House]:
    """An office."""
    database = Database(database_url, test_clock=True)
    yield open_house(database, sink.port, tmp_path, connections=1)
    database.close()


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    """A server that keeps a log."""
    with Sink(log=tmp_path / "sink.log") as sink:
        yield sink


@pytest.mark.parametrize("stage", [At.DATA, At.DOT], ids=["before its point of no return", "behind it"])
def test_a_worker_that_slept_through_three_leases_sends_nothing_that_another_has(
    house: House, sink: Sink, database_url: str, tmp_path: Path, stage: At
) -> None:
    first: list[Talk] = []

    def slowly(at: At, talk: Talk) -> Do | None:
        first[:] = first or [talk]
        return Do(delay=1.0) if at is stage and talk is first[0] else None

    sink.script = slowly
    enroll(house, 1)
    with crew(tmp_path, database_url) as workers:
        sleeper = workers.start()
        until(lambda: any(talk.recipient for talk in sink.talks))
        if stage is At.DOT:
            until(lambda: any(each.status.value == "in_progress" for each in enrollments(house)))
        workers.signal(sleeper, signal.SIGSTOP)
        for _ in range(3):
            advance(house, timedelta(seconds=31))
        workers.start()
        if stage is At.DATA:
            until(lambda: all(each.state is State.FINISHED for each in enrollments(house)))
        else:
            until(lambda: all(each.in_doubt for each in enrollments(house)))
        time.sleep(1.2)  # the server has answered
        workers.signal(sleeper, signal.SIGCONT)
        until(lambda: all(each.state is State.FINISHED for each in enrollments(house)))
        time.sleep(0.5)
    assert arrivals(house, tmp_path / "sink.log") == {1: 1}
    assert not any(part.breaches for part in verify_account(house.world.database, house.account_id))


def test_a_worker_that_is_told_twice_to_stop_ends_once_and_well(
    house: House, sink: Sink, database_url: str, tmp_path: Path
) -> None:
    sink.script = {At.DOT: Do(delay=0.8)}
    for number in range(1, 5):
        enroll(house, number)
    with crew(tmp_path, database_url) as workers:
        pid = workers.start()
        until(lambda: any(talk.recipient for talk in sink.talks))
        workers.signal(pid, signal.SIGTERM)
        time.sleep(0.1)
        workers.signal(pid, signal.SIGTERM)
        assert workers.wait(pid) == 0
        found = enrollments(house)
        assert not any(each.in_doubt or each.status.value == "in_progress" for each in found)
        workers.start()
        until(lambda: all(each.state is State.FINISHED for each in enrollments(house)))
    assert arrivals(house, tmp_path / "sink.log") == dict.fromkeys(range(1, 5), 1)
