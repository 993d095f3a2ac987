"""What the pages of the day ask is found by an index of its own, for those who see everybody's and for one actor."""

from __future__ import annotations

import re

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.store import doubts, enrollment_pages, overview, received, tasks
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement

OF_ALL, OF_ACTOR = "ix_enrollments_blocked", "ix_enrollments_blocked_of_actor"
FOUND_BY = (
    (received._LATEST, "ix_received_messages_kind"),
    (received._LATEST_OF, "ix_received_messages_kind"),
    (overview._BLOCKED_FOR, OF_ALL),
    (overview._BLOCKED_CAUSES, OF_ALL),
    (overview._LIST_BLOCKED, OF_ALL),
    (overview._BLOCKED_FOR_OF, OF_ACTOR),
    (overview._BLOCKED_CAUSES_OF, OF_ACTOR),
    (overview._LIST_BLOCKED_OF, OF_ACTOR),
    (overview._WAITING, "ix_due_lane"),
    (doubts._LIST, "ix_deliveries_unknown"),
    (doubts._COUNT, "ix_deliveries_unknown"),
    (tasks._DATED, "ix_tasks_due_of_all"),
    (tasks._UNDATED, "ix_tasks_due_of_all"),
    (tasks._DATED_OF, "ix_tasks_due"),
    (tasks._UNDATED_OF, "ix_tasks_due"),
    (tasks._LIST_DONE, "ix_tasks_done"),
)


def _page(database: Database, **sought: object) -> Statement:
    """A page of enrollments as it is asked for."""
    enrollment_pages._PAGES.clear()
    with database.read() as snapshot:
        enrollment_pages.list_page(snapshot, 1, descending=True, limit=51, **sought)  # type: ignore[arg-type]
    (made,) = enrollment_pages._PAGES.values()
    return made


def _plan(database: Database, statement: Statement) -> str:
    """How the database goes about it where reading everything is dear, as in a large account."""
    with database.writer.connect() as connection, connection.begin() as transaction:
        if database.is_sqlite:
            names = set(re.findall(r"(?<!:):(\w+)", statement.sqlite))
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement.sqlite}", dict.fromkeys(names)).fetchall()
            found = "\n".join(str(row[3]) for row in rows)
        else:
            for way in ("seqscan", "bitmapscan", "sort"):
                connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
            values = dict.fromkeys(re.findall(r"%\((\w+)\)s", statement.postgresql), "1")
            rows = connection.exec_driver_sql(f"EXPLAIN {statement.postgresql}", values).fetchall()
            found = "\n".join(str(row[0]) for row in rows)
        transaction.rollback()
    return found


def test_what_the_day_shows_is_found_by_its_index_without_sorting(database: Database) -> None:
    for statement, index in FOUND_BY:
        plan = _plan(database, statement)
        # In an empty table every index is as good to PostgreSQL as another.
        assert re.search(rf"\b{index}\b" if database.is_sqlite else "Index.* Scan", plan), plan
        is_counted = "GROUP BY" in statement.text
        assert is_counted or not re.search("TEMP B-TREE|Seq Scan|Sort", plan), plan


@pytest.mark.parametrize(
    ("sought", "index"),
    [
        ({"failure_reason": FailureReason.AUTH}, OF_ALL),
        ({"failure_reason": FailureReason.AUTH, "actor_id": 1}, OF_ACTOR),
        ({"runs_sequence_id": 1}, "ix_enrollments_replan"),
        ({"runs_sequence_id": 1, "actor_id": 1}, "ix_enrollments_running_of_actor"),
        ({"actor_id": 1}, "ix_enrollments_actor"),
    ],
)
def test_one_actor_s_enrollments_are_found_among_any_number_of_others(
    database: Database, sought: dict[str, object], index: str
) -> None:
    plan = _plan(database, _page(database, **sought))
    assert index in plan, plan
    assert "TEMP B-TREE" not in plan, plan
