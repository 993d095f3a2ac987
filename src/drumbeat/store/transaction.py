"""Snapshot (reads) and Tx (writes): statements and their rows, on one cursor of the driver (docs/decisions/0014)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec
import psycopg

from drumbeat.store.statement import Insertion, Record, Rows, Statement, record_of

_BROKEN = (sqlite3.IntegrityError, psycopg.IntegrityError)


class BrokenRule(Exception):
    """A constraint of the schema was broken: by a twin that was quicker, or by a defect of ours.

    What the row held is not told: it may be an address, and this may be logged.
    """

    def __init__(self, error: sqlite3.IntegrityError | psycopg.IntegrityError) -> None:
        super().__init__(first_line(error))
        self.is_unique = "UNIQUE" in str(error) or getattr(error, "sqlstate", None) == "23505"


class StillHeld(Exception):
    """Another transaction held a row for longer than this one was to wait."""


class _broken_rules_told:  # noqa: N801 - a context manager, and a class for its speed
    """Turns the driver's complaint about a constraint into BrokenRule."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _BROKEN):
            raise BrokenRule(error) from None


class Snapshot:
    """An open transaction that only reads: everything as it was at one instant.

    What it read once cannot read differently, so `memory` may keep it. A Tx has none.
    """

    def __init__(self, cursor: Any, now: Callable[[], datetime], *, postgresql: bool) -> None:
        self._cursor = cursor
        self._read_now = now
        self._postgresql = postgresql
        self.memory: dict[Hashable, Any] | None = {}

    @cached_property
    def now(self) -> datetime:
        """The database's clock, read once per transaction."""
        return self._read_now()

    def all(self, statement: Statement, **parameters: Any) -> Rows:
        """Every row."""
        with _broken_rules_told():
            self._run(statement, parameters)
            found = self._cursor.fetchall()  # only now are the columns known, if others were sent before it
        return list(map(self._record(statement)._make, found))

    def first(self, statement: Statement, **parameters: Any) -> Record | None:
        """The first row, or None."""
        with _broken_rules_told():
            self._run(statement, parameters)
            found = self._cursor.fetchone()
        return None if found is None else self._record(statement)._make(found)

    def _record(self, statement: Statement) -> Any:
        if statement.record is None:  # the driver's description of the columns is dear, and always the same
            statement.record = record_of(column[0] for column in self._cursor.description)
        return statement.record

    def _run(self, statement: Statement, parameters: dict[str, Any]) -> None:
        for name in statement.batches:
            parameters[name] = msgspec.json.encode(parameters[name]).decode()
        self._cursor.execute(statement.postgresql if self._postgresql else statement.sqlite, parameters)


class Tx(Snapshot):
    """An open transaction that writes; it commits when the block it was opened for ends well."""

    def __init__(self, cursor: Any, now: Callable[[], datetime], *, postgresql: bool) -> None:
        super().__init__(cursor, now, postgresql=postgresql)
        self.memory = None
        self.rings = False

    def ring(self) -> None:
        """Let workers at rest look at once when this is committed: there is work for them."""
        self.rings = True

    def run(self, statement: Statement, **parameters: Any) -> None:
        """Execute."""
        with _broken_rules_told():
            self._run(statement, parameters)

    def count_changed(self, statement: Statement, **parameters: Any) -> int:
        """Execute, and tell how many rows changed; not among others sent `together`, which are not waited for."""
        with _broken_rules_told():
            self._run(statement, parameters)
        assert self._cursor.rowcount >= 0
        return int(self._cursor.rowcount)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send the writes inside without waiting for one before the next; at the end all are carried out.

        A statement that is read from inside waits for those before it. On SQLite there is nobody to wait for.
        """
        if not self._postgresql:
            yield
            return
        with _broken_rules_told(), self._cursor.connection.pipeline():
            yield

    def lock(self, statement: Statement, **parameters: Any) -> None:
        """Lock the rows a statement selects; on SQLite the writer is alone and nothing is read."""
        if self._postgresql:
            self._run(statement, parameters)

    @contextmanager
    def patient_for(self, seconds: float) -> Iterator[None]:
        """Wait at most so long for rows that others hold, then raise StillHeld.

        On SQLite nobody holds rows: who writes has waited for the one writer's turn before.
        """
        if not self._postgresql:
            yield
            return
        self._cursor.execute(f"SET LOCAL lock_timeout = {int(seconds * 1000)}")
        try:
            yield
        except psycopg.errors.LockNotAvailable:
            raise StillHeld from None
        self._cursor.execute("SET LOCAL lock_timeout TO DEFAULT")

    def insert(self, insertion: Insertion, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add the rows, each a tuple in the insertion's order of columns."""
        if not rows:
            return
        with _broken_rules_told():
            if self._postgresql:
                self._run(insertion.postgresql, {"rows": rows})
            else:
                self._cursor.executemany(insertion.sqlite, rows)


def first_line(error: Exception) -> str:
    """The first line of the complaint: the lines behind it may tell what a row holds."""
    return str(error).strip().split("\n")[0]
