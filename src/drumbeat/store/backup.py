"""Copies of the whole database, and putting one back: every copy is in quarantine from the instant it was begun."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import URL, inspect, make_url

from drumbeat.domain.errors import Misconfigured, Unavailable
from drumbeat.domain.timeline import Quarantine
from drumbeat.store import migrate, quarantine
from drumbeat.store.database import Database, translated, without_pooler
from drumbeat.store.stamps import to_stamp

_SQLITE: Final = b"SQLite format 3\0"
_DUMP: Final = b"-- PostgreSQL database dump"


def copy_database(database: Database, path: Path) -> datetime:
    """Write a copy to a new file while everything goes on, and return the instant it was begun.

    SQLite's is a database again, PostgreSQL's a file of SQL. The file is there as a whole or not at all.
    """
    if path.exists():
        raise Misconfigured(f"{path} is there already: name a new file.")
    with database.read() as snapshot:
        begun = snapshot.now
    mark = Quarantine(begun, f"The database is a copy of {begun:%Y-%m-%d %H:%M:%S} UTC.")
    with _whole(path) as part:
        if database.is_sqlite:
            _copy_sqlite(database, part, mark)
        else:
            _dump_postgresql(database.url, part, mark)
    return begun


def _copy_sqlite(database: Database, part: Path, mark: Quarantine) -> None:
    with translated(), closing(sqlite3.connect(part)) as copy:
        with database.reader.connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            source.backup(copy)  # in one step: all of it as it is at one instant
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute(
            "UPDATE installation SET quarantined_since = coalesce(quarantined_since, ?),"
            " quarantine_cause = coalesce(quarantine_cause, ?), nothing_left_after = NULL",
            (to_stamp(mark.since), mark.cause),
        )
        copy.execute("UPDATE id_counters SET next = next + ?", (quarantine.SKIPPED,))
        copy.commit()


def _dump_postgresql(url: URL, part: Path, mark: Quarantine) -> None:
    with part.open("wb") as out:
        _run(url, "pg_dump", "--no-owner", "--no-privileges", "--format=plain", into=out.fileno())
        out.seek(0, os.SEEK_END)
        out.write(
            "\nUPDATE public.installation SET"
            f" quarantined_since = coalesce(quarantined_since, {to_stamp(mark.since)}),"
            f" quarantine_cause = coalesce(quarantine_cause, '{mark.cause}'), nothing_left_after = NULL;\n"
            f"UPDATE public.id_counters SET next = next + {quarantine.SKIPPED};\n".encode()
        )


def put_back(url: str, path: Path, *, replace: bool) -> Path | None:
    """Make the database of a copy, in quarantine, and bring it to this version's schema.

    A SQLite file that is there already is moved aside with `replace`, and its new name returned; a PostgreSQL
    database must be empty. Nobody else may have the database open.
    """
    own = make_url(url)
    with path.open("rb") as copy:
        begins = copy.read(len(_DUMP) + 16)
    is_sqlite = own.get_backend_name() == "sqlite"
    if is_sqlite and not begins.startswith(_SQLITE):
        raise Misconfigured(f"{path} is no copy of a SQLite database, and DRUMBEAT_DATABASE_URL names one.")
    if not is_sqlite and _DUMP not in begins:
        raise Misconfigured(f"{path} is no copy of a PostgreSQL database, and DRUMBEAT_DATABASE_URL names one.")
    if is_sqlite:
        return _put_file_back(Path(own.database or ""), path, replace=replace)
    _load_postgresql(own, path)
    _prepare(url)
    return None


def _put_file_back(place: Path, path: Path, *, replace: bool) -> Path | None:
    if place.exists() and not replace:
        raise Misconfigured(f"There is a database at {place} already: move it away, or restore with --replace.")
    with _whole(place, over=True) as part:
        shutil.copyfile(path, part)
        _prepare(f"sqlite:///{part}")
        with translated(), closing(sqlite3.connect(part)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")  # all of it in the one file that is moved
        return _moved_aside(place) if place.exists() else None


def _moved_aside(place: Path) -> Path:
    with translated(), closing(sqlite3.connect(place)) as present:
        present.execute("PRAGMA journal_mode=DELETE")
    for number in range(1, 1000):
        aside = place.with_name(f"{place.name}.replaced-{number}")
        if not aside.exists():
            return place.rename(aside)
    raise Misconfigured(f"Move the old databases beside {place} away: there are too many.")


def _load_postgresql(url: URL, path: Path) -> None:
    database = Database(url.render_as_string(hide_password=False), pool_size=1)
    try:
        with translated():
            if inspect(database.reader).get_table_names():
                raise Misconfigured(
                    "DRUMBEAT_DATABASE_URL names a database with tables: a copy is put into an empty one."
                )
    finally:
        database.close()
    _run(url, "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={path}")


def _prepare(url: str) -> None:
    """Bring a database that was put back to this version, and see that it is in quarantine."""
    if migrate.current(url) is None:
        raise Misconfigured("It is no copy of a Drumbeat database.")
    migrate.upgrade(url)
    database = Database(url, pool_size=1)
    try:
        with database.write() as tx:
            cause = f"The database is a copy that was put back on {tx.now:%Y-%m-%d %H:%M:%S} UTC."
            quarantine.begin(tx, Quarantine(tx.now, cause))
    finally:
        database.close()


@contextmanager
def _whole(path: Path, *, over: bool = False) -> Iterator[Path]:
    """A file beside `path` that takes its name when the block ended well and all of it is on disk."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        part.touch(mode=0o600, exist_ok=False)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        if path.exists() and not over:
            raise Misconfigured(f"{path} is there already: name a new file.")
        part.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        for name in (part, *(Path(f"{part}{suffix}") for suffix in ("-wal", "-shm", "-journal"))):
            name.unlink(missing_ok=True)


def _run(url: URL, program: str, *options: str, into: int | None = None) -> None:
    """Run one of PostgreSQL's own programs; its password travels in the environment, where nobody else looks."""
    found = shutil.which(program)
    if found is None:
        raise Misconfigured(f"{program} is not to be found: install PostgreSQL's client programs.")
    environment: Mapping[str, str] = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    own = without_pooler(url).set(drivername="postgresql", password=None).render_as_string()
    ran = subprocess.run(  # noqa: S603 - a program of PostgreSQL's, and no shell
        [found, *options, f"--dbname={own}"],
        stdin=subprocess.DEVNULL,
        stdout=into if into is not None else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(environment),
        check=False,
    )
    if ran.returncode != 0:
        said = " ".join(ran.stderr.decode("utf-8", "replace").split())
        raise Unavailable(f"{program} said: {said[:500] or f'exit code {ran.returncode}'}")
