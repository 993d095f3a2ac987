"""Lines over days, as numbers that a template draws with SVG: no script, and the table beside says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from drumbeat.http.manner import Manner

_WIDTH, _HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 10, 24
_MOST_LABELS = 8
_GRID = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One measure's points, as SVG's polyline takes them."""

    name: str
    points: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines, the heights that are marked (y, label), and the days that are (x, label)."""

    width: int
    height: int
    left: int
    right: int
    lines: Sequence[Line]
    heights: Sequence[tuple[float, str]]
    labels: Sequence[tuple[float, str]]


def chart_of(names: Sequence[str], days: Sequence[date], series: Mapping[str, Sequence[int]], manner: Manner) -> Chart:
    """The chart of several measures over the same days."""
    top = _rounded(max((max(values, default=0) for values in series.values()), default=0))
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(index: int) -> float:
        return round(_LEFT + across * index / max(len(days) - 1, 1), 1)

    def y(value: float) -> float:
        return round(_TOP + down * (1 - value / top), 1)

    lines = [Line(name, " ".join(f"{x(i)},{y(v)}" for i, v in enumerate(series[name]))) for name in names]
    every = -(-len(days) // _MOST_LABELS)
    return Chart(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        lines=lines,
        heights=[(y(top * n / _GRID), manner.number(top * n // _GRID)) for n in range(_GRID + 1)],
        labels=[(x(index), manner.short_day(day)) for index, day in enumerate(days) if index % every == 0],
    )


def _rounded(most: int) -> int:
    """A round number, divisible by the grid, that nothing exceeds."""
    tens = 1
    while True:
        for step in (4, 8, 20):
            if step * tens >= most:
                return step * tens
        tens *= 10
