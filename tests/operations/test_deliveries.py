"""What becomes of letters: leases, doubts and their evidence, late answers, and a commit that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.delivery import FailureReason, Outcome, Reply, Stage
from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, State
from drumbeat.operations.deliveries import (
    Answered,
    commit_turn,
    renew_leases,
)
from drumbeat.operations.dispatch import ClaimedLetter, claim
from drumbeat.operations.doubts import count_as_sent
from drumbeat.operations.enrollments import finish_ongoing
from drumbeat.operations.unsubscribes import unsubscribe
from drumbeat.store.database import Database
from drumbeat.store.deliveries import Key
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import At, Talk
from tests.operations.office import TOKEN, Office, opened

SHA256 = "0" * 64


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def one(office: Office, *more: str) -> Enrollment:
    """Ada's enrollment, with one letter more for each delay given."""
    sequence = office.house.sequence(letter(), *(letter(after) for after in more))
    return office.enroll(sequence, office.house.person("Ada"))


def held(office: Office, token: str = TOKEN) -> ClaimedLetter:
    """The one letter that is due, claimed."""
    house = office.house
    brought = office.transact(
        lambda tx: claim(tx, house.world.identity, house.account_id, house.mailbox_id, limit=9, token=token)
    )
    (only,) = brought.letters
    return only


def passes(office: Office, letter: ClaimedLetter, token: str = TOKEN) -> bool:
    """Whether the letter may have its dot."""
    return letter.delivery.key in turn(office, [], [(letter, SHA256)], token)


def answers(office: Office, letter: ClaimedLetter, code: int, enhanced: str | None = None) -> None:
    """The server answers the dot."""
    outcome = Outcome(letter.delivery.key, Stage.DOT, Reply(code, enhanced, "said"))
    turn(office, [Answered(letter, outcome)], [], TOKEN)


def turn(
    office: Office, answered: list[Answered], ready: list[tuple[ClaimedLetter, str]], token: str
) -> frozenset[Key]:
    """One commit of a worker."""
    house = office.house
    return office.transact(lambda tx: commit_turn(tx, house.account_id, house.mailbox_id, answered, ready, token=token))


def test_a_lease_that_runs_out_before_the_point_of_no_return_gives_the_letter_back(office: Office) -> None:
    enrolled = one(office)
    first = held(office)
    office.clock.advance(timedelta(seconds=30, microseconds=1))
    assert office.worker.tending.step()
    assert office.delivered(enrolled.id) == ["queued"]
    assert not passes(office, first)
    office.work()
    assert len(office.sink.letters) == 1
    assert office.mail()["Message-ID"] == first.frozen.message_id


def test_a_lease_renewed_in_time_lasts(office: Office) -> None:
    enrolled = one(office)
    first = held(office)
    for _ in range(4):
        office.clock.advance(timedelta(seconds=25))
        office.transact(lambda tx: renew_leases(tx, office.house.account_id, [first], TOKEN))
        office.work()
    assert office.delivered(enrolled.id) == ["claimed"]
    assert passes(office, first)


def test_a_lease_that_ran_out_passes_nothing_though_nobody_reaped_it(office: Office) -> None:
    one(office)
    first = held(office)
    office.clock.advance(timedelta(seconds=30))
    assert not passes(office, first)


def test_a_lease_that_runs_out_after_the_point_of_no_return_is_a_doubt_and_never_sent_again(office: Office) -> None:
    enrolled = one(office)
    assert passes(office, held(office))
    office.later(seconds=31)
    doubt = office.house.enrollment(enrolled.id)
    assert (doubt.state, doubt.status, doubt.in_doubt) == (State.ACTIVE, ActionStatus.IN_PROGRESS, True)
    office.later(minutes=10, seconds=1)
    blocked = office.house.enrollment(enrolled.id)
    assert (blocked.state, blocked.failure_reason) == (State.BLOCKED, FailureReason.UNKNOWN)
    office.later(days=3)
    assert office.sink.letters == []


@pytest.mark.parametrize("wait", [timedelta(seconds=31), timedelta(minutes=11)])
def test_a_late_yes_settles_what_the_reaper_called_unknown(office: Office, wait: timedelta) -> None:
    enrolled = one(office, "1 hours")
    out = held(office)
    assert passes(office, out)
    office.later(seconds=31)
    office.clock.advance(wait)
    office.work()
    assert office.delivered(enrolled.id) == ["unknown"]
    answers(office, out, 250)
    now = office.house.enrollment(enrolled.id)
    assert (now.state, now.position, now.in_doubt) == (State.ACTIVE, 1, False)
    assert office.delivered(enrolled.id) == ["accepted"]


def test_a_late_yes_settles_a_finished_run_too(office: Office) -> None:
    enrolled = one(office)
    out = held(office)
    assert passes(office, out)
    office.later(seconds=31)
    office.set_state(enrolled.id, State.FINISHED)
    answers(office, out, 250)
    now = office.house.enrollment(enrolled.id)
    assert (now.state, now.status) == (State.FINISHED, ActionStatus.COMPLETED)
    assert now.finished_reason is FinishedReason.MANUAL


def test_a_late_no_settles_it_as_refused_with_all_it_means(office: Office) -> None:
    enrolled = one(office)
    out = held(office)
    assert passes(office, out)
    office.later(seconds=31)
    answers(office, out, 550, "5.4.5")
    now = office.house.enrollment(enrolled.id)
    assert (now.state, now.failure_reason, now.in_doubt) == (State.BLOCKED, FailureReason.SENDOUT_LIMITED, False)
    assert office.mailbox().hold_reason == "sendout_limited"
    office.later(minutes=1)
    assert len(office.sink.letters) == 1


def test_a_late_answer_changes_nothing_once_a_person_counted_it_as_sent(office: Office) -> None:
    enrolled = one(office, "1 hours")
    out = held(office)
    assert passes(office, out)
    office.later(seconds=31)
    house = office.house
    office.transact(lambda tx: count_as_sent(tx, house.account_id, enrolled.id, house.owner_id))
    before = house.enrollment(enrolled.id)
    answers(office, out, 250)
    answers(office, out, 554)
    assert house.enrollment(enrolled.id) == before
    assert office.delivered(enrolled.id) == ["accepted"]


def test_the_same_answer_committed_twice_counts_once(office: Office) -> None:
    enrolled = one(office, "0 hours", "0 hours")
    out = held(office)
    assert passes(office, out)
    answers(office, out, 250)
    before = office.everything()
    answers(office, out, 250)
    assert office.everything() == before
    assert office.house.enrollment(enrolled.id).position == 1


def by_hand(office: Office, id: int) -> None:
    office.set_state(id, State.FINISHED)


def by_resource(office: Office, id: int) -> None:
    house, subject = office.house, office.house.enrollment(id).subject
    office.transact(
        lambda tx: finish_ongoing(tx, house.account_id, subject.resource_type, subject.resource_id, [], house.owner_id)
    )


def by_unsubscribing(office: Office, id: int) -> None:
    office.transact(lambda tx: unsubscribe(tx, office.house.account_id, id, evidence="one-click"))


STOPS = [by_hand, by_resource, by_unsubscribing]


@pytest.mark.parametrize("stop", STOPS)
def test_a_letter_that_is_out_when_its_run_ends_is_completed_when_it_is_accepted(
    office: Office, stop: Callable[[Office, int], None]
) -> None:
    enrolled = one(office, "1 hours")
    during: list[Enrollment] = []

    def script(at: At, talk: Talk) -> None:
        if at is At.DOT:
            stop(office, enrolled.id)
            during.append(office.house.enrollment(enrolled.id))

    office.sink.script = script
    office.work()
    assert (during[0].state, during[0].status) == (State.FINISHED, ActionStatus.IN_PROGRESS)
    done = office.house.enrollment(enrolled.id)
    assert (done.state, done.finished_reason) == (State.FINISHED, during[0].finished_reason)
    stages = office.house.view(enrolled.id).stages
    assert [stage.status for stage in stages] == [ActionStatus.COMPLETED, ActionStatus.CANCELLED]
    assert len(office.sink.letters) == 1


def test_a_letter_that_is_out_when_its_run_ends_is_cancelled_when_it_is_refused(office: Office) -> None:
    for answer in ("554 5.6.0 no", "451 4.3.0 later"):
        enrolled = office.enroll(
            office.house.sequence(letter(), name=answer), office.house.person(answer[:3], "a@example.com")
        )

        def script(at: At, talk: Talk, id: int = enrolled.id, answer: str = answer) -> str | None:
            if at is At.DOT:
                by_hand(office, id)
                return answer
            return None

        office.sink.script = script
        office.work()
        done = office.house.enrollment(enrolled.id)
        assert (done.state, done.status) == (State.FINISHED, ActionStatus.CANCELLED)
        office.later(hours=2)
    assert office.sink.letters == []


@pytest.mark.parametrize("stop", STOPS)
def test_a_letter_on_its_way_to_the_server_gets_no_dot_after_the_end(
    office: Office, stop: Callable[[Office, int], None]
) -> None:
    enrolled = one(office)

    def script(at: At, talk: Talk) -> None:
        if at is At.DATA:
            stop(office, enrolled.id)

    office.sink.script = script
    office.work()
    assert office.sink.letters == []
    assert all(b"\r\n.\r\n" not in talk.wire for talk in office.sink.talks)
    assert office.delivered(enrolled.id) == ["refused"]
    assert office.house.enrollment(enrolled.id).status is ActionStatus.CANCELLED


@pytest.mark.parametrize(
    "cause",
    [
        lambda o: o.set_mailbox(is_active=False),
        lambda o: o.set_account(sequences_enabled=False),
        lambda o: o.run("UPDATE users SET status = 'inactive'"),
    ],
)
def test_a_switch_turned_off_while_the_letter_is_on_its_way_holds_the_dot(
    office: Office, cause: Callable[[Office], None]
) -> None:
    enrolled = one(office)

    def script(at: At, talk: Talk) -> None:
        if at is At.DATA:
            cause(office)

    office.sink.script = script
    office.work()
    assert office.sink.letters == []
    blocked = office.house.enrollment(enrolled.id)
    assert (blocked.state, blocked.failure_reason) == (State.BLOCKED, FailureReason.SENDOUT_DISABLED)


def test_an_address_changed_while_its_letter_is_on_the_way_gets_one_of_its_own(office: Office) -> None:
    ada = office.house.person("Ada")
    office.enroll(office.house.sequence(letter()), ada)
    moved: list[bool] = []

    def script(at: At, talk: Talk) -> None:
        if at is At.DATA and not moved:
            moved.append(True)
            office.change(ada, email="new@example.com")

    office.sink.script = script
    office.work()
    assert office.recipients() == ["new@example.com"]


def test_a_point_of_no_return_that_cannot_be_recorded_leads_to_no_dot(office: Office) -> None:
    enrolled = one(office)
    dots: list[bool] = []
    if office.database.is_sqlite:
        office.run(
            "CREATE TRIGGER full_disk BEFORE UPDATE ON deliveries WHEN NEW.status = 'transmitting' "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    else:
        office.run(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'disk is full'; END $$"
        )
        office.run(
            "CREATE TRIGGER full_disk BEFORE UPDATE ON deliveries FOR EACH ROW "
            "WHEN (NEW.status = 'transmitting') EXECUTE FUNCTION full_disk()"
        )

    def script(at: At, talk: Talk) -> None:
        if at is At.DOT:
            dots.append(True)
        if at is At.DATA and talk.number == 2:
            office.run("DROP TRIGGER full_disk" + ("" if office.database.is_sqlite else " ON deliveries"))

    office.sink.script = script
    assert office.worker.step()
    office.work()
    assert office.sink.talks[0].letters == 0
    assert b"\r\n.\r\n" not in office.sink.talks[0].wire
    assert len(dots) == len(office.sink.letters) == 1
    assert office.delivered(enrolled.id) == ["accepted"]
    assert office.house.enrollment(enrolled.id).state is State.FINISHED
