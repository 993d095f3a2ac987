"""What answers show of an enrollment, and what holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drumbeat.domain.account import UserStatus
from drumbeat.domain.calendar import parse_windows
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.sequence import SequenceStatus, Split, Unsubscribing
from drumbeat.domain.timeline import Binding, Lifter
from drumbeat.operations.sequences import set_status
from drumbeat.operations.views import failure_reason_of, view
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import CUT, At
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def test_views_come_in_the_order_asked_for(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    made = [office.enroll(sequence, office.house.person(name)) for name in ("A", "B", "C")]
    with office.database.read() as snapshot:
        shown = view(snapshot, office.house.account_id, [made[2], made[0], made[1]])
        assert view(snapshot, office.house.account_id, []) == []
    assert [each.enrollment.id for each in shown] == [3, 1, 2]


def test_ab_shows_the_addressed_sequence_and_the_steps_that_run(office: Office) -> None:
    b = office.house.sequence(letter("1 hours"), letter("1 hours"), name="B", unsubscribing=Unsubscribing(False))
    a = office.house.sequence(letter("1 hours"), name="A", split=Split(b.id, 99))
    for number in range(5):
        enrolled = office.enroll(a, office.house.person(f"P{number}"))
        if enrolled.subject.runs_sequence_id == b.id:
            shown = office.house.view(enrolled.id)
            assert (shown.sequence.id, shown.sequence.name) == (a.id, "A")
            assert shown.sequence.unsubscribing.enabled
            assert len(shown.stages) == 2
            return
    raise AssertionError("B has 99 %")


def test_a_later_version_changes_nothing_for_who_runs_the_first(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    enrolled = office.enroll(sequence, office.house.person())
    office.house.sequence(letter(), name="Other")
    assert len(office.house.view(enrolled.id).stages) == 1


def test_reading_twice_shows_the_same_and_writes_nothing(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter("1 hours"), task("3 weekdays")), office.house.person())
    before = office.everything()
    assert office.house.view(enrolled.id) == office.house.view(enrolled.id)
    assert office.everything() == before


def test_estimates_chain_from_the_later_of_the_plan_and_now(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter("1 hours"), letter("2 hours")), office.house.person())
    start = office.clock.now
    first, second = office.house.view(enrolled.id).stages
    assert [first.estimated_at, second.estimated_at] == [start + timedelta(hours=1), start + timedelta(hours=3)]
    office.clock.advance(timedelta(hours=5))
    first, second = office.house.view(enrolled.id).stages
    assert [first.estimated_at, second.estimated_at] == [start + timedelta(hours=1), start + timedelta(hours=7)]
    assert (first.overdue, second.overdue) == (True, False)


def test_a_letter_is_overdue_after_fifteen_minutes_and_not_while_paused(office: Office) -> None:
    house, sequence = office.house, office.house.sequence(letter("1 hours"))
    enrolled = office.enroll(sequence, house.person())
    office.clock.advance(timedelta(hours=1, minutes=15))
    assert not house.view(enrolled.id).stages[0].overdue
    office.clock.advance(timedelta(seconds=1))
    assert house.view(enrolled.id).stages[0].overdue
    office.transact(lambda tx: set_status(tx, house.account_id, sequence.id, SequenceStatus.PAUSED, house.owner_id))
    stage = house.view(enrolled.id).stages[0]
    assert (stage.overdue, stage.estimated_at) == (False, None)


def test_a_failure_reason_shows_only_while_the_step_is_blocked(office: Office) -> None:
    office.sink.script = {At.DOT: CUT}
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    assert failure_reason_of(office.house.view(enrolled.id).stages[0]) is None
    office.later(minutes=11)
    assert failure_reason_of(office.house.view(enrolled.id).stages[0]) is FailureReason.UNKNOWN


def paused(office: Office) -> None:
    house = office.house
    office.transact(lambda tx: set_status(tx, house.account_id, 1, SequenceStatus.PAUSED, house.owner_id))


@pytest.mark.parametrize(
    ("cause", "binding", "lifter", "reason"),
    [
        (lambda o: None, Binding.DELAY, Lifter.TIME, None),
        (paused, Binding.SEQUENCE_PAUSED, Lifter.USER, None),
        (
            lambda o: o.set_account(sequences_enabled=False),
            Binding.SEQUENCES_DISABLED,
            Lifter.ADMIN,
            FailureReason.SENDOUT_DISABLED,
        ),
    ],
)
def test_what_holds_a_letter_that_is_not_due(
    office: Office, cause: Callable[[Office], None], binding: Binding, lifter: Lifter, reason: FailureReason | None
) -> None:
    enrolled = office.enroll(office.house.sequence(letter("1 hours")), office.house.person())
    cause(office)
    office.work()
    hold = office.why(enrolled.id)
    assert hold is not None
    assert (hold.binding, hold.lifter, hold.reason) == (binding, lifter, reason)
    if binding is Binding.DELAY:
        assert (hold.since, hold.until) == (office.clock.now, office.clock.now + timedelta(hours=1))


@pytest.mark.parametrize(
    ("cause", "binding", "lifter"),
    [
        (lambda o: o.set_user(o.house.owner_id, status=UserStatus.INACTIVE), Binding.ACTOR_INACTIVE, Lifter.ADMIN),
        (lambda o: o.set_user(o.house.owner_id, mailbox_id=None), Binding.NO_MAILBOX, Lifter.USER),
        (lambda o: o.set_mailbox(is_active=False), Binding.MAILBOX_OFF, Lifter.USER),
    ],
)
def test_what_holds_a_due_letter_is_what_blocks_it(
    office: Office, cause: Callable[[Office], None], binding: Binding, lifter: Lifter
) -> None:
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    cause(office)
    before = office.why(enrolled.id)
    assert before is not None
    assert (before.binding, before.lifter, before.reason) == (binding, lifter, FailureReason.SENDOUT_DISABLED)
    office.work()
    after = office.why(enrolled.id)
    assert after is not None
    assert (after.binding, after.lifter, after.reason) == (Binding.BLOCKED, lifter, FailureReason.SENDOUT_DISABLED)
    assert after.sentence == before.sentence


def test_a_window_holds_until_it_opens(office: Office) -> None:
    office.clock.now = datetime(2026, 3, 7, 12, tzinfo=UTC)
    sequence = office.house.sequence(letter(), windows=parse_windows(["Mon-Fri 09:00-17:00"]))
    enrolled = office.enroll(sequence, office.house.person())
    hold = office.why(enrolled.id)
    assert hold is not None
    assert (hold.binding, hold.until) == (Binding.WINDOW, datetime(2026, 3, 9, 9, tzinfo=UTC))


def test_a_retry_a_task_a_doubt_and_the_end_are_explained(office: Office) -> None:
    office.sink.script = {(At.RCPT, "ada"): "450 4.2.1 later", (At.DOT, "bob"): CUT}
    sequence = office.house.sequence(letter(), name="Letters")
    retried, doubtful = (office.enroll(sequence, office.house.person(name)).id for name in ("Ada", "Bob"))
    called = office.enroll(office.house.sequence(task(), name="Calls"), office.house.person("Cleo")).id
    office.work()
    told = [office.why(id) for id in (retried, doubtful, called)]
    assert [hold and hold.binding for hold in told] == [Binding.RETRY, Binding.IN_DOUBT, Binding.TASK_OPEN]
    office.sink.script = {}
    office.later(minutes=7)
    assert office.why(retried) is None


def test_a_held_mailbox_is_told_with_what_its_server_said(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    with opened(database, clock, tmp_path, credentials=("olive", "old")) as office:
        office.sink.credentials = ("olive", "new")
        sequence = office.house.sequence(letter())
        enrolled = office.enroll(sequence, office.house.person())
        office.work()
        hold = office.why(enrolled.id)
        assert hold is not None
        assert (hold.binding, hold.reason) == (Binding.BLOCKED, FailureReason.AUTH)
        assert "535" in hold.sentence
        assert hold.until == office.mailbox().held_until


def test_a_made_task_shows_its_own_text_and_a_planned_one_the_steps(office: Office) -> None:
    sequence = office.house.sequence(task(content="Call {{ person.first_name }}"), task("9 hours", "Write down why"))
    enrolled = office.enroll(sequence, office.house.person("Ada"))
    assert office.house.view(enrolled.id).task_contents == {}
    office.later()
    assert office.house.view(enrolled.id).task_contents == {0: "Call Ada"}
