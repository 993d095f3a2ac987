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
    """A part of an account that was looked at: how many ids it spans, and what is wrong there."""

    ids: int
    breaches: tuple[Breach, ...]


def verify_account(database: Database, account_id: int) -> Iterator[Verified]:
    """Look at every enrollment of an account, part by part, each part as it is at one instant."""
    with database.read() as snapshot:
        last = verification.last_enrollment(snapshot, account_id)
    for after in range(0, last, _AT_ONCE):
        up_to = min(after + _AT_ONCE, last)
        with database.read() as snapshot:
            found = verification.broken_rules(snapshot, account_id, after, up_to, snapshot.now)
        yield Verified(up_to - after, tuple(Breach(account_id, rule, ids) for rule, ids in found.items()))
