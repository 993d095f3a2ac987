"""How the variants of a sequence fare, read from counts that the worker keeps: never by counting enrollments."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.event import Fact
from drumbeat.domain.sequence import Sequence
from drumbeat.domain.variant import Variant
from drumbeat.store import events
from drumbeat.store.transaction import Snapshot

_REPLIED = f"{Fact.FINISHED}:{FinishedReason.REPLIED_TO_EMAIL}"


@dataclass(frozen=True, slots=True)
class VariantCounts:
    """Of the enrollments of one variant (None: made while there was no A/B test): in all, ended, ended by a reply."""

    variant: Variant | None
    enrolled: int = 0
    finished: int = 0
    replied: int = 0


def variant_counts(snapshot: Snapshot, sequence: Sequence) -> list[VariantCounts]:
    """The counts of each variant there is or was."""
    found: dict[Variant | None, dict[str, int]] = defaultdict(dict)
    for variant in (None,) if sequence.split is None else Variant:
        found[variant] = {}
    for row in events.counts_of(snapshot, sequence.account_id, sequence.id):
        found[Variant(row.variant) if row.variant else None][row.fact] = row.total
    return [_counts(variant, found[variant]) for variant in sorted(found, key=lambda each: each or "")]


def _counts(variant: Variant | None, totals: dict[str, int]) -> VariantCounts:
    return VariantCounts(
        variant=variant,
        enrolled=totals.get(Fact.ENROLLED, 0),
        finished=sum(total for fact, total in totals.items() if fact.startswith(Fact.FINISHED)),
        replied=totals.get(_REPLIED, 0),
    )
