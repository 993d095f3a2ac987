"""The engine, Snapshot (read) and Tx (write), and all that differs between SQLite and PostgreSQL.

Statements go to the driver as they are: SQLAlchemy keeps the connections and makes the schema, but its own
way of executing costs more than the driver's (docs/decisions/0014).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from time import sleep
from typing import Any, NoReturn, TypeVar

import msgspec
import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from drumbeat.clock import host_now
from drumbeat.domain.errors import DatabaseBusy, DatabaseUnsafe, DatabaseUnwritable, Unavailable
from drumbeat.store.statement import Insertion, Record, Rows, Statement, record_of

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BUSY_FOR = 15.0  # seconds a writer waits for its turn before it answers "busy"
_TRIES = 4
_PREPARED = 500  # statements PostgreSQL keeps prepared for a connection: more than there are
_COMPLAINTS = (sqlite3.Error, psycopg.Error, DBAPIError, PoolTimeout)
_BROKEN = (sqlite3.IntegrityError, psycopg.IntegrityError)


def to_stamp(instant: datetime) -> int:
    """An instant as stored: UTC microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def from_stamp(stamp: int) -> datetime:
    """A stored instant."""
    return _EPOCH + timedelta(microseconds=stamp)


def stamp_or_none(instant: datetime | None) -> int | None:
    """An instant as stored, or None."""
    return None if instant is None else to_stamp(instant)


def instant_or_none(stamp: int | None) -> datetime | None:
    """A stored instant, or None."""
    return None if stamp is None else from_stamp(stamp)


class BrokenRule(Exception):
    """A constraint of the schema was broken: by a twin that was quicker, or by a defect of ours.

    What the row held is not told: it may be an address, and this may be logged.
    """

    def __init__(self, error: sqlite3.IntegrityError | psycopg.IntegrityError) -> None:
        super().__init__(_said(error))
        self.is_unique = "UNIQUE" in str(error) or getattr(error, "sqlstate", None) == "23505"


class Snapshot:
    """An open transaction that only reads: everything as it was at one instant."""

    def __init__(self, cursor: Any, now: Callable[[], datetime], *, postgresql: bool) -> None:
        self._cursor = cursor
        self._read_now = now
        self._postgresql = postgresql

    @cached_property
    def now(self) -> datetime:
        """The database's clock, read once per transaction."""
        return self._read_now()

    def all(self, statement: Statement, **parameters: Any) -> Rows:
        """Every row."""
        self._run(statement, parameters)
        return list(map(self._record()._make, self._cursor.fetchall()))

    def first(self, statement: Statement, **parameters: Any) -> Record | None:
        """The first row, or None."""
        self._run(statement, parameters)
        row = self._cursor.fetchone()
        return None if row is None else self._record()._make(row)

    def _record(self) -> Any:
        return record_of(tuple([column[0] for column in self._cursor.description]))

    def _run(self, statement: Statement, parameters: dict[str, Any]) -> None:
        for name in statement.batches:
            parameters[name] = msgspec.json.encode(parameters[name]).decode()
        try:
            self._cursor.execute(statement.postgresql if self._postgresql else statement.sqlite, parameters)
        except _BROKEN as error:
            raise BrokenRule(error) from None


class Tx(Snapshot):
    """An open transaction that writes; it commits when the block it was opened for ends well."""

    def run(self, statement: Statement, **parameters: Any) -> int:
        """Execute, and tell how many rows changed."""
        self._run(statement, parameters)
        return int(self._cursor.rowcount)

    def lock(self, statement: Statement, **parameters: Any) -> None:
        """Lock the rows a statement selects; on SQLite the writer is alone and nothing is read."""
        if self._postgresql:
            self._run(statement, parameters)

    def insert(self, insertion: Insertion, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add the rows, each a tuple in the insertion's order of columns."""
        if not rows:
            return
        if self._postgresql:
            self._run(insertion.postgresql, {"rows": rows})
            return
        try:
            self._cursor.executemany(insertion.sqlite, rows)
        except _BROKEN as error:
            raise BrokenRule(error) from None


class Database:
    """One SQLite file (readers beside one writer) or one PostgreSQL.

    `now` replaces the database's clock in tests; `test_clock` adds the stored offset that
    `drumbeat clock advance` moves. Who waits longer than `busy_for` seconds for a connection, or for the
    right to write, gets DatabaseBusy.
    """

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], datetime] | None = None,
        test_clock: bool = False,
        pool_size: int = 16,
        busy_for: float = _BUSY_FOR,
    ) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.test_clock = test_clock
        self._now = now
        if self.is_sqlite:
            self.writer = _sqlite_engine(self.url, busy_for, readers=0)
            self.reader = _sqlite_engine(self.url, busy_for, readers=pool_size)
        else:
            self.writer = self.reader = _postgresql_engine(self.url, busy_for, pool_size)

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """A transaction that only reads; on SQLite it never waits for the writer."""
        begin = "BEGIN" if self.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with translated(), self._transaction(self.reader, begin) as (cursor, now):
            yield Snapshot(cursor, now, postgresql=not self.is_sqlite)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that writes, tried once; `transact` tries again what lost a race."""
        with translated(), self._writing() as tx:
            yield tx

    def transact(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in one transaction, whole and again if it lost a race with another one."""
        for attempt in range(1, _TRIES + 1):
            try:
                with self._writing() as tx:
                    return work(tx)
            except (*_COMPLAINTS, BrokenRule) as error:
                if attempt == _TRIES or not _lost_a_race(error):
                    _raise_translated(error)
                sleep(0.01 * attempt * attempt)
        raise AssertionError  # the loop either returns or raises

    def close(self) -> None:
        """Close every connection."""
        self.writer.dispose()
        self.reader.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Tx]:
        # A writer takes SQLite's write lock at once: a read that turns into a write could not wait for it.
        begin = "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN"
        with self._transaction(self.writer, begin) as (cursor, now):
            yield Tx(cursor, now, postgresql=not self.is_sqlite)

    @contextmanager
    def _transaction(self, engine: Engine, begin: str) -> Iterator[tuple[Any, Callable[[], datetime]]]:
        """A cursor in a transaction, and what tells its clock."""
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            now = self._begin(cursor, begin)
            yield cursor, now
            cursor.execute("COMMIT")
        except BaseException:
            _give_up(engine, connection)
            raise
        finally:
            connection.close()

    def _begin(self, cursor: Any, begin: str) -> Callable[[], datetime]:
        offset = "coalesce((SELECT test_clock_offset FROM installation), 0)" if self.test_clock else "0"
        if self._now is not None or self.is_sqlite:
            cursor.execute(begin)
            if self._now is not None or not self.test_clock:
                return self._now or host_now
            return lambda: host_now() + cursor.execute(f"SELECT {offset}").fetchone()[0] * _MICROSECOND
        # The clock comes back with the answer to BEGIN, which it would take a round trip of its own to ask for.
        cursor.execute(f"{begin}; {_PG_CLOCK.format(offset=offset)}")
        cursor.nextset()
        began = from_stamp(cursor.fetchone()[0])
        return lambda: began


_PG_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + {offset}"


def _give_up(engine: Engine, connection: PoolProxiedConnection) -> None:
    """Undo the transaction; a connection that is of no more use goes, and those of its age with it."""
    driver = connection.driver_connection
    if isinstance(driver, psycopg.Connection) and driver.closed:
        connection.invalidate()
        engine.dispose()
        return
    with suppress(*_COMPLAINTS):
        connection.rollback()


def _sqlite_engine(url: URL, busy_for: float, *, readers: int) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,  # also for a database in memory, which is refused later, in words
        pool_size=readers or 1,
        max_overflow=0,
        pool_timeout=busy_for,
        pool_reset_on_return=None,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": busy_for, "cached_statements": 512},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if readers:
            connection.execute("PRAGMA query_only=1")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if readers else "BEGIN IMMEDIATE")

    return engine


_SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=1",
    "cache_size=-65536",
    "temp_store=MEMORY",
    "wal_autocheckpoint=16000",
)


def _postgresql_engine(url: URL, busy_for: float, pool_size: int) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=busy_for,
        pool_reset_on_return=None,
        hide_parameters=True,
        connect_args={"application_name": "drumbeat", "connect_timeout": 10},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        driver = record.driver_connection
        assert isinstance(driver, psycopg.Connection)
        driver.autocommit = True
        driver.prepared_max = _PREPARED

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Raise the database's complaints in our words."""
    try:
        yield
    except _COMPLAINTS as error:
        _raise_translated(error)


def _raise_translated(error: Exception) -> NoReturn:
    said_by_driver = getattr(error, "orig", None) or error
    translation = _translation(said_by_driver)
    if translation is said_by_driver:
        raise error
    raise translation from error


def _translation(error: Exception) -> Exception:
    said = _said(error)
    if isinstance(error, PoolTimeout) or re.search(r"database is locked|database table is locked|lock timeout", said):
        return DatabaseBusy(said)
    if re.search(r"readonly|read-only|disk is full|No space left|disk I/O error|unable to open", said):
        return DatabaseUnwritable(said)
    if isinstance(error, (sqlite3.OperationalError, psycopg.OperationalError)):
        return Unavailable(f"The database said: {said}")
    return error


def _said(error: Exception) -> str:
    """The first line of the complaint: the lines behind it may tell what a row holds."""
    return str(error).strip().split("\n")[0]


def _lost_a_race(error: Exception) -> bool:
    """Whether the same work may go well the second time: deadlock, serialization, or a unique index."""
    if isinstance(error, BrokenRule):
        return error.is_unique
    return getattr(error, "sqlstate", None) in ("40001", "40P01", "55P03")


def check_promises(database: Database, *, overridden: frozenset[str] = frozenset()) -> list[str]:
    """What the database must promise so that no letter goes twice; DatabaseUnsafe names what it does not.

    Returns a line per promise checked. A setting named in `overridden` is reported but not refused.
    """
    told = []
    with database.write() as tx:
        for name, wanted, found in _settings(database, tx):
            ok = found in wanted
            told.append(f"{name} = {found}" + ("" if ok else f" (wanted: {' or '.join(sorted(wanted))})"))
            if not ok and name not in overridden:
                raise DatabaseUnsafe(
                    f"{name} is {found}; set it to {' or '.join(sorted(wanted))}, or name it in "
                    f"DRUMBEAT_UNSAFE={name} to run without the promise."
                )
    return told


def _settings(database: Database, tx: Tx) -> Iterator[tuple[str, frozenset[str], str]]:
    if database.is_sqlite:
        level = str(tx.first(Statement("PRAGMA synchronous"))[0])  # type: ignore[index]
        yield (
            "synchronous",
            frozenset({"FULL", "EXTRA"}),
            {"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}[level],
        )
        mode = str(tx.first(Statement("PRAGMA journal_mode"))[0])  # type: ignore[index]
        yield "journal_mode", frozenset({"wal"}), mode
    else:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            wanted = {"on", "remote_write", "remote_apply", "local"} if name == "synchronous_commit" else {"on"}
            found = tx.first(Statement("SELECT current_setting(:name)"), name=name)
            yield name, frozenset(wanted), str(found[0]) if found else ""
