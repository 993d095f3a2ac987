"""A worker's machine is cut off from the database in the middle of its letters: the others go on, and it settles what
it knows when it is back."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from drumbeat.domain.enrollment import State
from drumbeat.operations.verification import verify_account
from drumbeat.store import database as store
from drumbeat.store import deliveries, migrate
from drumbeat.store.database import Database
from drumbeat.testing.crew import crew
from drumbeat.testing.house import House, open_house
from drumbeat.testing.sink import Sink
from drumbeat.worker.journal import Journal
from tests.faults.test_database_lost import all_settled, people
from tests.faults.test_windows import advance, arrivals, enrollments, until
from tests.postgres import own_server

pytestmark = pytest.mark.postgresql
PAUSES = "DRUMBEAT_TEST_PAUSES"  # the folder in which a worker says that it pauses, and is told to go on
HASTY = {"tcp_user_timeout": "1000", "connect_timeout": "2"}


class Machine:
    """A network of its own, joined to this machine's by a wire that can be cut."""

    def __init__(self, number: int) -> None:
        self.name = f"drumbeat-{number}"
        self.here, there = (f"10.{77 + number // 16384}.{number // 64 % 256}.{number % 64 * 4 + end}" for end in (1, 2))
        wire = f"drum{number}"
        _ip("netns", "add", self.name)
        _ip("link", "add", wire, "type", "veth", "peer", "name", "wire", "netns", self.name)
        _ip("address", "add", f"{self.here}/30", "dev", wire)
        _ip("-n", self.name, "address", "add", f"{there}/30", "dev", "wire")
        _ip("link", "set", wire, "up")
        for each in ("lo", "wire"):
            _ip("-n", self.name, "link", "set", each, "up")

    @property
    def within(self) -> list[str]:
        """What a command begins with that runs there."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        """Cut the wire at its far end: what is sent from here is lost, and nobody here is told."""
        _ip("-n", self.name, "link", "set", "wire", "down")

    def join(self) -> None:
        """Mend it."""
        _ip("-n", self.name, "link", "set", "wire", "up")


def _ip(*told: str) -> None:
    subprocess.run(["ip", *told], check=True, capture_output=True)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Another machine, where a test may make one."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("networks are made by root alone, with ip")
    made = Machine(secrets.randbelow(2**16))
    yield made
    _ip("netns", "delete", made.name)


def pause_before_the_commit() -> None:
    """Let a worker pause when it has noted its first answers."""
    _notice_soon()
    _pause_behind(Journal, "note", lambda _, __, entries: bool(entries))


def pause_in_the_commit() -> None:
    """Let a worker pause in the transaction of its first answers, their enrollments locked."""
    _notice_soon()
    _pause_behind(deliveries, "settle", lambda _, __, settled, ___: bool(settled))


def _notice_soon() -> None:
    hasty = store._SERVER_NOTICES.replace("= 30", "= 1").replace("= 10", "= 1").replace("= 60000", "= 1000")
    assert hasty.count("= 1") == 3
    store._SERVER_NOTICES = hasty


def _pause_behind(owner: Any, name: str, counts: Callable[..., bool]) -> None:
    do, folder = getattr(owner, name), Path(os.environ[PAUSES])

    def paused(*given: Any, **named: Any) -> Any:
        result = do(*given, **named)
        if counts(*given, **named) and not (folder / "pauses").exists():
            (folder / "pauses").touch()
            while not (folder / "goes on").exists():
                time.sleep(0.02)
        return result

    setattr(owner, name, paused)


@contextmanager
def office(machine: Machine, tmp_path: Path, log: Path) -> Iterator[tuple[House, str]]:
    """An office whose database the other machine reaches, and a mail server on either machine, one log for both."""
    with ExitStack() as after:
        server = after.enter_context(own_server(reached_at=machine.here))
        migrate.upgrade(server.url)
        database = Database(server.url, test_clock=True)
        after.callback(database.close)
        sink = after.enter_context(Sink(log=log))
        there = [*machine.within, sys.executable, "-m", "drumbeat.testing.sink", "--log", str(log)]
        other = after.enter_context(subprocess.Popen([*there, "--port", str(sink.port)]))
        after.callback(other.terminate)
        yield open_house(database, sink.port, tmp_path, connections=2), server.url


@pytest.mark.parametrize("pause", [pause_before_the_commit, pause_in_the_commit])
def test_a_worker_that_is_cut_off_holds_nobody_up_and_settles_what_it_knows_when_it_is_back(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause: Callable[[], None]
) -> None:
    log = tmp_path / "sink.log"
    monkeypatch.setenv(PAUSES, str(tmp_path))
    with office(machine, tmp_path, log) as (house, url):
        reached = make_url(url).update_query_dict({"host": machine.here, **HASTY})
        there = reached.render_as_string(hide_password=False)
        with crew(tmp_path / "there", there, within=machine.within) as away, crew(tmp_path / "here", url) as here:
            people(house, 6)
            away.start(changed=f"tests.faults.test_partition:{pause.__name__}")
            until(lambda: (tmp_path / "pauses").exists())
            machine.cut()
            (tmp_path / "goes on").touch()
            advance(house, timedelta(seconds=31))
            here.start()
            until(lambda: all(each.in_doubt or each.state is State.FINISHED for each in enrollments(house)))
            assert 1 <= sum(each.in_doubt for each in enrollments(house)) <= 2, "those that were out"
            machine.join()
            until(lambda: all_settled(house))
        found = enrollments(house)
        assert arrivals(house, log) == {each.id: 1 for each in found}
        assert not any(each.in_doubt for each in found), "its journal knew, and it was asked"
        assert not any(part.breaches for part in verify_account(house.world.database, house.account_id))
