"""Workers at rest look when there is work: at once when somebody makes some, and to the instant when it comes due."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from drumbeat.domain.sequence import SequenceStatus
from drumbeat.operations.sequences import set_status
from drumbeat.store import installation, lanes
from drumbeat.store.bell import Listener
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.house import House, letter, open_house, open_world_of
from drumbeat.testing.sink import Sink
from drumbeat.worker import Worker, loop

only_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
LISTENERS = Statement("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()")
END = Statement("SELECT pg_terminate_backend(:pid)")
FOR_LONG = 60.0
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server that takes everything."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def house(database_url: str, sink: Sink, tmp_path: Path) -> Iterator[House]:
    """An office."""
    database = Database(database_url, test_clock=True)
    yield open_house(database, sink.port, tmp_path)
    database.close()


def rang(database: Database, work: Callable[[Tx], object]) -> bool:
    """Whether a transaction rang."""
    database.rung.clear()
    database.transact(work)
    return database.rung.is_set()


# What rings.


def test_a_lane_that_wakes_now_rings_and_one_that_wakes_later_does_not(house: House) -> None:
    database, lane = house.world.database, (house.account_id, house.mailbox_id)
    assert rang(database, lambda tx: lanes.wake(tx, lane[0], [(lane[1], tx.now)]))
    assert not rang(database, lambda tx: lanes.wake(tx, lane[0], [(lane[1], tx.now + timedelta(minutes=1))]))
    assert not rang(database, lambda tx: lanes.wake(tx, lane[0], []))


def test_enrolling_pausing_and_moving_the_clock_ring(house: House) -> None:
    database, sequence = house.world.database, house.sequence(letter())
    database.rung.clear()
    house.enroll(sequence, house.person("Ada"))
    assert database.rung.is_set()
    paused = SequenceStatus.PAUSED
    assert rang(database, lambda tx: set_status(tx, house.account_id, sequence.id, paused, house.owner_id))
    assert rang(database, lambda tx: installation.advance_clock(tx, 1))


def test_what_is_not_committed_rings_nobody(house: House) -> None:
    database = house.world.database

    def fails(tx: Tx) -> None:
        tx.ring()
        raise ValueError("on purpose")

    database.rung.clear()
    with pytest.raises(ValueError, match="on purpose"):
        database.transact(fails)
    assert not database.rung.is_set()


# Who hears it.


@only_postgresql
def test_another_process_hears_it_and_again_after_its_connection_broke(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drumbeat.store.bell._AGAIN_AFTER", 0.05)
    with other(database_url) as (database, listener):
        assert heard(house, database)
        with house.world.database.read() as snapshot:
            (row,) = snapshot.all(LISTENERS)
            snapshot.first(END, pid=row.pid)
        until(lambda: not listener.hears)
        until(lambda: listener.hears)
        assert heard(house, database)


@only_postgresql
def test_behind_a_pooler_nobody_listens(database_url: str) -> None:
    pooled = make_url(database_url).update_query_dict({"pooler": "transaction"})
    with other(pooled.render_as_string(hide_password=False), hears=False) as (_, listener):
        assert not listener.hears


@contextmanager
def other(url: str, *, hears: bool = True) -> Iterator[tuple[Database, Listener]]:
    """The database as another process has it, and its listener."""
    database = Database(url)
    listener = database.listener()
    listener.start()
    until(lambda: listener.hears is hears)
    yield database, listener
    listener.close()
    database.close()


def heard(house: House, database: Database) -> bool:
    """Whether what is rung here is heard there."""
    database.rung.clear()
    house.world.database.transact(lambda tx: tx.ring())
    return database.rung.wait(5)


def until(found: Callable[[], bool]) -> None:
    """Wait for it."""
    gives_up = time.monotonic() + 10
    while not found():
        assert time.monotonic() < gives_up
        time.sleep(0.01)


# A worker at rest.


@pytest.fixture
def resting(house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that looks by itself once a minute alone; on PostgreSQL it is another process's."""
    for name in ("_POLL_EVERY", "_REST"):
        monkeypatch.setattr(loop, name, FOR_LONG)
    same = house.world.database.is_sqlite
    database = house.world.database if same else Database(database_url, test_clock=True)
    worker, stop = Worker(open_world_of(database, tmp_path)), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    time.sleep(0.5)
    yield worker
    stop.set()
    thread.join(10)
    assert not thread.is_alive(), "it hears that it is to stop"
    if not same:
        database.close()


@pytest.mark.usefixtures("resting")
def test_a_letter_leaves_at_once_though_the_worker_rests(house: House, sink: Sink) -> None:
    house.enroll(house.sequence(letter()), house.person("Ada"))
    until(lambda: len(sink.letters) == 1)


@pytest.mark.usefixtures("resting")
def test_a_worker_at_rest_wakes_when_something_comes_due(house: House, sink: Sink) -> None:
    house.enroll(house.sequence(letter("1 hours")), house.person("Ada"))
    shortly_before = timedelta(hours=1) - timedelta(seconds=3)
    house.world.database.transact(lambda tx: installation.advance_clock(tx, shortly_before // MICROSECOND))
    time.sleep(1)
    assert not sink.letters
    began = time.monotonic()
    until(lambda: len(sink.letters) == 1)
    assert time.monotonic() - began < 4
