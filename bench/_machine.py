"""What every benchmark shares: CPU by process, a sink of its own, databases of its own, and honest tables."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url

from drumbeat.store import migrate
from drumbeat.store.database import Database
from tests.postgres import running_server


@dataclass(frozen=True)
class Place:
    """A migrated database of its own, and a folder beside it."""

    kind: str
    url: str
    folder: Path

    def open(self) -> Database:
        return Database(self.url)

    def settle(self) -> None:
        """What the database's own housekeeping does in a minute: gather statistics, free pages, empty the log."""
        if self.kind == "sqlite":
            with closing(sqlite3.connect(str(make_url(self.url).database))) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            with psycopg.connect(self.url, autocommit=True) as connection:
                # Freezing touches every page after the checkpoint: nothing measured pays for full-page images.
                connection.execute("CHECKPOINT")
                connection.execute("VACUUM (FREEZE, ANALYZE)")

    def cpu(self) -> float:
        """CPU seconds of the database's own processes so far (SQLite works in ours)."""
        return 0.0 if self.kind == "sqlite" else sum(cpu_of(p) for p in _server_of(self.url))


def _server_of(url: str) -> list[psutil.Process]:
    """The postmaster behind a connection on this machine, and its children."""
    with psycopg.connect(url) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None
    return [postmaster, *postmaster.children(recursive=True)]


def cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    # A postmaster's children_* hold the time of backends that ended.
    return times.user + times.system + times.children_user + times.children_system


@contextmanager
def place(kind: str, *, empty: bool = False) -> Iterator[Place]:
    """A database of the kind ("sqlite" or "postgresql"), migrated unless it is to be empty, and gone afterwards."""
    with ExitStack() as after:
        folder = Path(tempfile.mkdtemp(prefix="drumbeat-bench-"))
        after.callback(shutil.rmtree, folder, ignore_errors=True)
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'drumbeat.db'}"
        else:
            server = os.environ.get("DRUMBEAT_TEST_POSTGRES_URL") or after.enter_context(running_server())
            url = _own_database(server, after)
        if not empty:
            migrate.upgrade(url)
        yield Place(kind, url, folder)


def _own_database(server: str, after: ExitStack) -> str:
    url = make_url(server).set(drivername="postgresql")
    name = f"drumbeat_bench_{secrets.token_hex(4)}"
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    after.callback(_drop, url.render_as_string(hide_password=False), name)
    return url.set(database=name).render_as_string(hide_password=False)


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@dataclass
class FastSink:
    """An SMTP sink in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def cpu(self) -> float:
        return cpu_of(psutil.Process(self.process.pid))

    def end(self) -> dict[str, int]:
        """Stop it; how often each Message-ID arrived."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=20)
        ids: dict[str, int] = json.loads(out.strip().splitlines()[-1])["ids"]
        return ids


@contextmanager
def fast_sink() -> Iterator[FastSink]:
    """A sink that keeps counts only."""
    command = [sys.executable, "-m", "drumbeat.testing.sink", "--port", "0", "--fast"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield FastSink(process, int(process.stdout.readline().split()[-1]))
    finally:
        if process.poll() is None:
            process.kill()


def row(*cells: object) -> None:
    """One line of a table."""
    print("| " + " | ".join(f"{c:,.3f}" if isinstance(c, float) else str(c) for c in cells) + " |", flush=True)
