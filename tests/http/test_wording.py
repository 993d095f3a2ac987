"""How pages write instants, numbers and what the domain calls its things."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined
from msgspec import structs

from drumbeat.domain.calendar import Delay, Unit
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.event import Fact
from drumbeat.domain.inbound import InboundKind
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.timeline import Lifter
from drumbeat.http.manner import manner_of
from drumbeat.http.wording import (
    FILTERS,
    NEXT_STEPS,
    REASONS,
    TABLES,
    name_of,
)

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)


def written(words: str, zone: str = "Europe/Berlin", now: datetime = NOW, locale: str = "en-GB", **values: Any) -> str:
    """What a template writes for somebody on this clock and with this locale."""
    pages = Environment(autoescape=True, undefined=StrictUndefined)
    pages.filters |= FILTERS
    return pages.from_string(words).render(zone=zone, now=now, manner=manner_of(locale), **values)


def shown(instant: datetime | None, zone: str = "Europe/Berlin", now: datetime = NOW) -> str:
    """An instant as it is read."""
    return written("{{ it | when }}", zone, now, it=instant).partition(">")[2].partition("<")[0]


@pytest.mark.parametrize(
    ("instant", "told"),
    [
        (NOW, "today 11:00"),
        (datetime(2026, 3, 2, 23, tzinfo=UTC), "today 00:00"),
        (datetime(2026, 3, 2, 22, 59, tzinfo=UTC), "yesterday 23:59"),
        (datetime(2026, 3, 3, 23, tzinfo=UTC), "tomorrow 00:00"),
        (datetime(2026, 3, 5, 23, 30, tzinfo=UTC), "Fri 6 Mar 00:30"),
        (datetime(2026, 7, 1, 10, tzinfo=UTC), "Wed 1 Jul 12:00"),
        (datetime(2025, 12, 31, 22, tzinfo=UTC), "Wed, 31 Dec 2025 23:00"),
        (datetime(2025, 12, 31, 23, tzinfo=UTC), "Thu 1 Jan 00:00"),
    ],
)
def test_an_instant_is_told_by_its_day_on_the_viewer_s_clock(instant: datetime, told: str) -> None:
    assert shown(instant) == told


def test_today_is_where_the_viewer_is() -> None:
    late = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
    assert shown(late, "UTC", late) == "today 23:30"
    assert shown(late, "Asia/Tokyo", NOW) == "tomorrow 08:30"
    assert shown(late, "America/Los_Angeles", NOW) == "today 15:30"


def test_an_instant_that_no_calendar_knows_there_is_told_as_it_is() -> None:
    assert shown(datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "Asia/Tokyo") == "Fri, 31 Dec 9999 23:59"


def test_the_whole_of_an_instant_stands_in_its_tip_and_for_programs() -> None:
    told = written("{{ it | when }}", it=datetime(2026, 7, 1, 10, 5, 7, 900, tzinfo=UTC))
    assert 'datetime="2026-07-01T10:05:07+00:00"' in told
    assert 'title="Wednesday, 1 July 2026, 12:05:07 CEST"' in told


def test_no_instant_is_a_dash_or_what_is_said_instead() -> None:
    assert written("{{ none | when }} {{ none | when('No <due> date') }}") == "– No &lt;due&gt; date"


def test_a_day_has_its_year_where_that_is_another() -> None:
    day = date(2026, 3, 3)
    assert written("{{ it | day(today) }}", it=day, today=date(2026, 12, 31)) == "Tue 3 Mar"
    assert written("{{ it | day(today) }}", it=day, today=date(2027, 1, 1)) == "Tue, 3 Mar 2026"
    assert written("{{ it | day }}", it=day) == "Tue, 3 Mar 2026"


def test_the_day_it_is_is_written_in_full_and_a_field_s_instant_on_the_viewer_s_clock() -> None:
    late = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
    assert written("{{ it | long_day }}", it=late) == "Wednesday, 4 March 2026"
    assert written("{{ it | local_input }}", it=late) == "2026-03-04T00:30"
    assert written("{{ none | local_input }}") == ""


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (0, 0, "–"),
        (0, 7, "0%"),
        (1, 3, "33%"),
        (1, 1000, "0.1%"),
        (7, 7, "100%"),
        (1, 11, "9.1%"),
        (1, 10, "10%"),
        (3, 2, "150%"),
    ],
)
def test_a_share_has_a_digit_more_where_that_says_more(part: int, whole: int, told: str) -> None:
    assert written("{{ part | percent(whole) }}", part=part, whole=whole) == told


def test_numbers_are_read_at_a_glance() -> None:
    assert written("{{ 0 | grouped }} {{ 1234567 | grouped }}") == "0 1,234,567"
    assert written("{% for n in [1, 0, 2000] %}{{ n | plural('letter') }}. {% endfor %}") == (
        "1 letter. 0 letters. 2,000 letters. "
    )
    assert written("{{ 1 | plural('person', 'people') }}, {{ 2 | plural('person', 'people') }}") == "1 person, 2 people"
    assert written("{% for n in [2000, 2001, 7] %}{{ n | at_most(2000) }} {% endfor %}") == "2,000 2,000+ 7 "


def test_numbers_and_instants_are_written_as_the_reader_s_locale_does() -> None:
    assert written("{{ 1234.5 | decimal(2) }}", locale="de-DE") == "1.234,50"
    page = "{{ 1234567 | grouped }}, {{ 1 | percent(40) }}, {{ 1600000 | size }}, {{ it | day }}"
    day = date(2026, 3, 3)
    assert written(page, it=day) == "1,234,567, 2.5%, 1.6 MB, Tue, 3 Mar 2026"
    assert written(page, locale="en-US", it=day) == "1,234,567, 2.5%, 1.6 MB, Tue, Mar 3, 2026"
    assert written(page, locale="de-DE", it=day) == "1.234.567, 2,5\N{NO-BREAK SPACE}%, 1,6 MB, Tue, 3 Mar 2026"
    late = datetime(2026, 7, 1, 20, tzinfo=UTC)
    assert "Wed, Jul 1 10:00 PM" in written("{{ it | when }}", locale="en-US", it=late)
    assert "Wed 1 Jul 22:00" in written("{{ it | when }}", it=late)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Delay(0, Unit.HOURS), "at once"),
        (Delay(0, Unit.WEEKDAYS), "on the same working day"),
        (Delay(1, Unit.HOURS), "after 1 hour"),
        (Delay(1_000, Unit.HOURS), "after 1,000 hours"),
        (Delay(1, Unit.WEEKDAYS), "after 1 working day"),
        (Delay(3, Unit.WEEKDAYS), "after 3 working days"),
    ],
)
def test_a_delay_is_told_in_words(value: Delay, told: str) -> None:
    assert written("{{ it | delay }}", it=value) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "1 kB"), (1_600, "2 kB"), (999_000, "999 kB"), (1_000_000, "1.0 MB"), (9_960_000, "10.0 MB")],
)
def test_a_size_is_told_in_kilobytes_or_megabytes(count: int, told: str) -> None:
    assert written("{{ it | size }}", it=count) == told


def test_somebody_is_called_by_their_name_else_by_what_is_known() -> None:
    nobody = Person(1, PersonKind.LEAD, 7, None, None, None, None, None, None, None, None, 2, 2, NOW, NOW)
    called = (
        (structs.replace(nobody, first_name="Lena", organization_name="Lamps", email="lena@x.example"), "Lena"),
        (structs.replace(nobody, organization_name="Lamps", email="lena@x.example"), "Lamps"),
        (structs.replace(nobody, email="lena@x.example"), "lena@x.example"),
        (nobody, "Lead 7"),
        (None, "Deleted person"),
    )
    for person, name in called:
        assert name_of(person) == name
    assert name_of(None, "Somebody") == "Somebody"


@pytest.mark.parametrize(
    ("table", "kinds"),
    [
        (TABLES["reasons"], FailureReason),
        (NEXT_STEPS, FailureReason),
        (TABLES["endings"], FinishedReason),
        (TABLES["facts"], Fact),
        (TABLES["states"], State),
        (TABLES["step_words"], ActionStatus),
        (TABLES["lifters"], Lifter),
        (TABLES["sequence_words"], SequenceStatus),
    ],
)
def test_everything_the_domain_knows_has_words_of_its_own(table: Mapping[str, Any], kinds: type[StrEnum]) -> None:
    assert set(table) == set(kinds)
    assert len(set(table.values())) == len(table)


def test_whatever_takes_effect_when_it_comes_back_has_words() -> None:
    assert set(TABLES["received_words"]) == set(InboundKind) - {InboundKind.UNRELATED}


def test_every_state_has_a_badge() -> None:
    assert {*State, *SequenceStatus} <= set(TABLES["badges"])


@pytest.mark.parametrize("reason", FailureReason)
def test_every_cause_says_what_heals_it_and_where_if_that_is_a_page(reason: FailureReason) -> None:
    step, href, name = NEXT_STEPS[reason]
    assert step.endswith(".")
    assert bool(href) == bool(name)
    assert not href or href.startswith("/")
    assert REASONS[reason]
