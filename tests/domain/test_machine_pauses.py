"""A pause gives back the delay that was still to wait; another rhythm moves what waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from drumbeat.domain.event import Event, Fact
from drumbeat.domain.happening import (
    Accepted,
    Frozen,
    RhythmChanged,
    Thawed,
)
from drumbeat.domain.machine import decide
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
    windows = replace(waiting, plan=plan(letter("1 weekdays"), windows=["Fri 08:00-12:00"]))
    assert after(windows, RhythmChanged()).due_at == datetime(2026, 3, 6, 8, tzinfo=UTC)
    calendar = replace(waiting, plan=plan(letter("1 weekdays"), days_off=[NOON + DAY]))
    assert after(calendar, RhythmChanged()).due_at == NOON + 2 * DAY


def test_a_new_calendar_does_not_move_hours_or_what_is_under_way() -> None:
    hours = replace(enrolled(plan(letter("24 hours"))), plan=plan(letter("24 hours"), days_off=[NOON + DAY]))
    assert decide(hours, RhythmChanged(), NOON).enrollment is hours
    blocked = replace(SITUATIONS["letter blocked"], plan=plan(letter(), windows=OFFICE))
    assert decide(blocked, RhythmChanged(), NOON).enrollment is blocked


def test_new_windows_do_not_wake_a_paused_letter() -> None:
    frozen = paused(after(enrolled(plan(letter("1 hours"))), Frozen()))
    assert decide(frozen, RhythmChanged(), NOON).enrollment is frozen
