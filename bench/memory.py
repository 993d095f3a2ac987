"""What a worker holds in memory over a million letters: is it flat?"""

from __future__ import annotations

import argparse
import signal
import time

import psutil

from bench._machine import Place, fast_sink, place, row
from bench.dispatch import fill
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.testing.crew import crew
from drumbeat.testing.house import House, open_house

_LEFT = Statement("SELECT count(*) FROM due WHERE account_id = :account_id AND due_at <= :now")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=1_000_000)
    parser.add_argument("--each", type=int, default=50_000, help="letters between two looks")
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    chosen = parser.parse_args()
    row("database", "letters", "worker MB", "against the first look")
    row(*["---"] * 4)
    for kind in chosen.kind or ["sqlite", "postgresql"]:
        with place(kind) as where:
            measure(where, chosen.letters, chosen.each)


def measure(where: Place, letters: int, each: int) -> None:
    with fast_sink() as sink:
        database = Database(where.url, test_clock=True)
        house = open_house(database, sink.port, where.folder, connections=16)
        first = None
        with crew(where.folder, where.url) as workers:
            worker = workers.start()
            for sent in range(0, letters, each):
                fill(house, each, first=sent, name=f"From {sent}")
                _wait(house)
                held = psutil.Process(worker).memory_info().rss / 2**20
                first = first or held
                row(where.kind, sent + each, held, held / first)
            workers.signal(worker, signal.SIGTERM)
            assert workers.wait(worker) == 0
        arrived = sink.end()
        assert len(arrived) == letters, f"{len(arrived)} letters arrived"
        assert set(arrived.values()) == {1}, "a letter arrived twice"
        database.close()


def _wait(house: House) -> None:
    left = 1
    while left:
        time.sleep(0.5)
        with house.world.database.read() as snapshot:
            now = round(snapshot.now.timestamp() * 1_000_000)
            found = snapshot.first(_LEFT, account_id=house.account_id, now=now)
        assert found is not None
        left = int(found[0])


if __name__ == "__main__":
    main()
