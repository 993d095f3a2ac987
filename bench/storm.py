"""Workers killed at random for minutes while letters leave: duplicates, losses, doubts, and the time to settle."""

from __future__ import annotations

import argparse
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from bench._machine import FastSink, Place, fast_sink, place, row
from drumbeat.domain.delivery import read_message_id
from drumbeat.domain.errors import Unavailable
from drumbeat.operations.execute import ContactInput, execute
from drumbeat.operations.verification import verify_account
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.testing.crew import Crew, crew
from drumbeat.testing.house import House, letter, open_house

WORKERS = {"sqlite": 1, "postgresql": 4}
CONNECTIONS = 4
_FEW = 3_000  # letters
_OPEN = Statement("""
    SELECT count(*) FROM enrollments WHERE account_id = :account_id AND state = 'active' AND NOT in_doubt
""")
_DOUBTS = Statement("SELECT enrollment_id FROM deliveries WHERE account_id = :account_id AND status = 'unknown'")
_SENT = Statement("SELECT enrollment_id FROM deliveries WHERE account_id = :account_id AND status = 'accepted'")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between two faults")
    parser.add_argument("--seed", type=int, default=20260303)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    chosen = parser.parse_args()
    names = ("database", "workers", "letters", "kills", "stops", "ends", "breaks", "duplicates", "lost", "in doubt")
    row(*names, "at most", "settled s", "minutes", "broken rules")
    row(*["---"] * 14)
    for kind in chosen.kind or ["sqlite", "postgresql"]:
        with place(kind) as where, fast_sink() as sink:
            Storm(where, sink, chosen).run()


@dataclass
class Storm:
    """One database, its workers, and what is done to them."""

    where: Place
    sink: FastSink
    chosen: argparse.Namespace
    faults: Counter[str] = field(default_factory=Counter)
    letters: int = 0

    def run(self) -> None:
        """Enroll, rage until most has left and enough was killed, settle, and count."""
        database = Database(self.where.url, test_clock=True)
        house = open_house(database, self.sink.port, self.where.folder, connections=CONNECTIONS)
        sequence = house.sequence(letter())
        self._enroll(house, sequence.id, self.chosen.letters)
        self.where.settle()
        database.close()  # its connections are not to be broken with the workers'
        chance, began = random.Random(self.chosen.seed), time.monotonic()
        with crew(self.where.folder, self.where.url) as workers:
            while self.faults["kill"] < self.chosen.kills or _count(house, _OPEN) > _FEW:
                if self.faults["kill"] < self.chosen.kills and _count(house, _OPEN) < _FEW:
                    self._enroll(house, sequence.id, _FEW)  # so that every kill meets workers at work
                self._rage(workers, chance)
            calm = time.monotonic()
            while len(workers.pids) < WORKERS[self.where.kind]:
                workers.start()
            while _count(house, _OPEN):
                time.sleep(0.2)
            settled = time.monotonic() - calm
            for pid in list(workers.pids):
                workers.signal(pid, signal.SIGTERM)
                assert workers.wait(pid) == 0, "a worker did not end well"
        self._tell(house, settled, time.monotonic() - began)
        database.close()

    def _enroll(self, house: House, sequence_id: int, letters: int) -> None:
        key, account_id, owner_id = house.world.hash_key, house.account_id, house.owner_id
        transact = house.world.database.transact
        for start in range(self.letters, self.letters + letters, 500):
            contacts = [ContactInput(f"p{n}@example.com", f"P{n}") for n in range(start, start + 500)]
            _patiently(lambda c=contacts: transact(lambda tx: execute(tx, key, account_id, owner_id, sequence_id, c)))
        self.letters += letters

    def _rage(self, workers: Crew, chance: random.Random) -> None:
        while len(workers.pids) < WORKERS[self.where.kind]:
            workers.start()
        time.sleep(chance.expovariate(1 / self.chosen.pause))
        pid, fault = chance.choice(sorted(workers.pids)), chance.random()
        if fault < 0.85:
            workers.kill(pid)
            self.faults["kill"] += 1
        elif fault < 0.9:
            workers.signal(pid, signal.SIGSTOP)
            time.sleep(chance.uniform(0.5, 2.0))
            workers.signal(pid, signal.SIGCONT)
            self.faults["stop"] += 1
        elif fault < 0.95 or self.where.kind == "sqlite":
            workers.signal(pid, signal.SIGTERM)
            workers.wait(pid)
            self.faults["end"] += 1
        else:
            with psycopg.connect(self.where.url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5"
                )
            self.faults["break"] += 1

    def _tell(self, house: House, settled: float, took: float) -> None:
        arrived = Counter[int]()
        for text, times in self.sink.end().items():
            found = read_message_id(house.world.hash_key, text)
            assert found is not None, "the sink took a letter that is none of ours"
            arrived[found[1]] += times
        doubts, sent = _ids(house, _DOUBTS), _ids(house, _SENT)
        broken = sum(
            len(each.enrollment_ids)
            for part in verify_account(house.world.database, house.account_id)
            for each in part.breaches
        )
        duplicates = sum(times - 1 for times in arrived.values())
        lost = len(sent - arrived.keys()) + self.letters - len(sent | doubts)
        row(
            self.where.kind,
            WORKERS[self.where.kind],
            self.letters,
            *(self.faults[name] for name in ("kill", "stop", "end", "break")),
            duplicates,
            lost,
            len(doubts),
            self.faults["kill"] * CONNECTIONS,
            settled,
            took / 60,
            broken,
        )
        arrived_doubts = sum(1 for id in doubts if arrived[id])
        print(f"seed {self.chosen.seed}; of {len(doubts)} in doubt {arrived_doubts} had arrived", flush=True)


def _count(house: House, statement: Statement) -> int:
    found = _patiently(lambda: _first(house, statement))
    return int(found[0])


def _first(house: House, statement: Statement) -> Any:
    with house.world.database.read() as snapshot:
        return snapshot.first(statement, account_id=house.account_id)


def _patiently(ask: Callable[[], Any]) -> Any:
    """Ask again where the storm has broken our own connection."""
    while True:
        try:
            return ask()
        except Unavailable:
            time.sleep(0.1)


def _ids(house: House, statement: Statement) -> set[int]:
    with house.world.database.read() as snapshot:
        return {row[0] for row in snapshot.all(statement, account_id=house.account_id)}


if __name__ == "__main__":
    main()
