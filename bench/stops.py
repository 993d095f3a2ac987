"""Whether a stop keeps its word at any instant: replies, unsubscriptions, finishes and the like, raced with the send.

Each try lets a worker send somebody's second letter while a stop comes in at a chance moment. Prints how many stops
were acknowledged before the letter was out, how many while it was (they say so), how many came after it, and how many
letters left after a stop that did not show them as being sent: none.
"""

from __future__ import annotations

import argparse
import logging
import random
import threading
import time
from collections import Counter
from datetime import timedelta

import structlog

from bench._machine import Place, place, row
from drumbeat.domain.enrollment import ActionStatus, Enrollment
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from tests.operations.office import Office, opened
from tests.stops import STOPS

TRIED_FIRST = 20  # letters sent undisturbed, to know how long one takes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    row("database", "tries", "before the letter", "while it was out", "after it", "broken", "tries/s")
    row(*["---"] * 7)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        with place(kind) as where:
            measure(where, arguments.tries, random.Random(arguments.seed))


def measure(where: Place, tries: int, chance: random.Random) -> None:
    """All the tries on one database, the stops in turn."""
    clock = FrozenClock()
    database, told, began = Database(where.url, now=clock), Counter[str](), time.perf_counter()
    with opened(database, clock, where.folder) as office:
        sequence = office.house.sequence(letter(), letter("1 hours"), letter("1 hours"))
        kinds, takes = list(STOPS), _time_of_a_letter(office)
        for number in range(tries):
            enrolled = office.enroll(sequence, office.house.person(f"P{number}"))
            office.work()
            told[_try(office, enrolled, kinds[number % len(kinds)], chance.random() * takes / 3)] += 1
    seconds = time.perf_counter() - began
    row(where.kind, tries, told["before"], told["out"], told["after"], told["broken"], tries / seconds)
    database.close()


def _time_of_a_letter(office: Office) -> float:
    """Seconds from a letter's coming due until nothing is left to do."""
    began = time.perf_counter()
    for number in range(TRIED_FIRST):
        office.enroll(office.house.sequence(letter(), name=f"First {number}"), office.house.person(f"F{number}"))
        office.work()
    return (time.perf_counter() - began) / TRIED_FIRST


def _try(office: Office, enrolled: Enrollment, stop: str, pause: float) -> str:
    """One race; what the stop's answer was, or `broken`."""
    waiting = office.house.enrollment(enrolled.id)
    assert waiting.due_at is not None
    office.clock.advance(waiting.due_at - office.clock())
    before = len(office.sink.letters)
    working = threading.Thread(target=office.work)
    working.start()
    time.sleep(pause)
    STOPS[stop].act(office, waiting)
    answer = office.house.enrollment(enrolled.id)
    working.join()
    office.work()
    office.clock.advance(timedelta(hours=2))
    office.work()
    arrived = len(office.sink.letters) - before
    was_out = answer.status is ActionStatus.IN_PROGRESS
    was_sent = answer.position == 2
    if arrived != (was_out or was_sent):
        return "broken"
    return "out" if was_out else "after" if was_sent else "before"


if __name__ == "__main__":
    main()
