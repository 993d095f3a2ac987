"""PostgreSQL finds the rows of a batch by their keys, also in a table small enough to tempt it to read all of it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import drumbeat.store
from drumbeat.operations.dispatch import claim
from drumbeat.operations.execute import ContactInput, execute
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, open_house

PEOPLE = 3000
FILLED = ("enrollments", "due", "deliveries", "events", "people", "contact_addresses")


def _keyed() -> Iterator[tuple[str, Statement]]:
    """Every statement that joins a batch by its keys."""
    for found in pkgutil.iter_modules(drumbeat.store.__path__, "drumbeat.store."):
        if not found.ispkg:
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if isinstance(value, Statement) and "{key: " in value.text:
                    yield f"{found.name.rpartition('.')[2]}.{name}", value


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_a_batch_never_reads_a_whole_table_under_a_generic_plan(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    _fill(database, tmp_path)
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    statements = dict(_keyed())
    assert len(statements) > 15
    walking = {}
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("ANALYZE")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        for name, statement in statements.items():
            plan = _plan(connection, statement)
            read_whole = set(re.findall(r"Seq Scan on (\w+)", plan)) & set(FILLED)
            if read_whole:
                walking[name] = read_whole
    assert walking == {}


def _fill(database: Database, folder: Path) -> None:
    house = open_house(database, 1, folder)
    sequence = house.sequence(letter())
    for start in range(0, PEOPLE, 500):
        contacts = [ContactInput(f"p{n}@example.com", f"P{n}") for n in range(start, start + 500)]
        database.transact(
            lambda tx, c=contacts: execute(tx, house.world.hash_key, house.account_id, house.owner_id, sequence.id, c)  # type: ignore[misc]
        )
    database.transact(
        lambda tx: claim(tx, house.world.identity, house.account_id, house.mailbox_id, limit=PEOPLE, token="t")
    )


def _plan(connection: psycopg.Connection, statement: Statement) -> str:
    """The plan of a prepared statement, whatever it is later executed with."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement.postgresql)))
    text = statement.postgresql.replace("%%", "%")
    for number, name in enumerate(names, 1):
        text = text.replace(f"%({name})s", f"${number}")
    given = ", ".join("'[]'" if name in statement.batches else "'1'" for name in names)
    connection.execute(f"PREPARE asked AS {text}")
    rows = connection.execute(f"EXPLAIN EXECUTE asked ({given})").fetchall()
    connection.execute("DEALLOCATE asked")
    return "\n".join(str(row[0]) for row in rows)
