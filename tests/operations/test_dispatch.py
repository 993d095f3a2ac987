"""What is due leaves its lane: claimed, moved, held, opened or blocked; and nothing goes round in circles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drumbeat.domain.calendar import parse_windows
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.sequence import Sequence, SequenceStatus, WindowZone
from drumbeat.domain.timeline import Binding
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.deliveries import commit_turn, release
from drumbeat.operations.dispatch import Claim, claim
from drumbeat.operations.sequences import carry_replan, set_status
from drumbeat.operations.tasks import complete
from drumbeat.store import lanes, people, replans, unsubscribes
from drumbeat.store.database import Database
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import At
from tests.operations.office import TOKEN, Office, opened

SHA256 = "0" * 64

OTHER_TOKEN = "fedcba9876543210"


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def claimed(office: Office, token: str = TOKEN, lane: int | None = None, limit: int = 100) -> Claim:
    """Claim from the owner's lane."""
    house = office.house
    lane_id = house.mailbox_id if lane is None else lane
    return office.transact(
        lambda tx: claim(tx, house.world.identity, house.account_id, lane_id, limit=limit, token=token)
    )


def status(office: Office, sequence: Sequence, status: SequenceStatus, *, carry: bool = True) -> None:
    """Set a sequence's status, and carry it to who runs it."""
    house = office.house
    office.transact(lambda tx: set_status(tx, house.account_id, sequence.id, status, house.owner_id))
    while carry:
        with office.database.read() as snapshot:
            replan = replans.find_next(snapshot)
        if replan is None:
            return
        office.transact(lambda tx, r=replan: carry_replan(tx, r))  # type: ignore[misc]


def test_a_letter_is_born_claimed_with_a_lease(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    brought = claimed(office)
    assert brought.taken == 1
    (stored,) = office.deliveries(enrolled.id)
    assert stored == brought.letters[0].delivery
    assert (stored.status, stored.lease_token) == ("claimed", TOKEN)
    assert stored.lease_until == office.clock.now + timedelta(seconds=30)
    assert office.leased() == 1
    assert claimed(office, OTHER_TOKEN).taken == 0


def test_the_enrollment_is_bound_to_the_mailbox_whose_dot_its_first_letter_got(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    (held,) = claimed(office).letters
    assert held.enrollment.subject.mailbox_id == office.house.mailbox_id
    assert office.house.enrollment(enrolled.id).subject.mailbox_id is None
    account_id, mailbox_id = office.house.account_id, office.house.mailbox_id
    office.transact(lambda tx: commit_turn(tx, account_id, mailbox_id, [], [(held, SHA256)], token=TOKEN))
    assert office.house.enrollment(enrolled.id).subject.mailbox_id == mailbox_id


def test_a_letter_put_off_before_its_dot_leaves_from_the_mailbox_its_sender_has_by_then(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.sink.script = {At.RCPT: "450 4.2.0 later"}
    office.work()
    office.set_user(office.house.owner_id, mailbox_id=office.add_mailbox(sender_email="olive@second.example"))
    office.sink.script = {}
    office.later(minutes=7)
    assert office.mail()["From"].addresses[0].addr_spec == "olive@second.example"
    first, second = office.deliveries(enrolled.id)
    assert (first.status, second.status) == ("refused", "accepted")
    assert "mailbox" in (first.reply or "")


def test_what_is_released_untried_is_claimed_again_as_it_was(office: Office) -> None:
    office.enroll(office.house.sequence(letter()), office.house.person())
    first = claimed(office).letters
    office.transact(lambda tx: release(tx, office.house.account_id, first, TOKEN))
    assert office.leased() == 0
    second = claimed(office, OTHER_TOKEN).letters
    assert [each.frozen for each in second] == [each.frozen for each in first]
    assert [(each.delivery.key, each.attempt) for each in second] == [(each.delivery.key, 0) for each in first]


def test_one_worker_at_a_time_serves_a_lane(office: Office) -> None:
    if office.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time anyway")
    office.enroll(office.house.sequence(letter()), office.house.person())
    with office.database.write() as tx:
        assert lanes.lock(tx, office.house.account_id, office.house.mailbox_id)
        assert claimed(office).taken == 0
    assert claimed(office).taken == 1


def test_a_lane_sleeps_until_its_next_due_letter(office: Office) -> None:
    sequence = office.house.sequence(letter("3 hours"))
    office.enroll(sequence, office.house.person())
    assert claimed(office).taken == 0
    with office.database.read() as snapshot:
        assert lanes.awake(snapshot, office.clock.now + timedelta(hours=2, minutes=59), 9) == []
        assert lanes.awake(snapshot, office.clock.now + timedelta(hours=3), 9) != []


def test_a_mailbox_changed_before_the_first_letter_moves_its_letters(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter("1 hours"), letter("1 hours")), office.house.person())
    other = office.add_mailbox(name="Second", sender_email="olive@second.example")
    office.set_user(office.house.owner_id, mailbox_id=other)
    office.later(hours=1)
    assert office.mail()["From"].addresses[0].addr_spec == "olive@second.example"
    assert office.house.enrollment(enrolled.id).subject.mailbox_id == other
    assert office.lane(enrolled.id) == other


def test_a_mailbox_stays_bound_after_the_first_letter(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter(), letter("1 hours")), office.house.person())
    office.work()
    office.set_user(office.house.owner_id, mailbox_id=office.add_mailbox(sender_email="olive@second.example"))
    office.later(hours=1)
    senders = [received.sender for received in office.sink.letters]
    assert senders == ["olive@tea.example"] * 2
    assert office.house.enrollment(enrolled.id).subject.mailbox_id == office.house.mailbox_id


def test_a_letter_that_becomes_due_after_a_task_moves_to_the_mailboxs_lane(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(task("1 hours"), letter()), office.house.person())
    assert office.lane(enrolled.id) == NO_MAILBOX
    office.later(hours=1)
    assert claimed(office, lane=NO_MAILBOX).taken == 0


def test_somebody_deleted_without_a_word_between_due_and_claim_is_dropped(office: Office) -> None:
    ada, bob = office.house.person("Ada"), office.house.person("Bob")
    sequence = office.house.sequence(letter())
    gone = office.enroll(sequence, ada)
    office.enroll(sequence, bob)
    office.transact(lambda tx: people.delete(tx, ada))
    office.work()
    assert office.house.enrollment(gone.id).finished_reason is FinishedReason.RESOURCE_DELETED
    assert office.recipients() == ["bob@example.com"]


def test_somebody_suppressed_without_a_word_between_due_and_claim_is_dropped(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    address = office.hash_of("ada@example.com")
    office.transact(lambda tx: unsubscribes.suppress(tx, office.house.account_id, address, Suppression.SUPPRESSED, "x"))
    office.work()
    done = office.house.enrollment(enrolled.id)
    assert (done.finished_reason, done.status) == (FinishedReason.SUBSCRIPTION_CANCELLED, ActionStatus.CANCELLED)
    assert office.sink.letters == []


def test_a_letter_that_cannot_be_rendered_blocks_and_the_others_go(office: Office) -> None:
    poisoned = office.house.sequence(letter(text="{{ person.first_name | divided_by: 0 }}"), name="Poisoned")
    sound = office.house.sequence(letter(), name="Sound")
    first = office.enroll(poisoned, office.house.person("Ada"))
    office.enroll(sound, office.house.person("Bob"))
    office.work()
    blocked = office.house.enrollment(first.id)
    assert (blocked.state, blocked.failure_reason) == (State.BLOCKED, FailureReason.UNKNOWN)
    assert "cannot be written" in (blocked.failure_detail or "")
    assert office.recipients() == ["bob@example.com"]


def test_a_row_that_cannot_be_dealt_with_waits_an_hour_and_the_others_go(office: Office) -> None:
    sequence = office.house.sequence(letter(), letter("1 hours", is_reply=True))
    first = office.enroll(sequence, office.house.person("Ada"))
    office.enroll(sequence, office.house.person("Bob"))
    office.work()
    office.run(f"UPDATE deliveries SET frozen = 'torn' WHERE enrollment_id = {first.id}")
    office.later(hours=1)
    assert office.recipients() == ["ada@example.com", "bob@example.com", "bob@example.com"]
    waiting = office.house.enrollment(first.id)
    assert (waiting.status, waiting.due_at) == (ActionStatus.SCHEDULED, office.clock.now + timedelta(hours=1))
    assert office.leased() == 0
    hold = office.why(first.id)
    assert hold is not None
    assert (hold.binding, hold.until) == (Binding.ERROR, office.clock.now + timedelta(hours=1))


def test_a_mailbox_whose_address_cannot_stand_in_a_letter_blocks_with_a_word(office: Office) -> None:
    office.set_mailbox(sender_email="ölive@tea.example")
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    blocked = office.house.enrollment(enrolled.id)
    assert (blocked.state, blocked.failure_reason) == (State.BLOCKED, FailureReason.UNKNOWN)
    assert "mailbox's address" in (blocked.failure_detail or "")


WEEKDAYS = parse_windows(["Mon-Fri 09:00-17:00"])


def test_a_letter_due_outside_its_windows_waits_for_the_next_opening(office: Office) -> None:
    office.clock.now = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)
    sequence = office.house.sequence(letter(), letter("1 hours"), windows=WEEKDAYS)
    enrolled = office.enroll(sequence, office.house.person())
    office.work()
    monday = datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert office.house.enrollment(enrolled.id).due_at == monday
    office.later(days=1)
    assert len(office.sink.letters) == 1
    office.clock.now = monday
    office.work()
    assert len(office.sink.letters) == 2


def test_a_letter_the_worker_comes_to_after_closing_waits_for_the_next_opening(office: Office) -> None:
    office.clock.now = datetime(2026, 3, 5, 16, tzinfo=UTC)
    sequence = office.house.sequence(letter(), windows=WEEKDAYS)
    enrolled = office.enroll(sequence, office.house.person())
    office.later(hours=1)
    assert office.sink.letters == []
    assert office.house.enrollment(enrolled.id).due_at == datetime(2026, 3, 6, 9, tzinfo=UTC)
    assert office.facts(enrolled.id) == ["enrolled", "replanned"]
    hold = office.why(enrolled.id)
    assert hold is not None
    assert (hold.binding, hold.until) == (Binding.WINDOW, datetime(2026, 3, 6, 9, tzinfo=UTC))
    office.later(hours=15, minutes=59)
    assert office.sink.letters == []
    office.later(minutes=1)
    assert len(office.sink.letters) == 1


def test_windows_can_be_read_on_the_recipients_clock(office: Office) -> None:
    office.clock.now = datetime(2026, 3, 5, 10, tzinfo=UTC)
    tokyo = office.change(office.house.person("Ada"), time_zone="Asia/Tokyo")
    sequence = office.house.sequence(letter(), windows=WEEKDAYS, window_zone=WindowZone.RECIPIENT)
    office.enroll(sequence, tokyo)
    office.enroll(sequence, office.house.person("Bob"))
    office.work()
    assert office.recipients() == ["bob@example.com"]
    office.clock.now = datetime(2026, 3, 6, 0, tzinfo=UTC)
    office.work()
    assert office.recipients() == ["bob@example.com", "ada@example.com"]


def test_tasks_ignore_windows(office: Office) -> None:
    office.clock.now = datetime(2026, 3, 7, 3, tzinfo=UTC)
    office.enroll(office.house.sequence(task(), windows=WEEKDAYS), office.house.person())
    office.work()
    assert office.count("SELECT count(*) FROM tasks") == 1


def test_nothing_of_a_paused_sequence_leaves_even_before_the_pause_was_carried(office: Office) -> None:
    sequence = office.house.sequence(letter())
    other = office.house.sequence(letter(), name="Other")
    enrolled = office.enroll(sequence, office.house.person("Ada"))
    office.enroll(other, office.house.person("Bob"))
    status(office, sequence, SequenceStatus.PAUSED, carry=False)
    assert [each.frozen.recipient_email for each in claimed(office).letters] == ["bob@example.com"]
    assert office.house.enrollment(enrolled.id).due_at is None
    assert office.house.enrollment(enrolled.id).state is State.ACTIVE


def test_a_pause_gives_back_the_hours_that_were_still_to_wait(office: Office) -> None:
    sequence = office.house.sequence(letter("5 hours"))
    enrolled = office.enroll(sequence, office.house.person())
    office.clock.advance(timedelta(hours=2))
    status(office, sequence, SequenceStatus.PAUSED)
    office.later(days=3)
    assert office.house.view(enrolled.id).stages[0].estimated_at is None
    status(office, sequence, SequenceStatus.ACTIVE)
    assert office.house.enrollment(enrolled.id).due_at == office.clock.now + timedelta(hours=3)
    office.later(hours=2, minutes=59)
    assert office.sink.letters == []
    office.later(minutes=1)
    assert len(office.sink.letters) == 1


def test_a_pause_gives_back_working_days_at_the_same_wall_clock(office: Office) -> None:
    sequence = office.house.sequence(letter("3 weekdays"))
    enrolled = office.enroll(sequence, office.house.person())
    assert enrolled.due_at == datetime(2026, 3, 6, 10, tzinfo=UTC)
    office.clock.now = datetime(2026, 3, 4, 10, tzinfo=UTC)
    status(office, sequence, SequenceStatus.PAUSED)
    office.clock.now = datetime(2026, 3, 12, 10, tzinfo=UTC)
    status(office, sequence, SequenceStatus.ACTIVE)
    assert office.house.enrollment(enrolled.id).due_at == datetime(2026, 3, 16, 10, tzinfo=UTC)


def test_what_was_overdue_before_a_pause_leaves_right_after_it(office: Office) -> None:
    sequence = office.house.sequence(letter("1 hours"))
    office.enroll(sequence, office.house.person())
    office.clock.advance(timedelta(hours=2))
    status(office, sequence, SequenceStatus.PAUSED)
    office.later(days=1)
    assert office.sink.letters == []
    status(office, sequence, SequenceStatus.ACTIVE)
    office.work()
    assert len(office.sink.letters) == 1


def test_a_letter_claimed_anew_after_a_pause_goes_once_and_only_from_the_later_holder(office: Office) -> None:
    sequence = office.house.sequence(letter())
    enrolled = office.enroll(sequence, office.house.person())
    house, sha256 = office.house, "0" * 64
    first = claimed(office).letters[0]
    status(office, sequence, SequenceStatus.PAUSED)
    status(office, sequence, SequenceStatus.ACTIVE)
    second = claimed(office, OTHER_TOKEN).letters[0]

    def passes(held: object, token: str) -> int:
        ready = [(held, sha256)]
        return len(
            office.transact(
                lambda tx: commit_turn(tx, house.account_id, house.mailbox_id, [], ready, token=token)  # type: ignore[arg-type]
            )
        )

    assert passes(first, TOKEN) == 0
    assert passes(second, OTHER_TOKEN) == 1
    assert passes(first, TOKEN) == 0
    assert claimed(office).taken == 0
    assert house.enrollment(enrolled.id).status is ActionStatus.IN_PROGRESS
    assert office.delivered(enrolled.id) == ["transmitting"]


def test_a_reply_goes_into_the_thread_of_the_last_letter_though_a_task_lies_between(office: Office) -> None:
    sequence = office.house.sequence(
        letter(),
        letter(subject="Second"),
        task(),
        letter(subject="", is_reply=True),
        letter(subject="Own", is_reply=True),
    )
    enrolled = office.enroll(sequence, office.house.person())
    office.work()
    task_id = office.house.enrollment(enrolled.id).task_id or 0
    office.transact(lambda tx: complete(tx, office.house.account_id, task_id))
    office.work()
    first, second, third, fourth = (office.mail(number) for number in range(4))
    assert (second["In-Reply-To"], second["References"]) == (None, None)
    assert third["Subject"] == "Re: Second"
    assert third["In-Reply-To"] == second["Message-ID"] == third["References"]
    assert fourth["Subject"] == "Own"
    assert fourth["In-Reply-To"] == third["Message-ID"]
    assert fourth["References"].split() == [second["Message-ID"], third["Message-ID"]]
    assert len({each["Message-ID"] for each in (first, second, third, fourth)}) == 4


def test_re_is_written_once_however_long_the_thread(office: Office) -> None:
    reply = letter(subject="", is_reply=True)
    office.enroll(office.house.sequence(letter(), reply, reply), office.house.person())
    office.work()
    assert [office.mail(number)["Subject"] for number in range(3)] == ["Hello Ada", "Re: Hello Ada", "Re: Hello Ada"]


def test_a_reply_with_nothing_before_it_starts_a_thread(office: Office) -> None:
    office.enroll(office.house.sequence(letter(subject="Hi", is_reply=True)), office.house.person())
    office.work()
    assert (office.mail()["Subject"], office.mail()["In-Reply-To"]) == ("Hi", None)


def test_a_letter_refused_before_is_not_replied_to(office: Office) -> None:
    office.sink.script = {At.DOT: "554 5.6.0 no"}
    enrolled = office.enroll(
        office.house.sequence(letter(), letter(subject="Hi", is_reply=True)), office.house.person()
    )
    office.work()
    office.sink.script = {}
    office.set_state(enrolled.id, State.ACTIVE)
    office.work()
    sent = [office.mail(number) for number in range(2)]
    assert sent[1]["In-Reply-To"] == sent[0]["Message-ID"]
    assert office.delivered(enrolled.id) == ["refused", "accepted", "accepted"]
