"""Every statement is understood by both databases, stays within its account, and walks no more than it must."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from itertools import chain, product
from typing import Any

import pytest

import drumbeat.store
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.person import PersonKind
from drumbeat.store import enrollment_pages, pages, person_pages, task_pages
from drumbeat.store.database import Database
from drumbeat.store.pages import Order, Place
from drumbeat.store.person_pages import Sought
from drumbeat.store.schema import metadata
from drumbeat.store.stamps import from_stamp
from drumbeat.store.statement import Insertion, Statement
from drumbeat.store.task_pages import SoughtTasks
from tests.distribution import READS, TENANT, WRITES, refusal

# Work for all accounts: the worker's and the operator's looks across them, and where somebody who signs in may work.
# Everything else names one account.
ACROSS_ACCOUNTS = {
    "accounts._LIST_ACCOUNTS",
    "accounts._USERS_OF_LOGIN",
    "deliveries._EXPIRED",
    "events._ACCOUNTS_UNTOLD",
    *(
        f"figures._{name}"
        for name in ["DUE", "OPEN", "UNKNOWN", "BLOCKED", "MAILBOXES", "INBOXES", "HAPPENED", "UNTOLD"]
    ),
    "figures._IMPORTS",
    "figures._NOTICES",
    "imports._RUNNING",
    "inboxes._DUE",
    "kept_answers._EXPIRED",
    "lanes._AWAKE",
    "lanes._NEXT_WAKE",
    "mailboxes._ANY_REAL",
    "mailboxes._TO_TEST",
    "notices._FIND_DUE",
    "quarantine._COUNT_DUE",
    "replans._NEXT",
    "turns._BLOCKED",
}
# Tables an installation has a few hundred rows of at most, or rows that somebody is working on right now.
SMALL = {"accounts", "credentials", "calendars", "lanes", "mailboxes", "replans", "sequences", "templates", "users"}
SMALL |= {"inboxes", "sequence_counts", "outbox"}
# What looks at more than it names, each with the reason why that is little or wanted.
MAY_WALK = {
    "accounts._SKIP_IDS": "a counter for each noun",
    "accounts._ADD_ACCOUNT": "looks for rows that refer to the new account; there are none",
    "deliveries._EXPIRED": "open letters only, by their own partial index",
    "deliveries._UNKNOWN_OF_MAILBOX": "doubts only, by their own partial index",
    "doubts._COUNT": "doubts only, by their own partial index",
    "due._COUNTS": "the operator's view of the lanes",
    "erasure._BLANK_JOURNAL": "an erasure, which a person asks for, once or twice",
    "erasure._BLANK_REJECTED": "the same",
    "figures._BLOCKED": "blocked enrollments only, by their own partial index",
    "figures._IMPORTS": "running imports only, by their own partial index",
    "figures._NOTICES": "letters to users that wait",
    "figures._OPEN": "open letters only, by their own partial index",
    "figures._UNKNOWN": "doubts only, by their own partial index",
    "quarantine._COUNT_DUE": "an operator's question, once after a restore",
    "overview._BY_REASON": "blocked enrollments only, by their own partial index",
    "overview._BY_SEQUENCE": "the operator's view of the sequences",
    "overview._UNKNOWN": "doubts only, by their own partial index",
}
EPOCH = from_stamp(0)


def _constants() -> Iterator[tuple[str, Statement | Insertion]]:
    for found in pkgutil.iter_modules(drumbeat.store.__path__, "drumbeat.store."):
        if not found.ispkg:
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if isinstance(value, (Statement, Insertion)):
                    yield f"{found.name.rpartition('.')[2]}.{name}", value


def _pages(database: Database) -> list[tuple[str, Statement]]:
    """Every page of enrollments that a caller may ask for; the texts are made when one does."""
    choices: dict[str, tuple[Any, Any]] = {
        "after": (0, 5),
        "ids": (None, [1]),
        "resource_type": (None, PersonKind.LEAD),
        "resource_ids": (None, [1]),
        "actor_id": (None, 1),
        "runs_sequence_id": (None, 1),
        "variant_b_of": (None, 1),
        "failure_reason": (None, FailureReason.AUTH),
        "descending": (False, True),
    }
    with database.read() as snapshot:
        for chosen in product(*choices.values()):
            enrollment_pages.list_page(snapshot, 1, **dict(zip(choices, chosen, strict=True)), limit=3)
    assert len(enrollment_pages._PAGES) == 2 ** len(choices)
    return [(f"enrollments.page of {where}", statement) for (where, _), statement in enrollment_pages._PAGES.items()]


def _page_texts() -> list[tuple[str, Statement]]:
    """Pages of people, tasks and conversions by each filter, in every order, from the start and from behind a row."""
    texts = ("first_name", "last_name", "organization_name", "address_hash", "phone", "mobile", "status")
    numbers = ("owner_id", "creator_id", "source_id", "organization_id", "is_organization")
    assert {*texts, *numbers} == person_pages.COLUMNS
    people = [Sought(PersonKind.LEAD, columns={name: 1}) for name in (*texts, *numbers)]
    people += [Sought(PersonKind.LEAD), Sought(PersonKind.LEAD, ids=[1]), Sought(PersonKind.LEAD, name="Ada Lovelace")]
    people += [Sought(PersonKind.LEAD, values={"custom.a": "x", "address.city": "y"})]
    tasks = [SoughtTasks(**{name: 1}) for name in ("creator_id", "owner_id")]
    flags = ("related", "completed", "overdue", "reminding")
    tasks += [SoughtTasks(**{name: flag}) for name, flag in product(flags, (True, False))]
    tasks += [SoughtTasks(), SoughtTasks(ids=[1]), SoughtTasks(text="call")]
    tasks += [SoughtTasks(resource_type="lead", resource_id=1), SoughtTasks(owner_id=1, completed=False)]
    asked = [("people", person_pages.conditions(1, whom)[0], Order) for whom in people]
    asked += [
        ("tasks", task_pages.conditions(1, which, order, EPOCH)[0], (order,))
        for which, order in product(tasks, (Order.ID, Order.UPDATED))
    ]
    asked += [("lead_conversions", ["r.account_id = :account_id", "r.lead_id = :lead_id"], (Order.ID,))]
    return [
        (f"{table} where {where[-1]} by {order}", pages.statement(table, where, Place(3, 0, behind, 7, order, down)))
        for table, where, orders in asked
        for order, behind, down in product(orders, (0, 5), (False, True))
        if not (behind and order is Order.NAME)
    ]


INSERTIONS = {name: each for name, each in _constants() if isinstance(each, Insertion)}
STATEMENTS = {name: each for name, each in _constants() if isinstance(each, Statement)}


def test_the_statements_were_found() -> None:
    assert len(STATEMENTS) > 100
    assert len(INSERTIONS) > 5
    assert set(STATEMENTS) >= ACROSS_ACCOUNTS | set(MAY_WALK)


def test_every_statement_is_understood(database: Database) -> None:
    statements = [
        *STATEMENTS.items(),
        *((name, each.postgresql) for name, each in INSERTIONS.items()),
        *_pages(database),
        *_page_texts(),
    ]
    for name, statement in statements:
        assert _plan(database, statement), name


def test_every_insertion_names_columns_that_are_there_with_their_types(database: Database) -> None:
    for name, insertion in INSERTIONS.items():
        with database.writer.connect() as connection, connection.begin() as transaction:
            columns = re.search(r"\((.*?)\) VALUES", insertion.sqlite)
            assert columns is not None
            row = tuple(None for _ in columns[1].split(", "))
            if database.is_sqlite:
                connection.exec_driver_sql(f"EXPLAIN {insertion.sqlite}", row)
            else:
                connection.exec_driver_sql(f"EXPLAIN {insertion.postgresql.postgresql}", {"rows": json.dumps([row])})
            transaction.rollback()
        assert columns[1].startswith("account_id,"), name


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - ACROSS_ACCOUNTS))
def test_a_statement_on_a_tenant_s_table_names_the_account(name: str) -> None:
    text = STATEMENTS[name].text
    assert ":account_id" in text or not {*WRITES.findall(text), *READS.findall(text)} & TENANT
    assert refusal(text) is None


def test_what_looks_across_accounts_neither_writes_nor_locks() -> None:
    for name in ACROSS_ACCOUNTS:
        text = STATEMENTS[name].text
        assert not WRITES.findall(text), name
        assert "{lock" not in text, name
        assert "{skip locked" not in text, name


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_statement_walks_a_whole_account(database: Database) -> None:
    walking = {}
    for name, statement in chain(STATEMENTS.items(), _pages(database), _page_texts()):
        plan = _plan(database, statement)
        walks = [step for step in plan if _walks(step, _aliases(statement))]
        goes_on_until_its_limit = "LIMIT" in statement.sqlite and not any("TEMP B-TREE" in step for step in plan)
        if walks and not goes_on_until_its_limit and name not in MAY_WALK:
            walking[name] = walks
    assert walking == {}


BY_ID = "PRIMARY KEY (account_id=? AND id=?"
BY_PERSON = ("ix_enrollments_resource (account_id=? AND resource_type=? AND resource_id=?", "uq_enrollments_")
# By which indexes a page may be found that asks for one of these, the first that fits; the rest walks the ids.
PAGE_INDEXES = (
    (
        (":failure_reason", ":runs_sequence_id", ":variant_b_of", ":actor_id"),
        ("ix_enrollments_", "uq_enrollments_", BY_ID),
    ),
    ((":named",), (BY_ID,)),
    ((":sought",), BY_PERSON),
    (("",), ("PRIMARY KEY (account_id=?",)),
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_of_named_people_is_found_by_their_index_and_any_other_in_the_order_of_ids(
    database: Database,
) -> None:
    for name, statement in _pages(database):
        plan = _plan(database, statement)
        first = plan[0]
        used = next(index for marks, index in PAGE_INDEXES if any(mark in statement.sqlite for mark in marks))
        assert any(each in first for each in used), (name, first)
        asks_for_few = any(mark in statement.sqlite for mark in (":sought", ":named", ":failure_reason"))
        assert "TEMP B-TREE" not in " ".join(plan) or asks_for_few, name


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_few_have_is_found_by_an_index_of_its_own(database: Database) -> None:
    found = {
        name: "; ".join(_plan(database, statement)) for name, statement in _page_texts() if name.endswith(" by id")
    }
    for column, index in (
        ("last_name", "ix_people_name"),
        ("organization_name", "ix_people_organization_name"),
        ("address_hash", "ix_people_account_id_address_hash"),
        ("phone", "ix_people_phone"),
        ("mobile", "ix_people_mobile"),
        ("organization_id", "ix_people_organization_id"),
        ("id {in: SELECT v.person_id", "ix_person_values_value"),
    ):
        plans = [plan for name, plan in found.items() if f"r.{column}" in name]
        assert plans
        assert all(index in plan for plan in plans), plans
    (named,) = [plan for name, plan in found.items() if "o.organization_name = :name" in name]
    assert named.count("ix_people_name") == 3


def test_the_check_tells_a_walk_from_a_search() -> None:
    assert _walks("SCAN enrollments", {})
    assert _walks("SCAN e USING INDEX ix_enrollments_blocked", {"e": "enrollments"})
    assert _walks("SEARCH enrollments USING PRIMARY KEY (account_id=?)", {})
    assert not _walks("SEARCH enrollments USING PRIMARY KEY (account_id=? AND id=?)", {})
    assert not _walks("SEARCH enrollments USING PRIMARY KEY (account_id=? AND id>?)", {})
    assert not _walks("SCAN json_each VIRTUAL TABLE INDEX 1:", {})
    assert not _walks("SCAN mailboxes", {})


def _plan(database: Database, statement: Statement) -> list[str]:
    """How the database would go about it, step by step."""
    with database.writer.connect() as connection, connection.begin() as transaction:
        if database.is_sqlite:
            names = set(re.findall(r"(?<!:):(\w+)", statement.sqlite))
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement.sqlite}", dict.fromkeys(names)).fetchall()
            found = [str(row[3]) for row in rows] or ["no step worth telling"]
        else:
            names = set(re.findall(r"%\((\w+)\)s", statement.postgresql))
            values = {name: "[]" if name in statement.batches else "1" for name in names}
            rows = connection.exec_driver_sql(f"EXPLAIN {statement.postgresql}", values).fetchall()
            found = [str(row[0]) for row in rows]
        transaction.rollback()
    return found


def _aliases(statement: Statement) -> dict[str, str]:
    """The tables of the statement by the names it gives them."""
    named = re.findall(r"\b(?:FROM|JOIN|UPDATE) (\w+) (?:AS )?(\w+)", statement.sqlite)
    return {alias: table for table, alias in named if table in metadata.tables}


def _walks(step: str, aliases: dict[str, str]) -> bool:
    """Whether a step of SQLite's plan goes through all of an account, or of a table, that may be large."""
    found = re.match(r"(SCAN|SEARCH) (\w+)", step)
    if found is None:
        return False
    table = aliases.get(found[2], found[2])
    if table not in metadata.tables or table in SMALL:
        return False
    return found[1] == "SCAN" or "(account_id=?)" in step
