"""Bytes on disk for an enrollment and its letters, and what keeping content for a while gives back."""

from __future__ import annotations

import argparse
from dataclasses import replace

import psycopg

from bench._machine import Place, fast_sink, place, row
from bench.dispatch import fill
from drumbeat.operations.accounts import change_account
from drumbeat.operations.retention import empty_next
from drumbeat.store import accounts
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.testing.house import House, open_house
from drumbeat.worker import Worker

_TABLES = ("enrollments", "due", "deliveries", "actions", "events", "outbox", "people", "contact_addresses")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enrollments", type=int, default=10_000)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    chosen = parser.parse_args()
    row("database", "an enrollment that waits", "its person", "a letter that was sent", "of it: inputs", "emptied")
    row(*["---"] * 6)
    for kind in chosen.kind or ["sqlite", "postgresql"]:
        with place(kind) as where, fast_sink() as sink:
            database = Database(where.url, test_clock=True)
            measure(where, open_house(database, sink.port, where.folder, connections=16), chosen.enrollments)
            database.close()


def measure(where: Place, house: House, enrollments: int) -> None:
    """One line: bytes each, indexes included, after the database has tidied up."""
    empty = _bytes(where)
    fill(house, enrollments)
    waiting = _bytes(where)
    persons = sum(waiting[name] - empty[name] for name in ("people", "contact_addresses"))
    worker = Worker(house.world)
    while worker.step():
        pass
    worker.close()
    sent = _bytes(where)
    inputs = _count(house, "SELECT sum(length(frozen)) FROM deliveries")
    _end_and_empty(house)
    emptied = _bytes(where)
    row(
        where.kind,
        (sum(waiting.values()) - sum(empty.values()) - persons) / enrollments,
        persons / enrollments,
        (sum(sent.values()) - sum(waiting.values())) / enrollments,
        inputs / enrollments,
        (sum(sent.values()) - sum(emptied.values())) / enrollments,
    )


def _bytes(where: Place) -> dict[str, int]:
    """The size of every table with its indexes, after VACUUM."""
    if where.kind == "sqlite":
        database = Database(where.url)
        with database.writer.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("VACUUM")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            found = driver.execute(
                "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY 1"
            ).fetchall()
        database.close()
    else:
        with psycopg.connect(where.url, autocommit=True) as connection:
            connection.execute("VACUUM (FULL)")
            found = connection.execute(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace ="
                " 'public'::regnamespace"
            ).fetchall()
    sizes = {name: int(size) for name, size in found}
    return {name: sizes.get(name, 0) for name in _TABLES}


def _end_and_empty(house: House) -> None:
    """Let everything have ended long ago, and take its content away."""
    account_id = house.account_id
    with house.world.database.write() as tx:
        change_account(tx, replace(accounts.get_account(tx, account_id), keep_days=1))
        tx.run(
            Statement(
                "UPDATE enrollments SET state = 'finished', status = 'cancelled', finished_at = 1,"
                " finished_reason = 'manual' WHERE account_id = :account_id"
            ),
            account_id=account_id,
        )
    after: int | None = 0
    while after is not None:
        after = empty_next(house.world.database, account_id, after)


def _count(house: House, text: str) -> int:
    with house.world.database.read() as snapshot:
        found = snapshot.first(Statement(text))
    assert found is not None
    return int(found[0])


if __name__ == "__main__":
    main()
