"""The database: its connections, its transactions, its complaints, and what differs between SQLite and PostgreSQL."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any, NoReturn, TypeVar

import psycopg
from psycopg.errors import error_from_result
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from drumbeat.clock import host_now
from drumbeat.domain.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseUnreachable,
    DatabaseUnwritable,
    Misconfigured,
    Unavailable,
)
from drumbeat.store.bell import CHANNEL, Listener
from drumbeat.store.stamps import from_stamp
from drumbeat.store.transaction import BrokenRule, Snapshot, Tx, first_line

T = TypeVar("T")
_BUSY_FOR = 15.0  # seconds a writer waits for its turn before it answers "busy"
_TRIES = 4
_DONE = (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK)
_PREPARED = 500  # statements PostgreSQL keeps prepared for a connection: more than there are
_COMPLAINTS = (sqlite3.Error, psycopg.Error, DBAPIError, PoolTimeout)


class Database:
    """One SQLite file (readers beside one writer) or one PostgreSQL.

    `breaks` counts the times its connections were found to be gone: what was committed before may be, too. `rung` is
    set when a transaction that made work for workers was committed here, or heard of (`store/bell.py`).

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
        self.breaks = 0
        self.rung = threading.Event()
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

    def listener(self) -> Listener:
        """What hears other processes ring, to be started: not on SQLite, which has one, nor behind a pooler."""
        can_hear = not self.is_sqlite and "pooler" not in self.url.query
        return Listener(self._connect_alone if can_hear else None, self.rung)

    def _connect_alone(self) -> psycopg.Connection[Any]:
        """A connection that is none of the pool's."""
        address = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(address, autocommit=True, **_at_connecting(self.url))
        connection.execute(_SERVER_NOTICES)
        return connection

    def close(self) -> None:
        """Close every connection."""
        self.writer.dispose()
        self.reader.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Tx]:
        # A writer takes SQLite's write lock at once: a read that turns into a write could not wait for it.
        begin = "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN"
        with self._transaction(self.writer, begin) as (cursor, now):
            tx = Tx(cursor, now, postgresql=not self.is_sqlite)
            yield tx
            if tx.rings and not self.is_sqlite:
                cursor.execute(f"NOTIFY {CHANNEL}")
        if tx.rings:
            self.rung.set()

    @contextmanager
    def _transaction(self, engine: Engine, begin: str) -> Iterator[tuple[Any, Callable[[], datetime]]]:
        """A cursor in a transaction, and what tells its clock."""
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            now = self._begin(cursor, begin)
            yield cursor, now
            self._say(cursor, "COMMIT")
        except BaseException:
            self.breaks += _give_up(engine, connection)
            raise
        finally:
            connection.close()

    def _begin(self, cursor: Any, begin: str) -> Callable[[], datetime]:
        offset = "coalesce((SELECT test_clock_offset FROM installation), 0)" if self.test_clock else "0"
        if self._now is not None or self.is_sqlite:
            self._say(cursor, begin)
            if self._now is not None or not self.test_clock:
                return self._now or host_now
            return lambda: host_now() + timedelta(microseconds=cursor.execute(f"SELECT {offset}").fetchone()[0])
        # The clock comes back with the answer to BEGIN, which it would take a round trip of its own to ask for.
        began = from_stamp(int(self._say(cursor, f"{begin}; {_PG_CLOCK.format(offset=offset)}")))
        return lambda: began

    def _say(self, cursor: Any, text: str) -> Any:
        """Begin or end a transaction; PostgreSQL's value comes back. By libpq itself, at half the driver's CPU."""
        if self.is_sqlite:
            return cursor.execute(text)
        driver = cursor.connection.pgconn
        result = driver.exec_(text.encode())
        if result.status not in _DONE:
            is_gone = cursor.connection.closed
            raise psycopg.OperationalError(driver.get_error_message()) if is_gone else error_from_result(result)
        return result.get_value(0, 0) if result.ntuples else None  # libpq has a notice for whoever asks in vain


def place_of(url: str) -> str:
    """Where a database is, without its password: a file's path, or an address; Misconfigured if it is neither."""
    try:
        read = make_url(url)
    except (ArgumentError, ValueError):
        raise Misconfigured(
            "DRUMBEAT_DATABASE_URL reads sqlite:////path/to/drumbeat.db or postgresql://user:password@host:port/name."
        ) from None
    if read.get_backend_name() == "sqlite":
        return str(read.database)
    return without_pooler(read).render_as_string()


_PG_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + {offset}"


def _give_up(engine: Engine, connection: PoolProxiedConnection) -> bool:
    """Undo the transaction; a connection that is of no more use goes, those of its age with it, and that is told."""
    driver = connection.driver_connection
    if isinstance(driver, psycopg.Connection) and driver.closed:
        connection.invalidate()
        engine.dispose()
        return True
    with suppress(*_COMPLAINTS):
        connection.rollback()
    return False


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
        _write_ahead(connection, busy_for)
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(f"PRAGMA cache_size=-{_READERS_CACHE if readers else _WRITERS_CACHE}")
        if readers:
            connection.execute("PRAGMA query_only=1")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if readers else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection, busy_for: float) -> None:
    """Let readers go on beside the writer. Of several that open a new file at once SQLite lets one change it, and does
    not let the others wait, as it does anywhere else."""
    ends = monotonic() + busy_for
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() > ends:
                raise
            sleep(0.01)


_WRITERS_CACHE = 8192  # kibibytes: one connection
_READERS_CACHE = 2048  # as many as there are threads that read; the system keeps the file's pages for them, too
_SQLITE_PRAGMAS = (
    "synchronous=FULL",
    "foreign_keys=1",
    "temp_store=MEMORY",
    "wal_autocheckpoint=16000",
)


def without_pooler(url: URL) -> URL:
    """The address as PostgreSQL's own programs take it; Misconfigured for a pooler of a mode nobody knows."""
    mode = url.query.get("pooler", "transaction")
    if mode != "transaction":
        raise Misconfigured(f"DRUMBEAT_DATABASE_URL: pooler={mode} is not known; write pooler=transaction, or nothing.")
    return url.difference_update_query(["pooler"])


# A machine that is cut off says nothing: without these its peer would wait for a quarter of an hour, or for two hours
# while it holds the locks of a transaction that nobody ends.
_AT_CONNECTING: Mapping[str, Any] = {
    "application_name": "drumbeat",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_SERVER_NOTICES = """
    SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = 60000
"""


def _at_connecting(url: URL) -> dict[str, Any]:
    """What a connection is asked for, where the address does not say otherwise."""
    return {name: value for name, value in _AT_CONNECTING.items() if name not in url.query}


def _postgresql_engine(url: URL, busy_for: float, pool_size: int) -> Engine:
    is_pooled = "pooler" in url.query
    engine = create_engine(
        without_pooler(url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=busy_for,
        pool_reset_on_return=None,
        hide_parameters=True,
        connect_args=_at_connecting(url),
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        driver = record.driver_connection
        assert isinstance(driver, psycopg.Connection)
        driver.autocommit = True
        driver.prepared_max = _PREPARED
        if is_pooled:
            driver.prepare_threshold = None  # the next transaction may be another server connection's
        else:
            driver.execute(_SERVER_NOTICES)

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


_UNREACHABLE = re.compile(
    r"unable to open|invalid connection option|could not connect|failed to resolve|connection (?:to server .*)?failed"
)


def _translation(error: Exception) -> Exception:
    said = first_line(error)
    if isinstance(error, PoolTimeout):
        return DatabaseBusy("All its connections are at work.")
    if re.search(r"database is locked|database table is locked|lock timeout", said):
        return DatabaseBusy(said)
    if re.search(r"readonly|read-only|disk is full|No space left|disk I/O error", said):
        return DatabaseUnwritable(said)
    if re.search(r"not a database|malformed", said):
        return DatabaseDamaged(f"It said: {said}.")
    if _UNREACHABLE.search(said):
        return DatabaseUnreachable(f"It said: {said}. Start it, or correct DRUMBEAT_DATABASE_URL.")
    if isinstance(error, (sqlite3.OperationalError, psycopg.OperationalError)):
        return Unavailable(f"The database said: {said}")
    return error


def _lost_a_race(error: Exception) -> bool:
    """Whether the same work may go well the second time: deadlock, serialization, or a unique index."""
    if isinstance(error, BrokenRule):
        return error.is_unique
    return getattr(error, "sqlstate", None) in ("40001", "40P01", "55P03")
