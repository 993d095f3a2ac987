"""What waiting enrollments cost: the claim, and another account's tick, at 10^4 to 10^6 (or more) of them."""

from __future__ import annotations

import argparse
import time
from datetime import timedelta

from bench._machine import Place, place, row
from drumbeat.domain.account import Role
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.operations.sequences import carry_replan, set_status
from drumbeat.store import accounts, due, lanes, replans
from drumbeat.store.database import Database
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.testing.house import House, letter, open_house
from drumbeat.worker import Worker

CLAIMS = 50
BATCH = 200
TICKS = 100
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    row("database", "due", "waiting", "claim CPU us each", "growth", "tick ms", "all paused", "growth")
    row(*["---"] * 8)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        for order in ("as enrolled", "scattered"):
            first = 0.0
            for waiting in arguments.waiting:
                with place(kind) as where:
                    claim, plain, paused = measure(where, waiting, order)
                first = first or claim
                row(kind, order, waiting, claim, claim / first, plain, paused, paused / plain)


def measure(where: Place, waiting: int, order: str) -> tuple[float, float, float]:
    database = where.open()
    house = open_house(database, 1, where.folder)
    sequence = house.sequence(letter("0 hours"))
    person = house.person("Ada")
    template = house.enroll(sequence, person)
    multiply(database, house.account_id, house.mailbox_id, template.id, waiting, order)
    where.settle()
    claim = _claim_cost(where, database, house)
    rival = _rival(database)
    plain = _tick_cost(where, house, rival)
    database.transact(lambda tx: set_status(tx, house.account_id, sequence.id, SequenceStatus.PAUSED, house.owner_id))
    _carry(database)
    where.settle()
    paused = _tick_cost(where, house, rival)
    database.close()
    return claim, plain, paused


def multiply(database: Database, account_id: int, lane_id: int, enrollment_id: int, count: int, order: str) -> None:
    """Copies of one enrollment: due at instants spread over a month, CLAIMS x BATCH of them by now.

    Those enrolled first are due first, as it happens, or who is due when is scattered over the table.
    """
    now = to_stamp(database.transact(lambda tx: tx.now))
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
        if database.is_sqlite
        else "WITH n(i) AS (SELECT generate_series(1, :count))"
    )
    mixed = "((CAST(i AS bigint) * 7919) % :count)" if order == "scattered" else "CAST(i AS bigint)"
    with database.write() as tx:
        tx.run(
            Statement(f"""
                {numbers} INSERT INTO enrollments (account_id, id, actor_id, resource_type, resource_id,
                    address_hash, sequence_id, runs_sequence_id, version, zone, state, position, status,
                    anchor_at, ready_at, revision, created_at, updated_at)
                SELECT e.account_id, 1000 + i, e.actor_id, e.resource_type, 1000 + i,
                    'h' || i, e.sequence_id, e.runs_sequence_id, e.version, e.zone, e.state, e.position,
                    e.status, e.anchor_at, e.ready_at, e.revision, e.created_at, e.updated_at
                FROM n CROSS JOIN enrollments e WHERE e.account_id = :account_id AND e.id = :id
            """),
            count=count,
            account_id=account_id,
            id=enrollment_id,
        )
        due_now = min(CLAIMS * BATCH, count)
        tx.run(
            Statement(f"""
                {numbers} INSERT INTO due (account_id, enrollment_id, lane_id, due_at)
                SELECT :account_id, 1000 + i, :lane, CASE WHEN {mixed} < :due_now THEN :now - {mixed}
                    ELSE :now + {mixed} * 2000000 END
                FROM n
            """),
            count=count,
            account_id=account_id,
            lane=lane_id,
            now=now,
            due_now=due_now,
        )
        tx.run(
            Statement("DELETE FROM due WHERE account_id = :a AND enrollment_id = :id"), a=account_id, id=enrollment_id
        )


def _claim_cost(where: Place, database: Database, house: House) -> float:
    """CPU microseconds per enrollment claimed and planned anew, database included."""
    before = time.process_time() + where.cpu()
    claimed = 0
    for _ in range(CLAIMS):
        with database.write() as tx:
            until = tx.now + timedelta(seconds=30)
            found = due.claim(tx, house.account_id, house.mailbox_id, limit=BATCH, token="t", lease_until=until)
            due.plan(
                tx, house.account_id, [due.Waiting(d.enrollment_id, 1, tx.now + timedelta(days=40)) for d in found]
            )
            lanes.sleep(tx, house.account_id, house.mailbox_id, tx.now)
        claimed += len(found)
    return (time.process_time() + where.cpu() - before) * 1e6 / claimed


def _rival(database: Database) -> int:
    with database.write() as tx:
        account = accounts.add_account(tx, "Rival", "UTC", None)
        accounts.add_user(tx, account.id, name="Rita", email="rita@rival.example", role=Role.ADMIN)
        return account.id


def _tick_cost(where: Place, house: House, rival: int) -> float:
    """CPU ms of a tick that serves the rival's lane, the big account's lane asleep; the least disturbed round."""
    with house.world.database.write() as tx:
        lanes.hold(tx, house.account_id, house.mailbox_id, tx.now + timedelta(days=1))
    worker = Worker(house.world)
    while worker.tending.step():
        pass
    return min(_ticks(where, house, worker, rival) for _ in range(ROUNDS))


def _ticks(where: Place, house: House, worker: Worker, rival: int) -> float:
    before = time.process_time() + where.cpu()
    for _ in range(TICKS):
        with house.world.database.write() as tx:
            lanes.wake(tx, rival, [(lanes.NO_MAILBOX, tx.now)])
        worker.step()
    return (time.process_time() + where.cpu() - before) * 1e3 / TICKS


def _carry(database: Database) -> None:
    while True:
        with database.read() as snapshot:
            replan = replans.find_next(snapshot)
        if replan is None:
            return
        database.transact(lambda tx, r=replan: carry_replan(tx, r, 5000))


if __name__ == "__main__":
    main()
