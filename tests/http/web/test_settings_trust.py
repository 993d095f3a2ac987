"""How a mailbox logs in, signs and is told of its letters: secrets go in and never come out again."""

from __future__ import annotations

import pytest

from drumbeat.mail.session import Provider, Security
from drumbeat.operations.mailboxes import MailboxSettings, add_mailbox
from drumbeat.store import mailboxes
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import post, see


def connected(world: World, cast: Cast, provider: Provider | None = None) -> StoredMailbox:
    """A real mailbox of the owner's."""
    user = cast.us.owner
    settings = MailboxSettings(
        "Olga",
        "Olga Owner",
        user.email,
        "smtp.northwind.example" if provider is None else "api.postmarkapp.com",
        587 if provider is None else 443,
        Security.STARTTLS if provider is None else Security.TLS,
        password=None if provider is None else "api-key",
        provider=provider,
    )
    return world.database.transact(lambda tx: add_mailbox(tx, world.vault, user.account_id, user.id, settings))


def standing(world: World, mailbox: StoredMailbox) -> StoredMailbox:
    with world.database.read() as snapshot:
        return mailboxes.get(snapshot, mailbox.account_id, mailbox.id)


def test_letters_are_signed_with_a_new_key_whose_record_is_shown(owner: Browser, world: World, cast: Cast) -> None:
    mailbox = connected(world, cast)
    page = see(owner, f"/settings/mailboxes/{mailbox.id}/trust").press("Sign from now on")
    assert "drumbeat._domainkey.northwind.example" in page.words
    assert "v=DKIM1" in page.words
    assert "PRIVATE" not in page.text
    assert standing(world, mailbox).dkim_selector == "drumbeat"
    before = standing(world, mailbox)
    again = see(owner, f"/settings/mailboxes/{mailbox.id}/trust").press("Sign with another key")
    assert (again.status, "Replace the key that signs now" in again.refused) == (422, True)
    assert standing(world, mailbox) == before
    assert again.press("Sign with another key", replace="on").status == 200
    assert standing(world, mailbox) != before
    page = see(owner, f"/settings/mailboxes/{mailbox.id}/trust").press("Sign no more")
    assert "signed no more" in page.said
    assert standing(world, mailbox).dkim_selector is None


def test_a_key_that_is_none_is_told_and_not_shown_again(owner: Browser, world: World, cast: Cast) -> None:
    mailbox = connected(world, cast)
    answer = post(owner, f"/settings/mailboxes/{mailbox.id}/dkim", selector="drumbeat", key="no key at all")
    assert answer.status_code == 422
    assert "key-complaint" in answer.text
    assert "no key at all" not in answer.text


def test_a_refresh_token_that_somebody_has_needs_no_consent(owner: Browser, world: World, cast: Cast) -> None:
    mailbox = connected(world, cast)
    fields = {"provider": "google", "username": "olga", "client_id": "1234", "client_secret": "hush"}
    answer = post(owner, f"/settings/mailboxes/{mailbox.id}/grant", **fields, refresh_token="")
    assert (answer.status_code, "refresh_token-complaint" in answer.text, "hush" in answer.text) == (422, True, False)
    answer = post(owner, f"/settings/mailboxes/{mailbox.id}/grant", **fields, refresh_token="refresh-1")
    assert answer.headers["location"] == f"/settings/mailboxes/{mailbox.id}"
    sealed = standing(world, mailbox).sealed_grant
    assert sealed is not None
    assert "refresh-1" in world.vault.open(sealed)
    assert "refresh-1" not in see(owner, f"/settings/mailboxes/{mailbox.id}/trust").text


def test_a_provider_s_login_that_was_made_is_shown_once(owner: Browser, world: World, cast: Cast) -> None:
    mailbox = connected(world, cast, Provider.POSTMARK)
    path = f"/settings/mailboxes/{mailbox.id}/trust"
    assert "Log in by OAuth 2" not in see(owner, path).words
    page = see(owner, path).press("Let it tell")
    assert f"http://drumbeat.test/hooks/{mailbox.account_id}/{mailbox.id}" in page.words
    sealed = standing(world, mailbox).sealed_hook
    assert sealed is not None
    assert world.vault.open(sealed) in page.text
    assert world.vault.open(sealed) not in see(owner, path).text
    assert "refused" in see(owner, path).press("Let it tell no more").said
    assert standing(world, mailbox).sealed_hook is None


@pytest.mark.parametrize("what", ["dkim/remove", "hook/remove", "dkim", "hook", "grant"])
def test_a_rival_s_mailbox_is_as_if_there_were_none(owner: Browser, cast: Cast, what: str) -> None:
    id = cast.rival.seller.mailbox_id
    answer = post(owner, f"/settings/mailboxes/{id}/{what}", provider="google", selector="x", refresh_token="x")
    assert answer.status_code in (303, 404, 422)
    assert "Rival" not in answer.text


def test_the_catcher_needs_none_of_this(owner: Browser, cast: Cast) -> None:
    page = see(owner, f"/settings/mailboxes/{cast.us.seller.mailbox_id}/trust")
    assert "built-in catcher" in page.words
    assert page.buttons == set()
