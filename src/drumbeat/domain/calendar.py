"""When things happen: hours, weekdays, time zones, holidays and sending windows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo, available_timezones

from holidays import country_holidays

from drumbeat.domain.errors import IncorrectValue

LONGEST_DELAY = 10_000
TWO_YEARS = timedelta(days=731)
MINUTES_A_DAY = 24 * 60
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# Opening hours are looked up this far at a time. No zone changes its clock twice within so few days
# (the closest on record are seven days apart), so one comparison of offsets finds every change.
_LOOKAHEAD_DAYS = 4
_WORKDAYS = 5
_A_DAY = timedelta(days=1)
_A_SECOND = timedelta(seconds=1)
_LAST_SECOND = time(23, 59, 59)
# Names a host may offer that mean another place on another host.
_NOT_A_PLACE = frozenset({"Factory", "localtime"})

_COUNTRY_CODE = re.compile(r"[A-Z]{2}")
_DELAY = re.compile(r"(\d{1,9}) ?(hour|weekday)s?", re.ASCII | re.IGNORECASE)
_WINDOW = re.compile(
    r"(?P<days>[a-z]+(?: ?[,-] ?[a-z]+)*) (?P<opens>\d\d?:\d\d) ?- ?(?P<closes>\d\d?:\d\d)",
    re.ASCII | re.IGNORECASE,
)
_WEEKDAYS = {word: number for number, name in enumerate(DAY_NAMES) for word in (name.casefold(), name[:3].casefold())}


class Unit(StrEnum):
    """What a delay is counted in."""

    HOURS = "hours"
    WEEKDAYS = "weekdays"


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a step waits after the one before it: 0 to 10000 hours or weekdays."""

    amount: int
    unit: Unit

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= LONGEST_DELAY:
            raise IncorrectValue(f"A delay is a whole number from 0 to {LONGEST_DELAY}.", field="delay")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Hours of one weekday (0 is Monday) in minutes after local midnight; `closes` is no longer inside."""

    weekday: int
    opens: int
    closes: int

    def __post_init__(self) -> None:
        if not 0 <= self.weekday < len(DAY_NAMES):
            raise IncorrectValue("A window's weekday is 0 (Monday) to 6 (Sunday).", field="windows")
        if not 0 <= self.opens < self.closes <= MINUTES_A_DAY:
            raise IncorrectValue(
                "A window opens before it closes, on one day between 00:00 and 24:00;"
                " for hours past midnight write two windows.",
                field="windows",
            )


@dataclass(frozen=True, slots=True)
class Holidays:
    """Days off: public holidays of a country (and region) and own days; IncorrectValue if unknown."""

    country: str | None = None
    region: str | None = None
    days: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        check_holidays(self.country, self.region)

    @property
    def is_empty(self) -> bool:
        """Whether no day can ever be a holiday here."""
        return self.country is None and not self.days

    def is_holiday(self, day: date) -> bool:
        """Whether `day` is off; a weekend is a holiday only if the calendar says so."""
        if day in self.days:
            return True
        return self.country is not None and day in _public_holidays(self.country, self.region, day.year)


def check_holidays(country: str | None, region: str | None) -> None:
    """Raise IncorrectValue, naming `country` or `region`, unless there is a calendar for them."""
    if country is not None:
        _check_calendar(country, region)
    elif region is not None:
        raise IncorrectValue("A region needs its country beside it.", field="region")


@lru_cache(maxsize=2048)
def _check_calendar(country: str, region: str | None) -> None:
    unknown = f"There is no holiday calendar for {_quoted(country)}; write a two-letter code such as DE."
    if not _COUNTRY_CODE.fullmatch(country):
        raise IncorrectValue(unknown, field="country")
    try:
        regions = country_holidays(country).subdivisions
    except NotImplementedError:
        raise IncorrectValue(unknown, field="country") from None
    try:
        country_holidays(country, subdiv=region)
    except NotImplementedError:
        region = ""
    if region == "":  # which the library would take for the whole country
        known = f"has {', '.join(regions)}" if regions else "has no regions"
        raise IncorrectValue(f"There is no such region: {country} {known}.", field="region")


@lru_cache(maxsize=2048)
def _public_holidays(country: str, region: str | None, year: int) -> frozenset[date]:
    return frozenset(country_holidays(country, subdiv=region, years=year))


NO_HOLIDAYS = Holidays()


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The clock and calendar a sequence keeps; instants go in aware and come out as UTC."""

    zone: str
    holidays: Holidays = NO_HOLIDAYS
    windows: tuple[Window, ...] = ()
    window_zone: str | None = None

    def __post_init__(self) -> None:
        zone_named(self.zone)
        zone_named(self.window_zone or self.zone)

    def after(self, anchor: datetime, delay: Delay) -> datetime:
        """The anchor plus a delay: elapsed hours, or working days at the same wall-clock time."""
        anchor = anchor.astimezone(UTC)
        if delay.unit is Unit.HOURS:
            return anchor + timedelta(hours=delay.amount)
        local = anchor.astimezone(zone_named(self.zone))
        if delay.amount:
            return self._at(self._working_day(local.date(), delay.amount), local.time())
        if self._is_working(local.date()):
            return anchor
        return self._at(self._working_day(local.date(), 1), local.time())

    def before(self, ready_at: datetime, delay: Delay) -> datetime:
        """An anchor whose delay ends at `ready_at` (for weekdays, an instant of a working day)."""
        ready_at = ready_at.astimezone(UTC)
        if delay.unit is Unit.HOURS:
            return ready_at - timedelta(hours=delay.amount)
        local = ready_at.astimezone(zone_named(self.zone))
        day, count = local.date(), delay.amount
        while count:
            day = _weekday_at(_weekdays_until(day) - 1)
            count -= not self.holidays.is_holiday(day)
        return self._at(day, local.time()) if delay.amount else ready_at

    def opening(self, instant: datetime) -> datetime | None:
        """The first instant from this one on that a window is open; None if none opens within two years."""
        instant = instant.astimezone(UTC)
        if not self.windows:
            return instant
        zone = zone_named(self.window_zone or self.zone)
        last = instant + TWO_YEARS
        while instant <= last:
            wall = instant.astimezone(zone).replace(tzinfo=None)
            opens = self._opening_on_the_wall(wall)
            if opens == wall:
                return instant
            instant = _clock_moved(instant, opens - wall, zone)
        return None

    def is_open(self, instant: datetime) -> bool:
        """Whether a letter may leave at this instant; always, if there are no windows."""
        if not self.windows:
            return True
        local = instant.astimezone(zone_named(self.window_zone or self.zone))
        opens = self._opens(local.date(), _minute(local))
        return opens is not None and opens <= _minute(local)

    def thawed(self, ready_at: datetime, unit: Unit, frozen_at: datetime, thawed_at: datetime) -> datetime:
        """When a step is ready after a pause that gave back what it still had to wait."""
        ready_at = ready_at.astimezone(UTC)
        if ready_at <= frozen_at:
            return ready_at
        if unit is Unit.HOURS:
            return ready_at + (thawed_at - frozen_at)
        zone = zone_named(self.zone)
        ready = ready_at.astimezone(zone)
        today = thawed_at.astimezone(zone).date()
        remaining = self._working_days(frozen_at.astimezone(zone).date(), ready.date())
        if remaining < 1 and self._is_working(today):
            same_day = self._at(today, ready.time())
            if same_day >= thawed_at:
                return same_day
        return self._at(self._working_day(today, max(remaining, 1)), ready.time())

    def end_of_working_day(self, instant: datetime) -> datetime:
        """When a task made at this instant is due: 23:59:59 of that day, or of the next working day."""
        day = instant.astimezone(zone_named(self.zone)).date()
        return self._at(self._working_day(day - _A_DAY, 1), _LAST_SECOND)

    def _at(self, day: date, wall: time) -> datetime:
        # Fold 0 makes zoneinfo move a time that does not exist forward by the gap, and take the first of two.
        return datetime.combine(day, wall.replace(fold=0), zone_named(self.zone)).astimezone(UTC)

    def _is_working(self, day: date) -> bool:
        return day.weekday() < _WORKDAYS and not self.holidays.is_holiday(day)

    def _working_day(self, day: date, count: int) -> date:
        """The `count`-th working day after `day`, which need not be one itself."""
        if self.holidays.is_empty:
            return _weekday_at(_weekdays_until(day) + count)
        while count:
            day = _weekday_at(_weekdays_until(day) + 1)
            count -= not self.holidays.is_holiday(day)
        return day

    def _working_days(self, after: date, until: date) -> int:
        count = _weekdays_until(until) - _weekdays_until(after)
        if self.holidays.is_empty:
            return count
        days = (after + timedelta(days=n) for n in range(1, (until - after).days + 1))
        return count - sum(day.weekday() < _WORKDAYS and self.holidays.is_holiday(day) for day in days)

    def _opening_on_the_wall(self, wall: datetime) -> datetime:
        """`wall` itself if open, else the next opening, or a midnight some closed days ahead."""
        minute = _minute(wall)
        midnight = datetime.combine(wall, time.min)
        for _ in range(_LOOKAHEAD_DAYS):
            opens = self._opens(midnight.date(), minute)
            if opens is not None:
                return max(wall, midnight + timedelta(minutes=opens))
            midnight += _A_DAY
            minute = 0
        return midnight

    def _opens(self, day: date, minute: int) -> int | None:
        """The earliest opening on `day` of the windows that are not over at `minute`."""
        weekday = day.weekday()
        opens = [w.opens for w in self.windows if w.weekday == weekday and minute < w.closes]
        if not opens or self.holidays.is_holiday(day):
            return None
        return min(opens)


def _minute(moment: datetime) -> int:
    return moment.hour * 60 + moment.minute


def _weekdays_until(day: date) -> int:
    """How many weekdays there are from Monday, 1 January of the year 1, to `day` inclusive."""
    weeks, weekday = divmod(day.toordinal() - 1, 7)
    return weeks * _WORKDAYS + min(weekday + 1, _WORKDAYS)


def _weekday_at(count: int) -> date:
    """The weekday up to which there are `count`."""
    weeks, weekday = divmod(count - 1, _WORKDAYS)
    return date.fromordinal(weeks * 7 + weekday + 1)


def _clock_moved(instant: datetime, by: timedelta, zone: ZoneInfo) -> datetime:
    """When `zone`'s clock has run on `by` a time of under a week, or is changed before that."""
    until = instant + by
    offset = instant.astimezone(zone).utcoffset()
    if until.astimezone(zone).utcoffset() == offset:
        return until
    same, changed = instant.replace(microsecond=0), until
    while changed - same > _A_SECOND:
        middle = same + (changed - same) // _A_SECOND // 2 * _A_SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            same = middle
        else:
            changed = middle
    return changed


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name in the IANA list; IncorrectValue for any other text."""
    if name not in _zone_names():
        raise IncorrectValue(
            f"There is no time zone {_quoted(name)}; write a name such as Europe/Berlin.", field="time_zone"
        )
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - _NOT_A_PLACE)


def parse_delay(text: str) -> Delay:
    """A delay as people write it, such as `2 weekdays` or `1 hour`; IncorrectValue with the fix."""
    match = _DELAY.fullmatch(_single_spaced(text))
    if not match or int(match[1]) > LONGEST_DELAY:
        raise IncorrectValue(
            f"Write a whole number from 0 to {LONGEST_DELAY} and hours or weekdays,"
            f' such as "2 weekdays", not {_quoted(text)}.',
            field="delay",
        )
    return Delay(int(match[1]), Unit(f"{match[2].casefold()}s"))


def format_delay(delay: Delay) -> str:
    """A delay as `parse_delay` reads it."""
    unit = delay.unit.value
    return f"{delay.amount} {unit.removesuffix('s') if delay.amount == 1 else unit}"


def parse_windows(lines: Iterable[str]) -> tuple[Window, ...]:
    """The windows of several lines such as `Mon-Fri 09:00-17:00`, sorted, each once."""
    return tuple(sorted({window for line in lines for window in parse_window(line)}))


def parse_window(text: str) -> tuple[Window, ...]:
    """One line such as `Mon,Wed-Fri 08:30-24:00` as a window per weekday; IncorrectValue with the fix."""
    match = _WINDOW.fullmatch(_single_spaced(text).replace("–", "-"))
    if not match:
        raise IncorrectValue(
            f'Write days and hours, such as "Mon-Fri 09:00-17:00", not {_quoted(text)}.', field="windows"
        )
    opens, closes = _parse_time(match["opens"]), _parse_time(match["closes"])
    weekdays = {weekday for part in match["days"].split(",") for weekday in _parse_days(part)}
    return tuple(Window(weekday, opens, closes) for weekday in sorted(weekdays))


def _parse_time(text: str) -> int:
    hour, minute = (int(part) for part in text.split(":"))
    if minute >= 60 or hour * 60 + minute > MINUTES_A_DAY:
        raise IncorrectValue(f"There is no time {text}; write 00:00 to 24:00.", field="windows")
    return hour * 60 + minute


def _parse_days(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    start = _parse_day(first)
    length = (_parse_day(last) - start) % 7 if dash else 0
    return [(start + n) % 7 for n in range(length + 1)]


def _parse_day(text: str) -> int:
    weekday = _WEEKDAYS.get(text.strip().casefold())
    if weekday is None:
        raise IncorrectValue(
            f"There is no day {_quoted(text.strip())}; write Mon, Tue, Wed, Thu, Fri, Sat or Sun.",
            field="windows",
        )
    return weekday


def format_windows(windows: Iterable[Window]) -> tuple[str, ...]:
    """Windows as the lines `parse_windows` reads, weekdays with the same hours on one line."""
    weekdays_by_hours: dict[tuple[int, int], list[int]] = {}
    for window in sorted(set(windows)):
        weekdays_by_hours.setdefault((window.opens, window.closes), []).append(window.weekday)
    return tuple(
        f"{_format_days(weekdays)} {_format_time(opens)}-{_format_time(closes)}"
        for (opens, closes), weekdays in weekdays_by_hours.items()
    )


def _format_days(weekdays: list[int]) -> str:
    parts = []
    # Within a run of neighbours, weekday and position grow together.
    for _, numbered in groupby(enumerate(weekdays), lambda pair: pair[1] - pair[0]):
        run = [DAY_NAMES[weekday][:3] for _, weekday in numbered]
        parts += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else run
    return ",".join(parts)


def _format_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _single_spaced(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
