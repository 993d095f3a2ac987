"""A calendar picture of planned steps: months of weeks of days, as a table that reads well without eyes."""

from __future__ import annotations

from calendar import Calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from drumbeat.domain.calendar import Holidays
from drumbeat.http.manner import Manner

_MOST_MONTHS = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """A step on a day: its number from 1, the local time, and whether it is a letter."""

    number: int
    time: str
    is_letter: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a month; one of the month beside it has no marks."""

    date: date
    is_inside: bool
    is_off: bool
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """A month's name, the names of a week's days, and its weeks."""

    name: str
    weekdays: list[str]
    weeks: list[list[Day]]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step runs, on the plan's own clock, and in words."""

    local: datetime
    words: str


def moment_of(instant: datetime, zone: str, manner: Manner, now: datetime) -> Moment:
    """An instant as a plan of this zone lists it."""
    clock = ZoneInfo(zone)
    local = instant.astimezone(clock)
    return Moment(local, f"{manner.day(local.date(), now.astimezone(clock).date())} {manner.time(local)}")


def months_of(
    instants: Sequence[datetime], are_letters: Sequence[bool], zone: str, holidays: Holidays, manner: Manner
) -> list[Month]:
    """The months in which steps run, four at most."""
    marks: dict[date, list[Mark]] = {}
    for number, (instant, is_letter) in enumerate(zip(instants, are_letters, strict=True), 1):
        local = instant.astimezone(ZoneInfo(zone))
        marks.setdefault(local.date(), []).append(Mark(number, manner.time(local), is_letter))
    named = list(dict.fromkeys((day.year, day.month) for day in sorted(marks)))[:_MOST_MONTHS]
    return [_month(year, month, marks, holidays, manner) for year, month in named]


def _month(year: int, month: int, marks: dict[date, list[Mark]], holidays: Holidays, manner: Manner) -> Month:
    days = manner.weekdays
    weeks = [
        [
            Day(
                date=day,
                is_inside=day.month == month,
                is_off=day.weekday() > 4 or holidays.is_holiday(day),
                marks=tuple(marks.get(day, ())) if day.month == month else (),
            )
            for day in week
        ]
        for week in Calendar(next(iter(days))).monthdatescalendar(year, month)
    ]
    return Month(manner.month(date(year, month, 1)), list(days.values()), weeks)
