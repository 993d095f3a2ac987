"""What sequences brought per day and per step, and whether variants differ; opens are never used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.event import Fact
from drumbeat.domain.experiment import Arm, Finding, examine
from drumbeat.domain.sequence import Sequence as SequenceSettings
from drumbeat.domain.variant import Variant
from drumbeat.operations.statistics import VariantCounts, variant_counts
from drumbeat.store import events
from drumbeat.store.transaction import Snapshot

DAY_SECONDS: Final = 86_400
PERIODS: Final = (7, 30, 90, 365)


class Measure(StrEnum):
    """What reports count."""

    SENT = "sent"
    REPLIED = "replied"
    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    BLOCKED = "blocked"


_MEASURES: Final[Mapping[str, Measure]] = {
    Fact.LETTER_SENT: Measure.SENT,
    Fact.LETTER_COUNTED_AS_SENT: Measure.SENT,
    f"{Fact.FINISHED}:{FinishedReason.REPLIED_TO_EMAIL}": Measure.REPLIED,
    Fact.LETTER_BOUNCED: Measure.BOUNCED,
    f"{Fact.FINISHED}:{FinishedReason.SUBSCRIPTION_CANCELLED}": Measure.UNSUBSCRIBED,
    Fact.BLOCKED: Measure.BLOCKED,
}
Counts = dict[Measure, int]


def _zeros() -> Counts:
    return dict.fromkeys(Measure, 0)


@dataclass(slots=True)
class Report:
    """Counts of a period, by day since 1970 (UTC) and by (variant, step); `last_day` is today."""

    first_day: int
    last_day: int
    days: dict[int, Counts] = field(default_factory=lambda: defaultdict(_zeros))
    steps: dict[tuple[str, int], Counts] = field(default_factory=lambda: defaultdict(_zeros))
    total: Counts = field(default_factory=_zeros)


@dataclass(frozen=True, slots=True)
class Experiment:
    """An A/B test: both variants' counts since it began, and what they say."""

    a: VariantCounts
    b: VariantCounts
    share: int
    finding: Finding


def report(snapshot: Snapshot, account_id: int, sequence_ids: Iterable[int], days: int) -> Report:
    """The counts of some sequences in the last so many days, today included."""
    today = int(snapshot.now.timestamp()) // DAY_SECONDS
    made = Report(today - days + 1, today)
    for row in events.step_counts(snapshot, account_id, sequence_ids, made.first_day):
        _add(made, row)
    return made


def _add(made: Report, row: Any) -> None:
    measure = _MEASURES.get(row.fact)
    if measure is not None:
        total = int(row.total)
        made.days[row.day][measure] += total
        made.steps[row.variant, row.position][measure] += total
        made.total[measure] += total


def experiment(snapshot: Snapshot, sequence: SequenceSettings) -> Experiment | None:
    """The sequence's A/B test as it stands, or None if there is none."""
    if sequence.split is None:
        return None
    counts: Sequence[VariantCounts] = variant_counts(snapshot, sequence)
    a, b = (next(each for each in counts if each.variant is variant) for variant in Variant)
    finding = examine(Arm(a.enrolled, a.replied), Arm(b.enrolled, b.replied), sequence.split.share)
    return Experiment(a, b, sequence.split.share, finding)
