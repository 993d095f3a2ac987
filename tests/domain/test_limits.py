"""How quickly a mailbox may send: turns, caps, spacing and a slow start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.calendar import Rhythm, parse_windows
from drumbeat.domain.limits import Allowance, Diary, Hour, Opening, Pace, month_of
from tests.domain.runs import DAY, HOUR, MINUTE, NOON


def always(instant: datetime) -> datetime:
    return instant


def turns(diary: Diary, letters: int, now: datetime = NOON, opening: Opening = always) -> list[datetime]:
    return [diary.give(now, b"%d" % number, opening) for number in range(letters)]


def test_without_limits_every_turn_is_now() -> None:
    pace = Pace("UTC")
    assert turns(Diary(pace, {}), 100) == [NOON] * 100
    assert Diary(pace, {}).room(NOON) is None


def test_letters_leave_at_intervals_that_differ_a_little_and_are_always_the_same() -> None:
    pace = Pace("UTC", spacing=MINUTE)
    given = turns(Diary(pace, {}), 50)
    gaps = [later - earlier for earlier, later in pairwise(given)]
    assert given[0] == NOON
    assert all(timedelta(seconds=45) <= gap <= timedelta(seconds=75) for gap in gaps)
    assert len(set(gaps)) > 40
    assert turns(Diary(pace, {}), 50) == given


def test_an_hour_that_is_full_goes_on_in_the_next() -> None:
    given = turns(Diary(Pace("UTC", per_hour=3), {}), 8, NOON + 10 * MINUTE)
    assert given == [NOON + 10 * MINUTE] * 3 + [NOON + HOUR] * 3 + [NOON + 2 * HOUR] * 2


def test_a_day_that_is_full_goes_on_at_midnight_where_the_account_is() -> None:
    given = turns(Diary(Pace("Asia/Kolkata", per_day=2), {}), 5)
    midnight = datetime(2026, 3, 3, 18, 30, tzinfo=UTC)
    assert given == [NOON] * 2 + [midnight] * 2 + [midnight + DAY]


def test_what_was_sent_and_given_before_counts() -> None:
    def hours() -> dict[datetime, Hour]:
        return {NOON: Hour(given=1, sent=1, last_at=NOON), NOON - HOUR: Hour(sent=3)}

    assert turns(Diary(Pace("UTC", per_hour=3), hours()), 2) == [NOON, NOON + HOUR]
    diary = Diary(Pace("UTC", per_day=7), hours())
    assert turns(diary, 3) == [NOON, NOON, NOON + 12 * HOUR]
    assert diary.room(NOON) == 3


def test_the_time_between_two_letters_passes_over_the_hour() -> None:
    diary = Diary(Pace("UTC", spacing=10 * MINUTE), {NOON - HOUR: Hour(sent=1, last_at=NOON - MINUTE)})
    (turn,) = turns(diary, 1)
    assert NOON + 6 * MINUTE <= turn <= NOON + 12 * MINUTE


def test_turns_lie_in_the_windows_and_leave_the_time_between_to_others() -> None:
    opening = Rhythm("UTC", windows=parse_windows(["Mon-Fri 12:00-12:10"])).opening
    diary = Diary(Pace("UTC", spacing=5 * MINUTE), {})
    given = turns(diary, 6, opening=opening)
    assert all(opening(turn) == turn for turn in given)
    assert given == sorted(given)
    assert given[-1] > NOON + DAY
    assert diary.give(NOON, b"another", always) < NOON + HOUR


def test_where_no_window_ever_opens_or_a_year_is_full_the_turn_is_in_a_year() -> None:
    assert Diary(Pace("UTC", per_day=1), {}).give(NOON, b"", lambda _: None) == NOON + timedelta(days=365)
    full = Diary(Pace("UTC", per_day=1), {})
    assert turns(full, 400)[-1] == NOON + timedelta(days=365)


def test_a_slow_start_rises_by_a_fifth_a_day_up_to_the_cap() -> None:
    pace = Pace("UTC", per_day=30, ramp_from=20, ramp_since=NOON)
    assert [pace.allowed_on(NOON + n * DAY) for n in (-1, 0, 1, 2, 3, 400)] == [20, 20, 24, 28, 30, 30]
    endless = Pace("UTC", ramp_from=20, ramp_since=NOON)
    assert [endless.allowed_on(NOON + n * DAY) for n in (5, 120)] == [49, None]
    assert turns(Diary(pace, {}), 21)[-1] == NOON + 12 * HOUR


def test_a_turn_given_back_is_given_again() -> None:
    diary = Diary(Pace("UTC", per_hour=1), {})
    first, second = turns(diary, 2)
    diary.give_back(first)
    assert turns(diary, 1) == [first]
    diary.give_back(second + 9 * HOUR)
    assert turns(diary, 1) == [second + HOUR]


def test_room_is_what_was_not_sent_whoever_has_the_turns() -> None:
    diary = Diary(Pace("UTC", per_hour=3), {NOON: Hour(given=3)})
    assert diary.room(NOON) == 3
    diary.count_sent(NOON, 2)
    assert diary.room(NOON) == 1
    diary.count_sent(NOON, -1)
    assert diary.room(NOON) == 2
    diary.count_sent(NOON + HOUR, -1)
    assert diary.hours[NOON + HOUR].sent == 0
    assert diary.changed == {NOON, NOON + HOUR}


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.none(), st.integers(1, 30)),
    st.one_of(st.none(), st.integers(1, 10)),
    st.integers(0, 1200),
    st.integers(1, 80),
    st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"]),
    st.integers(0, 365 * 24),
)
def test_no_hour_and_no_day_has_more_turns_than_allowed_and_they_come_in_order(
    per_day: int | None, per_hour: int | None, seconds: int, letters: int, zone: str, hours: int
) -> None:
    pace = Pace(zone, per_day, per_hour, timedelta(seconds=seconds))
    now = NOON + hours * HOUR
    kept: dict[datetime, Hour] = {}  # each claim opens the diary anew
    given = [Diary(pace, kept).give(now, b"%d" % number, always) for number in range(letters)]
    assert given == sorted(given)
    assert given[0] == now
    by_hour = [pace.hour_of(turn) for turn in given]
    by_day = [pace.day_of(turn) for turn in given]
    assert per_hour is None or max(map(by_hour.count, by_hour)) <= per_hour
    assert per_day is None or max(map(by_day.count, by_day)) <= per_day
    assert all(later - earlier >= 0.75 * pace.spacing for earlier, later in pairwise(given))
    for turn in given:
        assert pace.day_of(turn) <= pace.hour_of(turn) <= turn < pace.next_day(turn)


def test_ten_thousand_turns_over_many_claims_stay_in_order_and_apart() -> None:
    pace, kept, given = Pace("UTC", spacing=timedelta(seconds=3)), dict[datetime, Hour](), list[datetime]()
    while len(given) < 10_000:
        diary = Diary(pace, kept)
        given += [diary.give(NOON, b"%d" % number, always) for number in range(len(given), len(given) + 200)]
    assert given == sorted(given)
    assert all(later - earlier >= timedelta(seconds=2.25) for earlier, later in pairwise(given))


@pytest.mark.parametrize(
    ("pace", "said"),
    [
        (Pace("UTC", per_day=50), "at most 50 a day"),
        (Pace("UTC", 50, 5, timedelta(seconds=3)), "at most 5 letters an hour and 50 a day, one every 3 seconds"),
        (Pace("UTC", ramp_from=5), "a slow start"),
    ],
)
def test_the_limits_are_told_in_words(pace: Pace, said: str) -> None:
    assert str(pace) == said


@pytest.mark.parametrize(
    ("instant", "zone", "month", "renews_at"),
    [
        (NOON, "UTC", 202603, datetime(2026, 4, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), "Europe/Berlin", 202701, datetime(2027, 1, 31, 23, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), "America/New_York", 202802, datetime(2028, 3, 1, 5, tzinfo=UTC)),
    ],
)
def test_a_month_is_the_account_s_own(instant: datetime, zone: str, month: int, renews_at: datetime) -> None:
    assert month_of(instant, zone) == (month, renews_at)


def test_of_an_allowance_nothing_less_than_nothing_is_left() -> None:
    assert [Allowance(5, sent, NOON).left for sent in (0, 5, 9)] == [5, 0, 0]
