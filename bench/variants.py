"""Whether an A/B test deals out what it is told to: people through execute with a key of chance, 100 a call.

Prints the share of B, how far it is from the configured one in standard deviations, and how many people a
repetition of every tenth call gave another variant (none).
"""

from __future__ import annotations

import argparse
import time

from bench._machine import Place, place, row
from drumbeat.domain.sequence import Split
from drumbeat.domain.variant import Variant
from drumbeat.operations.execute import ContactInput, execute
from drumbeat.testing.house import House, letter, open_house

A_CALL = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--share", type=int, default=30)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    row("database", "people", "share of B %", "deviations", "changed", "people/s")
    row(*["---"] * 6)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        with place(kind) as where:
            measure(where, arguments.people, arguments.share)


def measure(where: Place, people: int, share: int) -> None:
    """Everybody once, then every tenth call again."""
    database = where.open()
    house = open_house(database, 1, where.folder)
    b = house.sequence(letter(), name="B")
    a = house.sequence(letter(), name="A", split=Split(b.id, share))
    began = time.perf_counter()
    first = {start: _call(house, a.id, start) for start in range(0, people, A_CALL)}
    rate = people / (time.perf_counter() - began)
    in_b = sum(variant is Variant.B for variants in first.values() for variant in variants)
    deviation = (people * share / 100 * (1 - share / 100)) ** 0.5
    again = {start: _call(house, a.id, start) for start in range(0, people, 10 * A_CALL)}
    changed = sum(
        old is not new for start, variants in again.items() for old, new in zip(first[start], variants, strict=True)
    )
    row(where.kind, people, 100 * in_b / people, (in_b - people * share / 100) / deviation, changed, rate)
    database.close()


def _call(house: House, sequence_id: int, start: int) -> list[Variant | None]:
    contacts = [ContactInput(f"person{n}@example.com", f"First{n}") for n in range(start, start + A_CALL)]
    key, account_id, caller_id = house.world.hash_key, house.account_id, house.owner_id
    done = house.world.database.transact(lambda tx: execute(tx, key, account_id, caller_id, sequence_id, contacts))
    return [result.variant for result in done.results]


if __name__ == "__main__":
    main()
