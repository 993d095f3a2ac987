"""How late letters leave that come due at so many a second, by one worker and by two.

More a second than they can send (--a-second 1000000) tells how many they send, and what a second worker brings.
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta

import psutil

from bench._machine import Place, cpu_of, fast_sink, place, row
from bench.dispatch import fill
from drumbeat.store.database import Database
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.testing.crew import crew
from drumbeat.testing.house import open_house

_LEAD = timedelta(seconds=10)  # in which workers start and wait
_SPREAD = Statement("""
    UPDATE due SET due_at = :first + (enrollment_id - :from_id) * :gap
    WHERE account_id = :account_id AND enrollment_id >= :from_id
""")
_FIRST = Statement("SELECT min(enrollment_id) FROM due WHERE account_id = :account_id AND due_at <= :now")
_LEFT = Statement("""
    SELECT enrollment_id, transmitting_at FROM deliveries
    WHERE account_id = :account_id AND position = 0 AND enrollment_id >= :from_id AND status = 'accepted'
""")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--a-second", type=int, default=500)
    parser.add_argument("--letters", type=int, default=30_000)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    chosen = parser.parse_args()
    names = ("database", "workers", "due/s", "letters", "sent/s", "ms late: half", "99 of 100", "the last")
    row(*names, "CPU s/1,000 workers", "database")
    row(*["---"] * 10)
    for kind, count in (("sqlite", 1), ("postgresql", 1), ("postgresql", 2)):
        if kind in (chosen.kind or ["sqlite", "postgresql"]):
            with place(kind) as where:
                measure(where, count, chosen.a_second, chosen.letters)


def measure(where: Place, count: int, a_second: int, letters: int) -> None:
    gap = 1_000_000 // a_second
    with fast_sink() as sink, crew(where.folder, where.url) as workers:
        database = Database(where.url, test_clock=True)
        house = open_house(database, sink.port, where.folder, connections=16)
        account_id = house.account_id
        fill(house, letters)
        with database.write() as tx:
            first = to_stamp(tx.now + _LEAD)
            found = tx.first(_FIRST, account_id=account_id, now=to_stamp(tx.now))
            assert found is not None
            from_id = int(found[0])
            tx.run(_SPREAD, account_id=account_id, first=first, from_id=from_id, gap=gap)
        where.settle()
        left: dict[int, int] = {}
        at_work = [psutil.Process(workers.start()) for _ in range(count)]
        before = sum(map(cpu_of, at_work)), where.cpu()
        while len(left) < letters:
            time.sleep(5)
            with database.read() as snapshot:
                left = dict(snapshot.all(_LEFT, account_id=account_id, from_id=from_id))
        ours, beside = sum(map(cpu_of, at_work)) - before[0], where.cpu() - before[1]
        late = sorted((at - first - (id - from_id) * gap) / 1000 for id, at in left.items())
        per, rate = 1000 / letters, letters / ((max(left.values()) - first) / 1_000_000)
        half, most = late[letters // 2], late[letters * 99 // 100]
        row(where.kind, count, a_second, letters, rate, half, most, late[-1], ours * per, beside * per)
        database.close()


if __name__ == "__main__":
    main()
