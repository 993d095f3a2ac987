"""The tables of a PostgreSQL with Citus spread over its nodes; where none is given, its rules are stood in for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import inspect

from drumbeat.domain.errors import IncorrectValue, NotNow
from drumbeat.operations.execute import ContactInput
from drumbeat.operations.verification import verify_account
from drumbeat.store import migrate
from drumbeat.store.database import Database
from drumbeat.store.distribution import distribute
from drumbeat.store.schema import metadata
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from tests.distribution import STAND_IN, refusal
from tests.operations.office import opened

CITUS = os.environ.get("DRUMBEAT_TEST_CITUS_URL")
only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def stood_in(database_url: str) -> str:
    """A migrated PostgreSQL whose functions keep the rules of Citus."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(STAND_IN)
    return database_url


def ask(url: str, question: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(question.encode()).fetchall()


def references(url: str) -> set[tuple[str, str | None]]:
    database = Database(url)
    looked = inspect(database.reader)
    found = {(table, each["name"]) for table in looked.get_table_names() for each in looked.get_foreign_keys(table)}
    database.close()
    return found


@only_postgresql
def test_every_table_of_an_account_lies_beside_it_and_no_reference_is_lost(stood_in: str) -> None:
    before = references(stood_in)
    assert distribute(stood_in) == [table.name for table in metadata.sorted_tables]
    spread = dict(ask(stood_in, "SELECT logicalrelid::text, partkey FROM pg_dist_partition"))
    assert spread["accounts"] == "id"
    assert spread["installation"] is None
    assert spread["enrollments"] == "account_id"
    assert references(stood_in) == before
    assert len(before) > 20
    assert ask(stood_in, "SELECT broken_references()") == []


@only_postgresql
def test_it_is_done_once_and_again_only_for_what_is_new(stood_in: str) -> None:
    distribute(stood_in)
    assert distribute(stood_in) == []
    with psycopg.connect(stood_in, autocommit=True) as connection:
        connection.execute("DELETE FROM pg_dist_partition WHERE logicalrelid = 'outbox'::regclass")
    assert distribute(stood_in) == ["outbox"]


@only_postgresql
def test_what_cannot_be_spread_leaves_all_as_it_was(stood_in: str) -> None:
    before = references(stood_in)
    with psycopg.connect(stood_in, autocommit=True) as connection:
        connection.execute("CREATE UNIQUE INDEX across ON outbox (token)")
    with pytest.raises(NotNow, match="nothing is changed: a unique index of outbox lacks account_id"):
        distribute(stood_in)
    assert ask(stood_in, "SELECT count(*) FROM pg_dist_partition") == [(0,)]
    assert references(stood_in) == before


def test_a_database_without_citus_is_told_so(database_url: str) -> None:
    with pytest.raises(IncorrectValue, match=r"SQLite is one file|has no Citus"):
        distribute(database_url)


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_a_database_that_is_behind_is_migrated_first(empty_url: Iterator[str]) -> None:
    with pytest.raises(NotNow, match="drumbeat migrate"):
        distribute(empty_url())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT 1 FROM enrollments", None),
        ("SELECT id FROM enrollments WHERE account_id = :account_id {lock}", None),
        ("SELECT id FROM enrollments ORDER BY id {skip locked}", "locks"),
        ("SELECT id FROM accounts ORDER BY id {lock}", "locks"),
        ("UPDATE enrollments SET state = 'x' WHERE id = :id", "changes"),
        ("UPDATE enrollments SET state = 'x' WHERE account_id = :account_id AND id = :id", None),
        ("DELETE FROM outbox WHERE topic = :topic", "changes"),
        ("INSERT INTO outbox (account_id, topic) VALUES (1, 2) ON CONFLICT DO UPDATE SET topic = 'x'", None),
        ("INSERT INTO outbox (topic, account_id) VALUES (1, 2)", "adds"),
        ("UPDATE installation SET canary = :canary", None),
        ("SET search_path TO x", "leaves"),
        ("SET LOCAL lock_timeout = 5", None),
        ("SELECT pg_advisory_lock(5)", "leaves"),
        ("SELECT pg_advisory_xact_lock(5)", None),
    ],
)
def test_the_rule_for_statements_knows_good_from_bad(text: str, told: str | None) -> None:
    found = refusal(text)
    assert found is None if told is None else found is not None and found.startswith(told)


@pytest.mark.skipif(CITUS is None, reason="DRUMBEAT_TEST_CITUS_URL names no empty database of a Citus cluster")
def test_letters_leave_from_a_cluster(clock: FrozenClock, tmp_path: Path) -> None:
    assert CITUS is not None
    migrate.upgrade(CITUS)
    distribute(CITUS)
    database = Database(CITUS, now=clock)
    with opened(database, clock, tmp_path) as office:
        office.execute(
            office.house.sequence(letter()), ContactInput("ada@example.com"), ContactInput("bob@example.com")
        )
        office.work()
        assert sorted(office.recipients()) == ["ada@example.com", "bob@example.com"]
        assert not any(part.breaches for part in verify_account(database, office.house.account_id))
    database.close()
