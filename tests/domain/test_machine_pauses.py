"""A pause gives back the delay that was still to wait; another rhythm moves what waits."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import structs

from drumbeat.domain.event import Event, Fact
from drumbeat.domain.happening import (
    Accepted,
    Deferred,
    Frozen,
    Postponed,
    RhythmChanged,
    Thawed,
)
from drumbeat.domain.machine import decide
from drumbeat.domain.timeline import is_overdue
from tests.domain.runs import (
    DAY,
    HOUR,
    NOON,
    OUT,
    SITUATIONS,
    after,
    enrolled,
    letter,
    paused,
    plan,
)

ONGOING = [
    "letter waiting",
    "letter out",
    "letter in doubt",
    "letter blocked",
    "doubt blocked",
    "task waiting",
    "task open",
]
OFFICE = ["Mon-Fri 09:00-17:00"]


def test_a_pause_freezes_what_waits_and_leaves_what_is_under_way() -> None:
    assert after(SITUATIONS["letter waiting"], Frozen()).due_at is None
    for name in ("letter out", "task open", "letter blocked"):
        assert decide(SITUATIONS[name], Frozen(), NOON).enrollment is SITUATIONS[name]


def test_the_hours_still_to_wait_are_given_back() -> None:
    frozen = after(enrolled(plan(letter("10 hours"))), Frozen(), now=NOON + 4 * HOUR)
    decision = decide(frozen, Thawed(NOON + 4 * HOUR), NOON + 3 * DAY)
    assert decision.enrollment.due_at == NOON + 3 * DAY + 6 * HOUR
    assert decision.enrollment.anchor_at == NOON + 3 * DAY - 4 * HOUR
    assert decision.facts == (Event(Fact.REPLANNED, {"position": 0}),)


def test_the_working_time_still_to_wait_is_given_back_at_the_same_wall_clock() -> None:
    frozen = after(enrolled(plan(letter("3 weekdays"))), Frozen(), now=NOON + DAY)  # due Friday noon
    thawed = after(frozen, Thawed(NOON + DAY), now=datetime(2026, 3, 11, 8, tzinfo=UTC))
    assert thawed.due_at == datetime(2026, 3, 13, 12, tzinfo=UTC)
    unchanged = after(thawed, RhythmChanged(), now=thawed.updated_at)
    assert unchanged is thawed, "the anchor has moved along"


def test_what_was_overdue_when_the_sequence_was_paused_is_due_at_once() -> None:
    frozen = after(enrolled(plan(letter("1 hours"))), Frozen(), now=NOON + 2 * HOUR)
    thawed = after(frozen, Thawed(NOON + 2 * HOUR), now=NOON + 3 * DAY)
    assert thawed.due_at == NOON + HOUR


def test_a_delay_that_began_during_the_pause_loses_none_of_its_own_time() -> None:
    """A letter sent at the pause's hour 2 still waits its whole 10 hours."""
    sent = after(paused(after(enrolled(plan(letter(), letter("10 hours"))), OUT)), Accepted(), now=NOON + 2 * HOUR)
    thawed = after(paused(sent, by=False), Thawed(NOON), now=NOON + 5 * HOUR)
    assert thawed.due_at == NOON + 5 * HOUR + 10 * HOUR


def test_a_delay_that_began_after_the_pause_is_left_alone() -> None:
    begun = after(enrolled(plan(letter("1 hours")), NOON), Frozen())
    assert decide(begun, Thawed(NOON - DAY), NOON).enrollment is begun


def test_a_pause_that_ends_into_another_pause_leaves_nothing_due() -> None:
    frozen = paused(after(enrolled(plan(letter("10 hours"))), Frozen()))
    thawed = after(frozen, Thawed(NOON + HOUR), now=NOON + DAY)
    assert thawed.due_at is None
    assert thawed.ready_at == NOON + DAY + 9 * HOUR


def test_new_windows_move_a_waiting_letter_and_a_new_calendar_a_weekday() -> None:
    waiting = enrolled(plan(letter("1 weekdays")))
    windows = structs.replace(waiting, plan=plan(letter("1 weekdays"), windows=["Fri 08:00-12:00"]))
    assert after(windows, RhythmChanged()).due_at == datetime(2026, 3, 6, 8, tzinfo=UTC)
    calendar = structs.replace(waiting, plan=plan(letter("1 weekdays"), days_off=[NOON + DAY]))
    assert after(calendar, RhythmChanged()).due_at == NOON + 2 * DAY


def test_a_new_calendar_does_not_move_hours_or_what_is_under_way() -> None:
    hours = structs.replace(enrolled(plan(letter("24 hours"))), plan=plan(letter("24 hours"), days_off=[NOON + DAY]))
    assert decide(hours, RhythmChanged(), NOON).enrollment is hours
    blocked = structs.replace(SITUATIONS["letter blocked"], plan=plan(letter(), windows=OFFICE))
    assert decide(blocked, RhythmChanged(), NOON).enrollment is blocked


def test_new_windows_do_not_wake_a_paused_letter() -> None:
    frozen = paused(after(enrolled(plan(letter("1 hours"))), Frozen()))
    assert decide(frozen, RhythmChanged(), NOON).enrollment is frozen


EVENING = datetime(2026, 3, 3, 18, tzinfo=UTC)  # the Tuesday of NOON, when the office is closed


def test_a_letter_that_waited_for_a_window_when_the_pause_began_is_not_late_after_it() -> None:
    frozen = after(enrolled(plan(letter("6 hours"), windows=OFFICE)), Frozen(), now=EVENING + HOUR)
    thursday_evening = EVENING + 2 * DAY + HOUR
    thawed = after(frozen, Thawed(EVENING + HOUR), now=thursday_evening)
    friday_morning = datetime(2026, 3, 6, 9, tzinfo=UTC)
    assert (thawed.due_at, thawed.slot) == (friday_morning, friday_morning)
    assert not is_overdue(thawed, thursday_evening, None)


def test_windows_taken_away_make_nobody_late_who_waited_for_one() -> None:
    waiting = enrolled(plan(letter("6 hours"), windows=OFFICE))
    without = structs.replace(waiting, plan=plan(letter("6 hours")))
    freed = after(without, RhythmChanged(), now=EVENING + HOUR)
    assert freed.due_at == EVENING + HOUR
    assert not is_overdue(freed, EVENING + HOUR, None)
    unchanged = after(freed, RhythmChanged(), now=EVENING + HOUR)
    assert unchanged is freed, "the anchor has moved along"


def test_what_waits_for_another_try_keeps_its_wait_when_windows_change() -> None:
    put_off = after(enrolled(plan(letter())), Deferred(NOON + HOUR, "450 later"))
    opened = structs.replace(put_off, plan=plan(letter(), windows=["Mon-Fri 09:00-18:00"]))
    assert after(opened, RhythmChanged()).due_at == NOON + HOUR
    closed = structs.replace(put_off, plan=plan(letter(), windows=["Mon-Fri 14:00-18:00"]))
    assert after(closed, RhythmChanged()).due_at == NOON + 2 * HOUR


def test_another_try_waits_for_a_window_too() -> None:
    out = after(enrolled(plan(letter(), windows=["Mon-Fri 09:00-12:30"])), OUT)
    decision = decide(out, Deferred(NOON + HOUR, "450 later"), NOON)
    tomorrow = datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert decision.enrollment.due_at == tomorrow
    assert decision.facts[0].cause["until"] == tomorrow.isoformat()


def test_a_letter_that_may_not_leave_yet_is_postponed_by_a_fact() -> None:
    decision = decide(SITUATIONS["letter waiting"], Postponed(NOON + HOUR, "window"), NOON)
    assert decision.enrollment.due_at == NOON + HOUR
    assert decision.facts == (Event(Fact.REPLANNED, {"position": 0, "by": "window"}),)
    assert decide(paused(SITUATIONS["letter waiting"]), Postponed(NOON + HOUR, "window"), NOON).facts == ()
