"""What holds an enrollment, since when, until when, and who can lift it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from drumbeat.domain.account import UserStatus
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.happening import Away, CannotSend, Deferred, Frozen, Postponed, Resumed
from drumbeat.domain.limits import Allowance
from drumbeat.domain.timeline import (
    Binding,
    Circumstances,
    Hold,
    Lifter,
    MailboxState,
    Quarantine,
    explain,
    hold_on_letter,
)
from tests.domain.runs import (
    ACCOUNT,
    ACTOR,
    CLEAR,
    DAY,
    HOUR,
    LETTER_FIRST,
    MAILBOX,
    MINUTE,
    NOON,
    OUT,
    SITUATIONS,
    after,
    enrolled,
    letter,
    plan,
    task,
)

OFFICE = ["Mon-Fri 09:00-17:00"]
NIGHT = datetime(2026, 3, 3, 20, tzinfo=UTC)
MORNING = datetime(2026, 3, 4, 9, tzinfo=UTC)
WAITING = enrolled(plan(letter(), windows=OFFICE))

PAUSED = replace(CLEAR, paused_at=NOON - HOUR)
SWITCHED_OFF = replace(CLEAR, account=replace(ACCOUNT, sequences_enabled=False))
INACTIVE = replace(CLEAR, actor=replace(ACTOR, status=UserStatus.INACTIVE))
WITHOUT = replace(CLEAR, mailbox=None)
OFF = replace(CLEAR, mailbox=MailboxState(4, is_active=False))
HELD = replace(CLEAR, mailbox=MailboxState(4, True, NOON - HOUR, NOON + HOUR, FailureReason.AUTH, "535 no."))
WAITS = replace(CLEAR, mailbox=MailboxState(4, True, None, NIGHT + HOUR))
UNPROVEN = replace(CLEAR, mailbox=MailboxState(4, is_active=True, is_unproven=True))
UNANSWERED = replace(CLEAR, mailbox=MailboxState(4, True, None, NIGHT + HOUR, None, "No answer.", is_unproven=True))
BOUNCED = replace(CLEAR, undeliverable="550 no such user.")
NAMELESS = replace(CLEAR, account=replace(ACCOUNT, postal_address=None), has_footer=True)
USED_UP = replace(CLEAR, allowance=Allowance(5, 6, NOON + 9 * DAY))
AWAY = replace(CLEAR, away_until=NIGHT + DAY)
STANDSTILL = replace(CLEAR, quarantine=Quarantine(NOON - DAY, "It was restored."))


def named(hold: Hold | None) -> tuple[object, ...]:
    assert hold is not None
    assert hold.sentence.endswith(".")
    return hold.binding, hold.since, hold.until, hold.lifter, hold.reason


# What the dispatcher asks before a letter leaves.


def test_a_letter_leaves_when_nothing_holds_it() -> None:
    assert hold_on_letter(WAITING, CLEAR, NOON) is None
    assert hold_on_letter(enrolled(LETTER_FIRST), CLEAR, NIGHT) is None


DISABLED = FailureReason.SENDOUT_DISABLED
HOLDS: list[tuple[Circumstances, tuple[object, ...]]] = [
    (PAUSED, (Binding.SEQUENCE_PAUSED, NOON - HOUR, None, Lifter.USER, None)),
    (SWITCHED_OFF, (Binding.SEQUENCES_DISABLED, NOON, None, Lifter.ADMIN, DISABLED)),
    (INACTIVE, (Binding.ACTOR_INACTIVE, NOON, None, Lifter.ADMIN, DISABLED)),
    (WITHOUT, (Binding.NO_MAILBOX, NOON, None, Lifter.USER, DISABLED)),
    (OFF, (Binding.MAILBOX_OFF, NOON, None, Lifter.USER, DISABLED)),
    (HELD, (Binding.MAILBOX_HELD, NOON - HOUR, NOON + HOUR, Lifter.USER, FailureReason.AUTH)),
    (WAITS, (Binding.MAILBOX_HELD, NOON, NIGHT + HOUR, Lifter.SERVER, None)),
    (UNPROVEN, (Binding.SENDER_UNKNOWN, NOON, None, Lifter.SERVER, None)),
    (UNANSWERED, (Binding.SENDER_UNKNOWN, NOON, NIGHT + HOUR, Lifter.SERVER, None)),
    (NAMELESS, (Binding.NO_POSTAL_ADDRESS, NOON, None, Lifter.ADMIN, DISABLED)),
    (BOUNCED, (Binding.UNDELIVERABLE, NOON, None, Lifter.USER, FailureReason.RECIPIENT_INVALID)),
    (USED_UP, (Binding.QUOTA, NOON, NOON + 9 * DAY, Lifter.ADMIN, FailureReason.QUOTA_EXCEEDED)),
    (AWAY, (Binding.AWAY, NOON, NIGHT + DAY, Lifter.TIME, None)),
    (CLEAR, (Binding.WINDOW, NOON, MORNING, Lifter.TIME, None)),
]


@pytest.mark.parametrize(("around", "expected"), HOLDS, ids=[f"{i} {hold[0]}" for i, (_, hold) in enumerate(HOLDS)])
def test_every_hold_says_what_since_when_until_when_and_who_can_lift_it(
    around: Circumstances, expected: tuple[object, ...]
) -> None:
    assert named(hold_on_letter(WAITING, around, NIGHT)) == expected


CHANGING = (
    "account", "actor", "mailbox", "paused_at", "undeliverable", "away_until", "allowance", "has_footer"
)  # fmt: skip


@settings(max_examples=100)
@given(st.sets(st.sampled_from(range(len(HOLDS) - 1))))
def test_of_several_holds_the_first_in_order_is_named(present: set[int]) -> None:
    around = CLEAR
    for index in sorted(present, reverse=True):
        circumstances = HOLDS[index][0]
        changed = {
            name: getattr(circumstances, name)
            for name in CHANGING
            if getattr(circumstances, name) != getattr(CLEAR, name)
        }
        around = replace(around, **changed)
    first = min(present, default=len(HOLDS) - 1)
    assert named(hold_on_letter(WAITING, around, NIGHT)) == HOLDS[first][1]


def test_a_removed_mailbox_is_told_from_one_that_is_off() -> None:
    removed = replace(CLEAR, mailbox=MailboxState(4, is_active=False, is_removed=True))
    assert named(hold_on_letter(WAITING, removed, NIGHT)) == named(hold_on_letter(WAITING, OFF, NIGHT))
    assert "was removed" in str(hold_on_letter(WAITING, removed, NIGHT))
    assert "is switched off" in str(hold_on_letter(WAITING, OFF, NIGHT))


def test_a_mailbox_held_for_a_reason_stays_held_until_somebody_lifts_it() -> None:
    assert hold_on_letter(WAITING, HELD, NOON + DAY) is not None


def test_a_mailbox_that_only_waits_is_free_at_the_end_of_it() -> None:
    waits = replace(CLEAR, mailbox=replace(MAILBOX, held_until=NOON))
    assert hold_on_letter(WAITING, waits, NOON) is None
    assert hold_on_letter(WAITING, waits, NOON - MINUTE) is not None


def test_a_sending_limit_is_lifted_by_the_server_in_time() -> None:
    limited = replace(CLEAR, mailbox=replace(MAILBOX, hold_reason=FailureReason.SENDOUT_LIMITED, held_until=MORNING))
    hold = hold_on_letter(WAITING, limited, NIGHT)
    assert hold is not None
    assert (hold.lifter, hold.until) == (Lifter.SERVER, MORNING)


def test_the_sentence_tells_what_the_world_said() -> None:
    unsaid = replace(CLEAR, mailbox=replace(MAILBOX, hold_reason=FailureReason.AUTH))
    for around, said in (
        (HELD, "held: 535 no."),
        (unsaid, "held: auth."),
        (BOUNCED, "550 no such user."),
        (INACTIVE, "Sal Seller is inactive"),
    ):
        hold = hold_on_letter(WAITING, around, NOON)
        assert hold is not None
        assert said in hold.sentence


def test_where_no_window_ever_opens_the_letter_leaves_as_it_was_planned() -> None:
    never = plan(letter(), windows=["Tue 12:00-13:00"], days_off=[NOON + n * 7 * DAY for n in range(120)])
    assert hold_on_letter(enrolled(never), CLEAR, NOON) is None


# What anybody may ask of an enrollment.


def test_nothing_holds_what_is_due_and_free_or_has_finished() -> None:
    assert explain(SITUATIONS["letter waiting"], CLEAR, NOON) is None
    assert explain(SITUATIONS["task waiting"], CLEAR, NOON) is None
    for name in ("finished", "finished, letter out", "finished, completed"):
        assert explain(SITUATIONS[name], PAUSED, NOON) is None


def test_a_due_letter_is_explained_by_what_the_dispatcher_asks() -> None:
    for around, _ in HOLDS:
        assert explain(WAITING, around, NIGHT) == hold_on_letter(WAITING, around, NIGHT)


def test_a_step_waits_for_its_delay() -> None:
    enrollment = enrolled(plan(letter("5 hours")))
    expected = (Binding.DELAY, NOON, NOON + 5 * HOUR, Lifter.TIME, None)
    assert named(explain(enrollment, CLEAR, NOON + HOUR)) == expected
    assert named(explain(enrolled(plan(task("5 hours"))), CLEAR, NOON)) == expected


def test_a_letter_waits_for_a_window_once_its_delay_is_over() -> None:
    enrollment = enrolled(plan(letter("6 hours"), windows=OFFICE))
    expected = (Binding.WINDOW, NOON + 6 * HOUR, MORNING, Lifter.TIME, None)
    assert named(explain(enrollment, CLEAR, NIGHT)) == expected


def test_a_letter_put_off_waits_for_its_next_try() -> None:
    enrollment = after(WAITING, Deferred(NOON + HOUR, "The server put off the recipient: 451 later."))
    hold = explain(enrollment, CLEAR, NOON)
    assert named(hold) == (Binding.RETRY, NOON, NOON + HOUR, Lifter.SERVER, None)
    assert hold is not None
    assert hold.sentence == "The server put off the recipient: 451 later. The next try follows by itself."


def test_a_letter_that_came_to_its_turn_outside_the_windows_waits_for_one_not_for_a_try() -> None:
    resumed = after(WAITING, CannotSend(FailureReason.AUTH, "535"), Resumed(), now=NIGHT)
    assert named(explain(resumed, CLEAR, NIGHT)) == (Binding.WINDOW, NOON, MORNING, Lifter.TIME, None)


def test_a_pause_holds_letters_and_tasks() -> None:
    expected = (Binding.SEQUENCE_PAUSED, NOON - HOUR, None, Lifter.USER, None)
    for name in ("letter waiting", "task waiting"):
        assert named(explain(after(SITUATIONS[name], Frozen()), PAUSED, NOON)) == expected


def test_after_a_pause_nothing_holds_what_is_about_to_be_planned() -> None:
    assert explain(after(WAITING, Frozen()), CLEAR, NOON) is None


PACED = structs.replace(WAITING, due_at=MORNING, has_turn=True)


def test_a_letter_waits_for_its_turn_at_the_mailbox() -> None:
    around = replace(CLEAR, mailbox=replace(MAILBOX, pace="at most 5 a day"))
    hold = explain(PACED, around, NOON)
    assert named(hold) == (Binding.PACE, NOON, MORNING, Lifter.USER, None)
    assert "sends at most 5 a day: this letter's turn" in str(hold)
    assert "at its own pace" in str(explain(PACED, CLEAR, NOON))


@pytest.mark.parametrize(
    "around",
    [
        replace(NAMELESS, has_footer=False),
        replace(NAMELESS, account=ACCOUNT),
        replace(NAMELESS, mailbox=replace(MAILBOX, is_catcher=True)),
    ],
)
def test_a_postal_address_is_asked_of_commercial_letters_that_really_leave(around: Circumstances) -> None:
    assert hold_on_letter(WAITING, around, NOON) is None


def test_an_allowance_with_something_left_holds_nothing() -> None:
    assert hold_on_letter(WAITING, replace(CLEAR, allowance=Allowance(5, 4, MORNING)), NOON) is None


def test_an_absence_holds_letters_until_it_ends_and_no_tasks() -> None:
    away = after(WAITING, Away(MORNING, 1))
    assert named(explain(away, replace(CLEAR, away_until=MORNING), NOON)) == (
        (Binding.AWAY, NOON, MORNING, Lifter.TIME, None)
    )
    assert hold_on_letter(WAITING, replace(CLEAR, away_until=NOON), NOON) is None
    later_task = enrolled(plan(task("5 hours")))
    assert named(explain(later_task, replace(CLEAR, away_until=MORNING), NOON))[0] is Binding.DELAY


def test_an_absence_that_ends_before_the_delay_does_holds_nothing() -> None:
    enrollment = enrolled(plan(letter("5 hours")))
    around = replace(CLEAR, away_until=NOON + HOUR)
    assert named(explain(enrollment, around, NOON))[0] is Binding.DELAY


def test_sequences_switched_off_hold_letters_and_no_tasks() -> None:
    assert named(explain(WAITING, SWITCHED_OFF, NOON))[0] is Binding.SEQUENCES_DISABLED
    assert explain(SITUATIONS["task waiting"], SWITCHED_OFF, NOON) is None


def test_what_is_under_way_waits_for_the_server_or_the_user() -> None:
    assert named(explain(SITUATIONS["letter out"], CLEAR, NOON)) == (
        (Binding.TRANSMITTING, NOON, None, Lifter.SERVER, None)
    )
    assert named(explain(SITUATIONS["task open"], CLEAR, NOON)) == (Binding.TASK_OPEN, NOON, None, Lifter.USER, None)


@pytest.mark.parametrize(
    ("name", "reason", "choice"),
    [
        ("letter in doubt", None, "send it again"),
        ("doubt blocked", FailureReason.UNKNOWN, "send it again"),
        ("finished, in doubt", None, "count it as not sent"),
    ],
)
def test_a_doubt_is_the_users_to_settle(name: str, reason: FailureReason | None, choice: str) -> None:
    hold = explain(SITUATIONS[name], CLEAR, NOON)
    assert named(hold) == (Binding.IN_DOUBT, NOON, None, Lifter.USER, reason)
    assert hold is not None
    assert choice in hold.sentence


def blocked(reason: FailureReason, detail: str = "535 no.") -> Enrollment:
    return after(enrolled(LETTER_FIRST), OUT, CannotSend(reason, detail))


def test_a_block_says_what_the_world_said() -> None:
    hold = explain(blocked(FailureReason.RECIPIENT_INVALID, "550 no such user."), CLEAR, NOON + HOUR)
    assert named(hold) == (Binding.BLOCKED, NOON, None, Lifter.USER, FailureReason.RECIPIENT_INVALID)
    assert hold is not None
    assert hold.sentence == "550 no such user."


def test_a_block_without_a_detail_names_its_reason() -> None:
    hold = explain(blocked(FailureReason.QUOTA_EXCEEDED, ""), CLEAR, NOON)
    assert hold is not None
    assert hold.sentence == "quota_exceeded"


def test_a_block_whose_cause_still_stands_says_until_when_and_who_can_lift_it() -> None:
    hold = explain(blocked(FailureReason.AUTH), HELD, NOON)
    assert named(hold) == (Binding.BLOCKED, NOON, NOON + HOUR, Lifter.USER, FailureReason.AUTH)
    disabled = explain(blocked(DISABLED), INACTIVE, NOON)
    assert named(disabled) == (Binding.BLOCKED, NOON, None, Lifter.ADMIN, DISABLED)
    another = explain(blocked(FailureReason.RECIPIENT_INVALID), INACTIVE, NOON)
    assert named(another)[3] is Lifter.USER


def test_a_step_put_aside_after_an_error_says_so_and_not_that_a_window_is_closed() -> None:
    for waiting in (WAITING, SITUATIONS["task waiting"]):
        aside = after(waiting, Postponed(NOON + HOUR, Binding.ERROR))
        assert named(explain(aside, CLEAR, NOON)) == (Binding.ERROR, NOON, NOON + HOUR, Lifter.ADMIN, None)
    closed = after(WAITING, Postponed(MORNING, Binding.WINDOW), now=NIGHT)
    assert named(explain(closed, CLEAR, NIGHT)) == (Binding.WINDOW, NOON, MORNING, Lifter.TIME, None)


def test_in_quarantine_what_is_due_waits_for_the_operator() -> None:
    for waiting in (WAITING, SITUATIONS["task waiting"]):
        hold = explain(waiting, STANDSTILL, NOON)
        assert named(hold) == (Binding.QUARANTINE, NOON - DAY, None, Lifter.OPERATOR, None)
        assert hold is not None
        assert hold.sentence == "Nothing is sent: It was restored. An operator ends that with `drumbeat reconcile`."
    later = explain(enrolled(plan(letter("5 hours"))), STANDSTILL, NOON)
    assert named(later)[0] is Binding.DELAY


def test_every_binding_is_reached_by_a_test_above() -> None:
    asked = [
        *(hold_on_letter(WAITING, around, NIGHT) for around, _ in HOLDS),
        *(explain(each, CLEAR, NOON) for each in SITUATIONS.values()),
        explain(enrolled(plan(letter("5 hours"))), CLEAR, NOON),
        explain(after(WAITING, Deferred(NOON + HOUR, "451")), CLEAR, NOON),
        explain(after(WAITING, Postponed(NOON + HOUR, Binding.ERROR)), CLEAR, NOON),
        explain(PACED, CLEAR, NOON),
        explain(WAITING, STANDSTILL, NOON),
    ]
    assert {hold.binding for hold in asked if hold is not None} == set(Binding)
