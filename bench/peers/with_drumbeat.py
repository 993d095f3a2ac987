"""The sequence on Drumbeat, by the same commands as its peers'."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.dispatch import HTML, TEXT
from drumbeat.operations.execute import ContactInput, execute
from drumbeat.store.database import Database
from drumbeat.testing.house import letter, open_house, open_world_of
from drumbeat.worker import Worker

ACCOUNT_ID = OWNER_ID = SEQUENCE_ID = 1
CONNECTIONS = int(os.environ["PEER_AT_ONCE"])
FOLDER = Path(os.environ["PEER_FOLDER"])


def prepare() -> None:
    with _opened() as database:
        house = open_house(database, int(os.environ["PEER_SINK_PORT"]), FOLDER, connections=CONNECTIONS)
        subject = "{{ person.first_name | default: 'Hello' }}, a question"
        made = house.sequence(letter("0 hours", subject, TEXT, html=HTML), letter("48 hours", is_reply=True))
        assert (house.account_id, house.owner_id, made.id) == (ACCOUNT_ID, OWNER_ID, SEQUENCE_ID)


def enroll(first: int, count: int) -> None:
    with _opened() as database:
        key = open_world_of(database, FOLDER).hash_key
        for start in range(first, first + count, 500):
            contacts = [
                ContactInput(f"person{n}@example.com", f"First{n}", f"Last{n}")
                for n in range(start, min(start + 500, first + count))
            ]
            database.transact(lambda tx, c=contacts: execute(tx, key, ACCOUNT_ID, OWNER_ID, SEQUENCE_ID, c))


def work() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with _opened() as database:
        Worker(open_world_of(database, FOLDER)).run(stop)


@contextmanager
def _opened() -> Iterator[Database]:
    database = Database(os.environ["PEER_DATABASE_URL"], test_clock=True)
    yield database
    database.close()
