"""When a plan would run: the same instants that the timeline of somebody just enrolled estimates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.calendar import Delay, Holidays, Rhythm, Unit, Window, parse_windows
from drumbeat.domain.enrollment import Plan
from drumbeat.domain.sequence import ActionType, Step
from drumbeat.domain.timeline import forecast, timeline
from tests.domain.runs import HOUR, NOON, enrolled, letter, plan, task

ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati")
FIRST, LAST = datetime(2024, 1, 1), datetime(2040, 1, 1)  # noqa: DTZ001

instants = st.datetimes(FIRST, LAST, timezones=st.just(UTC)).map(lambda instant: instant.replace(microsecond=0))
steps = st.builds(Step, st.sampled_from(ActionType), st.builds(Delay, st.integers(0, 400), st.sampled_from(Unit)))
windows = st.builds(
    lambda weekday, opens, length: Window(weekday, opens, min(opens + length, 1440)),
    st.integers(0, 6),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
calendars = st.builds(Holidays, days=st.frozensets(st.dates(FIRST.date(), LAST.date()), max_size=20)) | st.just(
    Holidays("DE", "BY")
)
plans = st.builds(
    Plan,
    st.lists(steps, min_size=1, max_size=6).map(tuple),
    st.builds(Rhythm, st.sampled_from(ZONES), calendars, st.lists(windows, max_size=4).map(tuple)),
)


@settings(max_examples=200)
@given(plans, instants)
def test_a_forecast_is_what_the_timeline_of_somebody_just_enrolled_estimates(followed: Plan, start: datetime) -> None:
    stages = timeline(enrolled(followed, start), {}, start)
    assert forecast(followed, start) == tuple(stage.estimated_at for stage in stages)


@settings(max_examples=100)
@given(plans, instants)
def test_a_forecast_has_an_instant_for_each_step_which_never_go_back(followed: Plan, start: datetime) -> None:
    found = forecast(followed, start)
    assert len(found) == len(followed.steps)
    assert [start, *found] == sorted([start, *found])


def test_a_paused_sequence_is_forecast_as_if_it_ran() -> None:
    assert forecast(plan(letter("1 hours"), paused=True), NOON) == (NOON + HOUR,)


def test_nothing_is_forecast_without_steps() -> None:
    assert forecast(plan(), NOON) == ()


def test_letters_wait_for_a_window_and_tasks_do_not() -> None:
    followed = Plan(
        (letter("6 hours"), task("8 hours"), letter("1 weekdays")),
        Rhythm("UTC", Holidays(days=frozenset({date(2026, 3, 5)})), parse_windows(["Mon-Fri 09:00-17:00"])),
    )
    wednesday = datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert forecast(followed, NOON) == (
        wednesday,
        wednesday + timedelta(hours=8),
        datetime(2026, 3, 9, 9, tzinfo=UTC),
    )
