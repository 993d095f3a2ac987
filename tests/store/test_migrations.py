from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from drumbeat.domain.errors import DrumbeatError
from drumbeat.domain.person import PersonKind
from drumbeat.store import migrate, people, tasks
from drumbeat.store.database import Database
from drumbeat.store.schema import metadata

T = TypeVar("T")
Catalog = dict[str, list[str]]
EmptyUrl = Callable[[], str]


def test_migrations_make_the_very_schema_that_schema_py_draws(empty_url: EmptyUrl) -> None:
    migrated, drawn = empty_url(), empty_url()
    migrate.upgrade(migrated)
    _draw(drawn)
    assert _catalog(migrated) == _catalog(drawn)


def test_alembic_finds_nothing_to_add_after_an_upgrade(empty_url: EmptyUrl) -> None:
    url = empty_url()
    migrate.upgrade(url)
    found = _inside(url, lambda connection: compare_metadata(_comparison(connection), metadata))
    assert found == []


def test_the_catalog_knows_predicates_checks_and_storage(empty_url: EmptyUrl) -> None:
    url = empty_url()
    migrate.upgrade(url)
    catalog = _catalog(url)
    told = "\n".join(line for lines in catalog.values() for line in lines)
    storage = "WITHOUT ROWID" if url.startswith("sqlite") else "fillfactor=80"
    assert storage in told
    assert re.search(r"uq_deliveries_out.*WHERE", told, re.DOTALL)
    assert "ck_users_role" in told
    assert set(metadata.tables) == {name for name in catalog if name != "alembic_version"}


def test_a_database_is_pending_until_it_is_at_the_head(empty_url: EmptyUrl) -> None:
    url = empty_url()
    assert migrate.current(url) is None
    assert migrate.pending(url)
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.head()
    assert not migrate.pending(url)


def test_an_upgrade_of_an_upgraded_database_leaves_its_rows_alone(database: Database) -> None:
    columns, values = "id, name, time_zone, created_at, updated_at", "1, 'A', 'UTC', 0, 0"
    with database.writer.begin() as connection:
        connection.execute(text(f"INSERT INTO accounts ({columns}) VALUES ({values})"))
    url = database.url.render_as_string(hide_password=False)
    migrate.upgrade(url)
    kept = _inside(url, lambda connection: connection.execute(text("SELECT name FROM accounts")).all())
    assert kept == [("A",)]


def test_people_and_tasks_of_the_first_revision_are_kept(empty_url: EmptyUrl) -> None:
    url = empty_url()

    def fill(connection: Connection) -> None:
        command.upgrade(migrate.config(connection=connection), "0001")
        for table, columns, values in (
            ("accounts", "id, name, time_zone, created_at, updated_at", "1, 'A', 'UTC', 0, 0"),
            ("users", "account_id, id, name, email, role, created_at, updated_at", "1, 1, 'O', 'o', 'admin', 0, 0"),
            (
                "people",
                "account_id, kind, id, owner_id, creator_id, created_at, updated_at",
                "1, 'lead', 7, 1, 1, 0, 0",
            ),
            ("tasks", "account_id, id, owner_id, creator_id, content, created_at, updated_at", "1, 9, 1, 1, 'C', 0, 0"),
        ):
            connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"))

    _inside(url, fill)
    assert migrate.pending(url)
    migrate.upgrade(url)
    database = Database(url)
    with database.read() as snapshot:
        assert people.get(snapshot, 1, PersonKind.LEAD, 7).is_organization is False
        assert tasks.get(snapshot, 1, 9).remind_at is None
    database.close()


def test_a_database_ahead_of_this_version_is_neither_pending_nor_touched(database: Database) -> None:
    with database.writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    url = database.url.render_as_string(hide_password=False)
    migrate.upgrade(url)
    assert not migrate.pending(url)
    assert migrate.current(url) == "9999"


def test_an_upgrade_that_fails_leaves_nothing_behind(empty_url: EmptyUrl) -> None:
    url = empty_url()
    database = Database(url)
    with database.writer.begin() as connection:
        connection.execute(text("CREATE TABLE journal (mine INTEGER)"))
    database.close()
    with pytest.raises((DBAPIError, DrumbeatError), match="journal"):
        migrate.upgrade(url)
    assert set(_catalog(url)) == {"journal"}
    assert migrate.current(url) is None


def test_of_upgrades_at_the_same_time_each_ends_well(empty_url: EmptyUrl) -> None:
    url = empty_url()
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as workers:
        ended = list(workers.map(migrate.upgrade, [url] * 3))
    assert ended == [None] * 3
    assert migrate.current(url) == migrate.head()


def test_revisions_are_numbered_in_the_order_they_apply() -> None:
    script = ScriptDirectory.from_config(migrate.config())
    numbers = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
    assert numbers[-1] == migrate.head()


def _draw(url: str) -> None:
    database = Database(url)
    with database.writer.begin() as connection:
        metadata.create_all(connection)
    database.close()


def _inside(url: str, look: Callable[[Connection], T]) -> T:
    database = Database(url)
    try:
        with database.writer.begin() as connection:
            return look(connection)
    finally:
        database.close()


def _comparison(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
    )


def _catalog(url: str) -> Catalog:
    """What the database itself says of each table: columns in order, keys, checks, indexes, storage."""
    statement = _SQLITE_CATALOG if url.startswith("sqlite") else _POSTGRESQL_CATALOG
    catalog: Catalog = {}
    for table, told in _inside(url, lambda connection: connection.execute(text(statement)).fetchall()):
        if table not in ("alembic_version", "sqlite_stat1"):
            catalog.setdefault(table, []).extend(_lines(told))
    return catalog


def _lines(told: str) -> list[str]:
    """Constraints may be written in any order, columns may not: `_SQLITE_CATALOG` lists those apart.

    A column that was added later stands on the line of the one before it.
    """
    return sorted(filter(None, (part.strip() for part in re.split(r",\s*(?![^()]*\))|\n", told))))


_SQLITE_CATALOG = """
SELECT tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL
UNION ALL
SELECT listed.name, 'columns: ' || (SELECT group_concat(name, ' ') FROM pragma_table_info(listed.name))
FROM pragma_table_list AS listed WHERE listed.name NOT LIKE 'sqlite_%'
UNION ALL
SELECT listed.name, iif(listed.wr, 'WITHOUT ROWID', 'with rowid') || iif(listed.strict, ' STRICT', '')
FROM pragma_table_list AS listed WHERE listed.name NOT LIKE 'sqlite_%'
ORDER BY 1, 2
"""

_POSTGRESQL_CATALOG = """
WITH tables AS (
    SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
)
SELECT relname, 'storage: ' || coalesce(array_to_string(reloptions, ' '), 'default') FROM tables
UNION ALL
SELECT relname, format('column %s: %s %s %s default %s', attnum, attname, format_type(atttypid, atttypmod),
                       CASE WHEN attnotnull THEN 'not null' END, pg_get_expr(adbin, adrelid))
FROM tables
JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0
LEFT JOIN pg_attrdef ON adrelid = tables.oid AND adnum = attnum
UNION ALL
SELECT relname, format('%s: %s', conname, pg_get_constraintdef(pg_constraint.oid))
FROM tables JOIN pg_constraint ON conrelid = tables.oid
UNION ALL
SELECT relname, pg_get_indexdef(indexrelid) FROM tables JOIN pg_index ON indrelid = tables.oid
ORDER BY 1, 2
"""
