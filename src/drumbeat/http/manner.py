"""How pages write days, times and numbers: in English words, and as the reader's country does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, get_day_names
from babel.localedata import exists
from babel.numbers import format_decimal, format_percent

from drumbeat.domain.locale import locale_named

_TWELVE_HOURS: Final = {"short": "h:mm a", "medium": "h:mm:ss a"}


@dataclass(frozen=True, slots=True)
class Manner:
    """What a locale is used to; its words stay English, as all of the pages are."""

    words: Locale
    numbers: Locale
    short_time: str
    long_time: str

    @property
    def has_24_hours(self) -> bool:
        """Whether the hours of a day are counted through."""
        return self.short_time != _TWELVE_HOURS["short"]

    def time(self, local: datetime) -> str:
        """The hour and the minute."""
        return format_time(local, self.short_time, locale=self.words)

    def day(self, day: date, today: date | None = None) -> str:
        """A day, with its year where that is not this one."""
        is_this_year = today is not None and day.year == today.year
        return format_skeleton("MMMEd" if is_this_year else "yMMMEd", day, locale=self.words)

    def short_day(self, day: date) -> str:
        """A day without its weekday and year."""
        return format_skeleton("MMMd", day, locale=self.words)

    def long_day(self, day: date) -> str:
        """A day in full."""
        return format_date(day, "full", locale=self.words)

    def month(self, day: date) -> str:
        """A month and its year."""
        return format_skeleton("yMMMM", day, locale=self.words)

    @property
    def weekdays(self) -> dict[int, str]:
        """The days of a week in their order, 0 being Monday, and their short names."""
        names = get_day_names("abbreviated", locale=self.words)
        first = self.numbers.first_week_day
        return {day: names[day] for day in (*range(first, 7), *range(first))}

    def whole(self, local: datetime) -> str:
        """An instant to the second, with the name of its clock."""
        time = format_time(local, self.long_time, locale=self.words)
        return f"{self.long_day(local.date())}, {time} {local.tzname()}"

    def number(self, value: float, digits: int = 0) -> str:
        """A number with its thousands apart, and so many digits behind the point."""
        return format_decimal(value, f"#,##0.{'0' * digits}" if digits else None, locale=self.numbers)

    def percent(self, part: float, whole: float) -> str:
        """A share in percent, to one digit where that says more."""
        if not whole:
            return "–"
        share = part / whole
        pattern = self.numbers.percent_formats[None].pattern
        if 0 < share < 0.1:
            pattern = pattern.replace("0", "0.#")
        return format_percent(share, pattern, locale=self.numbers)

    def plural(self, count: int, one: str, many: str = "") -> str:
        """A number and what it counts."""
        return f"{self.number(count)} {one if count == 1 else many or one + 's'}"


@lru_cache(maxsize=64)
def manner_of(tag: str) -> Manner:
    """The manner of a locale that was checked."""
    native = locale_named(tag)
    return Manner(_english(native), native, _clock(native, "short"), _clock(native, "medium"))


def _english(native: Locale) -> Locale:
    """English as it is written in that country; where nobody has said how, as in Europe."""
    if native.language == "en":
        return native
    name = f"en_{native.territory}"
    return Locale.parse(name if exists(name) else "en_150")


def _clock(native: Locale, length: str) -> str:
    pattern = native.time_formats[length].pattern
    return _TWELVE_HOURS[length] if any(sign in pattern for sign in "aBb") else pattern
