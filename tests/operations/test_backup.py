"""A copy is made while everything goes on, and sends nothing when it is put back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from drumbeat.domain.errors import Misconfigured, Unavailable
from drumbeat.domain.timeline import Quarantine
from drumbeat.operations.quarantine import reconcile
from drumbeat.operations.verification import verify_account
from drumbeat.store import quarantine
from drumbeat.store.backup import copy_database, put_back
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import House, letter, open_world_of
from drumbeat.worker import Worker
from tests.operations.office import Office, opened
from tests.postgres import client_programs


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", client_programs(), prepend=":")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office with a sink and a worker, whose first letter is due."""
    with opened(database, clock, tmp_path) as office:
        office.enroll(office.house.sequence(letter(), letter("24 hours")), office.house.person())
        yield office


@pytest.fixture
def elsewhere(office: Office, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a second database of the same kind may be made."""
    with ExitStack() as after:
        if office.database.is_sqlite:
            yield f"sqlite:///{tmp_path}/another.db"
        else:
            yield request.getfixturevalue("postgresql_server").create(after)


@dataclass
class Restored:
    """The office of a database that was put back; its worker sends to the same sink."""

    house: House
    worker: Worker
    clock: FrozenClock

    def later(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))
        while self.worker.step():
            pass

    def quarantined_since(self) -> datetime | None:
        with self.house.world.database.read() as snapshot:
            found = quarantine.find(snapshot)
        return None if found is None else found.since

    def close(self) -> None:
        self.worker.close()
        self.house.world.database.close()


def restored_from(url: str, folder: Path, now: datetime) -> Restored:
    clock = FrozenClock(now)
    house = House(open_world_of(Database(url, now=clock), folder), 1, 1, 1)
    return Restored(house, Worker(house.world), clock)


def test_a_copy_that_is_put_back_sends_nothing_again(office: Office, tmp_path: Path, elsewhere: str) -> None:
    copy = tmp_path / "copy"
    begun = copy_database(office.database, copy)
    assert begun == office.clock.now
    assert copy.stat().st_mode & 0o077 == 0
    office.work()
    assert office.recipients() == ["ada@example.com"], "the original goes on"
    assert put_back(elsewhere, copy, replace=False) is None
    assert sorted(path.name for path in tmp_path.glob("*.part*")) == []
    with closing(restored_from(elsewhere, tmp_path, office.clock.now)) as restored:
        restored.later(hours=1)
        assert restored.quarantined_since() == begun
        restored.house.world.database.transact(lambda tx: reconcile(tx, nothing_was_sent=False))
        restored.later(seconds=1)
        assert restored.house.enrollment(1).in_doubt
        assert len(office.sink.letters) == 1
        assert not any(part.breaches for part in verify_account(restored.house.world.database, 1))


def test_a_copy_of_a_copy_reaches_as_far_back_as_the_first(office: Office, tmp_path: Path, elsewhere: str) -> None:
    begun = copy_database(office.database, tmp_path / "copy")
    put_back(elsewhere, tmp_path / "copy", replace=False)
    with closing(restored_from(elsewhere, tmp_path, office.clock.now + timedelta(days=1))) as restored:
        copy_database(restored.house.world.database, tmp_path / "second")
        assert restored.quarantined_since() == begun
    with closing(Database(elsewhere)) as database, database.read() as snapshot:
        found = quarantine.find(snapshot)
    assert found is not None
    assert found.since == begun


def test_a_copy_of_a_database_that_stood_still_doubts_what_its_original_sent_afterwards(
    office: Office, tmp_path: Path, elsewhere: str
) -> None:
    """The original knows until when nothing had left; of the copy that is not true any more."""
    office.clock.advance(timedelta(hours=1))
    standstill = Quarantine(office.clock.now, "It fell back.")
    office.transact(lambda tx: quarantine.begin(tx, standstill, nothing_left_after=tx.now))
    later = office.enroll(office.house.sequence(letter(), name="Later"), office.house.person("Bob"))
    copy_database(office.database, tmp_path / "copy")
    office.clock.advance(timedelta(minutes=1))
    office.transact(lambda tx: reconcile(tx, nothing_was_sent=False))
    office.work()
    assert office.recipients() == ["bob@example.com"]
    put_back(elsewhere, tmp_path / "copy", replace=False)
    with closing(restored_from(elsewhere, tmp_path / "another machine", office.clock.now)) as restored:
        restored.house.world.database.transact(lambda tx: reconcile(tx, nothing_was_sent=False))
        restored.later(seconds=1)
        assert restored.house.enrollment(later.id).in_doubt
    assert office.recipients() == ["bob@example.com"]


def test_a_file_that_is_there_is_not_written_over(office: Office, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(Misconfigured, match="is there already"):
        copy_database(office.database, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"


def test_a_database_that_is_there_is_not_written_over(office: Office, tmp_path: Path) -> None:
    url = office.database.url.render_as_string(hide_password=False)
    copy_database(office.database, tmp_path / "copy")
    with pytest.raises(Misconfigured, match=r"already|into an empty one"):
        put_back(url, tmp_path / "copy", replace=False)
    office.work()
    assert len(office.sink.letters) == 1


def test_a_file_of_something_else_is_refused_before_anything_is_done(
    office: Office, tmp_path: Path, elsewhere: str
) -> None:
    for name, content in {"empty": b"", "text": b"Dear Ada", "half": b"SQLite format 3\0" + b"?" * 5000}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises((Misconfigured, Unavailable)):
            put_back(elsewhere, tmp_path / name, replace=False)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(Misconfigured):
        put_back(elsewhere, tmp_path / "other.db", replace=False)
    assert not (tmp_path / "another.db").exists()
    assert list(tmp_path.glob("*.part*")) == []


def test_a_copy_that_carries_no_mark_is_in_quarantine_all_the_same(office: Office, tmp_path: Path) -> None:
    if not office.database.is_sqlite:
        pytest.skip("a file that somebody copied by hand")
    original = str(office.database.url.database)
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(tmp_path / "by-hand")) as copy:
        source.backup(copy)
    place = tmp_path / "here.db"
    place.write_bytes((tmp_path / "by-hand").read_bytes())
    aside = put_back(f"sqlite:///{place}", tmp_path / "by-hand", replace=True)
    assert aside == tmp_path / "here.db.replaced-1"
    assert aside.exists()
    with closing(restored_from(f"sqlite:///{place}", tmp_path, office.clock.now)) as restored:
        assert restored.quarantined_since() is not None
        restored.later(hours=1)
    assert office.sink.letters == []


def test_a_password_of_the_database_is_seen_by_nobody(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if office.database.is_sqlite:
        pytest.skip("a file has no password")
    said = tmp_path / "said"
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >{said}\necho "$PGPASSWORD" >>{said}\necho "no such thing" >&2\nexit 3\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    database = Database(make_url("postgresql://me@/x").set(password="s3cret").render_as_string(hide_password=False))
    database.reader, database.writer = office.database.reader, office.database.writer
    with pytest.raises(Unavailable, match="pg_dump said: no such thing"):
        copy_database(database, tmp_path / "copy")
    options, password = said.read_text().splitlines()
    assert "s3cret" not in options
    assert password == "s3cret"
    assert list(tmp_path.glob("copy*")) == []


def test_where_the_programs_are_missing_that_is_said(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if office.database.is_sqlite:
        pytest.skip("SQLite copies itself")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="install PostgreSQL's client programs"):
        copy_database(office.database, tmp_path / "copy")


def test_what_a_copy_holds_is_what_the_original_held(office: Office, tmp_path: Path, elsewhere: str) -> None:
    before = office.everything()
    copy_database(office.database, tmp_path / "copy")
    put_back(elsewhere, tmp_path / "copy", replace=False)
    with closing(restored_from(elsewhere, tmp_path, office.clock.now)) as restored:
        after = Office(restored.house, office.sink, office.clock, restored.worker).everything()
    for each in (before, after):
        del each["installation"]
    given, counters = before.pop("id_counters"), after.pop("id_counters")
    assert after == before
    assert counters == [(*row[:2], row[2] + 1_000_000) for row in given], "no id is given a second time"


def test_a_dump_that_breaks_off_leaves_an_empty_database(office: Office, tmp_path: Path, elsewhere: str) -> None:
    if office.database.is_sqlite:
        pytest.skip("PostgreSQL's dump is text")
    copy_database(office.database, tmp_path / "copy")
    text = (tmp_path / "copy").read_text()
    (tmp_path / "copy").write_text(text.replace("COPY public.people", "COPY public.persons"))
    with pytest.raises(Unavailable, match="psql said"):
        put_back(elsewhere, tmp_path / "copy", replace=False)
    with psycopg.connect(elsewhere) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert found == (0,)
