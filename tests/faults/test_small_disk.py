"""Disks that are really full: what was answered stays, nothing leaves that could not be proven, and all heals by
itself once there is room."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from drumbeat.domain.errors import DatabaseUnwritable
from drumbeat.operations.verification import verify_account
from drumbeat.store import migrate
from drumbeat.store.database import Database
from drumbeat.testing.crew import crew
from drumbeat.testing.house import House, open_house
from drumbeat.testing.sink import Sink
from tests.faults.test_database_lost import all_settled, people, working
from tests.faults.test_windows import arrivals, enrollments, until
from tests.postgres import own_server
from tests.test_serve import call, served


class Disk:
    """A file system with little room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert shutil.disk_usage(self.folder).free == 0

    def clear(self) -> None:
        """Make room again."""
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A disk of so many megabytes at this folder, where a test may mount one."""
    folder.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("a small disk is mounted by root alone")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_server_on_a_full_disk_refuses_clearly_reads_on_and_loses_nothing_that_it_took(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk, served(disk.folder / "kept") as (_, first):
        execute = f"{first['base_url']}/api/v1/sequences/{first['sequence_ids']['Trial follow-up']}/execute"
        key = {"X-API-Key": first["api_key"]}
        disk.fill()
        taken, refused = _enroll_until_refused(execute, key)
        assert refused.code == 503
        assert int(refused.headers["Retry-After"]) > 0
        error = json.loads(refused.read())["error"]
        assert error["code"] == "UNAVAILABLE"
        assert "full" in error["message"]
        assert call(f"{first['base_url']}/api/v1/sequences", key)["data"], "it still reads"
        disk.clear()
        again = call(execute, key, {"contacts": [{"email": f"person{taken}@example.com"}]})
        assert again["data"]["sendingsCreated"] == 1, "nothing of the call that was refused had stayed"
        everybody = {f"person{number}@example.com" for number in range(taken + 1)}
        until(lambda: {each["to"] for each in _caught(first)} == everybody, 30)
        assert set(Counter(each["to"] for each in _caught(first)).values()) == {1}


def _enroll_until_refused(execute: str, key: dict[str, str]) -> tuple[int, urllib.error.HTTPError]:
    """How many calls were taken on a disk without room (what was written before leaves some), and the refusal."""
    for number in range(2000):
        try:
            call(execute, key, {"contacts": [{"email": f"person{number}@example.com"}]})
        except urllib.error.HTTPError as refused:
            return number, refused
    raise AssertionError("nothing was refused")


def _caught(first: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(f"{first['caught_url']}.json")
    return found


def test_no_letter_is_claimed_while_the_disk_of_the_journal_is_full(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "sink.log"
    database = Database(database_url)
    with small_disk(tmp_path / "disk", 4) as disk, Sink(log=log) as sink:
        house = open_house(database, sink.port, disk.folder, connections=2)
        people(house, 20)
        disk.fill()
        with capture_logs() as said, working(house, database_url, disk.folder):
            until(lambda: "No space left on device" in str(said))
            assert not sink.letters
            assert not any(each.status.value != "scheduled" for each in enrollments(house))
            disk.clear()
            until(lambda: all_settled(house))
        assert arrivals(house, log) == {each.id: 1 for each in enrollments(house)}
        assert not any(part.breaches for part in verify_account(database, house.account_id))
    database.close()


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Iterator[tuple[House, Disk, str, Path]]:
    """An office in a PostgreSQL whose tables lie on a small disk, that disk, the database's URL and the sink's log."""
    log = tmp_path / "sink.log"
    with own_server() as server, small_disk(server.folder / "disk", 64) as disk, Sink(log=log) as sink:
        place = disk.folder / "tables"
        place.mkdir()
        server.give(place)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
            connection.execute("CREATE DATABASE small TABLESPACE small")
        url = make_url(server.url).set(database="small").render_as_string(hide_password=False)
        migrate.upgrade(url)
        database = Database(url, busy_for=2.0)
        yield open_house(database, sink.port, tmp_path, connections=2), disk, url, log
        database.close()


@pytest.mark.postgresql
def test_a_postgresql_on_a_full_disk_refuses_what_is_new_and_no_letter_leaves_twice(
    on_small_disk: tuple[House, Disk, str, Path], tmp_path: Path
) -> None:
    house, disk, url, log = on_small_disk
    people(house, 20)
    disk.fill()
    with pytest.raises(DatabaseUnwritable, match="No space left"):
        _enroll_for_ever(house)
    known = len(enrollments(house))
    with working(house, url, tmp_path):
        time.sleep(1.0)
        assert not any(each.in_doubt for each in enrollments(house)), "it still reads"
        disk.clear()
        until(lambda: all_settled(house))
    assert arrivals(house, log) == {each.id: 1 for each in enrollments(house)}
    assert len(enrollments(house)) == known
    assert not any(part.breaches for part in verify_account(house.world.database, house.account_id))


def test_a_disk_that_keeps_nothing_stops_the_worker_and_the_next_one_goes_on(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "sink.log"
    database = Database(database_url)
    with Sink(log=log) as sink, crew(tmp_path, database_url) as workers:
        house = open_house(database, sink.port, tmp_path, connections=2)
        people(house, 1)
        broken = workers.start()
        until(lambda: all_settled(house))
        with _keeping_nothing(broken):
            people(house, 20, "More")
            until(lambda: _is_at_rest(house, sink))
            assert len(sink.letters) < 10, "it went on sending"
        workers.kill(broken)
        workers.start()
        until(lambda: all_settled(house))
    assert arrivals(house, log) == {each.id: 1 for each in enrollments(house)}
    assert not any(part.breaches for part in verify_account(database, house.account_id))
    database.close()


def _enroll_for_ever(house: House) -> None:
    for number in count():
        people(house, 20, f"More{number}")


@contextmanager
def _keeping_nothing(pid: int) -> Iterator[None]:
    """A process whose disk answers an input/output error whenever it is to keep what was written."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    asked = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"]
    with subprocess.Popen([*asked, "-p", str(pid)], stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        try:
            if "attached" not in tracer.stderr.readline():
                pytest.skip("strace may not look at other processes here")
            yield
        finally:
            tracer.send_signal(signal.SIGTERM)


def _is_at_rest(house: House, sink: Sink) -> bool:
    """Whether nothing has moved for a second."""
    before = len(sink.letters), [each.revision for each in enrollments(house)]
    time.sleep(1.0)
    return before == (len(sink.letters), [each.revision for each in enrollments(house)])
