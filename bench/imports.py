"""People taken in from a CSV file: rows a second for reading and storing them, and for making people of them.

The limit beside it, in the same run: the same people added with the product's own insert, 200 a transaction, and
nothing else. Peak memory is this process's.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from bench._machine import Place, place, row
from drumbeat.domain.person import Person, PersonKind
from drumbeat.operations.records import PersonFields
from drumbeat.operations.transfer import ROWS_IN_PART, Upload, carry_import, load, start_import
from drumbeat.store import accounts, people
from drumbeat.store.imports import Existing, ImportStatus
from drumbeat.store.transaction import Tx
from drumbeat.testing.house import House, open_house


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    row("database", "rows", "loaded/s", "taken in/s", "limit/s", "share of the limit", "peak MB")
    row(*["---"] * 7)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        with place(kind) as where, tempfile.NamedTemporaryFile("w+b") as file:
            write(Path(file.name), arguments.rows)
            measure(where, Path(file.name), arguments.rows)


def write(path: Path, rows: int) -> None:
    """A file of people."""
    with path.open("w") as file:
        file.write("First name,Last name,E-mail,Phone,Company,Plan\n")
        for n in range(rows):
            file.write(
                f"First{n},Last{n},person{n}@example.com,+4420794{n % 100000:05},Company {n % 500},plan {n % 7}\n"
            )


def measure(where: Place, path: Path, rows: int) -> None:
    """Load, take in, and the limit."""
    database = where.open()
    house = open_house(database, 1, where.folder)
    began = time.perf_counter()
    with path.open("rb") as content:
        job = load(database, Upload(house.account_id, house.owner_id, PersonKind.CONTACT, path.name), content)
    loaded = time.perf_counter()
    ids = (job.account_id, job.id)
    database.transact(lambda tx: start_import(tx, *ids, job.mapping, Existing.UPDATE, house.owner_id))
    while job.status is not ImportStatus.FINISHED:
        job = database.transact(lambda tx: carry_import(tx, house.world.hash_key, *ids))
    taken_in = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    assert (job.created, job.rejected) == (rows, 0)
    limit = _limit(house, min(rows, 50_000))
    rate = rows / (taken_in - loaded)
    row(where.kind, rows, rows / (loaded - began), rate, limit, rate / limit, peak)
    database.close()


def _limit(house: House, rows: int) -> float:
    """People a second with the bare insert of the same columns and values, as leads."""
    plan = {"Plan": "plan 1"}
    from_row = [
        PersonFields(f"First{n}", f"Last{n}", f"Company {n % 500}", email=f"p{n}@example.com", custom=plan)
        for n in range(rows)
    ]
    began = time.perf_counter()
    for start in range(0, rows, ROWS_IN_PART):
        some = from_row[start : start + ROWS_IN_PART]
        house.world.database.transact(lambda tx, some=some: _insert(tx, house, some))
    return rows / (time.perf_counter() - began)


def _insert(tx: Tx, house: House, some: list[PersonFields]) -> None:
    first = accounts.take_ids(tx, house.account_id, PersonKind.LEAD, len(some))
    made = [_person(tx, house, id, fields) for id, fields in enumerate(some, first)]
    people.add(tx, made)


def _person(tx: Tx, house: House, id: int, fields: PersonFields) -> Person:
    known = {name: getattr(fields, name) for name in PersonFields.__dataclass_fields__}
    return Person(
        account_id=house.account_id,
        kind=PersonKind.LEAD,
        id=id,
        address_hash=f"{id:032x}",
        owner_id=house.owner_id,
        creator_id=house.owner_id,
        created_at=tx.now,
        updated_at=tx.now,
        **known,
    )


if __name__ == "__main__":
    main()
