"""Contacts a second through execute over HTTP, against the same rows written set-based with nothing around it.

The limit: one statement a call of 100 contacts (on SQLite, which writes to one table at a time, one batch a table),
the same rows into the same tables (people, addresses, enrollments, due, events, outbox) with the same driver, values
made and encoded beforehand; contacts/s against contacts/s.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import signal
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psutil
from msgspec import structs

from bench._machine import Place, place, row
from bench._serving import cpu_of, first_run_of, serve
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.event import Event, Fact
from drumbeat.domain.person import Person
from drumbeat.store import enrollments, events, people
from drumbeat.store.database import Database
from drumbeat.store.statement import Insertion
from drumbeat.store.transaction import Tx
from drumbeat.testing.house import House, letter, open_house

A_CALL = 100
WARM = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    row("database", "contacts/s", "CPU s/1,000 ours", "database", "limit/s", "ratio")
    row(*["---"] * 6)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        with place(kind) as where:
            limit = measure_limit(where, arguments.contacts)
        with place(kind) as where:
            measure(where, arguments.contacts, arguments.clients, limit)


def contacts(start: int) -> list[dict[str, str]]:
    """A call's contacts; half of them have a phone."""
    return [
        {"email": f"person{n}@example.com", "firstName": f"First{n}", "lastName": f"Last{n}"}
        | ({"phone": f"+1555{n % 10_000_000:07d}"} if n % 2 else {})
        for n in range(start, start + A_CALL)
    ]


def _call(start: int) -> bytes:
    return json.dumps({"contacts": contacts(start)}).encode()


def measure(where: Place, count: int, clients: int, limit: float) -> None:
    """Execute over HTTP: the server in its own process, clients that keep their connections."""
    server = serve(where)
    try:
        first_run = first_run_of(where)
        calls = [_call(start) for start in range(0, count, A_CALL)]
        # Warm: caches and statistics as after a day of work.
        _call_all(first_run, [_call(10_000_000 + start) for start in range(0, WARM, A_CALL)], 1)
        where.settle()
        ours = psutil.Process(server.pid)
        before = cpu_of(ours), where.cpu(), time.perf_counter()
        _call_all(first_run, calls, clients)
        wall, cpu, database = time.perf_counter() - before[2], cpu_of(ours) - before[0], where.cpu() - before[1]
        per = 1000 / count
        row(where.kind, count / wall, cpu * per, database * per, limit, count / wall / limit)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=40)


def _call_all(first_run: dict[str, object], calls: list[bytes], clients: int) -> None:
    address = urlsplit(str(first_run["base_url"])).netloc
    sequence = next(iter(dict(first_run["sequence_ids"]).values()))  # type: ignore[call-overload]
    headers = {"X-API-Key": str(first_run["api_key"]), "Content-Type": "application/json"}
    waiting = iter(calls)
    lock = threading.Lock()
    failed: list[str] = []

    def work() -> None:
        connection = http.client.HTTPConnection(address)
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            connection.request("POST", f"/api/v1/sequences/{sequence}/execute", body, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200 or b'"sendingsCreated":100' not in answer:
                failed.append(answer.decode()[:500])
                return

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed[0]


def measure_limit(where: Place, count: int) -> float:
    """The same rows, set-based, nothing else: one statement a call, or on SQLite one batch for each table."""
    database = where.open()
    house = open_house(database, 1, where.folder)
    sequence = house.sequence(letter(), letter("2 weekdays", is_reply=True))
    person = house.person("Ada")
    enrolled = house.enroll(sequence, person)
    calls = []
    with database.read() as snapshot:
        now = snapshot.now
    for start in range(0, count, A_CALL):
        ids = range(start + 10, start + 10 + A_CALL)
        whom = [
            structs.replace(
                person,
                id=id,
                email=f"person{id}@example.com",
                address_hash=_hash(id),
                phone=f"+1555{id:07d}" if id % 2 else None,
            )
            for id in ids
        ]
        calls.append(_rows(now, house, whom, [_another(house, enrolled, p.id) for p in whom]))
    write = _write_sqlite if database.is_sqlite else _write_postgresql
    rate = count / write(database, calls)
    database.close()
    return rate


def _hash(id: int) -> str:
    """As scattered as a keyed hash is: the indexes on it cost what they cost."""
    return hashlib.sha256(str(id).encode()).hexdigest()[:32]


def _another(house: House, enrolled: Enrollment, id: int) -> Enrollment:
    subject = structs.replace(enrolled.subject, resource_id=id, address_hash=_hash(id))
    return structs.replace(enrolled, id=id, subject=subject)


class _Recorder(Tx):
    """Notes what would be inserted."""

    def __init__(self, now: datetime) -> None:
        super().__init__(None, lambda: now, postgresql=False)
        self.inserted: list[tuple[Insertion, Sequence[tuple[Any, ...]]]] = []

    def insert(self, insertion: Insertion, rows: Sequence[tuple[Any, ...]]) -> None:
        self.inserted.append((insertion, rows))


Call = list[tuple[Insertion, Sequence[tuple[Any, ...]]]]


def _rows(now: datetime, house: House, whom: list[Person], added: list[Enrollment]) -> Call:
    tx = _Recorder(now)
    people.add(tx, whom)
    people.name_new_contacts(tx, house.account_id, [(p.address_hash or "", p.id) for p in whom])
    enrollments.add(tx, [(e, house.mailbox_id) for e in added])
    events.add(tx, house.account_id, [(e.id, 0, (Event(Fact.ENROLLED, {"by": 1}),)) for e in added])
    return tx.inserted


def _write_sqlite(database: Database, calls: list[Call]) -> float:
    connection = database.writer.raw_connection()
    cursor = connection.cursor()
    began = time.perf_counter()
    for call in calls:
        cursor.execute("BEGIN IMMEDIATE")
        for insertion, rows in call:
            cursor.executemany(insertion.sqlite, rows)
        cursor.execute("COMMIT")
    return time.perf_counter() - began


def _write_postgresql(database: Database, calls: list[Call]) -> float:
    parts = [
        insertion.postgresql.postgresql.replace("%(rows)s", f"%(rows{number})s")
        for number, (insertion, _) in enumerate(calls[0])
    ]
    named = ", ".join(f"part{number} AS ({part})" for number, part in enumerate(parts[:-1]))
    text = f"WITH {named} {parts[-1]}"
    sent = [{f"rows{number}": json.dumps(rows) for number, (_, rows) in enumerate(call)} for call in calls]
    connection = database.writer.raw_connection()
    cursor = connection.cursor()
    began = time.perf_counter()
    for values in sent:
        cursor.execute(text, values)  # each commits by itself
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
