"""A mailbox that logs in by OAuth 2, from the grant to the letter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import State
from drumbeat.domain.errors import DatabaseBusy, IncorrectValue, MissingField
from drumbeat.mail.oauth import Grant
from drumbeat.operations import grants
from drumbeat.operations.grants import Tokens, grant_mailbox
from drumbeat.operations.holds import lift_hold
from drumbeat.operations.mailboxes import change_mailbox
from drumbeat.store.database import Database
from drumbeat.store.installation import Vault
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

    with pytest.raises(MissingField):
        change(host="localhost")
    assert change(name="The desk").sealed_grant is not None
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


def token_of(office: Office, tokens: Tokens, *, fresh: bool = False) -> str:
    source = tokens.source(office.mailbox())
    assert source is not None
    return source(fresh)


def held(office: Office, server: TokenServer, monotonic: Callable[[], float] = time.monotonic) -> Tokens:
    """The tokens of a mailbox with a grant of this server's."""
    grant(office, server.grant())
    world = office.house.world
    return Tokens(world.database, world.vault, monotonic=monotonic)


def test_a_token_is_asked_for_once_while_it_lasts(office: Office, tokens: TokenServer) -> None:
    now = 1000.0
    asking = held(office, tokens, lambda: now)
    assert [token_of(office, asking) for _ in range(5)] == ["token-1"] * 5
    assert len(tokens.asked) == 1
    tokens.token = "token-2"
    assert token_of(office, asking, fresh=True) == "token-2"
    tokens.token = "token-3"
    now += 3479
    assert token_of(office, asking) == "token-2"
    now += 1
    assert token_of(office, asking) == "token-3"


def test_many_who_ask_at_once_ask_the_server_once(office: Office, tokens: TokenServer) -> None:
    asking, found = held(office, tokens), []
    threads = [threading.Thread(target=lambda: found.append(token_of(office, asking))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["token-1"] * 20
    assert len(tokens.asked) == 1


def test_another_grant_s_token_is_another(office: Office, tokens: TokenServer) -> None:
    asking = held(office, tokens)
    token_of(office, asking)
    tokens.refresh_token, tokens.token = "refresh-9", "token-9"
    office.set_mailbox(security="starttls")
    grant(office, tokens.grant())
    assert token_of(office, asking) == "token-9"


def test_a_replaced_grant_that_cannot_be_stored_is_used_and_stored_later(
    office: Office, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.rotates_to = "refresh-2"
    asking = held(office, tokens)

    def away(*_: object) -> None:
        raise DatabaseBusy

    monkeypatch.setattr(grants.mailboxes, "save_grant", away)
    assert token_of(office, asking) == "token-1"
    assert stored(office) == tokens.grant("refresh-1")
    tokens.refresh_token = "nobody's"
    assert token_of(office, asking, fresh=True) == "token-1"
    monkeypatch.undo()
    assert token_of(office, asking) == "token-1"
    assert stored(office) == tokens.grant("refresh-2")


def test_a_grant_or_a_key_that_cannot_be_opened_holds_the_mailbox(office: Office, tokens: TokenServer) -> None:
    grant(office, tokens.grant())
    other = Vault(["b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3Q="])
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    for column in ("oauth_grant", "dkim_key"):
        kept = office.mailbox()
        office.worker.close()
        office.set_mailbox(**{column: other.seal("{}")})
        office.work()
        assert office.mailbox().hold_reason == FailureReason.AUTH
        assert office.recipients() == []
        assert office.house.enrollment(enrolled.id).failure_reason is not FailureReason.UNKNOWN
        office.set_mailbox(oauth_grant=kept.sealed_grant, dkim_key=kept.sealed_dkim_key)
        house = office.house
        office.transact(lambda tx: lift_hold(tx, house.account_id, house.mailbox_id))  # noqa: B023
    office.work()
    assert office.recipients() == ["ada@example.com"]
