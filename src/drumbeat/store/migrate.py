"""Brings a database to the schema this version needs; the revisions travel inside the package.

Migrations only add, so that a version and the one before it may run on one database: a database that is
ahead of this version is as good as one that is level with it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, make_url, text

from drumbeat.domain.errors import Unavailable
from drumbeat.store.database import Database, translated
from drumbeat.store.planner import tell_planner

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7208213465  # any number: the advisory lock under which one upgrade at a time runs


def config(**attributes: Any) -> Config:
    """Alembic's configuration, without a file; `attributes` reach `migrations/env.py`."""
    made: Config = import_module("alembic.config").Config(attributes=attributes)
    made.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return made


def head() -> str:
    """The revision this version needs."""
    return max(path.name[:4] for path in (_FOLDER / "versions").glob("[0-9]*.py"))


def current(url: str) -> str | None:
    """The revision the database is at; None if it is empty."""
    database = Database(url, pool_size=1)
    try:
        with translated(), database.reader.connect() as connection, connection.begin():
            return _current(connection)
    finally:
        database.close()


def exists(url: str) -> bool:
    """Whether there is a database of ours; no file is made in looking."""
    own = make_url(url)
    if own.get_backend_name() == "sqlite" and not Path(own.database or "").exists():
        return False
    return current(url) is not None


def pending(url: str) -> bool:
    """Whether the database is behind this version."""
    return _is_behind(current(url))


def upgrade(url: str) -> None:
    """Bring the database to this version's schema, in one transaction: all of it or nothing.

    Of several at the same time one works and the others wait for it; on a database that is level with this
    version, or ahead of it, nothing happens.
    """
    database = Database(url, pool_size=1)
    try:
        with translated(), database.writer.connect() as connection:
            _suspend_references(connection, database.is_sqlite)
            with connection.begin():
                _wait_for_others(connection, database.is_sqlite)
                if _is_behind(_current(connection)):
                    # Loaded here, and not before: it takes 21 MB, and most processes find nothing to do.
                    import_module("alembic.command").upgrade(config(connection=connection), "head")
                    if database.is_sqlite:
                        tell_planner(connection)
                    _check_references(connection, database.is_sqlite)
    finally:
        database.close()


def _suspend_references(connection: Connection, is_sqlite: bool) -> None:
    # SQLite changes a table by making it anew and dropping the old one, which would break every reference
    # to it half-way. The pragma does nothing inside a transaction, so it comes before one is begun.
    driver = connection.connection.driver_connection
    if is_sqlite and driver is not None:
        driver.execute("PRAGMA foreign_keys=0")


def _wait_for_others(connection: Connection, is_sqlite: bool) -> None:
    # SQLite's transaction began with the write lock.
    if not is_sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _check_references(connection: Connection, is_sqlite: bool) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() if is_sqlite else []
    if broken:
        raise Unavailable(f"The upgrade would break {len(broken)} references, the first in {broken[0][0]}.")


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _is_behind(revision: str | None) -> bool:
    """Revisions are numbered, `0001` and up, so the text tells which one is later."""
    return revision is None or revision < head()
