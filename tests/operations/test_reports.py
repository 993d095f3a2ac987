"""What sequences brought: counted by the worker per day and step, read over a period, compared between variants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment, FinishedReason
from drumbeat.domain.happening import Bounced, CannotSend, EnrollmentEvent, FinishRequested
from drumbeat.domain.sequence import Sequence, Split
from drumbeat.domain.variant import Variant
from drumbeat.operations.changes import apply
from drumbeat.operations.doubts import count_as_sent
from drumbeat.operations.reports import DAY_SECONDS, Measure, Report, experiment, report
from drumbeat.operations.sequence_counts import Tallied, tally_of, tally_sequences
from drumbeat.operations.tasks import complete
from drumbeat.store import enrollments, events, sequences
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import CUT, At
from tests.operations.office import Office, opened

REPLIED = FinishRequested(FinishedReason.REPLIED_TO_EMAIL)
UNSUBSCRIBED = FinishRequested(FinishedReason.SUBSCRIPTION_CANCELLED)
REFUSED = CannotSend(FailureReason.RECIPIENT_INVALID, "550 no")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def let(office: Office, enrollment: Enrollment, event: EnrollmentEvent) -> None:
    """Let something happen to an enrollment."""

    def work(tx: Tx) -> None:
        (locked,) = enrollments.lock(tx, office.house.account_id, [enrollment.id])
        apply(tx, locked, event)

    office.transact(work)


def made(office: Office, *some: Sequence, days: int = 7) -> Report:
    """The report of some sequences over so many days."""
    with office.database.read() as snapshot:
        return report(snapshot, office.house.account_id, [each.id for each in some], days)


def told(counts: dict[Measure, int]) -> dict[str, int]:
    """What is not nothing."""
    return {measure.value: count for measure, count in counts.items() if count}


def enrolled(office: Office, sequence: Sequence, *names: str) -> list[Enrollment]:
    """People of these names, enrolled."""
    return [office.enroll(sequence, office.house.person(name)) for name in names]


def test_what_happens_is_counted_for_its_day_and_its_step(office: Office) -> None:
    welcome = office.house.sequence(letter(), letter("1 hours"), letter("24 hours"))
    ada, bob, cem = enrolled(office, welcome, "Ada", "Bob", "Cem")
    office.work()
    let(office, cem, REFUSED)
    office.later(hours=1)
    let(office, ada, Bounced(0, permanent=False, detail="later", message_id=1))
    office.later(hours=13)
    let(office, bob, REPLIED)
    office.work()
    found = made(office, welcome)
    monday = int(datetime(2026, 3, 3, tzinfo=UTC).timestamp()) // DAY_SECONDS
    assert (found.first_day, found.last_day) == (monday - 5, monday + 1)
    assert {day: told(counts) for day, counts in found.days.items()} == {
        monday: {"sent": 5, "bounced": 1, "blocked": 1},
        monday + 1: {"replied": 1},
    }
    assert {step: told(counts) for step, counts in found.steps.items()} == {
        ("", 0): {"sent": 3, "bounced": 1},
        ("", 1): {"sent": 2, "replied": 1, "blocked": 1},
    }
    assert told(found.total) == {"sent": 5, "bounced": 1, "blocked": 1, "replied": 1}


def test_whoever_ends_reacts_to_the_last_step_that_was_done(office: Office) -> None:
    calls = office.house.sequence(task(), letter("1 hours"))
    ada, bob, cem = enrolled(office, calls, "Ada", "Bob", "Cem")
    let(office, cem, UNSUBSCRIBED)
    office.work()
    for each in (ada, bob):
        task_id = office.house.enrollment(each.id).task_id or 0
        office.transact(lambda tx, id=task_id: complete(tx, office.house.account_id, id))  # type: ignore[misc]
    let(office, bob, UNSUBSCRIBED)
    office.later(hours=1)
    let(office, ada, REPLIED)
    office.work()
    found = made(office, calls)
    # Before any step was done it counts for the first one.
    assert told(found.steps["", 0]) == {"unsubscribed": 2}
    assert told(found.steps["", 1])["sent"] == 1


def test_a_letter_that_was_counted_as_sent_was_sent(office: Office) -> None:
    welcome = office.house.sequence(letter())
    (ada,) = enrolled(office, welcome, "Ada")
    office.sink.script = {At.DOT: CUT}
    office.work()
    assert told(made(office, welcome).total) == {}
    office.transact(lambda tx: count_as_sent(tx, office.house.account_id, ada.id, office.house.owner_id))
    office.work()
    assert told(made(office, welcome).total) == {"sent": 1}
    with office.database.read() as snapshot:
        assert tally_of(snapshot, welcome) == Tallied(enrolled=1, finished=1, sent=1)


def test_a_period_begins_with_its_first_day_and_has_its_own_sequences_alone(office: Office) -> None:
    welcome, other = office.house.sequence(letter()), office.house.sequence(letter(), name="Other")
    enrolled(office, welcome, "Ada")
    enrolled(office, other, "Bob", "Cem")
    office.work()
    assert told(made(office, welcome, other).total) == {"sent": 3}
    assert told(made(office, other).total) == {"sent": 2}
    assert told(made(office).total) == {}
    office.later(days=6)
    assert told(made(office, welcome, days=7).total) == {"sent": 1}
    office.later(hours=14)
    assert told(made(office, welcome, days=7).total) == {}
    assert told(made(office, welcome, days=8).total) == {"sent": 1}


def test_what_was_counted_is_counted_once(office: Office) -> None:
    welcome, account_id = office.house.sequence(letter()), office.house.account_id
    enrolled(office, welcome, "Ada", "Bob")
    with office.database.read() as snapshot:
        assert not events.are_counted(snapshot, account_id)
        assert tally_of(snapshot, welcome) == Tallied()
    assert office.transact(lambda tx: events.count_untold(tx, account_id, 1)) == 1
    with office.database.read() as snapshot:
        assert tally_of(snapshot, welcome) == Tallied(enrolled=1)
    assert office.transact(lambda tx: events.count_untold(tx, account_id, 9)) == 1
    assert office.transact(lambda tx: events.count_untold(tx, account_id, 9)) == 0
    office.work()
    with office.database.read() as snapshot:
        assert events.are_counted(snapshot, account_id)
        assert tally_of(snapshot, welcome) == Tallied(enrolled=2, finished=2, sent=2)
        rows = events.step_counts(snapshot, account_id, [welcome.id], 0)
        assert sorted((row.position, row.fact, int(row.total)) for row in rows) == [
            (0, "enrolled", 2),
            (0, "finished:all_steps_completed", 2),
            (0, "letter_sent", 2),
        ]


def test_a_tally_says_how_runs_stand_and_how_they_ended(office: Office) -> None:
    welcome, other = office.house.sequence(letter(), letter("1 hours")), office.house.sequence(letter(), name="Other")
    ada, bob, cem, dee, _ = enrolled(office, welcome, "Ada", "Bob", "Cem", "Dee", "Eve")
    office.work()
    for each, event in (
        (ada, REPLIED),
        (bob, UNSUBSCRIBED),
        (cem, FinishRequested(FinishedReason.MANUAL, office.house.owner_id)),
        (dee, REFUSED),
    ):
        let(office, each, event)
    office.work()
    stands = Tallied(enrolled=5, finished=3, replied=1, unsubscribed=1, sent=5, blocked=1)
    assert (stands.ongoing, stands.active) == (2, 1)
    with office.database.read() as snapshot:
        assert tally_of(snapshot, welcome) == stands
        assert tally_of(snapshot, other) == Tallied()
        assert tally_sequences(snapshot, office.house.account_id) == {welcome.id: stands}


def test_variants_are_told_apart_and_what_was_before_the_test_is_neither(office: Office) -> None:
    house = office.house
    b = house.sequence(letter(), name="B")
    a = house.sequence(letter(), name="A", split=Split(b.id, 50))
    runs = enrolled(office, a, *(f"P{number:02}" for number in range(20)))
    office.work()
    by_variant = {v: sum(each.subject.variant is v for each in runs) for v in Variant}
    found = made(office, a)
    assert {variant: counts[Measure.SENT] for (variant, _), counts in found.steps.items()} == by_variant
    assert told(made(office, b).total) == {}
    with office.database.read() as snapshot:
        assert experiment(snapshot, b) is None
        test = experiment(snapshot, sequences.get(snapshot, house.account_id, a.id))
    assert test is not None
    assert (test.a.variant, test.b.variant, test.share) == (Variant.A, Variant.B, 50)
    assert (test.a.enrolled, test.b.enrolled) == (by_variant[Variant.A], by_variant[Variant.B])
    assert (test.finding.better, test.finding.is_skewed) == (None, False)


def test_another_account_s_counts_are_not_ours(office: Office) -> None:
    welcome = office.house.sequence(letter())
    enrolled(office, welcome, "Ada")
    office.work()
    with office.database.read() as snapshot:
        theirs = report(snapshot, office.house.account_id + 1, [welcome.id], 7)
        assert told(theirs.total) == {}
        assert tally_sequences(snapshot, office.house.account_id + 1) == {}


def test_a_long_report_is_as_of_today(office: Office) -> None:
    office.clock.advance(timedelta(hours=13, minutes=59))
    found = made(office, days=365)
    assert found.last_day - found.first_day == 364
    assert datetime.fromtimestamp(found.last_day * DAY_SECONDS, UTC).date() == office.clock().date()
