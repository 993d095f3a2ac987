from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text

from drumbeat.clock import host_now
from drumbeat.domain.errors import DatabaseBusy, DatabaseUnreachable, DatabaseUnsafe, DatabaseUnwritable, Unavailable
from drumbeat.store import accounts, installation
from drumbeat.store.database import Database
from drumbeat.store.installation import Vault, new_master_key
from drumbeat.store.promises import check_promises
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import BrokenRule, Tx
from drumbeat.testing.clock import FrozenClock

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
ADD = "INSERT INTO accounts (id, name, time_zone, sequences_enabled, unknown_means, created_at, updated_at) VALUES"
NAMES = Statement("SELECT name FROM accounts ORDER BY id")


class TestTransactions:
    def test_what_ends_well_is_stored_and_what_fails_is_not(self, database: Database) -> None:
        with database.write() as tx:
            accounts.add_account(tx, "Kept", "UTC", None)
        with pytest.raises(RuntimeError, match="on purpose"):
            _add_and_fail(database)
        assert _names(database) == ["Kept"]

    def test_how_many_rows_changed_is_told(self, database: Database) -> None:
        with database.write() as tx:
            for name in ("A", "B"):
                accounts.add_account(tx, name, "UTC", None)
            assert tx.count_changed(Statement("UPDATE accounts SET name = 'X'")) == 2
            assert tx.count_changed(Statement("UPDATE accounts SET name = 'X' WHERE id = 9")) == 0

    def test_writes_sent_together_are_all_carried_out_and_reading_among_them_sees_those_before(
        self, database: Database
    ) -> None:
        with database.write() as tx, tx.together():
            accounts.add_account(tx, "A", "UTC", None)
            assert [row.name for row in tx.all(NAMES)] == ["A"]
            tx.run(Statement("UPDATE accounts SET name = 'B'"))
        assert _names(database) == ["B"]

    def test_a_rule_broken_among_writes_sent_together_is_told_and_none_of_them_stays(self, database: Database) -> None:
        def twins(tx: Tx) -> None:
            with tx.together():
                for _ in range(3):
                    tx.run(Statement(f"{ADD} (1, 'A', 'UTC', true, 'ask', 0, 0)"))

        with pytest.raises(BrokenRule):
            database.transact(twins)
        assert _names(database) == []

    def test_now_is_read_once_a_transaction(self, database: Database, clock: FrozenClock) -> None:
        began = clock.now
        with database.write() as tx:
            assert tx.now == began
            clock.advance(timedelta(days=1))
            assert tx.now == began
        with database.read() as snapshot:
            assert snapshot.now == began + timedelta(days=1)

    @only_sqlite
    def test_a_snapshot_cannot_write(self, database: Database) -> None:
        adding = Statement(f"{ADD} (1, 'A', 'UTC', 1, 'ask', 0, 0) RETURNING id")
        with pytest.raises(DatabaseUnwritable), database.read() as snapshot:
            snapshot.first(adding)
        assert _names(database) == []

    @only_sqlite
    def test_a_snapshot_does_not_wait_for_the_writer_nor_see_its_work(self, database: Database) -> None:
        with database.write() as tx:
            accounts.add_account(tx, "A", "UTC", None)
            assert _names(database) == []
        assert _names(database) == ["A"]

    def test_a_snapshot_shows_everything_as_it_was_at_one_instant(self, database: Database) -> None:
        database.transact(_add_account)
        with database.read() as snapshot:
            assert [row.name for row in snapshot.all(NAMES)] == ["A"]
            database.transact(_add_account)
            assert [row.name for row in snapshot.all(NAMES)] == ["A"]
        assert _names(database) == ["A", "A"]

    def test_a_row_is_read_by_name_and_by_place(self, database: Database) -> None:
        with database.read() as snapshot:
            row = snapshot.first(Statement("SELECT 1 AS one, 'b' AS two, count(*) FROM accounts"))
        assert row is not None
        assert (row.one, row.two, row[0], row[2]) == (1, "b", 1, 0)

    def test_work_that_broke_a_rule_for_good_is_tried_four_times_and_told_as_it_is(self, database: Database) -> None:
        tries = []

        def twin(tx: Tx) -> None:
            tries.append(1)
            tx.run(Statement(f"{ADD} (1, 'A', 'UTC', true, 'ask', 0, 0)"))

        database.transact(twin)
        with pytest.raises(BrokenRule):
            database.transact(twin)
        assert len(tries) == 1 + 4

    def test_a_reference_to_nothing_is_not_tried_again(self, database: Database) -> None:
        tries = []

        def orphan(tx: Tx) -> None:
            tries.append(1)
            accounts.take_ids(tx, 404, "user")

        with pytest.raises(BrokenRule):
            database.transact(orphan)
        assert len(tries) == 1

    def test_the_same_work_goes_well_once_the_twin_is_gone(self, database: Database) -> None:
        ids = [1, 1, 2]
        with database.write() as tx:
            accounts.add_account(tx, "A", "UTC", None)

        def add(tx: Tx) -> int:
            id = ids.pop(0)
            tx.run(
                Statement(f"{ADD} (:id, 'B', 'UTC', true, 'ask', 0, 0)"),
                id=id,
            )
            return id

        assert database.transact(add) == 2
        assert _names(database) == ["A", "B"]

    @only_postgresql
    def test_two_who_take_the_same_id_both_get_one(self, database: Database) -> None:
        first_has_written = threading.Event()

        def first(tx: Tx) -> int:
            added = accounts.add_account(tx, "First", "UTC", None)
            first_has_written.set()
            _until_somebody_waits(database)
            return added.id

        def second(tx: Tx) -> int:
            assert first_has_written.wait(10)
            return accounts.add_account(tx, "Second", "UTC", None).id

        assert _side_by_side(database, first, second) == [1, 2]
        assert _names(database) == ["First", "Second"]

    @only_postgresql
    def test_of_two_that_lock_each_other_out_both_end_well(self, database: Database) -> None:
        with database.write() as tx:
            accounts.add_account(tx, "A", "UTC", None)
            accounts.add_account(tx, "B", "UTC", None)
        tries: list[int] = []
        both = threading.Barrier(2)
        rename = Statement("UPDATE accounts SET name = name || :by WHERE id = :id")

        def work(order: list[int], tx: Tx) -> None:
            tries.append(1)
            tx.run(rename, id=order[0], by="!")
            if len(tries) <= 2:
                both.wait(10)
            tx.run(rename, id=order[1], by="!")

        _side_by_side(database, lambda tx: work([1, 2], tx), lambda tx: work([2, 1], tx))
        assert _names(database) == ["A!!", "B!!"]
        assert len(tries) == 3, "one of them was tried again"


class TestTrouble:
    @only_sqlite
    def test_another_program_that_holds_the_file_makes_it_busy(self, database_url: str) -> None:
        database = Database(database_url, busy_for=0.05)
        with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(DatabaseBusy):
                database.transact(_add_account)
            with pytest.raises(DatabaseBusy), database.write():
                pass
            other.execute("ROLLBACK")
        database.transact(_add_account)
        assert _names(database) == ["A"]
        database.close()

    def test_who_waits_too_long_for_a_connection_is_told_it_is_busy(self, database_url: str) -> None:
        database = Database(database_url, pool_size=1, busy_for=0.05)
        with database.write(), pytest.raises(DatabaseBusy, match="connections are at work"):
            database.transact(_add_account)
        database.transact(_add_account)
        database.close()

    @only_postgresql
    def test_a_lock_that_is_not_had_in_time_makes_it_busy(self, database: Database, database_url: str) -> None:
        database.transact(_add_account)
        hasty = _with_option(database_url, "lock_timeout=20")
        with database.write() as tx:
            tx.run(Statement("UPDATE accounts SET name = 'B'"))
            with pytest.raises(DatabaseBusy):
                hasty.transact(lambda tx: tx.run(Statement("UPDATE accounts SET name = 'C'")))
        hasty.close()
        assert _names(database) == ["B"]

    @only_sqlite
    def test_a_file_that_may_only_be_read_is_unwritable_and_can_be_read(self, database: Database) -> None:
        database.transact(_add_account)
        readonly = Database(f"sqlite:///file:{database.url.database}?mode=ro&uri=true")
        with pytest.raises(DatabaseUnwritable):
            readonly.transact(_add_account)
        assert _names(readonly) == ["A"]
        readonly.close()

    @only_postgresql
    def test_a_server_that_only_reads_is_unwritable(self, database: Database, database_url: str) -> None:
        readonly = _with_option(database_url, "default_transaction_read_only=on")
        with pytest.raises(DatabaseUnwritable):
            readonly.transact(_add_account)
        assert _names(readonly) == []
        readonly.close()

    @only_sqlite
    def test_a_full_disk_is_unwritable_and_what_was_stored_stays(self, database: Database) -> None:
        database.transact(_add_account)
        with _told_at_connecting(database, "max_page_count=1"):
            with pytest.raises(DatabaseUnwritable, match="full"):
                database.transact(lambda tx: accounts.add_account(tx, "B" * 1_000_000, "UTC", None))
            assert _names(database) == ["A"]
        database.transact(_add_account)
        assert _names(database) == ["A", "A"]

    def test_several_may_open_a_new_file_at_once(self, tmp_path: Path) -> None:
        def open_at_once(number: int, together: threading.Barrier) -> bool:
            database = Database(f"sqlite:///{tmp_path}/{number}.db", pool_size=1)
            together.wait()
            with closing(database.writer.raw_connection()):
                database.close()
            return True

        with ThreadPoolExecutor(6) as pool:
            for number in range(30):
                together = threading.Barrier(6)
                assert all(pool.map(lambda _, n=number, t=together: open_at_once(n, t), range(6)))  # type: ignore[misc]

    def test_a_folder_that_is_not_there_is_unreachable(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path}/nowhere/drumbeat.db")
        with pytest.raises(DatabaseUnreachable):
            database.transact(_add_account)
        database.close()

    def test_a_server_that_does_not_answer_is_unavailable(self) -> None:
        database = Database("postgresql://nobody@127.0.0.1:1/nothing")
        with pytest.raises(Unavailable):
            database.transact(_add_account)
        with pytest.raises(Unavailable), database.read():
            pass
        database.close()

    @only_postgresql
    def test_after_the_server_hung_up_the_next_one_finds_a_fresh_connection(self, database: Database) -> None:
        database.transact(_add_account)
        with database.read(), database.read(), database.read():
            pass  # three connections are open from now on
        with psycopg.connect(_plain_url(database), autocommit=True) as other:
            hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'drumbeat' "
            other.execute(hang_up + "AND datname = current_database()")
        with pytest.raises(Unavailable), database.read():
            pass
        for _ in range(4):
            with database.read(), database.read(), database.read():
                pass
        assert _names(database) == ["A"]

    def test_a_broken_rule_stays_what_it_is(self, database: Database) -> None:
        with pytest.raises(BrokenRule), database.write() as tx:
            tx.run(Statement(f"{ADD} (1, 'A', 'UTC', true, 'guess', 0, 0)"))

    def test_what_a_statement_carried_is_not_told(self, database: Database) -> None:
        with pytest.raises(BrokenRule) as caught, database.write() as tx:
            tx.run(Statement("INSERT INTO credentials (account_id, id, name) VALUES (1, 1, :name)"), name="hush-hush")
        assert "hush-hush" not in str(caught.value)
        assert caught.value.__suppress_context__


class TestPromises:
    def test_a_database_as_it_comes_keeps_every_promise(self, database: Database) -> None:
        told = check_promises(database)
        if database.is_sqlite:
            assert told == ["synchronous = FULL", "journal_mode = wal"]
        else:
            assert told == ["fsync = on", "full_page_writes = on", "synchronous_commit = on"]

    @only_sqlite
    @pytest.mark.parametrize(("level", "name"), [(0, "OFF"), (1, "NORMAL")])
    def test_a_file_that_may_forget_is_refused_unless_overridden(
        self, database: Database, level: int, name: str
    ) -> None:
        with _told_at_connecting(database, f"synchronous={level}"):
            with pytest.raises(DatabaseUnsafe, match=f"synchronous is {name}; set it to EXTRA or FULL"):
                check_promises(database)
            with pytest.raises(DatabaseUnsafe):
                check_promises(database, overridden=frozenset({"journal_mode"}))
            told = check_promises(database, overridden=frozenset({"synchronous"}))
        assert told[0] == f"synchronous = {name} (wanted: EXTRA or FULL)"

    def test_a_database_in_memory_is_refused(self) -> None:
        database = Database("sqlite://")
        with pytest.raises(DatabaseUnsafe, match="journal_mode is memory"):
            check_promises(database)
        database.close()

    @only_postgresql
    def test_a_server_that_may_forget_is_refused_unless_overridden(self, database_url: str) -> None:
        forgetful = _with_option(database_url, "synchronous_commit=off")
        with pytest.raises(DatabaseUnsafe, match="DRUMBEAT_UNSAFE=synchronous_commit"):
            check_promises(forgetful)
        told = check_promises(forgetful, overridden=frozenset({"synchronous_commit"}))
        assert told[-1].startswith("synchronous_commit = off (wanted: ")
        forgetful.close()


class TestClock:
    def test_it_is_the_database_s(self, database_url: str) -> None:
        database = Database(database_url)
        with database.read() as snapshot:
            assert abs(snapshot.now - host_now()) < timedelta(minutes=1)
        database.close()

    def test_the_test_clock_is_ahead_by_what_it_was_advanced(self, database_url: str) -> None:
        database, plain = Database(database_url, test_clock=True), Database(database_url)
        with database.read() as snapshot:
            assert abs(snapshot.now - host_now()) < timedelta(minutes=1), "before there is an installation"
        with database.write() as tx:
            installation.install(tx, Vault([new_master_key()]))
            installation.advance_clock(tx, 3 * 86_400_000_000)
            installation.advance_clock(tx, 3_600_000_000)
        with database.read() as snapshot, plain.read() as usual:
            ahead = snapshot.now - usual.now
        assert abs(ahead - timedelta(days=3, hours=1)) < timedelta(minutes=1)
        database.close()
        plain.close()


def _plain_url(database: Database) -> str:
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _names(database: Database) -> list[str]:
    with database.read() as snapshot:
        return [row[0] for row in snapshot.all(NAMES)]


def _add_account(tx: Tx) -> None:
    accounts.add_account(tx, "A", "UTC", None)


def _add_and_fail(database: Database) -> None:
    with database.write() as tx:
        _add_account(tx)
        raise RuntimeError("on purpose")


def _with_option(url: str, option: str) -> Database:
    return Database(f"{url}{'&' if '?' in url else '?'}options=-c%20{option.replace('=', '%3D')}")


@contextmanager
def _told_at_connecting(database: Database, pragma: str) -> Iterator[None]:
    """The writer's connections are told a pragma on top of ours."""

    def tell(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA {pragma}")

    database.writer.dispose()
    event.listen(database.writer, "connect", tell)
    yield
    event.remove(database.writer, "connect", tell)
    database.writer.dispose()


def _side_by_side(database: Database, *works: Callable[[Tx], Any]) -> list[Any]:
    """Each work in a thread and a transaction of its own; what they returned."""
    returned: dict[int, Any] = {}

    def run(number: int, work: Callable[[Tx], Any]) -> None:
        returned[number] = database.transact(work)

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(returned) == len(works), "one of them failed"
    return [returned[number] for number in range(len(works))]


def _until_somebody_waits(database: Database) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with database.reader.connect() as connection:
        for _ in range(10_000):
            if connection.execute(waiting).scalar_one():
                return
            connection.rollback()
    raise AssertionError("nobody waits")
