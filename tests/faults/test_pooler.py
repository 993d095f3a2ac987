"""A pooler in transaction mode stands between the workers and PostgreSQL: no session is relied on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from drumbeat.domain.enrollment import State
from drumbeat.domain.errors import Misconfigured
from drumbeat.http.server import free_port
from drumbeat.operations.verification import verify_account
from drumbeat.store import migrate
from drumbeat.store.database import Database
from drumbeat.testing.crew import crew
from drumbeat.testing.house import House, letter, open_house
from drumbeat.testing.sink import Sink
from tests.faults.test_windows import arrivals, enrollments, until
from tests.postgres import own_server

pytestmark = pytest.mark.postgresql
LETTERS = 60


@pytest.fixture
def pooled_url(tmp_path: Path) -> Iterator[str]:
    """The address of a PgBouncer before a migrated database."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("there is no pgbouncer here")
    with own_server() as server:
        migrate.upgrade(server.url)
        port = free_port("127.0.0.1", 0)
        settings = server.folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\npostgres = host={server.folder} dbname=postgres user=postgres\n"
            f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\nauth_type=any\n"
            "pool_mode=transaction\ndefault_pool_size=5\n"
        )
        for path in (server.folder, settings):
            path.chmod(0o755)
        as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
        pooler = subprocess.Popen(["pgbouncer", "-q", *as_user, str(settings)])
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        until(lambda: _answers(url))
        yield f"{url}?pooler=transaction"
        pooler.send_signal(signal.SIGINT)
        pooler.wait(20)


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False


def test_workers_behind_a_pooler_send_each_letter_once_though_they_are_killed(pooled_url: str, tmp_path: Path) -> None:
    log = tmp_path / "sink.log"
    with Sink(log=log) as sink, closing(Database(pooled_url)) as database:
        house = open_house(database, sink.port, tmp_path, connections=2)
        sequence = house.sequence(letter(), letter("0 hours"))
        for number in range(LETTERS):
            house.enroll(sequence, house.person(f"P{number}"))
        with crew(tmp_path, pooled_url) as workers:
            for _ in range(3):
                pid = workers.start()
                time.sleep(0.4)
                workers.kill(pid)
            for _ in range(3):
                workers.start()
            until(lambda: _all_went(house), 100)
        assert max(arrivals(house, log).values()) <= 2
        assert not any(part.breaches for part in verify_account(database, house.account_id))


def _all_went(house: House) -> bool:
    return all(each.state is State.FINISHED or each.in_doubt for each in enrollments(house))


def test_a_pooler_s_mode_that_is_not_known_is_named() -> None:
    with pytest.raises(Misconfigured, match="pooler=session is not known"):
        Database("postgresql://me@db.example/drumbeat?pooler=session")
