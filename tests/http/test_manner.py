"""How days, times and numbers are written for a locale."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from drumbeat.domain.locale import offered_locales
from drumbeat.http.manner import manner_of

AFTERNOON = datetime(2026, 3, 3, 14, 5, 9, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("en-GB", "14:05"),
        ("en-US", "2:05 PM"),
        ("fi-FI", "14.05"),
        ("ko-KR", "2:05 pm"),
        ("de", "14:05"),
    ],
)
def test_hours_are_counted_as_the_country_does(locale: str, told: str) -> None:
    assert manner_of(locale).time(AFTERNOON) == told
    assert manner_of(locale).has_24_hours == ("m" not in told.lower())


@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("en-GB", "Tuesday, 3 March 2026, 14:05:09 CET"),
        ("en-US", "Tuesday, March 3, 2026, 2:05:09 PM CET"),
        ("ja-JP", "Tuesday, 3 March 2026, 14:05:09 CET"),
    ],
)
def test_words_stay_english_whatever_the_language(locale: str, told: str) -> None:
    assert manner_of(locale).whole(AFTERNOON) == told


def test_a_week_begins_where_the_country_begins_it() -> None:
    assert list(manner_of("en-GB").weekdays.values()) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert next(iter(manner_of("en-US").weekdays.items())) == (6, "Sun")
    assert next(iter(manner_of("ar-EG").weekdays.items())) == (5, "Sat")


def test_months_and_short_days_leave_out_what_goes_without_saying() -> None:
    day = date(2026, 3, 3)
    assert (manner_of("en-GB").month(day), manner_of("en-GB").short_day(day)) == ("March 2026", "3 Mar")
    assert manner_of("en-US").short_day(day) == "Mar 3"


def test_everything_offered_can_be_written() -> None:
    for tag, _ in offered_locales():
        manner = manner_of(tag)
        told = (manner.whole(AFTERNOON), manner.day(AFTERNOON.date()), manner.time(AFTERNOON))
        assert all(told)
        assert "2026" in told[0]
        assert manner.number(7) == "7"
        assert "7" in manner.percent(7, 100)
