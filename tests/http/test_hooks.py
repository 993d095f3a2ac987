"""/hooks over HTTP: whoever proves to be the provider is heard, and nobody else learns anything."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.person import Person
from drumbeat.domain.unsubscribe import unsubscribe_token
from drumbeat.http import bodies
from drumbeat.mail.provider_mail import LARGEST_BROUGHT
from drumbeat.mail.session import Provider
from drumbeat.store import mailboxes
from drumbeat.store.received import list_of_enrollment as received_of
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.providers import FakeProvider, bring, prove
from drumbeat.wiring import World
from tests.corpus.message import plain
from tests.http.conftest import Api, Browser
from tests.mail.test_provider_proofs import SECRETS, SENDGRID_KEY

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


BRINGING = [Provider.POSTMARK, Provider.MAILGUN, Provider.SENDGRID, Provider.RESEND]


def hooked(owner: Browser, cast: Cast, provider: Provider) -> tuple[int, str]:
    """A mailbox that sends through this provider and is told by it, and where."""
    sent = {"provider": provider.value, "senderEmail": "olga@northwind.example", "password": "the-key"}
    id = int(owner("POST", "/api/mailboxes", sent).json()["data"]["id"])
    assert owner("PUT", f"/api/mailboxes/{id}/hook", {"secret": SECRETS[provider]}).status_code == 200
    return id, f"/hooks/{cast.us.account.id}/{id}"


def wish(world: World, cast: Cast, api: Api, lead: Person) -> tuple[int, bytes]:
    """An enrollment, and the message by which its person takes the way out by mail."""
    sent = {"sequence_id": cast.us.letters.id, "resource_type": "lead", "resource_id": lead.id}
    id = api("POST", "/v2/sequence_enrollments", {"data": sent}).json()["data"]["id"]
    token = unsubscribe_token(world.hash_key, cast.us.account.id, id)
    return id, plain(f"From: {lead.email}\nTo: olga@northwind.example\nSubject: unsubscribe {token}", "")


def state_of(api: Api, id: int) -> tuple[str, str | None]:
    shown = api("GET", f"/v2/sequence_enrollments/{id}").json()["data"]
    return shown["state"], shown["finished_reason"]


@pytest.mark.parametrize("provider", BRINGING)
def test_mail_that_a_provider_receives_has_its_effect_once(
    client: Client, owner: Browser, api: Api, cast: Cast, world: World, clock: FrozenClock,
    new_lead: Callable[..., Person], provider: Provider,
) -> None:  # fmt: skip
    with FakeProvider(provider) as fake:
        mailbox, hook = hooked(owner, cast, provider)
        with world.database.write() as tx:
            stored = mailboxes.get(tx, cast.us.account.id, mailbox)
            mailboxes.save_settings(tx, replace(stored, host="127.0.0.1", port=fake.port, security="none"))
        id, fake.received["1"] = wish(world, cast, api, new_lead())
        path = f"{hook}/mime" if provider is Provider.MAILGUN else hook
        headers, body = bring(provider, SECRETS[provider], fake.received["1"], clock.now, SENDGRID_KEY)
        for _ in range(2):
            answer = client.post(path, content=body, headers=headers)
            assert (answer.status_code, answer.content) == (204, b"")
        assert state_of(api, id) == ("finished", "subscription_cancelled")
        with world.database.read() as snapshot:
            assert len(received_of(snapshot, cast.us.account.id, id)) == 1


@pytest.mark.parametrize("provider", BRINGING)
def test_mail_that_nobody_proves_has_none(
    client: Client, owner: Browser, api: Api, cast: Cast, world: World, clock: FrozenClock,
    new_lead: Callable[..., Person], provider: Provider,
) -> None:  # fmt: skip
    _, hook = hooked(owner, cast, provider)
    id, raw = wish(world, cast, api, new_lead())
    headers, body = bring(provider, SECRETS[provider], raw, clock.now, SENDGRID_KEY)
    wrong = {name: value if name == "content-type" else "Basic bm9ib2R5" for name, value in headers.items()}
    answer = client.post(hook, content=body.replace(b"signature", b"forgery"), headers=wrong)
    assert (answer.status_code, state_of(api, id)) == (401, ("active", None))


def test_mail_that_cannot_be_had_now_is_asked_for_again(
    client: Client, owner: Browser, cast: Cast, clock: FrozenClock
) -> None:
    _, hook = hooked(owner, cast, Provider.RESEND)
    owner("PUT", f"/api/mailboxes/{hook.rpartition('/')[2]}", {"host": "nobody.invalid"})
    headers, body = bring(Provider.RESEND, SECRETS[Provider.RESEND], b"", clock.now)
    answer = client.post(hook, content=body, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_large_message_is_taken_there_and_nowhere_else_and_not_many_at_once(
    client: Client, owner: Browser, cast: Cast, api: Api, world: World, clock: FrozenClock,
    new_lead: Callable[..., Person], make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    _, hook = hooked(owner, cast, Provider.POSTMARK)
    id, raw = wish(world, cast, api, new_lead())
    headers, body = bring(Provider.POSTMARK, SECRETS[Provider.POSTMARK], raw + b"x" * 3_000_000, clock.now)
    assert client.post("/api/session", content=body).status_code == 413
    assert client.post(hook, content=body + b" " * LARGEST_BROUGHT, headers=headers).status_code == 413
    assert client.post(hook, content=body, headers=headers).status_code == 204
    assert state_of(api, id) == ("finished", "subscription_cancelled")
    monkeypatch.setattr(bodies, "_LARGE_AT_ONCE", 0)
    crowded = make_client()
    refused = crowded.post(hook, content=body, headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert crowded.post(hook, content=b"{}", headers=headers).status_code == 204
