"""The database crashes, loses its answers, or comes back as it was before, while letters are on their way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from drumbeat.domain.enrollment import State
from drumbeat.operations.quarantine import reconcile
from drumbeat.operations.verification import verify_account
from drumbeat.store import migrate, quarantine
from drumbeat.store.database import Database
from drumbeat.testing.crew import crew
from drumbeat.testing.house import House, letter, open_house, open_world_of
from drumbeat.testing.proxy import Proxy
from drumbeat.testing.sink import At, Do, Sink
from drumbeat.worker import Worker
from tests.faults.test_windows import arrivals, enrollments, until
from tests.postgres import OwnServer, own_server

pytestmark = pytest.mark.postgresql
COMMITS = 12  # of a worker with one letter: it looks, claims, passes, settles


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the sink took."""
    return tmp_path / "sink.log"


@contextmanager
def working(house: House, url: str, folder: Path, pause: float = 0.0) -> Iterator[None]:
    """A worker at work, until the block ends."""
    stop = threading.Event()
    database = Database(url, busy_for=2.0)
    worker = Worker(open_world_of(database, folder))
    thread = threading.Thread(target=worker.run, args=(stop,))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("drumbeat.worker.recovery._OTHERS_LOOK", pause)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(60)
    database.close()
    assert not thread.is_alive()


def all_settled(house: House) -> bool:
    return not any(each.state is State.ACTIVE for each in enrollments(house))


def test_a_commit_whose_answer_is_lost_is_read_again_and_never_repeated_blindly(
    request: pytest.FixtureRequest, tmp_path: Path, log: Path
) -> None:
    with ExitStack() as after:
        server = request.getfixturevalue("postgresql_server")
        url = server.create(after, template=request.getfixturevalue("postgresql_template"))
        with psycopg.connect(url) as connection:
            proxy = after.enter_context(Proxy(connection.info.host, connection.info.port))
        through = make_url(url).set(host="127.0.0.1", port=proxy.port, query={})
        sink = after.enter_context(Sink(log=log))
        direct = Database(url)
        house = open_house(direct, sink.port, tmp_path, connections=1)
        for number in range(1, COMMITS + 1):
            with working(house, through.render_as_string(hide_password=False), tmp_path):
                proxy.cut_behind(b"COMMIT", number)
                house.enroll(house.sequence(letter(), name=f"Letter {number}"), house.person(f"P{number}"))
                until(lambda: all_settled(house), 20)
        found = enrollments(house)
        assert proxy.cuts >= COMMITS // 2
        assert not any(each.in_doubt for each in found)
        assert arrivals(house, log) == {each.id: 1 for each in found}
        assert not any(part.breaches for part in verify_account(direct, house.account_id))
        direct.close()


@pytest.fixture
def cluster(tmp_path: Path, log: Path) -> Iterator[tuple[OwnServer, House, Sink]]:
    """A cluster of the test's own, with an office."""
    with own_server() as server, Sink(log=log) as sink:
        migrate.upgrade(server.url)
        database = Database(server.url)
        yield server, open_house(database, sink.port, tmp_path, connections=2), sink
        database.close()


def people(house: House, count: int, name: str = "Welcome") -> None:
    sequence = house.sequence(letter(), name=name)
    for number in range(count):
        house.enroll(sequence, house.person(f"{name}{number}"))


def test_a_database_that_crashes_again_and_again_costs_no_letter_and_doubles_none(
    cluster: tuple[OwnServer, House, Sink], tmp_path: Path, log: Path
) -> None:
    server, house, sink = cluster
    sink.script = {At.DOT: Do(delay=0.05)}
    people(house, 60)
    with capture_logs() as said, working(house, server.url, tmp_path):
        for crash in range(1, 6):
            until(lambda: len(sink.letters) >= crash * 8, 30)  # noqa: B023
            server.stop(signal.SIGQUIT)
            server.start()
        house.world.database.close()
        until(lambda: all_settled(house), 60)
    found = enrollments(house)
    assert arrivals(house, log) == {each.id: 1 for each in found}
    assert not any(each.in_doubt for each in found), "every answer was kept until it could be stored"
    told = [line["event"] for line in said]
    assert 1 <= told.count("the database is in the way") == told.count("the database is back") <= 5
    assert not any(part.breaches for part in verify_account(house.world.database, house.account_id))


def test_a_failover_that_lost_commits_stands_still_and_sends_nothing_twice(
    cluster: tuple[OwnServer, House, Sink], tmp_path: Path, log: Path
) -> None:
    server, house, sink = cluster
    people(house, 20)
    house.world.database.close()
    server.keep("standby")
    with working(house, server.url, tmp_path, pause=1.0):
        until(lambda: len(sink.letters) == 20, 30)
        until(lambda: all_settled(house))
        server.fall_back_to("standby")
        house.world.database.close()
        until(lambda: _stands_still(house), 20)
        assert len(sink.letters) == 20
        house.world.database.transact(lambda tx: reconcile(tx, nothing_was_sent=False))
        until(lambda: all_settled(house), 30)
    assert max(arrivals(house, log).values()) == 1
    assert all(each.state is State.FINISHED for each in enrollments(house)), "the journal knew of every letter"


def _stands_still(house: House) -> bool:
    with house.world.database.read() as snapshot:
        return quarantine.find(snapshot) is not None


def test_an_answer_that_comes_while_the_database_is_away_is_stored_when_it_is_back(
    cluster: tuple[OwnServer, House, Sink], tmp_path: Path, log: Path
) -> None:
    """Also by the next worker, where the first one is told to stop meanwhile."""
    server, house, sink = cluster
    sink.script = {At.DOT: Do(delay=1.0)}
    people(house, 1)
    with crew(tmp_path, server.url) as workers:
        pid = workers.start()
        until(lambda: any(talk.recipient for talk in sink.talks))
        until(lambda: _passed(house))
        house.world.database.close()
        server.stop(signal.SIGQUIT)
        until(lambda: len(sink.letters) == 1)
        workers.signal(pid, signal.SIGTERM)
        workers.wait(pid)
        server.start()
        workers.start()
        until(lambda: all_settled(house), 30)
    (only,) = enrollments(house)
    assert only.state is State.FINISHED
    assert not only.in_doubt
    assert arrivals(house, log) == {1: 1}


def _passed(house: House) -> bool:
    return any(each.status.value == "in_progress" for each in enrollments(house))
