"""Sequences and their versions: which take enrollments, and how their enrollments are timed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drumbeat.domain.calendar import NO_HOLIDAYS, Holidays, Rhythm, parse_windows
from drumbeat.domain.sequence import ActionType, Sequence, SequenceStatus, Split, Unsubscribing, Version, WindowZone
from tests.domain.runs import NOON, letter, task

WINDOWS = parse_windows(["Mon-Fri 09:00-17:00"])
SEQUENCE = Sequence(1, 1, "Tea", SequenceStatus.ACTIVE, creator_id=2, version=1, steps_total=2, windows=WINDOWS)


def test_a_step_sends_a_letter_or_opens_a_task() -> None:
    assert letter().is_letter
    assert not task().is_letter
    assert set(ActionType) == {"automated_email", "task"}


def test_a_version_has_letters_if_any_step_is_one() -> None:
    assert Version(1, 1, 1, (task(), letter())).has_letters
    assert not Version(1, 1, 1, (task(), task())).has_letters
    assert not Version(1, 1, 1, ()).has_letters


@pytest.mark.parametrize("status", SequenceStatus)
def test_only_an_active_sequence_takes_enrollments(status: SequenceStatus) -> None:
    assert replace(SEQUENCE, status=status).takes_enrollments == (status is SequenceStatus.ACTIVE)


def test_a_sequence_without_steps_takes_none() -> None:
    assert not replace(SEQUENCE, steps_total=0).takes_enrollments


def test_the_zone_is_the_enrollments_and_windows_and_holidays_are_the_sequences() -> None:
    days_off = Holidays(days=frozenset({NOON.date()}))
    rhythm = replace(SEQUENCE, holidays=days_off).rhythm("Europe/Berlin", "Asia/Tokyo")
    assert rhythm == Rhythm("Europe/Berlin", days_off, WINDOWS)


def test_windows_may_be_read_on_the_recipients_clock_else_on_the_sequences() -> None:
    of_recipient = replace(SEQUENCE, window_zone=WindowZone.RECIPIENT)
    assert of_recipient.rhythm("Europe/Berlin", "Asia/Tokyo").window_zone == "Asia/Tokyo"
    assert of_recipient.rhythm("Europe/Berlin", None).window_zone is None


def test_a_sequence_starts_with_a_footer_and_without_windows_holidays_or_a_test() -> None:
    plain = Sequence(1, 1, "Tea", SequenceStatus.DRAFT, creator_id=2, version=0, steps_total=0)
    assert plain.unsubscribing == Unsubscribing(enabled=True, locale="en-US")
    assert (plain.windows, plain.holidays, plain.split) == ((), NO_HOLIDAYS, None)
    assert replace(plain, split=Split(2, 30)).split == Split(variant_b_id=2, share=30)
