"""A clock, and a fresh migrated database of either kind for each test that asks.

PostgreSQL is the server that DRUMBEAT_TEST_POSTGRES_URL names, or one started for the run.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Composed, Identifier
from sqlalchemy import make_url

from drumbeat.store import migrate
from drumbeat.store.database import Database
from drumbeat.store.schema import metadata
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.nameserver import NameServer
from tests.distribution import refusal
from tests.postgres import running_server

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what browsers do: it takes longest, and nobody is to wait for it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/web/"))


@pytest.fixture
def clock() -> FrozenClock:
    """Tuesday 3 March 2026, 10:00 UTC, until the test moves it."""
    return FrozenClock()


@pytest.fixture(autouse=True, scope="session")
def _nobody_asks_the_real_dns() -> Iterator[None]:
    """Senders are looked up at a name server that knows nobody."""
    with NameServer() as server, pytest.MonkeyPatch.context() as patched:
        patched.setenv("DRUMBEAT_DNS", server.address)
        yield


@pytest.fixture(autouse=True, scope="session")
def _every_statement_stays_within_its_account() -> Iterator[None]:
    """Whatever the store sends in any test is what a cluster takes that has each account on one node."""
    run, found = Snapshot._run, dict[str, str | None]()

    def looked_at(snapshot: Snapshot, statement: Statement, parameters: dict[str, Any]) -> None:
        if statement.text not in found and sys._getframe(2).f_globals["__name__"].startswith("drumbeat."):
            found[statement.text] = refusal(statement.text)
        run(snapshot, statement, parameters)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Snapshot, "_run", looked_at)
        yield
    # Only now: what a worker raises is logged, and it goes on.
    assert {text: why for text, why in found.items() if why} == {}


@pytest.fixture
def database(database_url: str, clock: FrozenClock) -> Iterator[Database]:
    """A migrated, empty database that reads the test's clock."""
    made = Database(database_url, now=clock)
    yield made
    made.close()


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated database with no rows, once for SQLite and once for PostgreSQL."""
    if request.param == "sqlite":
        path = request.getfixturevalue("tmp_path") / "drumbeat.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        server: Server = request.getfixturevalue("postgresql_server")
        with ExitStack() as after:
            yield server.lend(after, template=request.getfixturevalue("postgresql_template"))


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes URLs of databases without any table, for SQLite and for PostgreSQL."""
    with ExitStack() as after:
        if request.param == "sqlite":
            folder: Path = request.getfixturevalue("tmp_path")
            yield lambda: f"sqlite:///{folder}/{secrets.token_hex(4)}.db"
        else:
            server: Server = request.getfixturevalue("postgresql_server")
            yield lambda: server.create(after)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: Server) -> Iterator[str]:
    """The name of a migrated database to clone."""
    with ExitStack() as after:
        url = postgresql_server.create(after)
        migrate.upgrade(url)
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """The PostgreSQL server of this run."""
    named = os.environ.get("DRUMBEAT_TEST_POSTGRES_URL")
    with ExitStack() as after, closing(Server(named or after.enter_context(running_server()))) as server:
        yield server


class Server:
    """Makes, lends and drops databases of the test's own."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self._kept: list[str] = []
        self._after = ExitStack()

    def lend(self, after: ExitStack, template: str) -> str:
        """The URL of a copy of the template, which is emptied when `after` ends, and lent again.

        To make one takes the server a quarter of a second of work, which thousands of tests do not have.
        """
        url = self._kept.pop() if self._kept else self.create(self._after, template=template)
        with psycopg.connect(url, autocommit=True) as connection:
            after.callback(self._take_back, url, connection.execute(_SHAPE).fetchone())
        return url

    def create(self, after: ExitStack, template: str = "template0") -> str:
        """The URL of a new database, which is dropped when `after` ends."""
        name = f"drumbeat_test_{secrets.token_hex(6)}"
        self._run(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        after.callback(self._run, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
        return self._url.set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        """Drop what was lent."""
        self._after.close()

    def _take_back(self, url: str, shape: Any) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_END_SESSIONS)
            if connection.execute(_SHAPE).fetchone() != shape:
                return  # a test has changed its schema
            for table in reversed(metadata.sorted_tables):
                connection.execute(SQL("DELETE FROM {}").format(Identifier(table.name)))
            connection.execute(_RESTART)
        self._kept.append(url)

    def _run(self, statement: Composed) -> None:
        with psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement)


_END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid != pg_backend_pid()
"""
_RESTART = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"
_SHAPE = """
    SELECT md5(string_agg(part, ' ' ORDER BY part)) FROM (
        SELECT concat_ws(' ', attrelid, attname, atttypid, attnotnull) AS part FROM pg_attribute WHERE attrelid > 16383
        UNION ALL SELECT concat_ws(' ', oid, relname, reloptions, relkind) FROM pg_class WHERE oid > 16383
        UNION ALL SELECT concat_ws(' ', oid, conname) FROM pg_constraint WHERE oid > 16383
        UNION ALL SELECT concat_ws(' ', oid, tgname, tgenabled) FROM pg_trigger
        UNION ALL SELECT concat_ws(' ', oid, proname) FROM pg_proc WHERE oid > 16383
        UNION ALL SELECT concat_ws(' ', setrole, setconfig) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL SELECT version_num FROM alembic_version
    ) AS shape
"""
