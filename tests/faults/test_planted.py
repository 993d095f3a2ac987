"""The harness bites: each fault that a careless change could plant turns it red; without it the same check is green."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from drumbeat.domain.calendar import Delay, Rhythm, Unit
from drumbeat.domain.delivery import read_message_id
from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.errors import Unavailable
from drumbeat.mail.imap import Cursor
from drumbeat.mail.session import Security
from drumbeat.operations.deliveries import commit_turn
from drumbeat.operations.dispatch import claim
from drumbeat.operations.inboxes import InboxSettings, listen
from drumbeat.operations.letters import read_frozen
from drumbeat.store import events, inboxes, quarantine
from drumbeat.store.database import Database
from drumbeat.store.promises import SENT_JOURNAL
from drumbeat.store.verification import missing_indexes
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.crew import crew
from drumbeat.testing.house import House, letter, open_house, open_world_of
from drumbeat.testing.sink import At, Do, Sink
from drumbeat.worker import Worker, ears
from tests.corpus.message import plain
from tests.faults import plants
from tests.faults.test_windows import advance, arrivals, enroll, enrollments, finish, until
from tests.operations.office import TOKEN, Office, opened
from tests.simulation.schedule import Ground, simulate

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SEEDS = range(1_000_000, 1_001_500)


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office with a sink and a worker."""
    with opened(database, clock, tmp_path) as office:
        yield office


@contextmanager
def red() -> Iterator[None]:
    """The harness must find the fault."""
    with pytest.raises(AssertionError):
        yield


# Workers in processes of their own.


@pytest.fixture
def street(database_url: str, tmp_path: Path) -> Iterator[Street]:
    """An office whose workers are processes."""
    database = Database(database_url, test_clock=True)
    with Sink(log=tmp_path / "sink.log") as sink:
        yield Street(open_house(database, sink.port, tmp_path, connections=1), sink, database_url, tmp_path)
    database.close()


class Street:
    """What a test does with processes."""

    def __init__(self, house: House, sink: Sink, url: str, folder: Path) -> None:
        self.house, self.sink, self.url, self.folder = house, sink, url, folder

    def sends_once_though_killed_behind_the_dot(self, changed: str | None) -> None:
        """A worker dies with the answer in its hand; the next one must not send the letter again."""
        enroll(self.house, 1)
        with crew(self.folder, self.url) as workers:
            pid = workers.start("W4 before the journal", changed=changed)
            assert workers.wait(pid) == -signal.SIGKILL
            advance(self.house, timedelta(seconds=31))
            finish(self.house, workers)
        assert arrivals(self.house, self.folder / "sink.log")[1] == 1

    def waits_for_its_answers_when_it_is_told_to_stop(self, changed: str | None) -> None:
        """SIGTERM while the server thinks about a letter: its answer is stored all the same."""
        self.sink.script = {At.DOT: Do(delay=1.0)}
        enroll(self.house, 1)
        with crew(self.folder, self.url) as workers:
            pid = workers.start(changed=changed)
            until(lambda: any(talk.recipient for talk in self.sink.talks))
            time.sleep(0.5)
            workers.signal(pid, signal.SIGTERM)
            assert workers.wait(pid) == 0
        (only,) = enrollments(self.house)
        assert not only.in_doubt
        assert only.finished_reason is FinishedReason.ALL_STEPS_COMPLETED

    def leaves_the_leases_of_others_alone(self, changed: str) -> None:
        """A second worker, on a machine whose clock is wrong, while the first one waits for an answer."""
        self.sink.script = {At.DOT: Do(delay=2.5)}
        enroll(self.house, 1)
        with crew(self.folder, self.url) as workers:
            workers.start()
            until(lambda: any(talk.recipient for talk in self.sink.talks))
            workers.start(changed=changed)
            until(lambda: not any(each.is_ongoing for each in enrollments(self.house)), 20)
        with self.house.world.database.read() as snapshot:
            facts = [row.fact for row in events.list_of_enrollment(snapshot, self.house.account_id, 1)]
        assert facts == ["enrolled", "letter_sent", "finished"]
        assert arrivals(self.house, self.folder / "sink.log")[1] == 1


def test_commit_after_send(street: Street) -> None:
    with red():
        street.sends_once_though_killed_behind_the_dot("tests.faults.plants:commit_after_send")


def test_a_worker_killed_behind_the_dot_leaves_one_letter(street: Street) -> None:
    street.sends_once_though_killed_behind_the_dot(None)


def test_the_result_lost_on_sigterm(street: Street) -> None:
    with red():
        street.waits_for_its_answers_when_it_is_told_to_stop("tests.faults.plants:result_lost_on_sigterm")


def test_a_worker_that_is_told_to_stop_waits_for_its_answers(street: Street) -> None:
    street.waits_for_its_answers_when_it_is_told_to_stop(None)


def test_lease_by_local_clock(street: Street) -> None:
    with red():
        street.leaves_the_leases_of_others_alone("tests.faults.plants:lease_by_local_clock")


def test_a_worker_s_own_clock_moves_no_lease(street: Street) -> None:
    if street.house.world.database.is_sqlite:
        pytest.skip("SQLite's clock is the machine's, and one process works on it")
    street.leaves_the_leases_of_others_alone("tests.faults.plants:clock_ahead")


# The simulation.


@pytest.fixture
def ground(sqlite_template: Path, tmp_path: Path) -> Iterator[Ground]:
    """An office in a simulation."""
    shutil.copyfile(sqlite_template, tmp_path / "simulated.db")
    ground = Ground(f"sqlite:///{tmp_path}/simulated.db", tmp_path)
    yield ground
    ground.close()


def test_ponr_without_token(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.ponr_without_token(monkeypatch)
    with red():
        simulate(ground, SEEDS)


def test_ponr_without_suppression_check(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.ponr_without_suppression(monkeypatch)
    with red():
        simulate(ground, SEEDS)


# One office.


def is_one_of_ours(office: Office) -> None:
    """A letter's id is the one that its delivery gives it, at the second try as at the first."""
    office.sink.script = {At.DATA: Do(reply="451 4.3.0 later")}
    id = office.enroll(office.house.sequence(letter()), office.house.person()).id
    office.work()
    office.sink.script = {}
    office.later(minutes=2)
    known = read_message_id(office.house.world.hash_key, str(office.mail()["Message-ID"]))
    assert known == (office.house.account_id, id, 0, 0)


def test_new_message_id_per_try(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.new_message_id(monkeypatch)
    with red():
        is_one_of_ours(office)


def test_a_second_try_has_the_first_one_s_id(office: Office) -> None:
    is_one_of_ours(office)


def has_its_effect_though_the_database_went_away(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply whose effect could not be stored is read again, and not forgotten."""
    house, settings = office.house, InboxSettings("127.0.0.1", 1, Security.TLS, "olive", "secret")
    office.set_mailbox(is_catcher=False)
    office.transact(lambda tx: listen(tx, house.world.vault, house.account_id, house.mailbox_id, settings))
    id = office.enroll(house.sequence(letter(), letter("48 hours")), house.person()).id
    office.work()
    message_id = read_frozen(office.deliveries(id)[0].frozen).message_id
    raw = plain(f"From: ada@example.com\nTo: olive@tea.example\nSubject: Re: Hello\nIn-Reply-To: {message_id}", "Yes.")
    with office.database.read() as snapshot:
        inbox = inboxes.find(snapshot, house.account_id, house.mailbox_id)
    assert inbox is not None
    reader = ears._Reader(house.world, inbox, TOKEN)
    assert reader.claim()
    with monkeypatch.context() as away:
        away.setattr(ears, "take_in", _raise_unavailable)
        with pytest.raises(Unavailable):
            reader._take_in(raw, Cursor(1, 7))
    with office.database.read() as snapshot:
        stands = inboxes.find(snapshot, house.account_id, house.mailbox_id)
    assert stands is not None
    assert stands.uid != 7, "it counts as read, and had no effect"


def _raise_unavailable(*_: object) -> None:
    raise Unavailable("gone")


def test_inbound_marked_before_effect(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.inbound_marked_first(monkeypatch)
    with red():
        has_its_effect_though_the_database_went_away(office, monkeypatch)


def test_a_message_counts_as_read_with_its_effect(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    has_its_effect_though_the_database_went_away(office, monkeypatch)


def tells_of_everything(office: Office) -> None:
    """What happened is told as often as it happened."""
    office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    happened = office.count("SELECT count(*) FROM events")
    assert happened == 3
    assert office.count("SELECT coalesce(sum(total), 0) FROM sequence_counts") == happened


def test_told_outside_the_outbox(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.told_outside_the_outbox(monkeypatch)
    with red():
        tells_of_everything(office)


def test_what_happened_is_told_from_its_own_transaction(office: Office) -> None:
    tells_of_everything(office)


def keeps_to_a_limit_that_was_lowered(office: Office) -> None:
    """A limit that is lowered while letters are being carried holds for them too."""
    house, account_id, mailbox_id = office.house, office.house.account_id, office.house.mailbox_id
    office.set_mailbox(per_day=10)
    sequence = house.sequence(letter())
    for name in ("Ada", "Bob", "Cleo", "Dan"):
        office.enroll(sequence, house.person(name))
    office.clock.advance(timedelta(seconds=1))
    brought = office.transact(
        lambda tx: claim(tx, house.world.identity, account_id, mailbox_id, limit=9, token=TOKEN)
    ).letters
    assert len(brought) == 4
    office.set_mailbox(per_day=2)
    ready = [(each, "5" * 64) for each in brought]
    passed = office.transact(lambda tx: commit_turn(tx, account_id, mailbox_id, [], ready, token=TOKEN))
    assert len(passed) == 2


def test_cap_checked_at_claim_only(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.cap_at_claim_only(monkeypatch)
    with red():
        keeps_to_a_limit_that_was_lowered(office)


def test_a_cap_holds_at_the_point_of_no_return(office: Office) -> None:
    keeps_to_a_limit_that_was_lowered(office)


def has_every_net(office: Office) -> None:
    """The database alone forbids what must not be."""
    assert missing_indexes(office.database) == []


def test_unique_index_removed(office: Office) -> None:
    has_every_net(office)
    office.run("DROP INDEX uq_deliveries_out")
    with red():
        has_every_net(office)


def sends_nothing_again_after_a_power_cut(office: Office, tmp_path: Path) -> None:
    """The disk lost the end of SQLite's log, as with synchronous=NORMAL: what was committed and sent is forgotten."""
    office.enroll(office.house.sequence(letter()), office.house.person())
    path = Path(str(office.database.url.database))
    synced = Path(f"{path}-wal").stat().st_size
    office.work()
    office.worker.close()
    assert len(office.sink.letters) == 1
    shutil.copyfile(path, tmp_path / "cut.db")
    (tmp_path / "cut.db-wal").write_bytes(Path(f"{path}-wal").read_bytes()[:synced])
    database = Database(f"sqlite:///{tmp_path}/cut.db", now=office.clock)
    world = open_world_of(database, tmp_path)
    world.settings.unsafe = office.house.world.settings.unsafe
    worker = Worker(world)
    while worker.step():
        pass
    worker.close()
    with database.read() as snapshot:
        found = quarantine.find(snapshot)
    database.close()
    assert len(office.sink.letters) == 1
    assert found is not None


@ON_SQLITE
def test_dropped_wal_tail(office: Office, tmp_path: Path) -> None:
    office.house.world.settings.unsafe = frozenset([SENT_JOURNAL])
    office.worker = Worker(office.house.world)
    with red():
        sends_nothing_again_after_a_power_cut(office, tmp_path)


@ON_SQLITE
def test_a_log_that_lost_its_end_is_found_out_by_the_journal(office: Office, tmp_path: Path) -> None:
    sends_nothing_again_after_a_power_cut(office, tmp_path)


# Time.


def keeps_the_hour_across_a_change_of_clocks() -> None:
    """Friday at ten and one working day is Monday at ten, though the clocks went forward on Sunday."""
    berlin = ZoneInfo("Europe/Berlin")
    friday = datetime(2026, 3, 27, 10, tzinfo=berlin).astimezone(UTC)
    monday = Rhythm("Europe/Berlin").after(friday, Delay(1, Unit.WEEKDAYS)).astimezone(berlin)
    assert (monday.date().isoformat(), monday.hour) == ("2026-03-30", 10)


def test_dst_by_adding_24_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    plants.days_of_24_hours(monkeypatch)
    with red():
        keeps_the_hour_across_a_change_of_clocks()


def test_a_working_day_keeps_its_hour_across_a_change_of_clocks() -> None:
    keeps_the_hour_across_a_change_of_clocks()


def test_every_plant_has_its_test() -> None:
    """The twelve, and the clock that is wrong without any fault of ours."""
    planted = {name for name, value in vars(plants).items() if callable(value) and value.__module__ == plants.__name__}
    used = Path(__file__).read_text("utf-8")
    named = [name for name in planted if not name.startswith("_")]
    assert [name for name in named if f"plants.{name}" not in used and f"plants:{name}" not in used] == []
