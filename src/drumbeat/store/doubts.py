"""Letters in doubt as they are listed and counted: which they are and since when, without what was written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drumbeat.store.deliveries import Key
from drumbeat.store.stamps import instant_or_none
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot

ALL: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Doubt:
    """A letter nobody knows the fate of, what is known, and until when evidence is awaited (None: no more)."""

    key: Key
    transmitting_at: datetime | None
    lease_until: datetime | None
    reply: str | None

    @property
    def enrollment_id(self) -> int:
        """Whose letter it is."""
        return self.key[0]

    @property
    def position(self) -> int:
        """Which step's letter it is."""
        return self.key[1]


def list_unknown(
    snapshot: Snapshot, account_id: int, *, after: int = 0, limit: int = ALL, seen_by: int | None = None
) -> list[Doubt]:
    """The account's doubts behind an enrollment, the oldest enrollment first; only one actor's where no others are
    seen."""
    given = {"account_id": account_id, "after": after, "limit": limit, "seen_by": seen_by or 0}
    return [
        Doubt((row[0], row[1], row[2]), instant_or_none(row[3]), instant_or_none(row[4]), row[5])
        for row in snapshot.all(_LIST, **given)
    ]


def count(snapshot: Snapshot, account_id: int, most: int, *, seen_by: int | None = None) -> int:
    """How many there are, counted up to `most`."""
    row = snapshot.first(_COUNT, account_id=account_id, most=most, seen_by=seen_by or 0)
    assert row is not None
    return int(row[0])


_IN_DOUBT = """d.account_id = :account_id AND d.status = 'unknown'
        AND (:seen_by = 0 OR EXISTS (SELECT 1 FROM enrollments e
            WHERE e.account_id = :account_id AND e.id = d.enrollment_id AND e.actor_id = :seen_by))"""
_LIST = Statement(f"""
    SELECT d.enrollment_id, d.position, d.attempt, d.transmitting_at, d.lease_until, d.reply FROM deliveries d
    WHERE {_IN_DOUBT} AND d.enrollment_id > :after
    ORDER BY d.enrollment_id LIMIT :limit
""")
_COUNT = Statement(f"""
    SELECT count(*) FROM (SELECT 1 FROM deliveries d WHERE {_IN_DOUBT} LIMIT :most) AS doubts
""")
