"""The same letters by what one would take instead (Celery, Procrastinate, DBOS): CPU a letter, and what kills do."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from bench._machine import FastSink, Place, cpu_of, fast_sink, place, row
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot

WARM = 300
REDIS = "celery"
PROGRAMS = [
    ("drumbeat", "sqlite"),
    ("drumbeat", "postgresql"),
    (REDIS, "postgresql"),
    ("procrastinate", "postgresql"),
    ("dbos", "postgresql"),
]
_SENT_BY_PEER = Statement("SELECT count(*) FROM letters")
_SENT_BY_US = Statement("SELECT count(*) FROM deliveries WHERE account_id = 1 AND status = 'accepted'")
_DOUBTS = Statement("SELECT count(*) FROM deliveries WHERE account_id = 1 AND status = 'unknown'")
_DAY = 86_400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=16, help="letters each engine sends at a time")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--patience", type=int, default=150, help="seconds after a kill until a letter counts as lost")
    parser.add_argument("--only", action="append", choices=[name for name, _ in PROGRAMS])
    chosen = parser.parse_args()
    names = ("engine", "database", "CPU ms/letter", "of it worker", "times ours", "letters/s", "worker MB")
    row(*names, "enroll CPU ms", "kills", "twice", "lost", "in doubt", "longest recovery s")
    row(*["---"] * 13)
    ours = None
    for name, kind in PROGRAMS:
        if chosen.only and name not in chosen.only:
            continue
        if name == REDIS and shutil.which("redis-server") is None:
            print("Celery is left out: there is no redis-server on the PATH.", file=sys.stderr)
            continue
        cost = _measure(name, kind, chosen)
        kills = _kill(name, kind, chosen)
        ours = cost.each if name == "drumbeat" else ours
        times = cost.each / ours if ours else float("nan")
        row(name, kind, cost.each, cost.worker, times, cost.rate, cost.rss, cost.enroll, *kills)


@dataclass
class Office:
    """One engine with its database, its broker and its sink."""

    name: str
    where: Place
    sink: FastSink
    environment: dict[str, str]
    broker: psutil.Process | None
    database: Database
    enrolled: int = 0

    def command(self, *told: object) -> list[str]:
        return [sys.executable, "-m", "bench.peers._run", self.name, *map(str, told)]

    def run(self, *told: object) -> float:
        """Do one thing and wait for it; the CPU seconds it took with its database's and broker's."""
        before = self.cpu()
        started = subprocess.Popen(self.command(*told), env=self.environment)
        _, status, used = os.wait4(started.pid, 0)
        assert status == 0, f"{self.name} could not {told[0]}"
        return used.ru_utime + used.ru_stime + self.cpu() - before

    def enroll(self, count: int) -> float:
        first, self.enrolled = self.enrolled, self.enrolled + count
        return self.run("enroll", first, count)

    def cpu(self) -> float:
        """CPU seconds so far of the database and the broker."""
        return self.where.cpu() + (cpu_of(self.broker) if self.broker else 0.0)

    def sent(self) -> int:
        """Letters of which the engine knows that they left, or in doubt whether they did."""
        with self.database.read() as snapshot:
            if self.name != "drumbeat":
                return _count(snapshot, _SENT_BY_PEER)
            return _count(snapshot, _SENT_BY_US) + self.doubts()

    def doubts(self) -> int:
        if self.name != "drumbeat":
            return 0
        with self.database.read() as snapshot:
            return _count(snapshot, _DOUBTS)

    def wait(self, patience: float, until: int) -> bool:
        """Wait until so many letters are sent; False if they never are."""
        gives_up = time.monotonic() + patience
        while self.sent() < until:
            if time.monotonic() > gives_up:
                return False
            time.sleep(0.1)
        return True


@contextmanager
def office(name: str, kind: str, patience: int, at_once: int) -> Iterator[Office]:
    """An engine that is ready to enroll and to work; `patience` is how long Celery leaves a dead worker its tasks."""
    with (
        place(kind, empty=name != "drumbeat") as where,
        fast_sink() as sink,
        _broker(name, where) as (redis_url, broker),
    ):
        environment = os.environ | {
            "PEER_DATABASE_URL": where.url,
            "PEER_FOLDER": str(where.folder),
            "PEER_SINK_PORT": str(sink.port),
            "PEER_REDIS_URL": redis_url,
            "PEER_PATIENCE": str(patience),
            "PEER_AT_ONCE": str(at_once),
        }
        database = Database(where.url)
        made = Office(name, where, sink, environment, broker, database)
        made.run("prepare")
        yield made
        database.close()


@contextmanager
def _broker(name: str, where: Place) -> Iterator[tuple[str, psutil.Process | None]]:
    """A Redis of its own that keeps what it holds, for whom it is."""
    if name != REDIS:
        yield "", None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--dir", str(where.folder)]
    redis = subprocess.Popen(["redis-server", "--port", str(port), *kept], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0", psutil.Process(redis.pid)
    finally:
        redis.kill()
        redis.wait()


@dataclass(frozen=True)
class Cost:
    """What a letter costs, in CPU milliseconds, with what stores and carries it."""

    each: float
    worker: float
    enroll: float
    rate: float
    rss: float


def _measure(name: str, kind: str, chosen: argparse.Namespace) -> Cost:
    """Letters from due to recorded by one worker that has sent some before, so that no start is counted."""
    letters = chosen.letters
    with office(name, kind, _DAY * 7, chosen.at_once) as here:
        here.enroll(WARM)
        with _worker(here) as worker:
            assert here.wait(120, WARM), f"{name} did not send the first letters"
            time.sleep(1)
            _signal(worker, signal.SIGSTOP)
            enrolling = here.enroll(letters) - here.enroll(0)  # what it costs to start the program is not the engine's
            here.where.settle()
            before, began = (here.cpu(), _group_cpu(worker)), time.monotonic()
            _signal(worker, signal.SIGCONT)
            assert here.wait(600, WARM + letters), f"{name} did not send all letters"
            took = time.monotonic() - began
            time.sleep(1)  # until the last of them has its next step planned
            ours, beside = _group_cpu(worker) - before[1], here.cpu() - before[0]
            rss = sum(each.memory_info().rss for each in _group(worker)) / 2**20
        arrived = here.sink.end()
        assert set(arrived.values()) == {1}, f"{name} sent a letter twice, and nobody was killed"
        assert len(arrived) == WARM + letters, f"{name}: {len(arrived)} letters arrived"
        per = 1000 / letters
        return Cost((ours + beside) * per, ours * per, enrolling * per, letters / took, rss)


def _kill(name: str, kind: str, chosen: argparse.Namespace) -> Sequence[object]:
    """Kill the worker half-way through its letters and start another, several times; what became of them."""
    longest, recovered = 0.0, True
    with office(name, kind, 60, chosen.at_once) as here:
        for _ in range(chosen.kills):
            already = here.sent()
            here.enroll(chosen.letters)
            with _worker(here):
                assert here.wait(120, already + chosen.letters // 2), f"{name} did not begin"
            began = time.monotonic()
            with _worker(here):
                recovered &= here.wait(chosen.patience, already + chosen.letters)
                longest = max(longest, time.monotonic() - began)
        doubts, arrived = here.doubts(), here.sink.end()
        twice = sum(times - 1 for times in arrived.values())
        lost = max(0, here.enrolled - len(arrived) - doubts)
        return chosen.kills, twice, lost, doubts, longest if recovered else f"over {chosen.patience}"


@contextmanager
def _worker(here: Office) -> Iterator[psutil.Process]:
    """One worker, in a group of its own, killed at the end."""
    started = subprocess.Popen(here.command("work"), env=here.environment, start_new_session=True)
    try:
        yield psutil.Process(started.pid)
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def _count(snapshot: Snapshot, statement: Statement) -> int:
    found = snapshot.first(statement)
    assert found is not None
    return int(found[0])


def _signal(worker: psutil.Process, number: signal.Signals) -> None:
    os.killpg(worker.pid, number)


def _group(worker: psutil.Process) -> list[psutil.Process]:
    return [worker, *worker.children(recursive=True)]


def _group_cpu(worker: psutil.Process) -> float:
    return sum(map(cpu_of, _group(worker)))


if __name__ == "__main__":
    main()
