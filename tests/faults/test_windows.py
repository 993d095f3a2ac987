"""A worker dies exactly here: what stands then, and what becomes of the letter.

DRUMBEAT_TEST_DEATHS asks for more of them at each point than the few of every run.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.delivery import read_message_id
from drumbeat.domain.enrollment import Enrollment, State
from drumbeat.operations.verification import verify_account
from drumbeat.store import deliveries, enrollment_pages, installation
from drumbeat.store.database import Database
from drumbeat.testing.crew import Crew, crew
from drumbeat.testing.house import House, letter, open_house
from drumbeat.testing.points import POINTS
from drumbeat.testing.sink import Sink

DEATHS = int(os.environ.get("DRUMBEAT_TEST_DEATHS", "2"))
# What stands when a worker has died there: the letter's status, whether the server has it (None: either), and whether
# it ends as a doubt.
TABLE: dict[str, tuple[str | None, bool | None, bool]] = {
    "W0 in the claim's transaction": (None, False, False),
    "W1 before the letter is written": ("claimed", False, False),
    "W1 before connecting": ("claimed", False, False),
    "W1 before MAIL": ("claimed", False, False),
    "W1 before the body": ("claimed", False, False),
    "W1 before the point of no return": ("claimed", False, False),
    "W1b before its commit": ("claimed", False, False),
    "W2 before the dot": ("transmitting", False, True),
    "W3 after the dot": ("transmitting", None, True),
    "W4 before the journal": ("transmitting", True, True),
    "W5 after the journal": ("transmitting", True, False),
    "W5 in the answer's transaction": ("transmitting", True, False),
    "W5 after the answer's commit": ("accepted", True, False),
}


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[tuple[House, Path]]:
    """An office that sends over one connection, and the log of what arrived."""
    database, log = Database(database_url, test_clock=True), tmp_path / "sink.log"
    with Sink(log=log) as sink:
        yield open_house(database, sink.port, tmp_path, connections=1), log
    database.close()


def test_the_table_has_every_point() -> None:
    assert list(TABLE) == list(POINTS)


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_dies_in_a_window_leaves_what_the_table_says(
    office: tuple[House, Path], database_url: str, tmp_path: Path, point: str
) -> None:
    house, log = office
    status, has_left, is_doubt = TABLE[point]
    with crew(tmp_path, database_url) as workers:
        for number in range(1, DEATHS + 1):
            enroll(house, number)
            assert workers.wait(workers.start(point)) == -signal.SIGKILL
            assert status_of(house, number) == status
            if has_left is not None:
                assert bool(arrivals(house, log)[number]) is has_left
            advance(house, timedelta(seconds=31))
            finish(house, workers)
    arrived = arrivals(house, log)
    assert max(arrived.values(), default=1) == 1, "a letter arrived twice"
    for each in enrollments(house):
        assert each.in_doubt is is_doubt
        assert each.state is (State.BLOCKED if is_doubt else State.FINISHED)
        assert is_doubt or arrived[each.id] == 1, "a letter was lost"
    assert not any(part.breaches for part in verify_account(house.world.database, house.account_id))


def status_of(house: House, id: int) -> str | None:
    """Where an enrollment's only letter stands."""
    with house.world.database.read() as snapshot:
        found = deliveries.list_of_enrollment(snapshot, house.account_id, id)
    return found[0].status.value if found else None


def enroll(house: House, number: int) -> None:
    """One more person in a sequence of one letter, which is due."""
    sequence = house.sequence(letter(), name=f"Letter {number}")
    house.enroll(sequence, house.person(f"P{number}"))


def finish(house: House, workers: Crew) -> None:
    """A worker that lives does all there is to do, and its doubts run out."""
    pid = workers.start()
    until(lambda: not any(each.state is State.ACTIVE and not each.in_doubt for each in enrollments(house)))
    advance(house, timedelta(minutes=11))
    until(lambda: not any(each.state is State.ACTIVE for each in enrollments(house)))
    workers.signal(pid, signal.SIGTERM)
    assert workers.wait(pid) == 0


def advance(house: House, by: timedelta) -> None:
    """Let time pass."""
    with house.world.database.write() as tx:
        installation.advance_clock(tx, by // timedelta(microseconds=1))


def until(settled: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for it."""
    give_up = time.monotonic() + seconds
    while not settled():
        assert time.monotonic() < give_up, "the letters do not settle"
        time.sleep(0.05)


def enrollments(house: House) -> list[Enrollment]:
    """Every enrollment."""
    with house.world.database.read() as snapshot:
        return enrollment_pages.list_page(snapshot, house.account_id, limit=1000)


def arrivals(house: House, log: Path) -> Counter[int]:
    """How many letters of each enrollment the sink took."""
    ids = [json.loads(line)["message_id"] for line in log.read_text().splitlines()]
    found = [read_message_id(house.world.hash_key, id) for id in ids]
    assert all(found), "the sink took a letter that is none of ours"
    return Counter(each[1] for each in found if each)
