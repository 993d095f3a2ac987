from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from drumbeat.domain.calendar import (
    LONGEST_DELAY,
    NO_HOLIDAYS,
    TWO_YEARS,
    Delay,
    Holidays,
    Rhythm,
    Unit,
    Window,
    check_holidays,
    format_delay,
    format_windows,
    parse_delay,
    parse_window,
    parse_windows,
    zone_named,
)
from drumbeat.domain.errors import IncorrectValue

# Both hemispheres, both ends of the day, half-hour offsets, a half-hour DST, a two-hour DST, a DST pause.
ZONES = """
    UTC Europe/Berlin America/New_York America/St_Johns America/Nuuk Africa/Cairo Africa/Casablanca
    Asia/Jerusalem Asia/Gaza Asia/Kathmandu Australia/Sydney Australia/Lord_Howe America/Santiago
    Antarctica/Troll Pacific/Kiritimati Pacific/Pago_Pago
""".split()  # noqa: SIM905
FIRST_DAY, LAST_DAY = date(2024, 1, 1), date(2045, 1, 1)
BAVARIA = Holidays("DE", "BY")
OFFICE_HOURS = parse_window("Mon-Fri 09:00-17:00")
A_DAY = timedelta(days=1)

zones = st.sampled_from(ZONES)
instants = st.datetimes(
    datetime.combine(FIRST_DAY, time.min), datetime.combine(LAST_DAY, time.min), timezones=st.just(UTC)
)
own_days = st.frozensets(st.dates(FIRST_DAY, LAST_DAY), max_size=40)
calendars = st.one_of(
    st.just(NO_HOLIDAYS),
    st.just(BAVARIA),
    st.builds(Holidays, days=own_days),
    st.builds(Holidays, st.just("US"), st.just("CA"), own_days),
)
# On quarters of an hour, as all clock changes since 2024 are, so the oracle below can visit every change.
quarters = st.integers(0, 95).flatmap(
    lambda opens: st.tuples(st.just(opens * 15), st.integers(opens + 1, 96).map(lambda closes: closes * 15))
)
window = st.builds(lambda weekday, hours: Window(weekday, *hours), st.integers(0, 6), quarters)
window_sets = st.lists(window, min_size=1, max_size=8).map(tuple)


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def weekdays(amount: int) -> Delay:
    return Delay(amount, Unit.WEEKDAYS)


def hours(amount: int) -> Delay:
    return Delay(amount, Unit.HOURS)


def local(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone))


def is_working(day: date, holidays: Holidays) -> bool:
    return day.isoweekday() <= 5 and not holidays.is_holiday(day)


def counted_day_by_day(start: date, amount: int, holidays: Holidays) -> date:
    """The oracle: back to a working day, then forward one day at a time (for 0, forward to a working day)."""
    day = start
    while not is_working(day, holidays):
        day += A_DAY if amount == 0 else -A_DAY
    while amount:
        day += A_DAY
        amount -= is_working(day, holidays)
    return day


def shows(rhythm: Rhythm, instant: datetime) -> bool:
    """The oracle for windows: what a person would say who looks at the clock and the opening hours."""
    clock = local(instant, rhythm.window_zone or rhythm.zone)
    since_midnight = timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second)
    return not rhythm.holidays.is_holiday(clock.date()) and any(
        w.weekday == clock.weekday() and timedelta(minutes=w.opens) <= since_midnight < timedelta(minutes=w.closes)
        for w in rhythm.windows
    )


# Hours


@given(zones, instants, st.integers(0, LONGEST_DELAY))
def test_hours_are_elapsed_time(zone: str, anchor: datetime, amount: int) -> None:
    assert Rhythm(zone).after(anchor, hours(amount)) - anchor == timedelta(hours=amount)


def test_hours_may_end_on_a_weekend_and_a_holiday() -> None:
    saturday = Rhythm("Europe/Berlin", BAVARIA).after(at("2027-04-30T10:00", "Europe/Berlin"), hours(24))
    assert saturday == at("2027-05-01T10:00", "Europe/Berlin")


def test_a_day_of_hours_over_a_clock_change_is_another_wall_clock_time() -> None:
    assert Rhythm("Europe/Berlin").after(at("2026-03-28T10:00", "Europe/Berlin"), hours(24)) == at(
        "2026-03-29T11:00", "Europe/Berlin"
    )


@pytest.mark.parametrize("delay", [hours(48), weekdays(2), weekdays(0)], ids=format_delay)
def test_an_instant_told_in_another_zone_is_the_same_and_comes_out_as_utc(delay: Delay) -> None:
    anchor = at("2026-03-27T15:30")
    told = local(anchor, "Europe/Paris")
    rhythm = Rhythm("Europe/Berlin", windows=OFFICE_HOURS)
    for one, other in [
        (rhythm.after(told, delay), rhythm.after(anchor, delay)),
        (rhythm.opening(told), rhythm.opening(anchor)),
        (rhythm.thawed(told, delay.unit, told, told), anchor),
    ]:
        assert one is not None
        assert (one, one.tzinfo) == (other, UTC)


# Weekdays


def test_saturday_plus_one_weekday_is_monday() -> None:
    assert Rhythm("UTC").after(at("2026-05-09T10:00"), weekdays(1)) == at("2026-05-11T10:00")


def test_friday_plus_one_weekday_is_monday() -> None:
    assert Rhythm("UTC").after(at("2026-05-08T10:00"), weekdays(1)) == at("2026-05-11T10:00")


def test_no_weekdays_on_a_saturday_is_monday_at_the_same_time() -> None:
    assert Rhythm("UTC").after(at("2026-05-09T10:00"), weekdays(0)) == at("2026-05-11T10:00")


def test_no_weekdays_on_a_working_day_is_the_anchor_even_when_the_clock_shows_it_twice() -> None:
    second = at("2026-10-29T23:30", "Africa/Cairo", fold=1)
    assert Rhythm("Africa/Cairo").after(second, weekdays(0)) == second


@pytest.mark.parametrize(
    ("anchor", "amount", "expected"),
    [
        ("2028-02-28T10:00", 1, "2028-02-29T10:00"),  # leap day
        ("2028-02-29T10:00", 1, "2028-03-01T10:00"),
        ("2026-12-31T10:00", 1, "2027-01-01T10:00"),  # a Friday
        ("2026-12-31T10:00", 2, "2027-01-04T10:00"),
        ("2026-12-31T23:59:59.999999", 261, "2027-12-31T23:59:59.999999"),
    ],
)
def test_weekdays_cross_leap_days_and_year_ends(anchor: str, amount: int, expected: str) -> None:
    assert Rhythm("UTC").after(at(anchor), weekdays(amount)) == at(expected)


@settings(max_examples=200)
@given(zones, calendars, instants, st.integers(0, 60))
def test_weekdays_agree_with_counting_day_by_day(zone: str, holidays: Holidays, anchor: datetime, amount: int) -> None:
    end = local(Rhythm(zone, holidays).after(anchor, weekdays(amount)), zone)
    assert end.date() == counted_day_by_day(local(anchor, zone).date(), amount, holidays)
    assert is_working(end.date(), holidays)


@given(zones, instants, st.integers(0, LONGEST_DELAY))
@settings(max_examples=30)
def test_long_weekday_delays_agree_with_counting_day_by_day(zone: str, anchor: datetime, amount: int) -> None:
    end = local(Rhythm(zone).after(anchor, weekdays(amount)), zone)
    assert end.date() == counted_day_by_day(local(anchor, zone).date(), amount, NO_HOLIDAYS)


def test_the_longest_delay_with_holidays_ends_on_the_counted_day() -> None:
    end = Rhythm("UTC", BAVARIA).after(at("2026-05-08T10:00"), weekdays(LONGEST_DELAY))
    assert end.date() == counted_day_by_day(date(2026, 5, 8), LONGEST_DELAY, BAVARIA)


@given(zones, calendars, instants, st.integers(0, 30))
@settings(max_examples=200)
def test_weekdays_keep_the_wall_clock_unless_it_skips_that_time(
    zone: str, holidays: Holidays, anchor: datetime, amount: int
) -> None:
    start, end = local(anchor, zone), local(Rhythm(zone, holidays).after(anchor, weekdays(amount)), zone)
    if start.date() == end.date():
        assert start == end
        return
    wanted = datetime.combine(end.date(), start.time())
    exists = local(wanted.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), zone).replace(tzinfo=None) == wanted
    if exists:
        assert end.replace(tzinfo=None) == wanted
        assert end.fold == 0
    else:
        gap = local(end - 2 * A_DAY, zone).utcoffset(), end.utcoffset()
        assert end.replace(tzinfo=None) - wanted == gap[1] - gap[0]  # type: ignore[operator]


@given(zones, calendars, instants, st.integers(0, 60))
def test_one_weekday_more_is_never_earlier_and_from_one_on_always_later(
    zone: str, holidays: Holidays, anchor: datetime, amount: int
) -> None:
    rhythm = Rhythm(zone, holidays)
    shorter, longer = (rhythm.after(anchor, weekdays(n)) for n in (amount, amount + 1))
    assert anchor <= shorter
    assert shorter < longer if amount else shorter <= longer


@given(zones, calendars, instants, instants, st.integers(0, 60))
def test_a_later_anchor_never_ends_on_an_earlier_day(
    zone: str, holidays: Holidays, one: datetime, other: datetime, amount: int
) -> None:
    rhythm = Rhythm(zone, holidays)
    sooner, later = (local(rhythm.after(a, weekdays(amount)), zone).date() for a in sorted((one, other)))
    assert sooner <= later


# Few clocks change on a working day: Cairo's skips Friday 00:00-01:00 and repeats Thursday 23:00-24:00.


@pytest.mark.parametrize(
    ("zone", "anchor", "expected"),
    [
        ("Africa/Cairo", "2026-04-23T00:30", "2026-04-24T01:30+03:00"),
        ("Asia/Jerusalem", "2026-03-26T02:00", "2026-03-27T03:00+03:00"),
    ],
)
def test_a_time_the_clock_skips_moves_forward_by_the_gap(zone: str, anchor: str, expected: str) -> None:
    assert Rhythm(zone).after(at(anchor, zone), weekdays(1)) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_time_the_clock_shows_twice_is_the_first(fold: int) -> None:
    repeated = at("2025-10-30T23:30", "Africa/Cairo", fold)
    a_year_on = Rhythm("Africa/Cairo").after(repeated, weekdays(260))
    assert a_year_on == datetime.fromisoformat("2026-10-29T23:30+03:00")


@pytest.mark.parametrize(
    ("zone", "anchor", "expected"),
    [
        ("Europe/Berlin", "2026-03-27T10:00+01:00", "2026-03-30T10:00+02:00"),
        ("Europe/Berlin", "2026-10-23T10:00+02:00", "2026-10-26T10:00+01:00"),
        ("Australia/Sydney", "2026-04-03T10:00+11:00", "2026-04-06T10:00+10:00"),
        ("Australia/Sydney", "2026-10-02T10:00+10:00", "2026-10-05T10:00+11:00"),
        ("America/Santiago", "2026-09-04T00:30-04:00", "2026-09-07T00:30-03:00"),
    ],
)
def test_a_clock_change_over_the_weekend_keeps_the_wall_clock(zone: str, anchor: str, expected: str) -> None:
    assert Rhythm(zone).after(datetime.fromisoformat(anchor), weekdays(1)) == datetime.fromisoformat(expected)


def test_the_weekend_is_the_zones_own() -> None:
    sunday_in_utc = at("2026-05-10T11:00")  # Monday 01:00 at +14, Sunday 00:00 at -11
    assert Rhythm("Pacific/Kiritimati").after(sunday_in_utc, weekdays(0)) == sunday_in_utc
    assert Rhythm("Pacific/Kiritimati").after(sunday_in_utc, weekdays(1)) == at("2026-05-11T11:00")
    assert Rhythm("Pacific/Pago_Pago").after(sunday_in_utc, weekdays(0)) == at("2026-05-11T11:00")
    assert Rhythm("Pacific/Pago_Pago").after(sunday_in_utc, weekdays(2)) == at("2026-05-12T11:00")


# Holidays


def test_bavaria_rests_on_corpus_christi_and_hamburg_does_not() -> None:
    wednesday, thursday, friday = (at(f"2026-06-0{day}T08:00") for day in (3, 4, 5))
    assert Rhythm("UTC", BAVARIA).after(wednesday, weekdays(1)) == friday
    assert Rhythm("UTC", Holidays("DE", "HH")).after(wednesday, weekdays(1)) == thursday
    assert Rhythm("UTC", Holidays("DE")).after(wednesday, weekdays(1)) == thursday
    assert Rhythm("UTC").after(wednesday, weekdays(1)) == thursday


def test_a_holiday_counts_from_the_working_day_before_it() -> None:
    new_year = at("2026-01-01T10:00")  # a Thursday
    assert Rhythm("UTC", BAVARIA).after(new_year, weekdays(1)) == at("2026-01-02T10:00")
    assert Rhythm("UTC", BAVARIA).after(new_year, weekdays(0)) == at("2026-01-02T10:00")
    assert Rhythm("UTC", BAVARIA).after(new_year, weekdays(3)) == at("2026-01-07T10:00")  # Epiphany is the 6th


def test_ones_own_days_are_off_beside_the_countrys() -> None:
    holidays = Holidays("DE", "BY", frozenset({date(2026, 12, 24)}))
    assert holidays.is_holiday(date(2026, 12, 24))
    assert holidays.is_holiday(date(2026, 12, 25))
    assert not holidays.is_holiday(date(2026, 12, 28))
    assert not BAVARIA.is_holiday(date(2026, 12, 24))


def test_without_a_country_or_days_there_are_no_holidays() -> None:
    assert NO_HOLIDAYS.is_empty
    assert not NO_HOLIDAYS.is_holiday(date(2026, 12, 25))
    assert not Holidays("DE").is_empty
    assert not Holidays(days=frozenset({date(2026, 5, 8)})).is_empty


@pytest.mark.parametrize("country", ["XX", "de", "", "Germany", "DEU", "__doc__", "registry", "NYSE", "B3", "x" * 999])
def test_an_unknown_country_is_refused_by_name(country: str) -> None:
    with pytest.raises(IncorrectValue, match="write a two-letter code") as refusal:
        Holidays(country)
    assert refusal.value.field == "country"
    assert len(refusal.value.detail) < 200


@pytest.mark.parametrize(
    ("country", "region", "fix"),
    [("DE", "ZZ", "DE has BB, BE"), ("DE", "", "DE has BB, BE"), ("DK", "84", "DK has no regions")],
)
def test_an_unknown_region_is_refused_with_the_known_ones(country: str, region: str, fix: str) -> None:
    with pytest.raises(IncorrectValue, match=fix) as refusal:
        check_holidays(country, region)
    assert refusal.value.field == "region"


def test_a_region_without_a_country_is_refused() -> None:
    with pytest.raises(IncorrectValue, match="needs its country") as refusal:
        Holidays(None, "BY")
    assert refusal.value.field == "region"


# Windows


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2026-05-08T08:59:59.999999", "2026-05-08T09:00"),
        ("2026-05-08T09:00", "2026-05-08T09:00"),
        ("2026-05-08T12:34:56.789", "2026-05-08T12:34:56.789"),
        ("2026-05-08T16:59:59.999999", "2026-05-08T16:59:59.999999"),
        ("2026-05-08T17:00", "2026-05-11T09:00"),
        ("2026-05-10T12:00", "2026-05-11T09:00"),
    ],
)
def test_a_letter_leaves_in_a_window_or_at_the_next_opening(instant: str, expected: str) -> None:
    assert Rhythm("UTC", windows=OFFICE_HOURS).opening(at(instant)) == at(expected)


def test_without_windows_it_is_always_open() -> None:
    sunday = at("2026-05-10T03:00")
    assert Rhythm("UTC").is_open(sunday)
    assert Rhythm("UTC").opening(sunday) == sunday


def test_windows_do_not_open_on_a_holiday() -> None:
    rhythm = Rhythm("UTC", BAVARIA, parse_window("Mon-Sun 09:00-17:00"))
    assert not rhythm.is_open(at("2026-06-04T10:00"))
    assert rhythm.opening(at("2026-06-03T17:00")) == at("2026-06-05T09:00")


def test_windows_keep_the_recipients_zone_and_weekdays_the_sequences() -> None:
    rhythm = Rhythm("Europe/Berlin", windows=OFFICE_HOURS, window_zone="America/New_York")
    ready_at = rhythm.after(at("2026-05-08T10:00", "Europe/Berlin"), weekdays(1))
    assert rhythm.opening(ready_at) == at("2026-05-11T09:00", "America/New_York")


def test_windows_that_never_open_have_no_opening() -> None:
    every_day = frozenset(date(2026, 1, 1) + n * A_DAY for n in range(1500))
    rhythm = Rhythm("UTC", Holidays(days=every_day), OFFICE_HOURS)
    assert rhythm.opening(at("2026-05-08T10:00")) is None


def test_a_window_that_opens_after_exactly_two_years_still_counts() -> None:
    monday = at("2026-05-04T09:00")
    closed = frozenset(monday.date() + n * A_DAY for n in range(TWO_YEARS.days))
    rhythm = Rhythm("UTC", Holidays(days=closed), parse_window("Mon-Sun 09:00-10:00"))
    assert rhythm.opening(monday) == monday + TWO_YEARS
    assert rhythm.opening(monday - timedelta(microseconds=1)) is None


@pytest.mark.parametrize(
    ("zone", "window", "instant", "expected"),
    [
        # The clock goes from 02:00 to 03:00 inside the hours: they begin at 03:00.
        ("Europe/Berlin", "Sun 02:30-05:00", "2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"),
        # All of the hours are skipped: they begin a week later.
        ("Europe/Berlin", "Sun 02:00-03:00", "2026-03-29T01:00+01:00", "2026-04-05T02:00+02:00"),
        ("Europe/Berlin", "Sun 02:30-05:00", "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00"),
        # The clock goes back from 03:00 to 02:00, behind the opening time: it opens a second time.
        ("Europe/Berlin", "Sun 02:30-05:00", "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00"),
        ("Europe/Berlin", "Sun 01:30-02:30", "2026-10-25T02:40:30.5+02:00", "2026-10-25T02:00+01:00"),
        ("Australia/Sydney", "Sun 02:30-05:00", "2026-10-04T01:00+10:00", "2026-10-04T03:00+11:00"),
        ("Australia/Sydney", "Sun 02:30-05:00", "2026-04-05T02:10+10:00", "2026-04-05T02:30+10:00"),
        ("America/Santiago", "Sun 00:00-02:00", "2026-09-05T12:00-04:00", "2026-09-06T01:00-03:00"),
    ],
)
def test_windows_follow_the_wall_clock_when_it_changes(zone: str, window: str, instant: str, expected: str) -> None:
    opening = Rhythm(zone, windows=parse_window(window)).opening(datetime.fromisoformat(instant))
    assert opening == datetime.fromisoformat(expected)


@settings(max_examples=200)
@given(zones, calendars, window_sets, instants)
@example(
    "Asia/Gaza",
    Holidays(days=frozenset({date(2040, 10, 21)})),
    parse_window("Sun 10:00-11:00"),
    at("2040-10-19"),
)
@example("Europe/Berlin", NO_HOLIDAYS, parse_window("Sun 02:00-03:00"), at("2026-03-22T02:00"))
def test_the_opening_is_in_a_window_and_no_earlier_instant_is(
    zone: str, holidays: Holidays, windows: tuple[Window, ...], instant: datetime
) -> None:
    rhythm = Rhythm("UTC", holidays, windows, zone)
    opening = rhythm.opening(instant)
    assert opening is not None
    assert shows(rhythm, opening)
    assert opening == instant or not shows(rhythm, instant)
    moment = instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)
    while moment < opening:
        assert not shows(rhythm, moment)
        moment += timedelta(minutes=15)


@given(zones, calendars, window_sets, instants)
def test_it_is_open_where_the_clock_shows_opening_hours(
    zone: str, holidays: Holidays, windows: tuple[Window, ...], instant: datetime
) -> None:
    rhythm = Rhythm(zone, holidays, windows)
    assert rhythm.is_open(instant) == shows(rhythm, instant) == (rhythm.opening(instant) == instant)


@given(zones, calendars, window_sets, instants, instants)
def test_a_later_instant_never_has_an_earlier_opening(
    zone: str, holidays: Holidays, windows: tuple[Window, ...], one: datetime, other: datetime
) -> None:
    rhythm = Rhythm(zone, holidays, windows)
    sooner, later = (rhythm.opening(i) for i in sorted((one, other)))
    assert sooner is not None
    assert later is not None
    assert sooner <= later


# After a pause


def test_what_was_overdue_at_the_pause_stays_overdue() -> None:
    ready, frozen, thawed = at("2026-05-08T10:00"), at("2026-05-08T10:00"), at("2026-06-08T10:00")
    for unit in Unit:
        assert Rhythm("UTC").thawed(ready, unit, frozen, thawed) == ready


@given(zones, calendars, instants, st.timedeltas(timedelta(microseconds=1), timedelta(400)))
def test_hours_get_the_length_of_the_pause_back(
    zone: str, holidays: Holidays, frozen: datetime, left: timedelta
) -> None:
    thawed = frozen + timedelta(days=3, hours=5)
    ready = Rhythm(zone, holidays).thawed(frozen + left, Unit.HOURS, frozen, thawed)
    assert ready - thawed == left


@pytest.mark.parametrize(
    ("ready", "frozen", "thawed", "expected"),
    [
        # Three working days were left on Friday; three are left on Wednesday the week after.
        ("2026-05-13T15:00", "2026-05-08T09:00", "2026-05-20T11:00", "2026-05-25T15:00"),
        # Ready later the same day: the same time today, if it is not past, else tomorrow.
        ("2026-05-08T15:00", "2026-05-08T09:00", "2026-05-20T15:00", "2026-05-20T15:00"),
        ("2026-05-08T15:00", "2026-05-08T09:00", "2026-05-20T15:00:01", "2026-05-21T15:00"),
        ("2026-05-08T15:00", "2026-05-08T09:00", "2026-05-22T16:00", "2026-05-25T15:00"),
        # ... and on Monday, if today is a Saturday.
        ("2026-05-08T15:00", "2026-05-08T09:00", "2026-05-23T09:00", "2026-05-25T15:00"),
        # Frozen on a Saturday with Monday to go: one working day.
        ("2026-05-11T15:00", "2026-05-09T09:00", "2026-05-23T09:00", "2026-05-25T15:00"),
        # Ready on a Sunday (a window moved it there): no working day was left.
        ("2026-05-10T15:00", "2026-05-08T09:00", "2026-05-20T09:00", "2026-05-20T15:00"),
    ],
)
def test_weekdays_get_their_remaining_working_days_back(ready: str, frozen: str, thawed: str, expected: str) -> None:
    assert Rhythm("UTC").thawed(at(ready), Unit.WEEKDAYS, at(frozen), at(thawed)) == at(expected)


def test_a_pause_counts_no_holiday_as_remaining_work() -> None:
    ready, frozen, thawed = at("2026-06-05T15:00"), at("2026-06-03T09:00"), at("2026-06-10T09:00")
    assert Rhythm("UTC", BAVARIA).thawed(ready, Unit.WEEKDAYS, frozen, thawed) == at("2026-06-11T15:00")
    assert Rhythm("UTC").thawed(ready, Unit.WEEKDAYS, frozen, thawed) == at("2026-06-12T15:00")


@given(zones, calendars, instants, st.timedeltas(timedelta(microseconds=1), timedelta(60)))
@settings(max_examples=200)
def test_a_pause_of_no_length_changes_nothing(zone: str, holidays: Holidays, frozen: datetime, left: timedelta) -> None:
    # Holds for working days in the future whose wall-clock time is not the second showing of one.
    ready = frozen + left
    assume(is_working(local(ready, zone).date(), holidays) and not local(ready, zone).fold)
    assert Rhythm(zone, holidays).thawed(ready, Unit.WEEKDAYS, frozen, frozen) == ready


@given(
    zones,
    calendars,
    instants,
    st.timedeltas(timedelta(0), timedelta(60)),
    st.timedeltas(timedelta(0), timedelta(60)),
)
@settings(max_examples=200)
def test_after_a_pause_as_many_working_days_remain(
    zone: str, holidays: Holidays, frozen: datetime, left: timedelta, pause: timedelta
) -> None:
    def remaining(since: datetime, until: datetime) -> int:
        first, last = local(since, zone).date(), local(until, zone).date()
        return sum(is_working(first + n * A_DAY, holidays) for n in range(1, (last - first).days + 1))

    ready, thawed = frozen + left, frozen + pause
    assume(ready > frozen)
    again = Rhythm(zone, holidays).thawed(ready, Unit.WEEKDAYS, frozen, thawed)
    assert again >= thawed
    assert is_working(local(again, zone).date(), holidays)
    before, now = remaining(frozen, ready), remaining(thawed, again)
    assert now == before or (before, now) == (0, 1)


# A task's due date


@pytest.mark.parametrize(
    ("created", "due"),
    [
        ("2026-05-08T00:00", "2026-05-08T23:59:59"),
        ("2026-05-08T23:59:59.5", "2026-05-08T23:59:59"),
        ("2026-05-09T00:00", "2026-05-11T23:59:59"),
        ("2026-06-04T10:00", "2026-06-05T23:59:59"),
        ("2026-12-25T10:00", "2026-12-28T23:59:59"),
    ],
)
def test_a_task_is_due_at_the_end_of_its_working_day(created: str, due: str) -> None:
    rhythm = Rhythm("Europe/Berlin", BAVARIA)
    assert rhythm.end_of_working_day(at(created, "Europe/Berlin")) == at(due, "Europe/Berlin")


@given(zones, calendars, instants)
def test_a_task_is_due_on_the_first_working_day(zone: str, holidays: Holidays, created: datetime) -> None:
    due = local(Rhythm(zone, holidays).end_of_working_day(created), zone)
    assert due.time() == time(23, 59, 59)
    assert due.date() == counted_day_by_day(local(created, zone).date(), 0, holidays)


# Zones


def test_a_known_zone_is_given_and_kept() -> None:
    assert zone_named("Europe/Berlin").key == "Europe/Berlin"
    assert zone_named("Europe/Berlin") is zone_named("Europe/Berlin")


WEIRD_ZONES = [
    *["", ".", "..", "../../etc/passwd", "/etc/passwd", "a\0b", "Europe", "Europe/", "europe/berlin", " UTC"],
    *["zone.tab", "localtime", "Factory", "posix/Europe/Berlin", "Europe/Berlin\n", "\udc80", "x" * 9999],
]


@pytest.mark.parametrize("name", WEIRD_ZONES, ids=ascii)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(IncorrectValue, match="write a name such as Europe/Berlin") as refusal:
        zone_named(name)
    assert refusal.value.field == "time_zone"
    assert refusal.value.detail.isprintable()
    assert len(refusal.value.detail) < 200


@pytest.mark.parametrize("zones", [("Nowhere", None), ("UTC", "Nowhere")])
def test_a_rhythm_knows_its_zones_from_the_start(zones: tuple[str, str | None]) -> None:
    with pytest.raises(IncorrectValue):
        Rhythm(zones[0], window_zone=zones[1])


# Written and read


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("2 weekdays", weekdays(2)),
        ("1 weekday", weekdays(1)),
        ("0 hours", hours(0)),
        ("1 hour", hours(1)),
        ("  3   Hours ", hours(3)),
        ("10000 hours", hours(10000)),
    ],
)
def test_a_delay_is_read_as_people_write_it(text: str, delay: Delay) -> None:
    assert parse_delay(text) == delay


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "weekdays",
        "-1 hours",
        "1.5 hours",
        "10001 hours",
        f"{'9' * 5000} hours",
        "2 days",
        "٣ hours",
        "2 hourss",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_delay_that_is_none_is_refused_with_the_fix(text: str) -> None:
    with pytest.raises(IncorrectValue, match="from 0 to 10000 and hours or weekdays") as refusal:
        parse_delay(text)
    assert refusal.value.field == "delay"
    assert len(refusal.value.detail) < 200


@given(st.builds(Delay, st.integers(0, LONGEST_DELAY), st.sampled_from(Unit)))
def test_a_written_delay_reads_back(delay: Delay) -> None:
    assert parse_delay(format_delay(delay)) == delay


def test_one_of_a_unit_is_written_in_the_singular() -> None:
    assert [format_delay(hours(n)) for n in (0, 1, 2)] == ["0 hours", "1 hour", "2 hours"]


@pytest.mark.parametrize("amount", [-1, LONGEST_DELAY + 1])
def test_a_delay_outside_its_limits_cannot_be_made(amount: int) -> None:
    with pytest.raises(IncorrectValue, match="from 0 to 10000"):
        hours(amount)


@pytest.mark.parametrize(
    ("text", "days", "opens", "closes"),
    [
        ("Mon-Fri 09:00-17:00", [0, 1, 2, 3, 4], 540, 1020),
        ("Sat 10:00-12:00", [5], 600, 720),
        ("Mon,Wed,Fri 08:30-24:00", [0, 2, 4], 510, 1440),
        (" friday - MONDAY  9:00 – 17:00 ", [0, 4, 5, 6], 540, 1020),
        ("Tue, Mon-Wed 00:00-00:01", [0, 1, 2], 0, 1),
        ("Sun-Sun 1:00-2:00", [6], 60, 120),
    ],
)
def test_a_window_is_read_as_people_write_it(text: str, days: list[int], opens: int, closes: int) -> None:
    assert parse_window(text) == tuple(Window(day, opens, closes) for day in days)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", "Write days and hours"),
        ("Mon-Fri", "Write days and hours"),
        ("09:00-17:00", "Write days and hours"),
        ("Mon 9-17", "Write days and hours"),
        ("Mon 09:00-17:00" + " " * 99999 + "x", "Write days and hours"),
        ("Mon" + "-Mon" * 9999, "Write days and hours"),
        ("Mon-Tue-Wed 09:00-17:00", "There is no day 'Tue-Wed'; write Mon, Tue"),
        ("Moon 09:00-17:00", "There is no day 'Moon'; write Mon, Tue"),
        ("Mon 09:60-17:00", "There is no time 09:60; write 00:00 to 24:00"),
        ("Mon 09:00-24:01", "There is no time 24:01; write 00:00 to 24:00"),
        ("Mon 22:00-02:00", "past midnight write two windows"),
        ("Mon 09:00-09:00", "past midnight write two windows"),
    ],
    ids=lambda text: text[:24],
)
def test_a_window_that_is_none_is_refused_with_the_fix(text: str, fix: str) -> None:
    with pytest.raises(IncorrectValue, match=fix) as refusal:
        parse_window(text)
    assert refusal.value.field == "windows"
    assert len(refusal.value.detail) < 200


@pytest.mark.parametrize("values", [(7, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 1441), (0, 60, 60)])
def test_a_window_outside_its_limits_cannot_be_made(values: tuple[int, int, int]) -> None:
    with pytest.raises(IncorrectValue) as refusal:
        Window(*values)
    assert refusal.value.field == "windows"


any_window = st.builds(
    lambda weekday, edges: Window(weekday, min(edges), max(edges)),
    st.integers(0, 6),
    st.sets(st.integers(0, 1440), min_size=2, max_size=2),
)


@given(st.lists(any_window, unique=True, max_size=20))
def test_written_windows_read_back_sorted(windows: list[Window]) -> None:
    assert parse_windows(format_windows(windows)) == tuple(sorted(windows))


def test_weekdays_with_the_same_hours_share_a_line() -> None:
    lines = ("Mon,Tue,Thu 08:00-09:00", "Mon-Fri,Sun 09:00-17:00", "Sat 10:00-24:00")
    assert format_windows(parse_windows(lines)) == lines


@given(instants, st.integers(0, 300), st.sampled_from(list(Unit)))
def test_a_delay_counted_back_and_forth_ends_where_it_began(instant: datetime, amount: int, unit: Unit) -> None:
    rhythm = Rhythm("Europe/Berlin", Holidays("DE", "BY"))
    delay = Delay(amount, unit)
    ready_at = rhythm.after(instant, Delay(1, Unit.WEEKDAYS))
    assert rhythm.after(rhythm.before(ready_at, delay), delay) == ready_at
