"""The engine, Snapshot (read) and Tx (write), and all that differs between SQLite and PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from time import sleep
from typing import Any, NoReturn, TypeVar, cast

import msgspec
from sqlalchemy import URL, Connection, Engine, Row, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from drumbeat.clock import host_now
from drumbeat.domain.errors import DatabaseBusy, DatabaseUnsafe, DatabaseUnwritable, Unavailable

T = TypeVar("T")
Record = Row[*tuple[Any, ...]]
Rows = Sequence[Record]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BUSY_FOR = 15.0  # seconds a writer waits for its turn before it answers "busy"
_TRIES = 4


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


class Statement:
    """One SQL text for both databases.

    `:name` is a parameter. `{name: column type, ...}` is a table made of one JSON parameter (a list of
    rows): a batch travels as one value. `{lock}` is FOR UPDATE and `{skip locked}` FOR UPDATE SKIP
    LOCKED on PostgreSQL; on SQLite the writer is alone anyway. `{in: subselect :in}` compares with an
    array on PostgreSQL, where IN could fall into a sequential scan under a generic plan, and for the same
    reason `{key: table.column = batch.column}` joins a batch by its keys and names them as an array too.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.batches = frozenset(re.findall(r"\{(\w+):\s", text)) - {"in", "key"}

    @cached_property
    def sqlite(self) -> str:
        """The text for sqlite3."""
        text = re.sub(r"\{lock[^}]*\}|\{skip locked[^}]*\}", "", self.text)
        text = re.sub(r"\{in:\s(.*?) :in\}", r"IN (\1)", text, flags=re.DOTALL)
        text = re.sub(r"\{key: ([^}]*)\}", r"\1", text)
        return re.sub(r"\{(\w+): ([^}]*)\}", lambda m: _json_each(m[1], m[2]), text)

    @cached_property
    def postgresql(self) -> str:
        """The text for psycopg."""
        text = self.text.replace("%", "%%")
        text = re.sub(r"\{lock( OF \w+)?\}", r"FOR UPDATE\1", text)
        text = re.sub(r"\{skip locked( OF \w+)?\}", r"FOR UPDATE\1 SKIP LOCKED", text)
        text = re.sub(r"\{in:\s(.*?) :in\}", r"= ANY(ARRAY(\1))", text, flags=re.DOTALL)
        batches = {m[3]: _json_array(m[1], m[2]) for m in re.finditer(r"\{(\w+): ([^}]*)\} AS (\w+)", text)}
        text = re.sub(r"\{key: (\S+) = (\w+)\.(\w+)\}", lambda m: _keyed(m[1], m[2], m[3], batches[m[2]]), text)
        text = re.sub(r"\{(\w+): ([^}]*)\}", lambda m: _json_array(m[1], m[2]), text)
        return re.sub(r"(?<!:):(\w+)", r"%(\1)s", text)


def _json_each(name: str, columns: str) -> str:
    picked = (f"value ->> {i} AS {column.split()[0]}" for i, column in enumerate(columns.split(", ")))
    return f"(SELECT {', '.join(picked)} FROM json_each(:{name}))"


def _json_array(name: str, columns: str) -> str:
    picked = []
    for i, column in enumerate(columns.split(", ")):
        label, kind = column.split()
        value = f"(value ->> {i})"
        picked.append(f"{value if kind == 'text' else f'{value}::{kind}'} AS {label}")
    return f"(SELECT {', '.join(picked)} FROM jsonb_array_elements(:{name}::jsonb))"


def _keyed(column: str, alias: str, key: str, batch: str) -> str:
    return f"{column} = {alias}.{key} AND {column} = ANY(ARRAY(SELECT {key} FROM {batch} AS keys))"


class Insertion:
    """Rows added to one table: executemany on SQLite, where it costs a third; one JSON value on PostgreSQL.

    Columns are given as "name type, ..."; the types are PostgreSQL's.
    """

    def __init__(self, table: str, columns: str) -> None:
        named = [column.split() for column in columns.replace("\n", " ").split(",")]
        names = ", ".join(name for name, _ in named)
        self.sqlite = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(named))})"
        listed = ", ".join(f"{name} {kind}" for name, kind in named)
        self.postgresql = Statement(f"INSERT INTO {table} ({names}) SELECT * FROM {{rows: {listed}}} AS rows")


class Snapshot:
    """An open transaction that only reads."""

    def __init__(self, connection: Connection, clock: Callable[[Connection], datetime]) -> None:
        self._connection = connection
        self._clock = clock
        self._postgresql = connection.dialect.name == "postgresql"

    @cached_property
    def now(self) -> datetime:
        """The database's clock, read once per transaction."""
        return self._clock(self._connection)

    def all(self, statement: Statement, **parameters: Any) -> Rows:
        """Every row."""
        return cast(Rows, self._run(statement, parameters).fetchall())

    def first(self, statement: Statement, **parameters: Any) -> Record | None:
        """The first row, or None."""
        return cast("Record | None", self._run(statement, parameters).fetchone())

    def _run(self, statement: Statement, parameters: dict[str, Any]) -> Any:
        for name in statement.batches:
            parameters[name] = msgspec.json.encode(parameters[name]).decode()
        text = statement.postgresql if self._postgresql else statement.sqlite
        return self._connection.exec_driver_sql(text, parameters)


class Tx(Snapshot):
    """An open transaction that writes; it commits when the block it was opened for ends well."""

    def run(self, statement: Statement, **parameters: Any) -> int:
        """Execute, and tell how many rows changed."""
        return int(self._run(statement, parameters).rowcount)

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
        else:
            self._connection.exec_driver_sql(insertion.sqlite, list(rows))


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
        with translated(), self.reader.connect() as connection, connection.begin():
            yield Snapshot(connection, self._read_clock)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that writes, tried once; `transact` tries again what lost a race."""
        with translated(), self.writer.connect() as connection, connection.begin():
            yield Tx(connection, self._read_clock)

    def transact(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in one transaction, whole and again if it lost a race with another one."""
        for attempt in range(1, _TRIES + 1):
            try:
                with self.writer.connect() as connection, connection.begin():
                    return work(Tx(connection, self._read_clock))
            except (DBAPIError, PoolTimeout) as error:
                if attempt == _TRIES or not _lost_a_race(error):
                    _raise_translated(error)
                sleep(0.01 * attempt * attempt)
        raise AssertionError  # the loop either returns or raises

    def close(self) -> None:
        """Close every connection."""
        self.writer.dispose()
        self.reader.dispose()

    def _read_clock(self, connection: Connection) -> datetime:
        if self._now is not None:
            return self._now()
        offset = "coalesce((SELECT test_clock_offset FROM installation), 0)" if self.test_clock else "0"
        if self.is_sqlite:
            moved = connection.exec_driver_sql(f"SELECT {offset}").scalar_one() if self.test_clock else 0
            return host_now() + timedelta(microseconds=moved)
        return from_stamp(connection.exec_driver_sql(_PG_CLOCK.format(offset=offset)).scalar_one())


_PG_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + {offset}"


def _sqlite_engine(url: URL, busy_for: float, *, readers: int) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,  # also for a database in memory, which is refused later, in words
        pool_size=readers or 1,
        max_overflow=0,
        pool_timeout=busy_for,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": busy_for, "cached_statements": 512},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if readers:
            connection.execute("PRAGMA query_only=1")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the write lock at once: a read that turns into a write could not wait for it.
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
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=busy_for,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={"application_name": "drumbeat", "connect_timeout": 10},
    )


@contextmanager
def translated() -> Iterator[None]:
    """Raise the database's complaints in our words."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        _raise_translated(error)


def _raise_translated(error: Exception) -> NoReturn:
    translation = _translation(error)
    if translation is error:  # which must not become its own cause
        raise error
    raise translation from error


def _translation(error: Exception) -> Exception:
    """The database's complaint in our words; a broken constraint stays what it is: a defect of ours."""
    said = str(getattr(error, "orig", error)).strip().split("\n")[0]
    if isinstance(error, PoolTimeout) or re.search(r"database is locked|database table is locked|lock timeout", said):
        return DatabaseBusy(said)
    if re.search(r"readonly|read-only|disk is full|No space left|disk I/O error|unable to open", said):
        return DatabaseUnwritable(said)
    if isinstance(error, OperationalError):
        return Unavailable(f"The database said: {said}")
    return error


def _lost_a_race(error: Exception) -> bool:
    """Whether the same work may go well the second time: deadlock, serialization, or a unique index."""
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    unique = isinstance(error, IntegrityError) and "UNIQUE" in str(error.orig).upper()
    return code in ("40001", "40P01", "23505", "55P03") or unique


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
