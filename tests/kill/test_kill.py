"""A thousand letters due at once while workers are killed: none twice, none lost, every doubt listed."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.delivery import DeliveryStatus, read_message_id
from drumbeat.domain.enrollment import Enrollment, State
from drumbeat.operations.execute import ContactInput, execute
from drumbeat.operations.verification import verify_account
from drumbeat.store import deliveries, doubts, enrollment_pages, installation
from drumbeat.store.database import Database
from drumbeat.testing.crew import Crew, crew
from drumbeat.testing.house import House, letter, open_house
from drumbeat.testing.sink import Sink

LETTERS = 1000
ROUNDS = 6


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed"])
def test_each_of_a_thousand_letters_arrives_once_or_is_listed_as_doubtful(
    database_url: str, tmp_path: Path, killed: bool
) -> None:
    database = Database(database_url, test_clock=True)
    workers = 4 if "postgresql" in database_url else 1
    log = tmp_path / "sink.log"
    with Sink(log=log) as sink, crew(tmp_path, database_url) as started:
        house = open_house(database, sink.port, tmp_path)
        _enroll(house, LETTERS)
        if killed:
            _storm(house, started, workers)
        _finish(house, started, workers)
    arrived = _arrived(house, log)
    assert max(arrived.values()) == 1, "a letter arrived twice"
    doubts = _check_every_enrollment(house, arrived)
    assert [part.breaches for part in verify_account(database, house.account_id)] == [()]
    if killed:
        assert doubts <= ROUNDS * workers * 4, "more doubts than kills times open connections"
    else:
        assert doubts == 0
        assert len(arrived) == LETTERS
    database.close()


def _enroll(house: House, count: int) -> None:
    sequence = house.sequence(letter())
    for start in range(0, count, 500):
        contacts = [ContactInput(f"p{n}@example.com", f"P{n}") for n in range(start, start + 500)]
        house.world.database.transact(
            lambda tx, c=contacts: execute(tx, house.world.hash_key, house.account_id, house.owner_id, sequence.id, c)
        )


def _storm(house: House, workers: Crew, count: int) -> None:
    chance = random.Random(20260303)
    for _ in range(ROUNDS):
        started = [workers.start() for _ in range(count)]
        time.sleep(chance.uniform(0.15, 0.4))
        for pid in started:
            workers.kill(pid)
        # The leases of the dead run out.
        _advance(house, timedelta(seconds=31))


def _finish(house: House, workers: Crew, count: int) -> None:
    _advance(house, timedelta(seconds=31))
    started = [workers.start() for _ in range(count)]
    _until(house, lambda: not _open(house))
    _advance(house, timedelta(minutes=11))
    _until(house, lambda: not _awaiting(house))
    for pid in started:
        workers.signal(pid, signal.SIGTERM)
    assert [workers.wait(pid) for pid in started] == [0] * count


def _advance(house: House, by: timedelta) -> None:
    with house.world.database.write() as tx:
        installation.advance_clock(tx, by // timedelta(microseconds=1))


def _until(house: House, settled: object, seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not settled():  # type: ignore[operator]
        assert time.monotonic() < give_up, "the letters do not settle"
        time.sleep(0.1)


def _all(house: House) -> list[Enrollment]:
    with house.world.database.read() as snapshot:
        return enrollment_pages.list_page(snapshot, house.account_id, limit=LETTERS)


def _open(house: House) -> bool:
    return any(e.state is State.ACTIVE and not e.in_doubt for e in _all(house))


def _awaiting(house: House) -> bool:
    return any(e.state is State.ACTIVE for e in _all(house))


def _arrived(house: House, log: Path) -> Counter[int]:
    """How many letters of each enrollment the sink accepted."""
    ids = [json.loads(line)["message_id"] for line in log.read_text().splitlines()]
    found = [read_message_id(house.world.hash_key, id) for id in ids]
    assert all(found), "the sink accepted a letter that is none of ours"
    return Counter(each[1] for each in found if each)


def _check_every_enrollment(house: House, arrived: Counter[int]) -> int:
    """Completed means arrived, doubtful is listed, nothing rests anywhere else; returns the doubts."""
    with house.world.database.read() as snapshot:
        unknown = {d.enrollment_id for d in doubts.list_unknown(snapshot, house.account_id)}
        for enrollment in _all(house):
            last = deliveries.list_of_enrollment(snapshot, house.account_id, enrollment.id)[-1]
            if enrollment.id in unknown:
                assert enrollment.state is State.BLOCKED
                assert enrollment.in_doubt
            else:
                assert enrollment.state is State.FINISHED
                assert last.status is DeliveryStatus.ACCEPTED
                assert arrived[enrollment.id] == 1, "a letter counts as sent and did not arrive"
    return len(unknown)
