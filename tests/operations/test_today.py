"""What a day holds, as it is counted: tasks due, replies, what is blocked, what leaves and what is held, what left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from drumbeat.domain.calendar import parse_windows
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.happening import CannotSend, StepDue
from drumbeat.domain.sequence import Sequence, SequenceStatus
from drumbeat.domain.timeline import Quarantine
from drumbeat.operations.changes import apply
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.mailboxes import limit_mailbox
from drumbeat.operations.sequences import set_status
from drumbeat.operations.tasks import add as add_task
from drumbeat.operations.tasks import complete
from drumbeat.operations.today import BlockedGroup, Outlook, Stop, Today, blocked_groups, end_of_today, today_of
from drumbeat.store import accounts, doubts, enrollments, overview, quarantine, received, tasks
from drumbeat.store.database import Database
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.store.received import ReceivedMessage
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import CUT, At
from tests.corpus.message import plain
from tests.operations.office import Office, opened

AUTH, INVALID = CannotSend(FailureReason.AUTH, "535 no"), CannotSend(FailureReason.RECIPIENT_INVALID, "550 no")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def enrolled(office: Office, sequence: Sequence, *names: str, actor_id: int | None = None) -> list[Enrollment]:
    """People of these names, enrolled."""
    return [office.enroll(sequence, office.house.person(name), actor_id=actor_id) for name in names]


def let(office: Office, enrollment: Enrollment, event: CannotSend | StepDue) -> None:
    """Let something happen to an enrollment."""

    def work(tx: Tx) -> None:
        (locked,) = enrollments.lock(tx, office.house.account_id, [enrollment.id])
        apply(tx, locked, event)

    office.transact(work)


def today(office: Office, zone: str = "UTC", seen_by: int | None = None) -> Today:
    """The owner's day."""
    with office.database.read() as snapshot:
        account = accounts.get_account(snapshot, office.house.account_id)
        return today_of(snapshot, account, office.house.owner_id, zone, seen_by=seen_by)


def outlook(office: Office) -> tuple[int, int, int]:
    """What the owner's mailbox sends today, what its limits hold, and what windows hold."""
    (found,) = [each for each in today(office).outlooks if each.mailbox is not None]
    assert found.planned == found.leaving + found.held_by_limits + found.held_by_time
    assert found.stop is None
    return found.leaving, found.held_by_limits, found.held_by_time


def heard(office: Office, enrollment: Enrollment, text: str, subject: str = "Re: Hello") -> None:
    """Somebody writes back."""
    house = office.house
    ours = read_frozen(office.deliveries(enrollment.id)[0].frozen).message_id
    headers = (
        f"From: ada@example.com\nTo: olive@tea.example\nSubject: {subject}\nIn-Reply-To: {ours}\nReferences: {ours}"
    )
    raw = plain(f"{headers}\nDate: {format_datetime(office.clock())}", text)
    office.transact(lambda tx: take_in(tx, house.world.hash_key, house.account_id, house.mailbox_id, read(raw)))


@pytest.mark.parametrize(
    ("now", "zone", "ends"),
    [
        (datetime(2026, 3, 3, 10, tzinfo=UTC), "UTC", datetime(2026, 3, 4, tzinfo=UTC)),
        (datetime(2026, 3, 3, 23, 30, tzinfo=UTC), "Europe/Berlin", datetime(2026, 3, 4, 23, tzinfo=UTC)),
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), "Europe/Berlin", datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Berlin", datetime(2026, 10, 25, 23, tzinfo=UTC)),
        (datetime(2026, 3, 3, 10, tzinfo=UTC), "Pacific/Kiritimati", datetime(2026, 3, 4, 10, tzinfo=UTC)),
    ],
)
def test_a_day_ends_just_before_midnight_where_somebody_is(now: datetime, zone: str, ends: datetime) -> None:
    assert end_of_today(now, zone) == ends - timedelta(microseconds=1)


def test_tasks_due_until_an_instant_come_by_their_due_date_as_many_as_asked_for(office: Office) -> None:
    account_id, owner, now = office.house.account_id, office.house.owner_id, office.clock()
    other = office.add_user()
    for content, whose, due_at in (
        ("late", owner, now - timedelta(days=9)),
        ("last", owner, now + timedelta(hours=2)),
        ("next", owner, now),
        ("also next", owner, now),
        ("beyond", owner, now + timedelta(hours=2, microseconds=1)),
        ("without", owner, None),
        ("another's", other.id, now),
    ):
        fields = {"content": content, "due_at": due_at}
        office.transact(lambda tx, o=whose, f=fields: add_task(tx, account_id, o, f, completed=None))  # type: ignore[misc]

    def due(limit: int) -> list[str]:
        with office.database.read() as snapshot:
            until = now + timedelta(hours=2)
            return [each.content for each in tasks.list_due(snapshot, account_id, owner, until, limit)]

    assert due(9) == ["late", "next", "also next", "last"]
    assert due(2) == ["late", "next"]
    office.transact(lambda tx: complete(tx, account_id, 1))
    assert due(9) == ["next", "also next", "last"]


def test_replies_come_the_newest_first_of_those_whose_runs_one_sees(office: Office) -> None:
    sam = office.add_user(mailbox_id=office.house.mailbox_id)
    welcome = office.house.sequence(letter())
    ada, bob = enrolled(office, welcome, "Ada", "Bob")
    (eve,) = enrolled(office, welcome, "Eve", actor_id=sam.id)
    office.work()
    for each, text in ((ada, "One"), (eve, "Two"), (bob, "Three")):
        heard(office, each, text)
        office.clock.advance(timedelta(hours=1))
    heard(office, ada, "I am away.", "Out of office: Hello")
    account_id, began = office.house.account_id, office.clock() - timedelta(hours=3)

    def words(found: list[ReceivedMessage]) -> list[str]:
        return [each.words for each in found]

    with office.database.read() as snapshot:
        latest = received.latest
        assert words(latest(snapshot, account_id, "reply", 9, since=began)) == ["Three", "Two", "One"]
        assert words(latest(snapshot, account_id, "reply", 2, since=began)) == ["Three", "Two"]
        later = began + timedelta(microseconds=1)
        assert words(latest(snapshot, account_id, "reply", 9, since=later)) == ["Three", "Two"]
        assert words(latest(snapshot, account_id, "reply", 9, since=began, seen_by=sam.id)) == ["Two"]
        assert words(latest(snapshot, account_id, "auto_reply", 9, since=began)) == ["I am away."]
        assert latest(snapshot, account_id + 1, "reply", 9, since=began) == []
        of_both = received.list_of_enrollments(snapshot, account_id, [ada.id, eve.id], 9)
        assert words(of_both) == ["I am away.", "Two", "One"]
        assert words(received.list_of_enrollments(snapshot, account_id, [ada.id, eve.id], 1)) == ["I am away."]
        assert received.list_of_enrollments(snapshot, account_id, [], 9) == []
    assert [(each.message.words, each.person and each.person.first_name) for each in today(office).replies] == [
        ("Three", "Bob"),
        ("Two", "Eve"),
        ("One", "Ada"),
    ]
    assert [each.message.words for each in today(office, seen_by=sam.id).replies] == ["Two"]


def test_what_is_blocked_is_grouped_by_its_cause_the_most_first(office: Office) -> None:
    sam = office.add_user(mailbox_id=office.house.mailbox_id)
    welcome, other = office.house.sequence(letter()), office.house.sequence(letter(), name="Other")
    (doubted,) = enrolled(office, welcome, "Dora")
    office.sink.script = {At.DOT: CUT}
    office.work()
    office.later(minutes=11)
    for each in enrolled(office, welcome, "Ada", "Bob"):
        let(office, each, INVALID)
    for each in enrolled(office, other, "Eve", actor_id=sam.id):
        let(office, each, INVALID)
    for each in enrolled(office, other, "Al"):
        let(office, each, AUTH)
    account_id = office.house.account_id
    with office.database.read() as snapshot:
        groups = blocked_groups(snapshot, account_id)
        assert groups[0] == BlockedGroup(FailureReason.RECIPIENT_INVALID, 3, 0)
        assert set(groups[1:]) == {BlockedGroup(FailureReason.UNKNOWN, 1, 1), BlockedGroup(FailureReason.AUTH, 1, 0)}
        mine = blocked_groups(snapshot, account_id, seen_by=sam.id)
        assert mine == (BlockedGroup(FailureReason.RECIPIENT_INVALID, 1, 0),)
        rows = overview.blocked_for(snapshot, account_id, FailureReason.RECIPIENT_INVALID, 2)
        assert [(bool(row.in_doubt), row.total) for row in rows] == [(False, 2)]
        assert overview.blocked_by_sequence(snapshot, account_id, 99) == {welcome.id: 3, other.id: 2}
        assert overview.blocked_by_sequence(snapshot, account_id, 2) == {welcome.id: 2, other.id: 2}, "each by itself"
        assert blocked_groups(snapshot, account_id + 1) == ()
    assert office.house.enrollment(doubted.id).in_doubt


def test_what_leaves_today_is_counted_apart_from_what_limits_hold(office: Office) -> None:
    house, limits = office.house, {"per_day": 3, "spacing": 60}
    office.transact(lambda tx: limit_mailbox(tx, house.account_id, house.mailbox_id, limits))
    enrolled(office, house.sequence(letter()), "Ada", "Bob", "Cem", "Dee", "Eve")
    assert outlook(office) == (3, 2, 0)
    office.work()
    assert len(office.sink.letters) == 1
    assert outlook(office) == (2, 2, 0)


def test_what_is_due_tonight_has_the_room_that_the_hours_from_then_on_leave(office: Office) -> None:
    house, limits = office.house, {"per_hour": 2}
    office.transact(lambda tx: limit_mailbox(tx, house.account_id, house.mailbox_id, limits))
    hours_left = int((end_of_today(office.clock(), "UTC") - office.clock()) / timedelta(hours=1))
    tonight = house.sequence(letter(f"{hours_left} hours"))
    enrolled(office, tonight, *(f"P{number}" for number in range(7)))
    leaving, by_limits, by_time = outlook(office)
    assert (leaving, by_limits, by_time) == (2, 5, 0)
    office.later(hours=hours_left)
    assert len(office.sink.letters) == leaving


def test_no_more_leaves_than_the_month_s_allowance_lets(office: Office) -> None:
    office.set_account(monthly_allowance=2)
    enrolled(office, office.house.sequence(letter("1 hours")), "Ada", "Bob", "Cem")
    (found,) = today(office).outlooks
    assert (found.leaving, found.held_by_allowance, found.planned) == (2, 1, 3)
    office.later(hours=1)
    assert len(office.sink.letters) == 2


def test_nothing_leaves_by_a_mailbox_that_something_stops_and_the_cause_is_named(office: Office) -> None:
    now = office.clock()
    enrolled(office, office.house.sequence(letter("1 hours")), "Ada", "Bob")
    free = {"status": "active", "hold_reason": None, "held_until": None, "needs_identity": False}
    for changes, stop in (
        ({"is_active": False}, Stop.MAILBOX_OFF),
        ({"hold_reason": "auth"}, Stop.MAILBOX_HELD),
        ({"needs_identity": True}, Stop.SENDER_UNKNOWN),
        ({"held_until": now + timedelta(days=1)}, Stop.UNREACHABLE),
        ({"held_until": now + timedelta(minutes=5)}, None),
    ):
        office.set_mailbox(**changes)
        (found,) = today(office).outlooks
        assert (found.leaving, found.stopped, found.stop) == ((0, 2, stop) if stop else (2, 0, None))
        assert found.planned == 2
        office.set_mailbox(**free)
    office.set_account(sequences_enabled=False)
    (found,) = today(office).outlooks
    assert (found.leaving, found.stopped, found.stop) == (0, 2, Stop.SEQUENCES_OFF)


def test_tasks_come_while_letters_are_switched_off_but_not_in_quarantine(office: Office) -> None:
    enrolled(office, office.house.sequence(task("1 hours")), "Ada")
    office.set_account(sequences_enabled=False)
    assert today(office).outlooks == (Outlook(None, 1),)
    office.set_mailbox(hold_reason="auth")
    office.set_account(sequences_enabled=True)
    (_, held) = today(office).outlooks
    assert (held.planned, held.stop) == (0, Stop.MAILBOX_HELD)
    office.set_mailbox(hold_reason=None)
    office.transact(lambda tx: quarantine.begin(tx, Quarantine(tx.now, "The database was restored.")))
    assert today(office).outlooks == (Outlook(None, 0, stopped=1, stop=Stop.QUARANTINE),)


def test_where_nobody_can_send_what_stands_in_the_way_is_told_by_its_number(office: Office) -> None:
    sam = office.add_user()
    welcome = office.house.sequence(letter())
    enrolled(office, welcome, "Ada", "Bob", actor_id=sam.id)
    office.work()
    office.set_mailbox(is_active=False)
    enrolled(office, welcome, "Cem")
    office.work()
    no_mailbox = "Sam Seller has no mailbox. Connect one to send."
    (found,) = today(office).blocked
    assert (found.reason, found.count) == (FailureReason.SENDOUT_DISABLED, 3)
    assert found.causes == ((no_mailbox, 2), ("The mailbox is switched off. Switch it on to send.", 1))
    (mine,) = today(office, seen_by=sam.id).blocked
    assert mine.causes == ((no_mailbox, 2),)


def test_only_a_mailbox_that_sends_to_people_counts_as_connected(office: Office) -> None:
    assert not today(office).has_mailbox
    office.set_mailbox(is_catcher=False)
    assert today(office).has_mailbox


def test_letters_in_doubt_are_counted_and_listed_as_far_as_one_sees_them(office: Office) -> None:
    sam = office.add_user(mailbox_id=office.house.mailbox_id)
    welcome = office.house.sequence(letter())
    office.sink.script = {At.DOT: CUT}
    mine, his = enrolled(office, welcome, "Ada", "Bob"), enrolled(office, welcome, "Cem", actor_id=sam.id)
    office.work()
    ids, account_id = sorted(each.id for each in (*mine, *his)), office.house.account_id
    assert today(office).in_doubt == 3
    assert today(office, seen_by=sam.id).in_doubt == 1
    with office.database.read() as snapshot:
        assert doubts.count(snapshot, account_id, 2) == 2
        assert [each.enrollment_id for each in doubts.list_unknown(snapshot, account_id)] == ids
        assert [each.enrollment_id for each in doubts.list_unknown(snapshot, account_id, limit=1)] == ids[:1]
        assert [each.enrollment_id for each in doubts.list_unknown(snapshot, account_id, after=ids[0])] == ids[1:]
        seen = doubts.list_unknown(snapshot, account_id, limit=1, seen_by=sam.id)
        assert [each.enrollment_id for each in seen] == [each.id for each in his]
        assert doubts.list_unknown(snapshot, account_id + 1) == []


def test_what_a_window_holds_was_to_leave_today_and_what_waits_for_its_delay_was_not(office: Office) -> None:
    enrolled(office, office.house.sequence(letter("4 hours"), name="Soon"), "Ada")
    tomorrow = office.house.sequence(letter("1 hours"), name="Tomorrow", windows=parse_windows(["Wed 09:00-10:00"]))
    enrolled(office, tomorrow, "Bob", "Cem")
    enrolled(office, office.house.sequence(letter("2 weekdays"), name="Later"), "Dee")
    assert outlook(office) == (1, 0, 2)
    office.later(hours=22)
    assert outlook(office) == (2, 0, 0)


def test_paused_sequences_leave_nothing_and_are_not_counted(office: Office) -> None:
    house = office.house
    welcome = house.sequence(letter("1 hours"))
    enrolled(office, welcome, "Ada")
    assert outlook(office) == (1, 0, 0)
    office.transact(lambda tx: set_status(tx, house.account_id, welcome.id, SequenceStatus.PAUSED, house.owner_id))
    office.work()
    assert today(office).outlooks == ()


def test_tasks_and_letters_without_a_mailbox_have_an_outlook_of_their_own(office: Office) -> None:
    enrolled(office, office.house.sequence(task("1 hours")), "Ada", "Bob")
    assert today(office).outlooks == (Outlook(None, 2),)
    assert today(office, seen_by=office.house.owner_id).outlooks == ()


def test_no_more_is_counted_than_is_asked_for(office: Office) -> None:
    house = office.house
    enrolled(office, house.sequence(task("1 hours"), name="Soon"), "Ada", "Bob", "Cem")
    until = office.clock() + timedelta(hours=1)
    with office.database.read() as snapshot:
        count = overview.count_leaving
        assert count(snapshot, house.account_id, NO_MAILBOX, until, 9) == 3
        assert count(snapshot, house.account_id, NO_MAILBOX, until, 2) == 2
        assert count(snapshot, house.account_id, NO_MAILBOX, until - timedelta(microseconds=1), 9) == 0
        assert count(snapshot, house.account_id, house.mailbox_id, until, 9) == 0
        assert overview.held_beyond(snapshot, house.account_id, NO_MAILBOX, until - timedelta(hours=1), 9) == (0, 0)


def test_letters_that_left_today_are_counted_once_the_worker_has_counted(office: Office) -> None:
    welcome, other = office.house.sequence(letter()), office.house.sequence(letter(), name="Other")
    enrolled(office, welcome, "Ada", "Bob")
    enrolled(office, other, "Cem")
    assert today(office).sent == 0
    office.work()
    assert today(office).sent == 3
    day = int(office.clock().timestamp()) // 86_400
    account_id = office.house.account_id
    with office.database.read() as snapshot:
        assert overview.sent_since(snapshot, account_id, [welcome.id], day) == 2
        assert overview.sent_since(snapshot, account_id, [welcome.id], day + 1) == 0
        assert overview.sent_since(snapshot, account_id, [], day) == 0
        assert overview.sent_since(snapshot, account_id + 1, [welcome.id], day) == 0
    office.later(hours=13, minutes=59)
    assert today(office).sent == 3
    office.later(minutes=1)
    assert today(office).sent == 0
