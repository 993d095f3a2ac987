"""What workers at rest cost, and how soon one of them sends a letter that is due at once."""

from __future__ import annotations

import argparse
import statistics
import time

import psutil

from bench._machine import Place, cpu_of, fast_sink, place, row
from drumbeat.store.database import Database
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.testing.crew import crew
from drumbeat.testing.house import House, letter, open_house

_LEFT = Statement("SELECT min(transmitting_at) FROM deliveries WHERE account_id = :account_id AND enrollment_id = :id")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of rest that are measured")
    parser.add_argument("--letters", type=int, default=20)
    chosen = parser.parse_args()
    row("database", "workers", "CPU ms a second of each", "of the database", "ms to the dot: half", "the last")
    row(*["---"] * 6)
    for kind, count in (("sqlite", 1), ("postgresql", 1), ("postgresql", 8)):
        with place(kind) as where:
            measure(where, count, chosen)


def measure(where: Place, count: int, chosen: argparse.Namespace) -> None:
    with fast_sink() as sink, crew(where.folder, where.url) as workers:
        database = Database(where.url, test_clock=True)
        house = open_house(database, sink.port, where.folder)
        at_work = [psutil.Process(workers.start()) for _ in range(count)]
        time.sleep(5)
        before = sum(map(cpu_of, at_work)), where.cpu()
        time.sleep(chosen.seconds)
        ours, beside = sum(map(cpu_of, at_work)) - before[0], where.cpu() - before[1]
        took = _send(house, chosen.letters)
        per = 1000 / chosen.seconds
        row(where.kind, count, ours * per / count, beside * per, statistics.median(took), max(took))
        database.close()


def _send(house: House, letters: int) -> list[float]:
    """Milliseconds from an enrollment's transaction to the point of no return of its letter, one after the other."""
    sequence, took = house.sequence(letter()), []
    for number in range(letters):
        person = house.person(f"P{number}")
        began = house.enroll(sequence, person)
        time.sleep(1.3 + number % 7 / 10)
        with house.world.database.read() as snapshot:
            found = snapshot.first(_LEFT, account_id=house.account_id, id=began.id)
        assert found is not None
        took.append((found[0] - to_stamp(began.created_at)) / 1000)
    return took


if __name__ == "__main__":
    main()
