"""Whether a database keeps the promises: what must hold between its tables, looked at while it is in use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drumbeat.store import verification
from drumbeat.store.database import Database

_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that some enrollments break; at most a hundred are named for each part of the account."""

    account_id: int
    rule: str
    enrollment_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """A part of an account that was looked at: how many enrollments it has, and what is wrong there."""

    enrollments: int
    breaches: tuple[Breach, ...]


def verify_account(database: Database, account_id: int) -> Iterator[Verified]:
    """Look at every enrollment of an account, part by part, each part as it is at one instant."""
    after = 0
    while True:
        with database.read() as snapshot:
            part = verification.next_enrollments(snapshot, account_id, after, _AT_ONCE)
            if part is None:
                return
            up_to, count = part
            found = verification.broken_rules(snapshot, account_id, after, up_to, snapshot.now)
        yield Verified(count, tuple(Breach(account_id, rule, ids) for rule, ids in found.items()))
        after = up_to
