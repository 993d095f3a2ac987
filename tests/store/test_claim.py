"""The claim stays an index walk under a generic plan, and what is held costs it nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg

from drumbeat.domain.sequence import SequenceStatus
from drumbeat.operations.execute import ContactInput, execute
from drumbeat.operations.sequences import carry_replan, set_status
from drumbeat.store import due, lanes, replans
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import House, letter, open_house


def test_the_claim_walks_its_index_on_sqlite_and_under_a_generic_plan_on_postgresql(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    house = open_house(database, 1, tmp_path)
    _enroll(house, 2000)
    told = _plan_of_claim(database)
    assert "ix_due_lane" in told
    assert "SCAN due" not in told
    assert "Seq Scan" not in told


def _plan_of_claim(database: Database) -> str:
    values = {"account_id": 1, "lane_id": 1, "now": 1, "limit": 100, "token": "t", "lease_until": 2}
    if database.is_sqlite:
        with database.write() as tx:
            plan = tx.all(Statement("EXPLAIN QUERY PLAN " + due.CLAIM.text), **values)
        return " ".join(str(row[3]) for row in plan)
    text = due.CLAIM.postgresql
    for number, name in enumerate(values, 1):
        text = text.replace(f"%({name})s", f"${number}")
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE due")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.execute(f"PREPARE claim (int, int, bigint, int, text, bigint) AS {text}")
        plan = connection.execute("EXPLAIN EXECUTE claim (1, 1, 1, 100, 't', 2)").fetchall()
    return " ".join(str(row[0]) for row in plan)


def test_a_lease_is_not_taken_over_before_it_is_reaped(database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    house = open_house(database, 1, tmp_path)
    _enroll(house, 3)
    first = _claim(house, clock)
    clock.advance(timedelta(minutes=5))
    assert len(first) == 3
    assert _claim(house, clock) == []


def test_the_oldest_due_is_claimed_first(database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    house = open_house(database, 1, tmp_path)
    sequence = house.sequence(letter("1 hours"))
    ids = []
    for name in ("Ada", "Bob", "Cleo"):
        ids.append(house.enroll(sequence, house.person(name)).id)
        clock.advance(timedelta(minutes=1))
    clock.advance(timedelta(hours=2))
    with database.write() as tx:
        until = tx.now + timedelta(seconds=30)
        found = due.claim(tx, house.account_id, house.mailbox_id, limit=2, token="t", lease_until=until)
    assert [each.enrollment_id for each in found] == ids[:2]


def test_a_paused_sequence_has_nothing_due_and_its_lane_sleeps(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    house = open_house(database, 1, tmp_path)
    sequence = _enroll(house, 1200)
    database.transact(lambda tx: set_status(tx, house.account_id, sequence, SequenceStatus.PAUSED, house.owner_id))
    while True:
        with database.read() as snapshot:
            replan = replans.find_next(snapshot)
        if replan is None:
            break
        database.transact(lambda tx, r=replan: carry_replan(tx, r))  # type: ignore[misc]
    assert _claim(house, clock) == []
    with database.write() as tx:
        lanes.sleep(tx, house.account_id, house.mailbox_id, tx.now)
        assert lanes.awake(tx, tx.now, 10) == []
        assert [row.held for row in due.counts(tx, house.account_id)] == [1200]


def _enroll(house: House, count: int) -> int:
    sequence = house.sequence(letter())
    for start in range(0, count, 500):
        contacts = [ContactInput(f"p{n}@example.com") for n in range(start, min(start + 500, count))]
        house.world.database.transact(
            lambda tx, c=contacts: execute(tx, house.world.hash_key, house.account_id, house.owner_id, sequence.id, c)
        )
    return sequence.id


def _claim(house: House, clock: FrozenClock) -> list[due.Due]:
    return house.world.database.transact(
        lambda tx: due.claim(
            tx,
            house.account_id,
            house.mailbox_id,
            limit=100,
            token="t",
            lease_until=tx.now + timedelta(seconds=30),
        )
    )
