"""How the enrollments of sequences stand, from counts that the worker keeps; only what is blocked is counted live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from drumbeat.domain.enrollment import Enrollment, FinishedReason
from drumbeat.domain.event import Fact
from drumbeat.domain.sequence import Sequence
from drumbeat.store import enrollment_pages, events, overview
from drumbeat.store.transaction import Snapshot

MOST_COUNTED: Final = 2_000
"""What is counted live is counted up to this: a number above it stands for any."""
_FINISHED: Final = f"{Fact.FINISHED}:"


@dataclass(frozen=True, slots=True)
class Tallied:
    """The enrollments that were asked for by a sequence: in all, ended, how they ended, letters sent, and blocked now
    (at most one more than MOST_COUNTED)."""

    enrolled: int = 0
    finished: int = 0
    replied: int = 0
    unsubscribed: int = 0
    sent: int = 0
    bounced: int = 0
    blocked: int = 0

    @property
    def ongoing(self) -> int:
        """How many run, blocked or not."""
        return max(self.enrolled - self.finished, 0)

    @property
    def active(self) -> int:
        """How many run and are not blocked."""
        return max(self.ongoing - self.blocked, 0)


def tally_sequences(snapshot: Snapshot, account_id: int) -> dict[int, Tallied]:
    """The numbers of every sequence that has some."""
    blocked = overview.blocked_by_sequence(snapshot, account_id, MOST_COUNTED + 1)
    rows: dict[int, list[Any]] = {id: [] for id in blocked}
    for row in events.counts(snapshot, account_id):
        rows.setdefault(row.sequence_id, []).append(row)
    return {id: _tallied(found, blocked.get(id, 0)) for id, found in rows.items()}


def tally_of(snapshot: Snapshot, sequence: Sequence) -> Tallied:
    """The numbers of one sequence."""
    account_id, id = sequence.account_id, sequence.id
    blocked = overview.count_blocked(snapshot, account_id, id, MOST_COUNTED + 1)
    return _tallied(events.counts_of(snapshot, account_id, id), blocked)


def _tallied(rows: Iterable[Any], blocked: int) -> Tallied:
    totals: dict[str, int] = {}
    for row in rows:
        totals[row.fact] = totals.get(row.fact, 0) + row.total
    return Tallied(
        enrolled=totals.get(Fact.ENROLLED, 0),
        finished=sum(total for fact, total in totals.items() if fact.startswith(Fact.FINISHED)),
        replied=totals.get(f"{_FINISHED}{FinishedReason.REPLIED_TO_EMAIL}", 0),
        unsubscribed=totals.get(f"{_FINISHED}{FinishedReason.SUBSCRIPTION_CANCELLED}", 0),
        sent=totals.get(Fact.LETTER_SENT, 0) + totals.get(Fact.LETTER_COUNTED_AS_SENT, 0),
        bounced=totals.get(Fact.LETTER_BOUNCED, 0),
        blocked=blocked,
    )


def count_running(snapshot: Snapshot, sequence: Sequence) -> int:
    """How many run its steps, asked for by it or by the A/B test of another; at most one more than MOST_COUNTED."""
    return overview.count_running(snapshot, sequence.account_id, sequence.id, MOST_COUNTED + 1)


def list_running(
    snapshot: Snapshot, sequence: Sequence, *, seen_by: int | None, after: int, limit: int
) -> list[Enrollment]:
    """A page by id of the ongoing enrollments that run its steps, and of those it gave to its variant B."""
    account_id, id = sequence.account_id, sequence.id
    place: dict[str, Any] = {"actor_id": seen_by, "after": after, "limit": limit}
    own = enrollment_pages.list_page(snapshot, account_id, runs_sequence_id=id, **place)
    given = enrollment_pages.list_page(snapshot, account_id, variant_b_of=id, **place)
    return sorted([*own, *given], key=attrgetter("id"))[:limit]
