"""What a mail server refuses for good, or somebody switched off: what blocks, and how it heals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.account import UserStatus
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import State
from drumbeat.mail.session import Security
from drumbeat.operations.accounts import activate_user, change_account
from drumbeat.operations.mailboxes import MailboxSettings, add_mailbox, switch_mailbox
from drumbeat.store import accounts, unsubscribes
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import At, Talk
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office, with one connection to its server at a time."""
    with opened(database, clock, tmp_path) as office:
        yield office


@pytest.fixture
def locked_out(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office whose mailbox has a password the server does not take any more."""
    with opened(database, clock, tmp_path, credentials=("olive", "old")) as office:
        office.sink.credentials = ("olive", "new")
        yield office


def enrolled(office: Office, *names: str, after: str = "0 hours") -> list[int]:
    """These people, each in a sequence of one letter."""
    sequence = office.house.sequence(letter(after), name=f"Sequence for {' '.join(names)}")
    return [office.enroll(sequence, office.house.person(name)).id for name in names]


def states(office: Office, ids: list[int]) -> list[tuple[State, FailureReason | None]]:
    """State and failure reason of each."""
    return [(e.state, e.failure_reason) for e in map(office.house.enrollment, ids)]


def blocked(reason: FailureReason, count: int = 1) -> list[tuple[State, FailureReason | None]]:
    """So many blocked for this reason."""
    return [(State.BLOCKED, reason)] * count


def test_a_refused_login_holds_the_mailbox_once_and_blocks_what_comes_due(locked_out: Office) -> None:
    office = locked_out
    now = enrolled(office, "Ada", "Bob", "Cleo")
    soon = enrolled(office, "Dora", after="1 hours")
    office.work()
    assert office.sink.logins == 1
    assert states(office, now) == blocked(FailureReason.AUTH, 3)
    assert states(office, soon) == [(State.ACTIVE, None)]
    mailbox = office.mailbox()
    assert (mailbox.hold_reason, mailbox.held_since) == ("auth", office.clock.now)
    assert mailbox.held_until == office.clock.now + timedelta(minutes=1)
    office.later(seconds=59)
    assert office.sink.logins == 1
    office.set_mailbox(held_until=office.clock.now + timedelta(days=1))
    office.later(hours=1)
    assert states(office, soon) == blocked(FailureReason.AUTH)
    assert office.sink.logins == 1


def test_after_a_real_login_everything_goes_on_in_its_original_order(locked_out: Office) -> None:
    office = locked_out
    for name, after in (("Ada", 30), ("Bob", 10), ("Cleo", 0), ("Dora", 20)):
        enrolled(office, name, after=f"{after} hours")
    for _ in range(30):
        office.later(hours=1)
    assert office.count("SELECT count(*) FROM enrollments WHERE failure_reason = 'auth'") == 4
    office.sink.credentials = ("olive", "old")
    office.later(hours=1)
    assert office.recipients() == [f"{name}@example.com" for name in ("cleo", "bob", "dora", "ada")]
    freed = office.mailbox()
    assert (freed.hold_reason, freed.held_until, freed.hold_count) == (None, None, 0)


def test_tests_of_a_held_mailbox_come_at_growing_waits(locked_out: Office) -> None:
    office = locked_out
    enrolled(office, "Ada")
    office.work()
    begin, seen = office.clock.now, []
    for minute in range(1, 130):
        logins = office.sink.logins
        office.later(minutes=1)
        if office.sink.logins > logins:
            seen.append(minute)
    assert seen == [1, 3, 7, 15, 31, 63, 123]
    office.sink.credentials = ("olive", "old")
    office.clock.now = begin + timedelta(minutes=183)
    office.work()
    assert office.recipients() == ["ada@example.com"]


@pytest.mark.parametrize("reply", ["530 5.7.0 log in first", "534 5.7.9 stronger", "538 5.7.11 encrypt"])
def test_other_words_for_a_refused_login_hold_the_mailbox_too(office: Office, reply: str) -> None:
    office.sink.script = {At.MAIL: reply}
    ids = enrolled(office, "Ada", "Bob")
    office.work()
    assert states(office, ids) == blocked(FailureReason.AUTH, 2)
    assert office.mailbox().hold_reason == "auth"


@pytest.mark.parametrize(
    ("at", "reply", "reason"),
    [
        (At.RCPT, "550 5.1.1 no such user", FailureReason.RECIPIENT_INVALID),
        (At.RCPT, "551 not here", FailureReason.RECIPIENT_INVALID),
        (At.RCPT, "553 5.1.3 bad", FailureReason.RECIPIENT_INVALID),
        (At.DOT, "550 5.1.10 null MX", FailureReason.RECIPIENT_INVALID),
        (At.RCPT, "550 5.7.1 not from you", FailureReason.UNKNOWN),
        (At.MAIL, "552 5.3.4 too big", FailureReason.ATTACHMENT_LIMIT_EXCEEDED),
        (At.DOT, "552 too big", FailureReason.ATTACHMENT_LIMIT_EXCEEDED),
        (At.DATA, "554 5.6.0 no", FailureReason.UNKNOWN),
        (At.DOT, "554 5.7.1 spam", FailureReason.UNKNOWN),
    ],
)
def test_a_definite_refusal_blocks_its_letter_only(office: Office, at: At, reply: str, reason: FailureReason) -> None:
    refused: list[str] = []

    def script(moment: At, talk: Talk) -> str | None:
        # At MAIL there is no recipient yet; the first letter is Ada's.
        if moment is at and not refused and (at is At.MAIL or talk.recipient.startswith("ada@")):
            refused.append(talk.recipient)
            return reply
        return None

    office.sink.script = script
    ada, bob = enrolled(office, "Ada", "Bob")
    office.work()
    first = office.house.enrollment(ada)
    assert (first.state, first.failure_reason) == (State.BLOCKED, reason)
    assert reply.split()[-1] in (first.failure_detail or "")
    assert office.house.enrollment(bob).state is State.FINISHED
    assert office.delivered(ada) == ["refused"]
    assert office.mailbox().hold_reason is None
    with office.database.read() as snapshot:
        found = unsubscribes.undeliverable_among(snapshot, office.house.account_id, [office.hash_of("ada@example.com")])
    assert bool(found) is (reason is FailureReason.RECIPIENT_INVALID)


def test_a_letter_over_the_servers_size_is_never_sent(office: Office) -> None:
    office.sink.extensions = ("SIZE 300",)
    ids = enrolled(office, "Ada")
    office.work()
    assert states(office, ids) == blocked(FailureReason.ATTACHMENT_LIMIT_EXCEEDED)
    assert office.sink.letters == []


def test_a_refused_letter_tried_again_is_a_new_one(office: Office) -> None:
    office.sink.script = {At.DOT: "554 5.6.0 no"}
    (ada,) = enrolled(office, "Ada")
    office.work()
    office.sink.script = {}
    office.set_state(ada, State.ACTIVE)
    office.work()
    first, second = office.deliveries(ada)
    assert (first.status, second.status) == ("refused", "accepted")
    assert office.mail()["Message-ID"] in second.frozen
    assert office.mail()["Message-ID"] not in first.frozen


def test_an_undeliverable_address_blocks_everywhere_without_asking_the_server(office: Office) -> None:
    office.sink.script = {(At.RCPT, "ada"): "550 5.1.1 no such user"}
    ada = office.house.person("Ada")
    office.enroll(office.house.sequence(letter(), name="One"), ada)
    office.work()
    talks = len(office.sink.talks)
    second = office.enroll(office.house.sequence(letter(), name="Two"), ada)
    office.work()
    assert states(office, [second.id]) == blocked(FailureReason.RECIPIENT_INVALID)
    assert len(office.sink.talks) == talks
    office.change(ada, email="ada2@example.com")
    office.work()
    assert office.recipients() == ["ada2@example.com"] * 2


def test_missing_tags_are_all_listed_before_anybody_is_asked_and_heal_when_filled(office: Office) -> None:
    step = letter(subject="{{ person.title }}", text="{{ person.custom.tea }} {{ person.first_name }}")
    ada = office.house.person("Ada")
    lacking = office.enroll(office.house.sequence(step), ada)
    office.work()
    now = office.house.enrollment(lacking.id)
    assert (now.state, now.failure_reason) == (State.BLOCKED, FailureReason.MISSING_MERGE_TAGS)
    assert "{{ person.title }}" in (now.failure_detail or "")
    assert "{{ person.custom.tea }}" in (now.failure_detail or "")
    assert "first_name" not in (now.failure_detail or "")
    assert office.sink.talks == []
    office.change(ada, title="Countess")
    office.work()
    assert office.house.enrollment(lacking.id).failure_detail is not None
    assert "title" not in (office.house.enrollment(lacking.id).failure_detail or "")
    office.change(ada, title="Countess", custom={"tea": "green"})
    office.work()
    assert office.mail()["Subject"] == "Countess"


def test_missing_tags_of_one_do_not_hold_up_the_others(office: Office) -> None:
    sequence = office.house.sequence(letter(text="{{ person.title }}"))
    people = [office.house.person(name) for name in ("Ada", "Bob", "Cleo", "Dora", "Emil")]
    for each in people[1::2]:
        office.change(each, title="Dr")
    ids = [office.enroll(sequence, each).id for each in people]
    office.work()
    assert office.recipients() == ["bob@example.com", "dora@example.com"]
    assert states(office, ids[::2]) == blocked(FailureReason.MISSING_MERGE_TAGS, 3)


def test_the_providers_limit_holds_the_mailbox_for_growing_moments(office: Office) -> None:
    asked: list[At] = []

    def script(at: At, talk: Talk) -> str | None:
        if at is At.MAIL:
            asked.append(at)
        return "550 5.4.5 daily quota" if at is At.MAIL else None

    office.sink.script = script
    ids = enrolled(office, "Ada", "Bob")
    office.work()
    assert states(office, ids) == blocked(FailureReason.SENDOUT_LIMITED, 2)
    assert office.mailbox().hold_reason == "sendout_limited"
    seen = []
    for minute in range(1, 10):
        before = len(asked)
        office.later(minutes=1)
        if len(asked) > before:
            seen.append(minute)
    assert seen == [1, 3, 7]
    assert states(office, ids) == blocked(FailureReason.SENDOUT_LIMITED, 2)
    office.sink.script = {}
    office.later(minutes=6)
    assert office.recipients() == ["ada@example.com", "bob@example.com"]
    assert office.mailbox().hold_count == 0


def test_a_limit_met_on_one_connection_holds_though_another_one_delivers(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    with opened(database, clock, tmp_path, connections=2) as office:
        office.sink.script = {(At.RCPT, "bob"): "550 5.4.5 daily quota"}
        ada, bob = enrolled(office, "Ada", "Bob")
        office.work()
        assert office.house.enrollment(bob).failure_reason is FailureReason.SENDOUT_LIMITED
        assert office.mailbox().hold_reason == "sendout_limited"
        office.sink.script = {}
        office.later(minutes=1)
        assert sorted(office.recipients()) == ["ada@example.com", "bob@example.com"]
        assert states(office, [ada, bob]) == [(State.FINISHED, None)] * 2


def test_a_server_that_asks_again_and_again_to_slow_down_has_reached_its_limit(office: Office) -> None:
    office.sink.script = {At.MAIL: "421 4.7.0 slow down"}
    ids = enrolled(office, "Ada", "Bob")
    office.work()
    assert states(office, ids) == [(State.ACTIVE, None)] * 2
    assert office.delivered(ids[0]) == ["queued"]
    for minutes in (2, 6):
        office.later(minutes=minutes)
    assert office.mailbox().hold_reason == "sendout_limited"
    office.sink.script = {}
    office.later(hours=2)
    assert sorted(office.recipients()) == ["ada@example.com", "bob@example.com"]
    assert office.mailbox().hold_count == 0


def test_a_refused_sender_holds_the_mailbox_and_harms_nobody(office: Office) -> None:
    office.sink.script = {At.MAIL: "550 5.7.1 sender address rejected"}
    ids = enrolled(office, "Ada", "Bob", "Cleo")
    office.work()
    assert states(office, ids) == blocked(FailureReason.AUTH, 3)
    assert office.mailbox().hold_reason == "auth"
    assert len(office.sink.talks) <= 2
    office.sink.script = {}
    office.later(minutes=1)
    assert len(office.recipients()) == 3


def off(office: Office) -> None:
    office.set_mailbox(is_active=False)


def on(office: Office) -> None:
    house = office.house
    office.transact(lambda tx: switch_mailbox(tx, house.account_id, house.mailbox_id, on=True))


def without(office: Office) -> None:
    office.set_user(office.house.owner_id, mailbox_id=None)


def connected(office: Office) -> None:
    house = office.house
    settings = MailboxSettings(
        "New", "Olive", "olive@tea.example", "127.0.0.1", office.sink.port, security=Security.NONE, is_catcher=True
    )
    office.transact(lambda tx: add_mailbox(tx, house.world.vault, house.account_id, house.owner_id, settings))


def inactive(office: Office) -> None:
    office.set_user(office.house.owner_id, status=UserStatus.INACTIVE)


def activated(office: Office) -> None:
    office.transact(lambda tx: activate_user(tx, office.house.account_id, office.house.owner_id))


def switched_off(office: Office) -> None:
    office.set_account(sequences_enabled=False)


def switched_on(office: Office) -> None:
    def work(tx: Tx) -> None:
        account = accounts.get_account(tx, office.house.account_id)
        change_account(tx, replace(account, sequences_enabled=True))

    office.transact(work)


def test_what_lacks_the_postal_address_goes_on_once_the_account_has_one(office: Office) -> None:
    lacking = office.house.sequence(letter(text="{{ account.postal_address }}"), name="Lacking")
    office.set_account(postal_address=None)
    enrolled = office.enroll(lacking, office.house.person())
    office.work()
    assert states(office, [enrolled.id]) == blocked(FailureReason.MISSING_MERGE_TAGS)

    def work(tx: Tx) -> None:
        account = accounts.get_account(tx, office.house.account_id)
        change_account(tx, replace(account, postal_address="1 Tea Lane"))

    office.transact(work)
    office.work()
    assert office.recipients() == ["ada@example.com"]


@pytest.mark.parametrize(
    ("cause", "heal"), [(off, on), (without, connected), (inactive, activated), (switched_off, switched_on)]
)
def test_what_is_switched_off_blocks_and_goes_on_when_switched_on(
    office: Office, cause: Callable[[Office], None], heal: Callable[[Office], None]
) -> None:
    ids = enrolled(office, "Ada")
    cause(office)
    office.work()
    assert states(office, ids) == blocked(FailureReason.SENDOUT_DISABLED)
    assert office.sink.talks == []
    heal(office)
    office.work()
    assert office.recipients() == ["ada@example.com"]


def test_another_mailbox_lets_those_go_on_whom_a_held_one_blocked_before_their_first_letter(locked_out: Office) -> None:
    office = locked_out
    ids = enrolled(office, "Ada", "Bob")
    office.work()
    assert states(office, ids) == blocked(FailureReason.AUTH, 2)
    office.sink.credentials = None
    connected(office)
    office.work()
    assert office.recipients() == ["ada@example.com", "bob@example.com"]


def test_what_was_switched_off_for_more_than_a_fortnight_waits_for_a_person(office: Office) -> None:
    ids = enrolled(office, "Ada")
    switched_off(office)
    office.work()
    office.later(days=15)
    switched_on(office)
    office.work()
    assert states(office, ids) == blocked(FailureReason.SENDOUT_DISABLED)


def test_a_mailbox_with_new_credentials_is_entered_anew(locked_out: Office) -> None:
    office = locked_out
    enrolled(office, "Ada")
    office.work()
    office.set_mailbox(sealed_password=office.house.world.vault.seal("new"))
    office.later(minutes=1)
    assert office.recipients() == ["ada@example.com"]


def test_a_password_no_key_opens_holds_the_mailbox_until_it_is_set_anew(locked_out: Office) -> None:
    office = locked_out
    office.set_mailbox(sealed_password="sealed by a key that is lost")
    ids = enrolled(office, "Ada", "Bob")
    office.work()
    assert states(office, ids) == blocked(FailureReason.AUTH, 2)
    assert "drumbeat mailbox set" in str(office.mailbox().hold_detail)
    office.later(minutes=1)
    assert office.sink.logins == 0
    assert office.mailbox().hold_reason == "auth"
    office.set_mailbox(sealed_password=office.house.world.vault.seal("new"))
    office.later(minutes=2)
    assert office.recipients() == ["ada@example.com", "bob@example.com"]
