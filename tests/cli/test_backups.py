"""Backup, restore, quarantine and reconcile, as an operator does them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from drumbeat.store.database import Database
from drumbeat.testing.house import House, letter, open_house
from drumbeat.testing.sink import Sink
from drumbeat.worker import Worker
from tests.cli.outcome import Run, fine, refused
from tests.postgres import client_programs

COPIED = "The database is a copy of "


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", client_programs(), prepend=":")


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Where letters go."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def house(database_url: str, sink: Sink, tmp_path: Path) -> Iterator[House]:
    """An office with a letter that is due."""
    database = Database(database_url)
    house = open_house(database, sink.port, tmp_path)
    house.enroll(house.sequence(letter(), letter("48 hours")), house.person())
    yield house
    database.close()


@pytest.fixture
def elsewhere(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where the copy goes: an empty database, or the file's own place."""
    with ExitStack() as after:
        if database_url.startswith("sqlite"):
            yield database_url
        else:
            yield request.getfixturevalue("postgresql_server").create(after)


def work(house: House) -> None:
    worker = Worker(house.world)
    while worker.step():
        pass
    worker.close()


def test_a_restored_database_stands_still_until_it_is_reconciled(
    run: Run, house: House, sink: Sink, elsewhere: str, tmp_path: Path
) -> None:
    copy = str(tmp_path / "copy")
    assert "Keep the master key elsewhere." in fine(run("backup", copy))
    work(house)
    assert len(sink.letters) == 1
    house.world.database.close()
    restored = fine(run("restore", copy, "--replace", DATABASE_URL=elsewhere))
    assert COPIED in restored
    assert restored.rstrip().endswith(": 1.")
    assert ("replaced-1" in restored) == elsewhere.startswith("sqlite")
    status = fine(run("status", DATABASE_URL=elsewhere))
    assert COPIED in status
    assert "drumbeat reconcile" in status
    doctor = run("doctor", DATABASE_URL=elsewhere)
    assert doctor.exit_code == 1
    assert "wrong  quarantine: Nothing is sent" in doctor.output
    assert "whoever runs Drumbeat" in fine(run("status", "1", DATABASE_URL=elsewhere))
    assert fine(run("reconcile", DATABASE_URL=elsewhere)).rstrip().endswith("(`drumbeat unknown list`): 1.")
    refused(run("reconcile", DATABASE_URL=elsewhere), "There is no quarantine.")
    assert "ok     no quarantine" in run("doctor", DATABASE_URL=elsewhere).output


def test_where_nothing_was_sent_everything_goes_on(run: Run, house: House, sink: Sink) -> None:
    assert fine(run("quarantine")) == "Nothing is sent until `drumbeat reconcile`.\n"
    assert fine(run("quarantine", "--since", "2026-03-01")) == "It was in quarantine already.\n"
    work(house)
    assert sink.letters == []
    assert fine(run("reconcile", "--nothing-was-sent")) == "Letters are sent again. Due now: 1.\n"
    work(house)
    assert len(sink.letters) == 1


def test_a_quarantine_cannot_begin_in_the_future(run: Run, house: House) -> None:
    refused(run("quarantine", "--since", "2199-01-01"), "--since: It has not been yet.")


def test_a_copy_is_not_put_in_the_place_of_a_database_by_mistake(run: Run, house: House, tmp_path: Path) -> None:
    fine(run("backup", str(tmp_path / "copy")))
    refused(run("restore", str(tmp_path / "copy")), "drumbeat: ")
    refused(run("backup", str(tmp_path / "copy")), "is there already: name a new file.")
    refused(run("restore", str(tmp_path / "nothing")), "No such file")


def test_another_file_is_no_copy(run: Run, house: House, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada")
    refused(run("restore", str(tmp_path / "letter.txt"), "--replace"), "is no copy of a")
