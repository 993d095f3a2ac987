"""/hooks over HTTP: whoever proves to be the provider is heard, and nobody else learns anything."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.mail.session import Provider
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.providers import prove
from drumbeat.wiring import World
from tests.http.conftest import Browser

Client = TestClient[Litestar]
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
TOLD = json.dumps({"type": "email.delivered", "data": {"tags": {"drumbeat": "1-1-0-1-forged"}}}).encode()


@pytest.fixture
def mailbox(owner: Browser) -> int:
    """A mailbox that sends through Resend."""
    sent = {"provider": "resend", "senderEmail": "olga@northwind.example", "password": "the-key"}
    return int(owner("POST", "/api/mailboxes", sent).json()["data"]["id"])


def details(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]["details"]
    return found


def test_a_provider_is_heard_while_the_hook_is_set(
    client: Client, owner: Browser, mailbox: int, cast: Cast, clock: FrozenClock
) -> None:
    path = f"/api/mailboxes/{mailbox}"
    answer = owner("PUT", f"{path}/hook", {"secret": SECRET})
    assert answer.status_code == 200, answer.text
    shown = answer.json()["data"]
    assert shown["url"].endswith(f"/hooks/{cast.us.account.id}/{mailbox}")
    assert (shown["username"], shown["password"]) == (None, None)
    assert SECRET not in answer.text + owner("GET", path).text
    assert owner("GET", path).json()["data"]["hooked"] is True
    hook = "/hooks/" + shown["url"].rpartition("/hooks/")[2]
    headers, body = prove(Provider.RESEND, SECRET, TOLD, clock.now)
    heard = client.post(hook, content=body, headers=headers)
    assert (heard.status_code, heard.content) == (204, b"")
    assert client.post(hook, content=body + b" ", headers=headers).status_code == 401
    clock.advance(timedelta(minutes=6))
    assert client.post(hook, content=body, headers=headers).status_code == 401
    assert owner("DELETE", f"{path}/hook").status_code == 204
    assert owner("GET", path).json()["data"]["hooked"] is False
    headers, body = prove(Provider.RESEND, SECRET, TOLD, clock.now)
    assert client.post(hook, content=body, headers=headers).status_code == 401


def test_a_proven_request_that_is_no_json_is_named(
    client: Client, owner: Browser, mailbox: int, cast: Cast, clock: FrozenClock
) -> None:
    owner("PUT", f"/api/mailboxes/{mailbox}/hook", {"secret": SECRET})
    headers, body = prove(Provider.RESEND, SECRET, b"<xml/>", clock.now)
    assert client.post(f"/hooks/{cast.us.account.id}/{mailbox}", content=body, headers=headers).status_code == 400


def test_postmark_is_given_a_password_of_its_own_once(client: Client, owner: Browser, cast: Cast) -> None:
    sent = {"provider": "postmark", "senderEmail": "olga@northwind.example", "password": "the-key"}
    id = owner("POST", "/api/mailboxes", sent).json()["data"]["id"]
    shown = owner("PUT", f"/api/mailboxes/{id}/hook", {}).json()["data"]
    assert shown["username"] == "drumbeat"
    hook, told = f"/hooks/{cast.us.account.id}/{id}", {"RecordType": "Open"}
    assert client.post(hook, json=told, auth=("drumbeat", shown["password"])).status_code == 204
    assert client.post(hook, json=told, auth=("drumbeat", "guess")).status_code == 401
    again = owner("PUT", f"/api/mailboxes/{id}/hook", {"secret": "a password of our own"}).json()["data"]
    assert (again["username"], again["password"]) == (None, None)
    assert client.post(hook, json=told, auth=("drumbeat", "a password of our own")).status_code == 204


@pytest.mark.parametrize(
    "path", ["{us}/999", "{them}/{mailbox}", "0/0", "x/y", "1e3/1", "99999999999999999999/1", "{us}/-1"]
)
def test_whoever_is_not_the_provider_cannot_tell_a_mailbox_from_none(
    client: Client, mailbox: int, cast: Cast, path: str
) -> None:
    nobody = client.post(f"/hooks/{cast.us.account.id}/{mailbox}", content=TOLD)
    at = path.format(us=cast.us.account.id, them=cast.rival.account.id, mailbox=mailbox)
    other = client.post(f"/hooks/{at}", content=TOLD)
    assert (nobody.status_code, nobody.text) == (other.status_code, other.text)
    assert nobody.status_code == 401


def test_a_rivals_secret_opens_only_the_rivals_hook(
    client: Client, mailbox: int, owner: Browser, cast: Cast, world: World, clock: FrozenClock
) -> None:
    owner("PUT", f"/api/mailboxes/{mailbox}/hook", {"secret": SECRET})
    headers, body = prove(Provider.RESEND, "whsec_" + base64.b64encode(b"of a rival").decode(), TOLD, clock.now)
    assert client.post(f"/hooks/{cast.us.account.id}/{mailbox}", content=body, headers=headers).status_code == 401


def test_a_mailbox_without_a_provider_is_told_nothing(owner: Browser, cast: Cast) -> None:
    assert details(owner("PUT", f"/api/mailboxes/{cast.us.seller.mailbox_id}/hook", {}))["field"] == "mailbox"


@pytest.mark.parametrize("secret", [None, "short", "whsec_!"])
def test_a_secret_that_is_none_is_named(owner: Browser, mailbox: int, secret: str | None) -> None:
    assert details(owner("PUT", f"/api/mailboxes/{mailbox}/hook", {"secret": secret}))["field"] == "secret"
