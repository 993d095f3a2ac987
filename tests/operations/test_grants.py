"""A mailbox that logs in by OAuth 2, from the grant to the letter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import State
from drumbeat.domain.errors import IncorrectValue
from drumbeat.mail.oauth import Grant
from drumbeat.operations.grants import grant_mailbox
from drumbeat.operations.mailboxes import change_mailbox
from drumbeat.store.database import Database
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.tokens import TokenServer
from tests.operations.office import Office, opened

USER = "olive@tea.example"


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    """A token server."""
    with TokenServer() as server:
        yield server


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office whose mail server takes tokens alone."""
    with opened(database, clock, tmp_path, credentials=(USER, "token-1")) as office:
        office.set_mailbox(is_catcher=False, security="starttls")
        yield office


def grant(office: Office, given: Grant) -> StoredMailbox:
    house = office.house
    granted = office.transact(
        lambda tx: grant_mailbox(tx, house.world.vault, house.account_id, house.mailbox_id, USER, given)
    )
    office.set_mailbox(security="none")  # the server on this machine speaks plain text
    return granted


def stored(office: Office) -> Grant:
    sealed = office.mailbox().sealed_grant
    assert sealed is not None
    return msgspec.json.decode(office.house.world.vault.open(sealed), type=Grant)


def test_a_letter_leaves_with_a_token_and_nothing_of_the_grant_is_stored_in_clear(
    office: Office, tokens: TokenServer
) -> None:
    granted = grant(office, tokens.grant())
    assert (granted.username, granted.sealed_password) == (USER, None)
    office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    assert office.recipients() == ["ada@example.com"]
    assert not any(secret in str(office.everything()) for secret in ("refresh-1", "token-1", "hush"))


def test_a_withdrawn_grant_holds_the_mailbox_and_a_new_one_heals_it(office: Office, tokens: TokenServer) -> None:
    tokens.refusal = "invalid_grant"
    grant(office, tokens.grant())
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    held = office.mailbox()
    assert held.hold_reason == FailureReason.AUTH
    assert "The grant was withdrawn" in (held.hold_detail or "")
    office.later(minutes=1)
    assert office.house.enrollment(enrolled.id).failure_reason is FailureReason.AUTH
    tokens.refusal, tokens.refresh_token = None, "refresh-9"
    office.set_mailbox(security="starttls")
    grant(office, tokens.grant())
    office.work()
    assert office.house.enrollment(enrolled.id).state is State.FINISHED


def test_a_hold_lifts_itself_when_the_provider_renews_the_grant_again(office: Office, tokens: TokenServer) -> None:
    tokens.refusal = "invalid_grant"
    grant(office, tokens.grant())
    office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    tokens.refusal = None
    office.later(minutes=2)
    assert office.recipients() == ["ada@example.com"]


def test_a_token_server_in_trouble_puts_letters_off(office: Office, tokens: TokenServer) -> None:
    tokens.status = 503
    grant(office, tokens.grant())
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    assert office.house.enrollment(enrolled.id).state is State.ACTIVE
    assert "letter_deferred" in office.facts(enrolled.id)
    tokens.status = 200
    office.later(minutes=20)
    assert office.recipients() == ["ada@example.com"]


def test_a_replaced_grant_is_stored_in_its_place(office: Office, tokens: TokenServer) -> None:
    tokens.rotates_to = "refresh-2"
    grant(office, tokens.grant())
    office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    assert stored(office) == tokens.grant("refresh-2")
    office.enroll(office.house.sequence(letter(), name="Another"), office.house.person("Bob"))
    office.work()
    assert len(office.recipients()) == 2


def test_a_password_takes_the_grant_s_place_and_other_changes_leave_it(office: Office, tokens: TokenServer) -> None:
    grant(office, tokens.grant())
    office.set_mailbox(security="starttls")
    house, vault = office.house, office.house.world.vault

    def change(**changes: str) -> StoredMailbox:
        return office.transact(lambda tx: change_mailbox(tx, vault, house.account_id, house.mailbox_id, changes))

    assert change(host="localhost").sealed_grant is not None
    assert change(username="other@tea.example").sealed_grant is not None
    after = change(password="a password")
    assert after.sealed_grant is None
    assert after.sealed_password is not None


def test_a_grant_needs_encryption_and_a_mailbox_of_ones_own(office: Office, tokens: TokenServer) -> None:
    office.set_mailbox(security="none")
    with pytest.raises(IncorrectValue) as refused:
        grant(office, tokens.grant())
    assert refused.value.field == "security"
    office.set_mailbox(is_catcher=True, security="tls")
    with pytest.raises(IncorrectValue) as refused:
        grant(office, tokens.grant())
    assert refused.value.field == "mailbox"
