"""A mailbox's hold: how long it lasts, when it is lifted, and in which order what it blocked goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.account import User
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import State
from drumbeat.domain.errors import IncorrectValue, Invalid, MasterKeyWrong, NotFound
from drumbeat.mail.session import Security
from drumbeat.operations.holds import lift_hold, prolong_hold
from drumbeat.operations.mailboxes import (
    MailboxSettings,
    add_mailbox,
    change_mailbox,
    remove_mailbox,
    server_of,
)
from drumbeat.store import mailboxes
from drumbeat.store.database import Database
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import At
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office, its mailbox held for the login."""
    with opened(database, clock, tmp_path) as office:
        hold(office)
        yield office


def hold(office: Office, reason: FailureReason = FailureReason.AUTH, **more: int) -> None:
    """Hold the owner's mailbox for a minute."""
    office.set_mailbox(
        held_since=office.clock.now,
        held_until=office.clock.now + timedelta(minutes=1),
        hold_reason=reason.value,
        hold_detail="535 no",
        **{"hold_count": 1} | more,
    )


def lift(office: Office) -> int:
    """Lift the hold."""
    return office.transact(lambda tx: lift_hold(tx, office.house.account_id, office.house.mailbox_id))


def test_the_server_is_entered_with_the_opened_password(office: Office) -> None:
    vault = office.house.world.vault
    office.set_mailbox(username="olive", sealed_password=vault.seal("secret"), security="starttls")
    server = server_of(vault, office.mailbox())
    assert (server.username, server.password, server.security) == ("olive", "secret", Security.STARTTLS)
    assert "secret" not in repr(server)


def test_what_a_hold_blocked_goes_on_in_the_order_it_was_planned(office: Office) -> None:
    office.set_mailbox(held_until=office.clock.now + timedelta(days=1))
    for name, after in (("Ada", 3), ("Bob", 1), ("Cleo", 2)):
        office.enroll(office.house.sequence(letter(f"{after} hours"), name=name), office.house.person(name))
    for _ in range(3):
        office.later(hours=1)
    assert office.count("SELECT count(*) FROM enrollments WHERE failure_reason = 'auth'") == 3
    assert lift(office) == 3
    office.enroll(office.house.sequence(letter(), name="Last"), office.house.person("Dora"))
    office.work()
    assert office.recipients() == [f"{name}@example.com" for name in ("bob", "cleo", "ada", "dora")]


def test_only_what_the_hold_blocked_is_released(office: Office) -> None:
    lacking = office.house.sequence(letter(text="{{ person.title }}"), name="Lacking")
    office.run("UPDATE mailboxes SET hold_reason = NULL, held_since = NULL, held_until = NULL")
    other = office.enroll(lacking, office.house.person("Bob"))
    office.work()
    hold(office)
    blocked = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    assert lift(office) == 1
    assert office.house.enrollment(blocked.id).state is State.ACTIVE
    assert office.house.enrollment(other.id).failure_reason is FailureReason.MISSING_MERGE_TAGS
    assert office.facts(blocked.id)[-1] == "resumed"


def test_what_was_planned_more_than_two_weeks_ago_waits_for_a_person(office: Office) -> None:
    office.set_mailbox(held_until=office.clock.now + timedelta(days=90))
    old = office.enroll(office.house.sequence(letter(), name="Old"), office.house.person("Ada"))
    office.later(seconds=1)
    new = office.enroll(office.house.sequence(letter(), name="New"), office.house.person("Bob"))
    office.later(days=14)
    assert lift(office) == 1
    assert office.house.enrollment(old.id).state is State.BLOCKED
    assert office.house.enrollment(new.id).state is State.ACTIVE


def test_another_mailboxs_letters_stay_blocked(office: Office) -> None:
    other = office.add_mailbox(name="Other")
    sam = office.add_user(mailbox_id=other)
    sequence = office.house.sequence(letter())
    mine = office.enroll(sequence, office.house.person("Ada"))
    theirs = office.enroll(sequence, office.house.person("Bob"), actor_id=sam.id)
    office.work()
    assert lift(office) == 1
    assert office.house.enrollment(mine.id).state is State.ACTIVE
    assert office.house.enrollment(theirs.id).failure_reason is FailureReason.AUTH


def test_lifting_is_journalled_and_leaves_nothing_of_the_hold(office: Office) -> None:
    lift(office)
    lift(office)
    freed = office.mailbox()
    assert (freed.held_since, freed.held_until, freed.hold_reason, freed.hold_detail) == (None, None, None, None)
    assert office.count("SELECT count(*) FROM journal WHERE fact = 'mailbox_hold_lifted'") == 1


def test_tests_back_off_from_a_minute_to_an_hour(office: Office) -> None:
    waits = []
    for _ in range(10):
        tested = office.mailbox()
        office.transact(lambda tx, tested=tested: prolong_hold(tx, tested, "still no"))  # type: ignore[misc]
        mailbox = office.mailbox()
        assert mailbox.held_until is not None
        waits.append((mailbox.held_until - office.clock.now) // timedelta(minutes=1))
        office.clock.now = mailbox.held_until
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    assert (office.mailbox().hold_detail, office.mailbox().hold_reason) == ("still no", "auth")


def test_more_than_a_batch_is_released_in_one_go(office: Office) -> None:
    sequence = office.house.sequence(letter())
    for start in range(0, 1200, 400):
        office.execute(sequence, *(f"p{n}@example.com" for n in range(start, start + 400)))
    office.work()
    assert office.count("SELECT count(*) FROM enrollments WHERE failure_reason = 'auth'") == 1200
    assert lift(office) == 1200
    assert office.count("SELECT count(*) FROM due WHERE due_at IS NOT NULL") == 1200


@pytest.fixture
def refused_sender(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office whose real mailbox may not send as the address it has."""
    with opened(database, clock, tmp_path, script={At.MAIL: "550 5.7.60 not your address"}) as office:
        office.set_mailbox(is_catcher=False)
        yield office


def correct(office: Office, **changes: Any) -> StoredMailbox:
    """Correct the owner's mailbox."""
    house = office.house
    return office.transact(
        lambda tx: change_mailbox(tx, house.world.vault, house.account_id, house.mailbox_id, changes)
    )


def remove(office: Office) -> list[User]:
    """Take the owner's mailbox away."""
    return office.transact(lambda tx: remove_mailbox(tx, office.house.account_id, office.house.mailbox_id))


def test_what_a_mailbox_blocked_goes_on_at_once_when_it_is_corrected(refused_sender: Office) -> None:
    office = refused_sender
    blocked = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    assert office.house.enrollment(blocked.id).failure_reason is FailureReason.AUTH
    office.sink.script = None
    correct(office, sender_email="ann@tea.example")
    office.work()
    assert [each.sender for each in office.sink.letters] == ["ann@tea.example"]
    assert office.mailbox().hold_reason is None


def test_another_name_for_a_mailbox_lifts_no_hold(refused_sender: Office) -> None:
    office = refused_sender
    office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    held = office.mailbox().hold
    assert correct(office, name="Front desk").name == "Front desk"
    assert office.mailbox().hold == held
    office.sink.script = None
    office.work()
    assert office.sink.letters == []


def test_a_corrected_mailbox_keeps_what_was_not_named(refused_sender: Office) -> None:
    office, vault = refused_sender, refused_sender.house.world.vault
    office.set_mailbox(username="olive", sealed_password=vault.seal("secret"), security="starttls")
    before = office.mailbox()
    after = correct(office, port=2525)
    assert after == replace(before, port=2525)
    assert server_of(vault, correct(office, password="new")).password == "new"
    without = correct(office, username=None, password=None)
    assert (without.username, without.sealed_password) == (None, None)
    assert correct(office, port=2525) == without


def test_a_password_that_no_key_opens_can_be_replaced(refused_sender: Office) -> None:
    office = refused_sender
    office.set_mailbox(username="olive", sealed_password="sealed by another key", security="starttls")
    with pytest.raises(MasterKeyWrong):
        correct(office, port=2525)
    assert server_of(office.house.world.vault, correct(office, password="new")).password == "new"


@pytest.mark.parametrize(
    ("changes", "field"), [({"host": "a b"}, "host"), ({"port": 0}, "port"), ({"username": "olive"}, "security")]
)
def test_a_correction_that_cannot_work_changes_nothing(
    refused_sender: Office, changes: dict[str, Any], field: str
) -> None:
    before = refused_sender.mailbox()
    with pytest.raises(Invalid) as refused:
        correct(refused_sender, **changes)
    assert refused.value.field == field
    assert refused_sender.mailbox() == before


def test_the_built_in_catcher_is_neither_corrected_nor_removed(office: Office) -> None:
    with pytest.raises(IncorrectValue, match="built-in catcher"):
        correct(office, port=25)
    with pytest.raises(IncorrectValue, match="built-in catcher"):
        remove(office)


def test_a_removed_mailbox_is_gone_with_its_login_and_its_letters_wait_for_another(refused_sender: Office) -> None:
    office, house = refused_sender, refused_sender.house
    office.sink.script = None
    begun = office.enroll(house.sequence(letter(), letter("1 hours"), name="Begun"), house.person("Ada"))
    waiting = office.enroll(house.sequence(letter("1 hours"), name="Waiting"), house.person("Bob"))
    office.work()
    office.set_mailbox(username="olive", sealed_password=house.world.vault.seal("secret"))
    assert [user.id for user in remove(office)] == [house.owner_id]
    with house.world.database.read() as snapshot:
        assert mailboxes.list_all(snapshot, house.account_id) == []
        assert not mailboxes.any_real(snapshot)
    assert office.mailbox().sealed_password is None
    office.later(hours=1)
    for enrolled in (begun, waiting):
        assert house.enrollment(enrolled.id).failure_reason is FailureReason.SENDOUT_DISABLED
    assert "was removed" in str(office.why(begun.id))
    assert "has no mailbox" in str(office.why(waiting.id))
    for act in (lambda: correct(office, port=25), lambda: remove(office), lambda: lift(office)):
        with pytest.raises(NotFound, match="There is no mailbox"):
            act()
    settings = MailboxSettings("New", "Olive", "o@tea.example", "127.0.0.1", office.sink.port, Security.NONE)
    office.transact(lambda tx: add_mailbox(tx, house.world.vault, house.account_id, house.owner_id, settings))
    office.work()
    assert office.recipients() == ["ada@example.com", "bob@example.com"]
    assert house.enrollment(begun.id).failure_reason is FailureReason.SENDOUT_DISABLED
