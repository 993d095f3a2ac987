"""A mailbox's own limits and the account's allowance: who leaves when, and why not before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.calendar import parse_windows
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import State
from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.sequence import Sequence, Step
from drumbeat.domain.timeline import Binding, Lifter
from drumbeat.operations.accounts import change_account
from drumbeat.operations.deliveries import release
from drumbeat.operations.dispatch import claim
from drumbeat.operations.mailboxes import limit_mailbox
from drumbeat.store import accounts, turns
from drumbeat.store.database import Database
from drumbeat.store.stamps import from_stamp
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter as letter_of
from drumbeat.testing.sink import CUT, At, Do, Talk
from drumbeat.worker import Worker
from tests.operations.office import TOKEN, Office, opened


def letter() -> Step:
    """A letter that anybody can get, of whom only the address is known."""
    return letter_of(subject="Hello", text="Tea is ready.")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def limit(office: Office, **limits: Any) -> None:
    house = office.house
    office.transact(lambda tx: limit_mailbox(tx, house.account_id, house.mailbox_id, limits))


def allow(office: Office, letters: int | None) -> None:
    """What the account may send in a month."""

    def work(tx: Tx) -> None:
        account = accounts.get_account(tx, office.house.account_id)
        change_account(tx, replace(account, monthly_allowance=letters))

    office.transact(work)


def many(office: Office, count: int, sequence: Sequence | None = None) -> list[int]:
    """So many people enrolled, in order of their ids."""
    welcome = sequence or office.house.sequence(letter())
    found = office.execute(welcome, *(f"p{number:04d}@example.com" for number in range(count)))
    return [each.enrollment_id for each in found.results if each.enrollment_id is not None]


def run_through(office: Office, until: datetime) -> list[tuple[str, datetime]]:
    """Let time pass from one instant that matters to the next; who got a letter when."""
    sent: list[tuple[str, datetime]] = []
    while True:
        before = len(office.sink.letters)
        office.work()
        sent += [(each.recipient, office.clock()) for each in office.sink.letters[before:]]
        upcoming = office.count("SELECT coalesce(min(wake_at), 0) FROM lanes WHERE wake_at IS NOT NULL")
        if not upcoming or from_stamp(upcoming) > until:
            return sent
        office.clock.advance(max(from_stamp(upcoming) - office.clock(), timedelta(0)))


def due_at(office: Office, id: int) -> datetime:
    found = office.house.view(id).stages[0].estimated_at
    assert found is not None
    return found


def test_letters_leave_one_after_the_other_in_order_at_the_instants_shown_before(office: Office) -> None:
    limit(office, spacing=60)
    ids = many(office, 30)
    begins = office.clock()
    office.work()
    assert office.recipients() == ["p0000@example.com"]
    planned = [begins, *(due_at(office, id) for id in ids[1:])]
    assert planned == sorted(planned)
    assert timedelta(minutes=20) < planned[-1] - begins < timedelta(minutes=40)
    rest = run_through(office, begins + timedelta(hours=2))
    assert rest == [(f"p{number:04d}@example.com", planned[number]) for number in range(1, 30)]


def test_whoever_waits_for_a_turn_is_told_for_what_until_when_and_who_can_lift_it(office: Office) -> None:
    limit(office, per_day=1, spacing=90)
    first, second = many(office, 2)
    office.work()
    assert office.house.enrollment(first).state is State.FINISHED
    hold = office.why(second)
    assert hold is not None
    assert (hold.binding, hold.until, hold.lifter) == (Binding.PACE, due_at(office, second), Lifter.USER)
    assert hold.sentence == "The mailbox sends at most 1 a day, one every 90 seconds: this letter's turn is then."
    assert "replanned" in office.facts(second)
    assert office.house.enrollment(second).failure_reason is None


def test_caps_hold_by_the_hour_and_by_the_day(office: Office) -> None:
    limit(office, per_hour=4, per_day=10)
    many(office, 25)
    sent = run_through(office, office.clock() + timedelta(days=4))
    assert len(sent) == 25
    hours = [(at.date(), at.hour) for _, at in sent]
    days = [at.date() for _, at in sent]
    assert max(map(hours.count, hours)) == 4
    assert sorted(map(days.count, set(days)), reverse=True)[:2] == [10, 10]
    assert [address for address, _ in sent] == sorted(address for address, _ in sent)


def test_a_turn_lies_in_the_window_of_its_own_sequence_and_others_go_meanwhile(office: Office) -> None:
    limit(office, spacing=1800)
    lunch = office.house.sequence(letter(), name="Lunch", windows=parse_windows(["Tue 12:00-13:00"]))
    office.clock.advance(datetime(2026, 3, 3, 12, tzinfo=office.clock().tzinfo) - office.clock())
    late = many(office, 4, lunch)
    plain = office.enroll(office.house.sequence(letter(), name="Any"), office.house.person("Ada"))
    office.work()
    assert due_at(office, late[-1]) > office.clock() + timedelta(days=6)
    assert due_at(office, plain.id) < office.clock() + timedelta(hours=2)


def test_after_an_outage_the_oldest_leave_first_and_never_in_a_burst(office: Office) -> None:
    limit(office, spacing=600)
    ids = many(office, 20)
    office.work()
    office.clock.advance(timedelta(hours=2))  # eleven turns pass, and nobody takes them
    sent = run_through(office, office.clock() + timedelta(days=1))
    assert [address for address, _ in sent] == [f"p{number:04d}@example.com" for number in range(1, 20)]
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(sent)]
    assert min(gaps) >= timedelta(seconds=450)
    assert all(office.house.enrollment(id).state is State.FINISHED for id in ids)


def test_other_limits_give_other_turns_at_once(office: Office) -> None:
    limit(office, per_hour=1)
    ids = many(office, 5)
    office.work()
    assert due_at(office, ids[-1]) > office.clock() + timedelta(hours=3)
    limit(office, per_hour=3)
    office.work()
    assert len(office.recipients()) == 3
    assert due_at(office, ids[-1]) == office.clock() + timedelta(hours=1)
    limit(office, per_hour=None)
    office.work()
    assert len(office.recipients()) == 5


def test_a_slow_start_begins_today(office: Office) -> None:
    limit(office, ramp_from=2, per_day=100)
    many(office, 7)
    begins = office.clock()
    sent = run_through(office, begins + timedelta(days=5))
    days = [(at.date() - begins.date()).days for _, at in sent]
    assert [days.count(day) for day in range(4)] == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ({At.RCPT: Do(reply="550 5.1.1 no such user")}, 4),
        ({At.DOT: Do(reply="554 5.6.0 no")}, 4),
        ({At.DOT: CUT}, 3),
    ],
    ids=["refused at RCPT", "refused at the dot", "in doubt"],
)
def test_a_definite_refusal_gives_its_place_back_and_a_doubt_keeps_it(
    office: Office, script: dict[At, Do], left: int
) -> None:
    limit(office, per_hour=4)
    office.sink.script = script
    many(office, 1)
    office.work()
    office.sink.script = {}
    others = office.house.sequence(letter(), name="Others")
    office.execute(others, *(f"q{number}@example.com" for number in range(6)))
    before = len(office.sink.letters)
    office.work()
    assert len(office.sink.letters) - before == left


def test_a_letter_that_is_retried_waits_for_a_turn_of_its_own(office: Office) -> None:
    limit(office, per_hour=2)
    office.sink.script = {At.RCPT: Do(reply="451 4.7.1 later")}
    (id,) = many(office, 1)
    office.work()
    office.sink.script = {}
    office.execute(office.house.sequence(letter(), name="Others"), "a@example.com", "b@example.com")
    office.work()
    assert len(office.recipients()) == 2
    sent = run_through(office, office.clock() + timedelta(hours=3))
    assert [address for address, _ in sent] == ["p0000@example.com"]
    assert sent[0][1].minute == 0
    assert office.house.enrollment(id).state is State.FINISHED


def test_an_allowance_blocks_and_another_month_s_heals(office: Office) -> None:
    allow(office, 2)
    ids = many(office, 4)
    office.work()
    assert len(office.recipients()) == 2
    blocked = [office.house.enrollment(id) for id in ids[2:]]
    assert {each.failure_reason for each in blocked} == {FailureReason.QUOTA_EXCEEDED}
    hold = office.why(ids[3])
    assert hold is not None
    assert (hold.binding, hold.lifter, hold.reason) == (Binding.BLOCKED, Lifter.ADMIN, FailureReason.QUOTA_EXCEEDED)
    assert hold.until == datetime(2026, 4, 1, tzinfo=office.clock().tzinfo)
    # Nothing heals by itself more than a fortnight after its instant.
    office.clock.advance(datetime(2026, 3, 31, 23, 59, tzinfo=office.clock().tzinfo) - office.clock())
    late = office.execute(office.house.sequence(letter(), name="Late"), "late@example.com").results[0].enrollment_id
    office.work()
    assert late is not None
    assert office.house.enrollment(late).failure_reason is FailureReason.QUOTA_EXCEEDED
    office.later(minutes=1)
    assert office.house.enrollment(late).state is State.FINISHED
    assert office.house.enrollment(ids[3]).state is State.BLOCKED


def test_letters_given_back_untried_leave_their_place_to_the_next_claim(office: Office) -> None:
    limit(office, per_hour=3)
    many(office, 5)
    house = office.house
    for _ in range(3):
        taken = office.transact(
            lambda tx: claim(tx, house.world.identity, house.account_id, house.mailbox_id, limit=9, token=TOKEN)
        )
        assert len(taken.letters) == 3
        office.transact(lambda tx: release(tx, house.account_id, taken.letters, TOKEN))  # noqa: B023
    office.work()
    assert len(office.recipients()) == 3


def test_a_refusal_of_what_was_not_counted_counts_nothing(office: Office) -> None:
    account_id = office.house.account_id
    office.transact(lambda tx: turns.uncount_in(tx, account_id, 202603))
    assert office.transact(lambda tx: turns.count_in(tx, account_id, 202603, 1)) == 1
    for _ in range(3):
        office.transact(lambda tx: turns.uncount_in(tx, account_id, 202603))
    assert office.transact(lambda tx: turns.count_in(tx, account_id, 202603, 0)) == 0


@pytest.mark.parametrize("letters", [3, None])
def test_an_allowance_that_is_raised_heals_at_once(office: Office, letters: int | None) -> None:
    allow(office, 2)
    many(office, 4)
    office.work()
    allow(office, letters)
    office.work()
    assert len(office.recipients()) == (letters or 4)


def test_a_refused_letter_is_not_counted_against_the_allowance(office: Office) -> None:
    allow(office, 1)
    office.sink.script = {At.DOT: Do(reply="554 5.6.0 no")}
    many(office, 1)
    office.work()
    office.sink.script = {}
    office.execute(office.house.sequence(letter(), name="Others"), "a@example.com")
    office.work()
    assert office.recipients()[-1] == "a@example.com"


@pytest.mark.parametrize(
    ("limits", "field"),
    [({"per_day": 0}, "per_day"), ({"per_hour": 1_000_001}, "per_hour"), ({"ramp_from": -1}, "ramp_from"),
     ({"spacing": 86_401}, "spacing"), ({"spacing": -1}, "spacing")],
)  # fmt: skip
def test_a_limit_that_is_none_is_refused(office: Office, limits: dict[str, int], field: str) -> None:
    with pytest.raises(IncorrectValue) as refused:
        limit(office, **limits)
    assert refused.value.field == field


def test_no_more_letters_than_allowed_are_on_their_way_to_one_domain(office: Office) -> None:
    office.set_mailbox(connections=4)
    limit(office, per_domain=1)
    underway: set[tuple[str, int]] = set()
    most: dict[str, int] = {"big.example": 0, "small.example": 0}

    def script(at: At, talk: Talk) -> Do | None:
        domain = talk.recipient.partition("@")[2]
        if at is At.DATA:
            underway.add((domain, talk.number))
            most[domain] = max(most[domain], sum(each == domain for each, _ in underway))
        elif at is At.DOT:
            underway.discard((domain, talk.number))
            return Do(delay=0.01)
        return None

    office.sink.script = script
    addresses = [f"a{number}@{'big' if number % 4 else 'small'}.example" for number in range(40)]
    office.execute(office.house.sequence(letter()), *addresses)
    office.work()
    assert sorted(office.recipients()) == sorted(addresses)
    assert most == {"big.example": 1, "small.example": 1}
    limit(office, per_domain=None)
    office.execute(office.house.sequence(letter(), name="Again"), *addresses)
    office.work()
    assert most["big.example"] > 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_caps_hold_exactly_with_four_workers_that_end_and_begin(office: Office) -> None:
    limit(office, per_hour=7, per_day=40)
    office.set_mailbox(connections=4)
    many(office, 95)
    begins = office.clock()
    sent: list[datetime] = []
    while office.clock() < begins + timedelta(days=4):
        before = len(office.sink.letters)
        workers = [Worker(office.house.world) for _ in range(4)]
        threads = [threading.Thread(target=_work, args=[worker]) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for worker in workers:
            worker.close()
        sent += [office.clock()] * (len(office.sink.letters) - before)
        office.clock.advance(timedelta(minutes=20))
    hours = [(at.date(), at.hour) for at in sent]
    days = [at.date() for at in sent]
    assert len(sent) == 95
    assert max(map(hours.count, hours)) == 7
    assert max(map(days.count, days)) == 40


def _work(worker: Worker) -> None:
    for _ in range(20):
        if not worker.step():
            return
