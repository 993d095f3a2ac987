"""A mailbox whose owner consents at a provider comes back with a grant; anything else that comes back does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from drumbeat.domain.account import User
from drumbeat.mail.session import Security
from drumbeat.operations.mailboxes import MailboxSettings, add_mailbox
from drumbeat.store import mailboxes
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.testing.cast import Cast
from drumbeat.testing.tokens import TokenServer
from drumbeat.wiring import World
from tests.http.conftest import Browser

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def provider() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


@pytest.fixture
def mailbox(world: World, cast: Cast) -> StoredMailbox:
    user: User = cast.us.owner
    settings = MailboxSettings("Olga", "Olga Owner", user.email, "smtp.northwind.example", 587, Security.STARTTLS)
    return world.database.transact(lambda tx: add_mailbox(tx, world.vault, user.account_id, user.id, settings))


def begin(owner: Browser, mailbox: StoredMailbox, provider: TokenServer, **more: str) -> tuple[str, dict[str, str]]:
    """The cookie that was kept, and what the provider is asked."""
    fields = {
        "provider": "other",
        "username": "olga@northwind.example",
        "client_id": "client",
        "client_secret": "hush",
        "consent_url": "http://127.0.0.1/authorize",
        "token_url": provider.url,
        "scope": "mail",
    }
    answer = owner("POST", f"/settings/mailboxes/{mailbox.id}/consent", content=urlencode(fields | more), headers=FORM)
    assert answer.status_code == 200, answer.text
    assert "hush" not in answer.text
    (address,) = re.findall(r'href="(http://127.0.0.1/authorize[^"]*)"', answer.text)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(unescape(address)).query).items()}
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert "hush" not in cookie
    return cookie, asked


def come_back(owner: Browser, cookie: str, **query: str) -> str:
    """Where the owner is led."""
    answer = owner(
        "GET",
        f"/settings/mailboxes/consent?{urlencode(query)}",
        headers={"Cookie": f"drumbeat={owner.cookie}; {cookie}"},
        follow_redirects=False,
    )
    assert answer.status_code == 303
    location: str = answer.headers["location"]
    return location


def standing(world: World, mailbox: StoredMailbox) -> StoredMailbox:
    with world.database.read() as snapshot:
        return mailboxes.get(snapshot, mailbox.account_id, mailbox.id)


def test_a_code_becomes_a_grant_that_is_sealed(
    owner: Browser, world: World, mailbox: StoredMailbox, provider: TokenServer
) -> None:
    cookie, asked = begin(owner, mailbox, provider)
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://drumbeat.test/settings/mailboxes/consent"
    location = come_back(owner, cookie, code=provider.code, state=asked["state"])
    assert location == f"/settings/mailboxes/{mailbox.id}"
    (told,) = provider.asked
    assert len(told["code_verifier"]) >= 43
    after = standing(world, mailbox)
    assert after.username == "olga@northwind.example"
    assert after.sealed_grant is not None
    assert provider.refresh_token not in after.sealed_grant
    assert provider.refresh_token in world.vault.open(after.sealed_grant)


@pytest.mark.parametrize("query", [{"state": "another"}, {"state": ""}, {}])
def test_another_state_redeems_nothing(
    owner: Browser, world: World, mailbox: StoredMailbox, provider: TokenServer, query: dict[str, str]
) -> None:
    cookie, _ = begin(owner, mailbox, provider)
    assert come_back(owner, cookie, code=provider.code, **query) == "/settings/mailboxes"
    assert provider.asked == []
    assert standing(world, mailbox).sealed_grant is None


def test_a_consent_that_another_user_began_is_not_theirs(
    owner: Browser, seller: Browser, mailbox: StoredMailbox, provider: TokenServer
) -> None:
    cookie, asked = begin(owner, mailbox, provider)
    answer = seller(
        "GET",
        f"/settings/mailboxes/consent?code={provider.code}&state={asked['state']}",
        headers={"Cookie": f"drumbeat={seller.cookie}; {cookie}"},
    )
    assert answer.status_code == 403
    assert provider.asked == []


def test_a_refusal_is_told_and_changes_nothing(
    owner: Browser, world: World, mailbox: StoredMailbox, provider: TokenServer
) -> None:
    cookie, asked = begin(owner, mailbox, provider)
    assert come_back(owner, cookie, error="access_denied", state=asked["state"]).endswith("/trust")
    assert come_back(owner, cookie, code="wrong", state=asked["state"]).endswith("/trust")
    assert standing(world, mailbox).sealed_grant is None


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("client_id", ""), ("username", ""), ("token_url", "http://elsewhere.example"), ("consent_url", "ftp://x")],
)
def test_what_is_missing_is_told_beside_its_field(
    owner: Browser, mailbox: StoredMailbox, provider: TokenServer, field: str, wrong: str
) -> None:
    with pytest.raises(AssertionError, match=f"{field}-complaint"):
        begin(owner, mailbox, provider, **{field: wrong})
