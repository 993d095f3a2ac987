"""The sent journal: an answer that a worker did not live to commit is known to the next one, and so is what the
database forgot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.delivery import DeliveryStatus
from drumbeat.domain.enrollment import State
from drumbeat.domain.errors import JournalUnwritable, Unavailable
from drumbeat.mail.smtp import Post
from drumbeat.operations.quarantine import reconcile
from drumbeat.operations.replay import Entry, without_addresses
from drumbeat.operations.verification import verify_account
from drumbeat.store import quarantine
from drumbeat.store.database import Database
from drumbeat.store.schema import metadata
from drumbeat.store.stamps import to_stamp
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import At, Do
from drumbeat.worker import Worker
from drumbeat.worker.journal import Journal, installation_mark
from tests.operations.office import Office, opened

MARK = installation_mark(b"a key")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office with a sink and a worker."""
    with opened(database, clock, tmp_path) as office:
        yield office


def entry(number: int, code: int = 250, text: str = "queued") -> Entry:
    return Entry(1, 1, number, 0, 0, "token", 1_000_000, code, "2.0.0", text)


def kept(journal: Journal) -> list[int]:
    return [each.enrollment_id for each in journal.kept()]


# The file.


def test_what_was_noted_is_read_back_by_the_next_worker_and_not_while_the_first_one_lives(tmp_path: Path) -> None:
    first, second = Journal(tmp_path, "a", MARK), Journal(tmp_path, "b", MARK)
    first.reserve("lane", 2)
    first.note("lane", [entry(1), entry(2, 451, "läter")])
    assert list(second.left_behind()) == []
    first.close()
    assert list(second.left_behind()) == [entry(1), entry(2, 451, "läter")]


def test_an_entry_that_was_torn_off_ends_the_reading(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "a", MARK)
    journal.reserve("lane", 3)
    journal.note("lane", [entry(1), entry(2)])
    journal.close()
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"token"', b'"tokem"').replace(b'"tokem"', b'"token"', 1))
    assert [each.enrollment_id for each in Journal(tmp_path, "b", MARK).left_behind()] == [1]
    path.write_bytes(content.rstrip(b"\0")[:-9])
    assert [each.enrollment_id for each in Journal(tmp_path, "b", MARK).left_behind()] == [1]


def test_another_installation_s_journal_is_let_be(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "a", installation_mark(b"another key"))
    journal.reserve("lane", 1)
    journal.note("lane", [entry(1)])
    journal.close()
    assert list(Journal(tmp_path, "b", MARK).left_behind()) == []


def test_a_full_file_is_followed_by_another_and_goes_when_all_of_it_is_settled(tmp_path: Path) -> None:
    journal, long = Journal(tmp_path, "a", MARK), "x" * 150
    for start in range(0, 40_000, 500):
        entries = [entry(number, text=long) for number in range(start, start + 500)]
        journal.reserve("lane", 500)
        journal.note("lane", entries)
        if start >= 10_000:
            journal.settled(entries)
    numbers = kept(journal)
    assert numbers[0] == 0, "what is not settled stays"
    assert numbers[-1] == 39_999
    assert len(list(tmp_path.iterdir())) <= 4
    journal.settled([entry(number) for number in range(10_000)])
    for start in range(40_000, 60_000, 500):
        entries = [entry(number, text=long) for number in range(start, start + 500)]
        journal.reserve("lane", 500)
        journal.note("lane", entries)
        journal.settled(entries)
    assert kept(journal)[0] > 30_000
    assert len(list(tmp_path.iterdir())) == 2


def test_old_files_are_tidied_but_for_the_last_that_say_anything(tmp_path: Path) -> None:
    for number, name in enumerate("abcdefghijklmn"):
        journal = Journal(tmp_path, name, MARK if name != "a" else installation_mark(b"another key"))
        journal.reserve("lane", 1)
        if name != "n":
            journal.note("lane", [entry(ord(name))])
        journal.close()
        os.utime(tmp_path / f"{name}.1.sent", (number, number))
    Journal(tmp_path, "z", MARK).tidy()
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["a", *"defghijklm"]
    assert all(path.stat().st_size < 4096 for path in tmp_path.iterdir())


def test_where_there_is_no_room_nothing_is_reserved(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file in the way")
    journal = Journal(tmp_path / "journal", "a", MARK)
    assert "File exists" in str(journal.trouble())
    with pytest.raises(JournalUnwritable):
        journal.reserve("lane", 1)
    (tmp_path / "journal").unlink()
    assert journal.trouble() is None
    journal.reserve("lane", 1)


def test_a_disk_that_fails_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(file: int) -> None:
        raise OSError(5, "Input/output error")

    journal = Journal(tmp_path, "a", MARK)
    journal.reserve("lane", 1)
    monkeypatch.setattr("drumbeat.worker.journal._to_disk", fails)
    journal.note("lane", [entry(1)])
    monkeypatch.undo()
    assert "Input/output error" in str(journal.trouble())
    with pytest.raises(JournalUnwritable):
        journal.reserve("lane", 1)


def test_what_a_server_said_has_no_addresses_in_it() -> None:
    assert without_addresses("<ada@example.com> is away, ask bob@example.com now") == (
        "(address) is away, ask (address) now"
    )
    assert len(without_addresses("word " * 200)) == 200


# A worker that ends between the answer and its commit.


def ends_before_its_answer_is_stored(office: Office) -> None:
    """The worker carries what is due, and its database goes away when the first answer comes."""
    database, transact = office.database, office.database.transact
    note = Journal.note

    def away(work: Callable[..., object]) -> object:
        raise Unavailable("gone")

    def noted(journal: Journal, lane: str, entries: list[Entry]) -> None:
        note(journal, lane, entries)
        if entries:
            database.transact = away  # type: ignore[method-assign, assignment]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Journal, "note", noted)
        patched.setitem(Post.__init__.__kwdefaults__, "sleep", lambda _: None)
        with pytest.raises(Unavailable):
            office.work()
    database.transact = transact  # type: ignore[method-assign]
    office.worker._carriers.clear()
    office.worker.close()


@pytest.mark.parametrize(
    ("answer", "state", "status"),
    [
        ("250 2.0.0 queued", State.FINISHED, DeliveryStatus.ACCEPTED),
        ("554 5.6.0 no", State.BLOCKED, DeliveryStatus.REFUSED),
        ("451 4.3.0 later", State.ACTIVE, DeliveryStatus.QUEUED),
    ],
)
@pytest.mark.parametrize("reaped", [False, True], ids=["in time", "after its lease"])
def test_an_answer_that_was_not_stored_is_known_to_the_next_worker(
    office: Office, answer: str, state: State, status: DeliveryStatus, reaped: bool
) -> None:
    office.sink.script = {At.DOT: Do(reply=answer)}
    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    ends_before_its_answer_is_stored(office)
    assert office.delivered(id) == ["transmitting"]
    if reaped:
        office.clock.advance(timedelta(seconds=31))
        Worker(office.house.world).tending.step()
        assert office.delivered(id) == ["unknown"]
    office.worker = Worker(office.house.world)
    office.worker.step()
    delivered = DeliveryStatus.REFUSED if reaped and status is DeliveryStatus.QUEUED else status
    assert office.deliveries(id)[0].status is delivered
    assert office.house.enrollment(id).state is state
    assert not office.house.enrollment(id).in_doubt
    assert len(office.sink.talks) >= 1
    assert not any(part.breaches for part in verify_account(office.database, office.house.account_id))


def test_an_answer_to_an_earlier_try_says_nothing_of_a_later_one(office: Office) -> None:
    """The same worker, the same letter: put off first, then taken, and killed before that was noted."""
    office.sink.script = {At.DOT: Do(reply="451 4.3.0 later")}
    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    office.work()
    office.sink.script = {}
    office.clock.advance(timedelta(minutes=5))

    def killed(journal: Journal, lane: str, entries: list[Entry]) -> None:
        if entries:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Journal, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            office.work()
    assert office.delivered(id) == ["transmitting"]
    office.worker._carriers.clear()
    office.worker.close()
    office.worker = Worker(office.house.world)
    office.work()
    office.later(minutes=10)
    assert len(office.sink.letters) == 1, "it was sent again"
    assert office.house.enrollment(id).in_doubt


def test_a_defect_in_reading_back_does_not_end_the_sending(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Entry]:
        raise ValueError("a defect")

    office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    office.worker.close()
    monkeypatch.setattr("drumbeat.worker.recovery.replay", broken)
    office.worker = Worker(office.house.world)
    office.enroll(office.house.sequence(letter(), name="Another"), office.house.person("Bob"))
    office.work()
    assert len(office.sink.letters) == 2


def test_a_journal_read_twice_changes_nothing(office: Office) -> None:
    id = office.enroll(office.house.sequence(letter(), letter("24 hours")), office.house.person()).id
    office.work()
    before = office.everything()
    office.worker.close()
    for _ in range(3):
        office.worker = Worker(office.house.world)
        office.work()
        office.worker.close()
    assert office.everything() == before
    assert office.house.enrollment(id).position == 1
    office.worker = Worker(office.house.world)


def test_nothing_is_claimed_while_the_journal_cannot_be_written(office: Office, tmp_path: Path) -> None:
    office.enroll(office.house.sequence(letter()), office.house.person())
    in_the_way = office.house.world.settings.data / "journal"
    in_the_way.write_text("a file")
    office.work()
    assert office.sink.talks == []
    in_the_way.unlink()
    office.work()
    assert len(office.sink.letters) == 1


def test_no_dot_is_written_whose_answer_could_not_be_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(journal: Journal, lane: str, letters: int) -> None:
        raise JournalUnwritable("no space left")

    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    monkeypatch.setattr(Journal, "reserve", full)
    office.worker.step()
    assert office.sink.letters == []
    monkeypatch.undo()
    office.later(minutes=2)
    assert len(office.sink.letters) == 1
    assert office.house.enrollment(id).state is State.FINISHED


# A database that forgot.


def forget(office: Office, rows: dict[str, list[tuple[object, ...]]]) -> None:
    """The database is as it was when these were its rows, its installation's row but for what came since apart."""
    tables = [table for table in metadata.sorted_tables if table.name != "installation"]
    with office.database.writer.begin() as connection:
        for table in reversed(tables):
            connection.execute(table.delete())
        for table in tables:
            if rows[table.name]:
                names = [column.name for column in table.columns]
                connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows[table.name]])


def standstill(office: Office) -> str | None:
    with office.database.read() as snapshot:
        found = quarantine.find(snapshot)
    return None if found is None else found.cause


def test_a_database_that_fell_back_stands_still_and_the_journal_settles_what_it_knows(office: Office) -> None:
    id = office.enroll(office.house.sequence(letter(), letter("24 hours")), office.house.person()).id
    before = office.everything()
    office.work()
    office.worker.close()
    forget(office, before)
    office.worker = Worker(office.house.world)
    office.later(minutes=5)
    assert len(office.sink.letters) == 1
    assert "letters that left since 2026-03-03 10:00:00 UTC are missing in it." in str(standstill(office))
    bob = office.enroll(office.house.sequence(letter(), name="Later"), office.house.person("Bob"))
    office.clock.advance(timedelta(hours=1))
    office.transact(lambda tx: reconcile(tx, nothing_was_sent=False))
    office.worker.close()
    office.worker = Worker(office.house.world)
    office.work()  # the doubt is made, and what has ended is looked at again by the next worker
    assert standstill(office) is None, "what was reconciled is no news"
    office.worker.close()
    office.worker = Worker(office.house.world)
    office.work()
    assert office.house.enrollment(id).position == 1
    assert office.recipients() == ["ada@example.com", "bob@example.com"]
    assert office.house.enrollment(bob.id).state is State.FINISHED, "due when nothing left any more: no doubt"
    office.later(hours=25)
    assert office.recipients() == ["ada@example.com", "bob@example.com", "ada@example.com"]


def test_a_database_that_goes_away_and_comes_back_older_is_found_out_by_a_worker_at_work(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drumbeat.worker.recovery._OTHERS_LOOK", -1.0)
    office.enroll(office.house.sequence(letter()), office.house.person())
    before = office.everything()
    office.work()
    office.database.breaks += 1
    office.work()
    assert standstill(office) is None
    forget(office, before)
    office.database.breaks += 1
    office.later(minutes=5)
    assert len(office.sink.letters) == 1
    assert standstill(office) is not None


def test_a_letter_that_is_out_when_the_database_comes_back_older_is_not_sent_by_another(
    office: Office, tmp_path: Path
) -> None:
    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    before = office.everything()
    at = to_stamp(office.clock.now)
    out = Entry(office.house.account_id, office.house.mailbox_id, id, 0, 0, "token", at, 0, None, "")
    forget(office, before)
    office.worker.step()  # the first letter of a worker that has just begun
    office.worker._recovery._unknown.clear()
    office.database.breaks += 1
    office.worker._recovery.step(lambda: [out])
    assert standstill(office) is None, "it is known here"
    forget(office, before)
    for is_answered, stands in ((True, False), (False, True)):
        answers = iter([[out], [] if is_answered else [out]])
        office.database.breaks += 1
        office.worker._recovery._journal = Journal(tmp_path / "empty", "b", MARK)
        office.worker._recovery.step(lambda: next(answers))  # noqa: B023
        assert (standstill(office) is not None) is stands
