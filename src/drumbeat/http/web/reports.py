"""/reports: what sequences brought, per day and per step, as charts with a table beside; and A/B tests."""

from __future__ import annotations

from datetime import date, timedelta

from litestar import Response
from litestar.params import FromPath

from drumbeat.domain.sequence import Sequence, SequenceStatus, Step
from drumbeat.http.manner import Manner
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.chart import Chart, chart_of
from drumbeat.http.web.frame import Visit, opened, visiting
from drumbeat.operations.drafting import published_steps
from drumbeat.operations.reports import PERIODS, Measure, Report, experiment, report
from drumbeat.operations.sequence_counts import MOST_COUNTED, Tallied, tally_sequences
from drumbeat.store import events, sequences

_EPOCH = date(1970, 1, 1)
_USUAL = 30
_MOST_DAYS = 92  # a longer period is shown by weeks


@readable("/reports", opt=opened())
def show_reports(request: AnyRequest) -> Response[bytes]:
    """All sequences together, and each with its rates."""
    with visiting(request) as visit:
        days = _period(visit)
        found = [
            each
            for each in sequences.list_all(visit.snapshot, visit.account_id)
            if each.status is not SequenceStatus.DRAFT
        ]
        made = report(visit.snapshot, visit.account_id, [each.id for each in found], days)
        tallies = tally_sequences(visit.snapshot, visit.account_id)
        return visit.page(
            "reports.html",
            lines=[(each, tallies.get(each.id, Tallied())) for each in found],
            most_counted=MOST_COUNTED,
            report=made,
            chart=_chart(made, visit.manner),
            days=_days(made, visit.manner),
            period=days,
            periods=PERIODS,
            measures=list(Measure),
            is_current=events.are_counted(visit.snapshot, visit.account_id),
        )


def _period(visit: Visit) -> int:
    days = visit.number("days")
    return days if days in PERIODS else _USUAL


def _chart(made: Report, manner: Manner) -> Chart:
    found = _spans(made)
    series = {measure.value: [counts[measure] for _, counts in found] for measure in Measure}
    return chart_of([each.value for each in Measure], [first for first, _ in found], series, manner)


def _spans(made: Report) -> list[tuple[date, dict[Measure, int]]]:
    """The days of the period by their first day; or its weeks where they are many, the last one ending today."""
    length = 1 if made.last_day - made.first_day <= _MOST_DAYS else 7
    found = []
    for end in range(made.last_day, made.first_day - 1, -length):
        first = max(end - length + 1, made.first_day)
        days = [made.days[day] for day in range(first, end + 1) if day in made.days]
        found.append((_EPOCH + timedelta(days=first), {each: sum(day[each] for day in days) for each in Measure}))
    return found[::-1]


def _days(made: Report, manner: Manner) -> list[tuple[str, dict[Measure, int]]]:
    """The days or weeks in which something happened, the latest first."""
    is_week = made.last_day - made.first_day > _MOST_DAYS
    return [
        (f"{'Week from ' if is_week else ''}{manner.day(first)}", counts)
        for first, counts in reversed(_spans(made))
        if any(counts.values())
    ]


@readable("/reports/{id:str}", opt=opened())
def show_report(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One sequence: over time, step by step, and its A/B test."""
    with visiting(request) as visit:
        found = sequences.get(visit.snapshot, visit.account_id, read_id(id, "sequence"))
        days = _period(visit)
        made = report(visit.snapshot, visit.account_id, [found.id], days)
        return visit.page(
            "report.html",
            sequence=found,
            report=made,
            chart=_chart(made, visit.manner),
            days=_days(made, visit.manner),
            period=days,
            periods=PERIODS,
            measures=list(Measure),
            steps=_steps(visit, found, made),
            experiment=experiment(visit.snapshot, found),
            is_current=events.are_counted(visit.snapshot, visit.account_id),
        )


def _steps(visit: Visit, sequence: Sequence, made: Report) -> list[tuple[str, str, dict[Measure, int]]]:
    """Each step that something happened at: its variant, what it is now, and its counts."""
    now = {"": published_steps(visit.snapshot, sequence), "A": published_steps(visit.snapshot, sequence)}
    if sequence.split is not None:
        other = sequences.find(visit.snapshot, visit.account_id, sequence.split.variant_b_id)
        now["B"] = () if other is None else published_steps(visit.snapshot, other)
    told = []
    for (variant, position), counts in sorted(made.steps.items()):
        steps = now.get(variant, ())
        step = steps[position] if position < len(steps) else None
        words = "" if step is None else _words(step)
        told.append((variant, f"{position + 1}. {words}".strip(), counts))
    return told


def _words(step: Step) -> str:
    if step.template is not None:
        return step.template.subject or "Letter in the thread"
    return step.task_content or ""


handlers = [show_reports, show_report]
