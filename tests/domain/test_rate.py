from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from drumbeat.domain.rate import Rate

TEN = datetime(2026, 3, 3, 10, 0, 0, tzinfo=UTC)
A_MINUTE = Rate(limit=3, seconds=60)


def test_the_limit_counts_down_and_the_call_behind_it_is_one_too_many() -> None:
    standings = [A_MINUTE.standing(calls, TEN) for calls in range(1, 6)]
    assert [standing.remaining for standing in standings] == [2, 1, 0, 0, 0]
    assert [standing.is_exceeded for standing in standings] == [False, False, False, True, True]


def test_a_window_ends_where_the_clock_s_minute_does() -> None:
    standing = A_MINUTE.standing(1, TEN + timedelta(seconds=18.5))
    assert standing.ends_at == (TEN + timedelta(minutes=1)).timestamp()
    assert standing.ends_in == 42


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), st.sampled_from([1, 60, 3600]))  # noqa: DTZ001
def test_who_waits_as_long_as_told_is_in_the_next_window(moment: datetime, seconds: int) -> None:
    now, rate = moment.replace(tzinfo=UTC), Rate(1, seconds)
    ends_in = rate.standing(1, now).ends_in
    assert 1 <= ends_in <= seconds
    assert rate.window(now + timedelta(seconds=ends_in)) == rate.window(now) + 1
