"""Ten thousand letters due at one instant through a mailbox with a pace: are they in order, and as shown before?

Prints how long it takes to give everybody a turn, and then, with time passing from turn to turn, how many letters left
out of order, at another instant than was shown, or closer together than the pace allows: none.
"""

from __future__ import annotations

import argparse
import logging
import time
from datetime import datetime, timedelta
from itertools import pairwise

import structlog

from bench._machine import Place, place, row
from drumbeat.operations.mailboxes import limit_mailbox
from drumbeat.store.database import Database
from drumbeat.store.stamps import from_stamp
from drumbeat.store.statement import Statement
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from tests.operations.office import Office, opened

SPACING = 3
_DUE = Statement("SELECT enrollment_id, due_at FROM due WHERE account_id = 1 ORDER BY due_at, enrollment_id")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=10_000)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    row("database", "letters", "turns given/s", "letters/s", "hours", "out of order", "at another instant", "too close")
    row(*["---"] * 8)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        with place(kind) as where:
            measure(where, arguments.letters)


def measure(where: Place, letters: int) -> None:
    """All of them due at nine, and a worker that looks whenever something is due."""
    clock = FrozenClock()
    database = Database(where.url, now=clock)
    with opened(database, clock, where.folder) as office:
        house = office.house
        database.transact(lambda tx: limit_mailbox(tx, house.account_id, house.mailbox_id, {"spacing": SPACING}))
        sequence = house.sequence(letter(subject="Hello", text="Tea is ready."))
        for start in range(0, letters, 100):
            office.execute(
                sequence, *(f"p{number:05d}@example.com" for number in range(start, min(start + 100, letters)))
            )
        began = time.perf_counter()
        office.work()
        planned = time.perf_counter() - began
        shown = [from_stamp(row[1]) for row in _rows(office)]
        began = time.perf_counter()
        happened = _run(office, shown)
        sent = time.perf_counter() - began
        addresses = [each.recipient for each in office.sink.letters]
        unordered = sum(later < earlier for earlier, later in pairwise(addresses)) + (letters - len(addresses))
        moved = sum(a != b for a, b in zip(shown, happened, strict=True))
        close = sum(later - earlier < timedelta(seconds=0.75 * SPACING) for earlier, later in pairwise(happened))
        hours = (happened[-1] - happened[0]) / timedelta(hours=1)
        row(where.kind, letters, letters / planned, len(shown) / sent, hours, unordered, moved, close)
    database.close()


def _rows(office: Office) -> list[tuple[int, int]]:
    with office.database.read() as snapshot:
        return [(row[0], row[1]) for row in snapshot.all(_DUE)]


def _run(office: Office, shown: list[datetime]) -> list[datetime]:
    """When each letter left, the clock moved to every instant something was to happen at."""
    happened: list[datetime] = []
    for instant in shown:
        office.clock.advance(max(instant - office.clock(), timedelta(0)))
        before = len(office.sink.letters)
        office.work()
        happened += [office.clock()] * (len(office.sink.letters) - before)
    return happened


if __name__ == "__main__":
    main()
