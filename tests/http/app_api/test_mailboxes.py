"""Mailboxes over the app's API: connected, tested, corrected, switched, held, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from drumbeat.domain.account import User
from drumbeat.domain.delivery import FailureReason
from drumbeat.mail.session import Provider
from drumbeat.operations.holds import hold_mailbox
from drumbeat.store import inboxes, mailboxes
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.testing.providers import FakeProvider
from drumbeat.testing.sink import Sink
from drumbeat.wiring import World
from tests.http.app_api.test_session import refused
from tests.http.app_api.test_users import details
from tests.http.conftest import Browser


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server that takes everything."""
    with Sink() as started:
        yield started


def settings(sink: Sink, **more: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": sink.port,
        "security": "none",
        "senderEmail": "olga@northwind.example",
        **more,
    }


def test_a_mailbox_is_connected_tested_corrected_and_removed(owner: Browser, sink: Sink) -> None:
    made = owner("POST", "/api/mailboxes", settings(sink, name="Olga's"))
    assert made.status_code == 201, made.text
    shown = made.json()["data"]
    assert (shown["senderName"], shown["userIds"], shown["hold"], shown["catcher"]) == ("Olga Owner", [1], None, False)
    path = f"/api/mailboxes/{shown['id']}"
    assert owner("GET", path).json()["data"] == shown
    assert owner("POST", f"{path}/test").json()["data"] == {"works": True, "trouble": None, "inboxTrouble": None}
    changed = owner("PUT", path, {"port": 1, "senderName": "Olga O."}).json()["data"]
    assert changed == shown | {"port": 1, "senderName": "Olga O."}
    tested = owner("POST", f"{path}/test").json()["data"]
    assert tested["works"] is False
    assert tested["trouble"].startswith("connect: ")
    assert owner("DELETE", path).status_code == 204
    for method, at in (
        ("GET", path),
        ("PUT", path),
        ("DELETE", path),
        ("POST", f"{path}/test"),
        ("POST", f"{path}/lift"),
        ("DELETE", f"{path}/inbox"),
    ):
        assert refused(owner(method, at, {"name": "x"} if method == "PUT" else None)) == (404, "NOT_FOUND")
    assert owner("GET", "/api/users/1").json()["data"]["mailboxId"] is None


def test_its_password_is_sealed_and_never_shown(owner: Browser, sink: Sink, world: World, cast: Cast) -> None:
    login = {"username": "olga", "password": "a mail secret", "security": "starttls"}
    made = owner("POST", "/api/mailboxes", settings(sink, **login))
    assert made.json()["data"]["username"] == "olga"
    assert "a mail secret" not in made.text + owner("GET", "/api/mailboxes").text
    with world.database.read() as snapshot:
        stored = mailboxes.get(snapshot, cast.us.account.id, made.json()["data"]["id"])
    assert stored.sealed_password is not None
    assert "a mail secret" not in stored.sealed_password
    path = f"/api/mailboxes/{stored.id}"
    without = owner("PUT", path, {"username": None, "security": "none"})
    assert without.json()["data"]["username"] is None
    assert details(owner("PUT", path, {"password": "x"}))["field"] == "username"


def test_one_is_switched_off_and_on(owner: Browser, sink: Sink) -> None:
    id = owner("POST", "/api/mailboxes", settings(sink)).json()["data"]["id"]
    assert owner("PUT", f"/api/mailboxes/{id}", {"active": False}).json()["data"]["active"] is False
    assert owner("PUT", f"/api/mailboxes/{id}", {"active": True}).json()["data"]["active"] is True


def test_a_hold_is_shown_and_lifted(owner: Browser, sink: Sink, world: World, cast: Cast) -> None:
    id = owner("POST", "/api/mailboxes", settings(sink)).json()["data"]["id"]

    def hold(tx: Tx) -> None:
        mailbox = mailboxes.lock(tx, cast.us.account.id, id)
        hold_mailbox(tx, mailbox, FailureReason.AUTH, "The server refused the login: 535 no.")

    world.database.transact(hold)
    shown = owner("GET", f"/api/mailboxes/{id}").json()["data"]["hold"]
    assert shown == {
        "since": "2026-03-03T10:00:00Z",
        "until": "2026-03-03T10:01:00Z",
        "reason": "auth",
        "detail": "The server refused the login: 535 no.",
    }
    assert owner("POST", f"/api/mailboxes/{id}/lift").json()["data"] == {"released": 0}
    assert owner("GET", f"/api/mailboxes/{id}").json()["data"]["hold"] is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"host": "two words"}, "host"),
        ({"port": 0}, "port"),
        ({"senderEmail": "olga"}, "senderEmail"),
        ({"senderName": "two\nlines"}, "senderName"),
        ({"security": "rot13"}, "security"),
        ({"username": "olga", "password": "x"}, "security"),
        ({"connections": 51}, "connections"),
        ({"catcher": True}, "catcher"),
        ({"userId": 1_000_001}, "userId"),
    ],
)
def test_what_is_wrong_is_named(owner: Browser, sink: Sink, wrong: dict[str, Any], field: str) -> None:
    assert details(owner("POST", "/api/mailboxes", settings(sink, **wrong)))["field"] == field


def test_the_catcher_stays_as_it_is(owner: Browser, cast: Cast) -> None:
    path = f"/api/mailboxes/{cast.us.seller.mailbox_id}"
    assert details(owner("PUT", path, {"name": "Mine"}))["field"] == "mailbox"
    assert details(owner("DELETE", path))["field"] == "mailbox"


def test_where_the_test_clock_may_run_no_real_mailbox_is_added(
    owner: Browser, sink: Sink, make_client: Callable[..., Any]
) -> None:
    answer = replace(owner, client=make_client(test_clock=True))("POST", "/api/mailboxes", settings(sink))
    assert refused(answer) == (409, "CONFLICT")
    assert "DRUMBEAT_TEST_CLOCK" in answer.json()["error"]["details"]["reason"]


def test_agents_look_and_touch_nothing_and_rivals_see_none(
    owner: Browser, seller: Browser, sign_in: Callable[[User], Browser], sink: Sink, cast: Cast
) -> None:
    id = owner("POST", "/api/mailboxes", settings(sink)).json()["data"]["id"]
    assert [each["id"] for each in seller("GET", "/api/mailboxes").json()["data"]] == [1, id]
    rival = sign_in(cast.rival.owner)
    calls = [
        ("PUT", f"/api/mailboxes/{id}", {"name": "x"}),
        ("DELETE", f"/api/mailboxes/{id}", None),
        ("POST", f"/api/mailboxes/{id}/test", None),
        ("POST", f"/api/mailboxes/{id}/lift", None),
        ("PUT", f"/api/mailboxes/{id}/inbox", {"host": "imap.tea.example", "username": "o", "password": "p"}),
        ("DELETE", f"/api/mailboxes/{id}/inbox", None),
    ]
    for method, path, body in calls:
        assert refused(seller(method, path, body)) == (403, "INSUFFICIENT_PERMISSIONS")
        assert refused(rival(method, path, body)) == (404, "NOT_FOUND")
    assert refused(seller("POST", "/api/mailboxes", settings(sink))) == (403, "INSUFFICIENT_PERMISSIONS")


LOGIN = {"username": "olga", "password": "another secret"}


def test_a_mailbox_hears_and_hears_no_more(owner: Browser, sink: Sink, world: World, cast: Cast) -> None:
    id = owner("POST", "/api/mailboxes", settings(sink)).json()["data"]["id"]
    path = f"/api/mailboxes/{id}"
    assert owner("GET", path).json()["data"]["inbox"] is None
    answer = owner("PUT", f"{path}/inbox", {"host": "127.0.0.1", "port": 1, **LOGIN})
    shown = answer.json()["data"]["inbox"]
    assert shown | {"lookAt": None} == {
        "host": "127.0.0.1",
        "port": 1,
        "security": "tls",
        "username": "olga",
        "heardAt": None,
        "trouble": None,
        "lookAt": None,
    }
    assert "another secret" not in answer.text + owner("GET", "/api/mailboxes").text
    with world.database.read() as snapshot:
        inbox = inboxes.find(snapshot, cast.us.account.id, id)
    assert inbox is not None
    assert inbox.sealed_password is not None
    assert "another secret" not in inbox.sealed_password
    tested = owner("POST", f"{path}/test").json()["data"]
    assert tested == {"works": False, "trouble": None, "inboxTrouble": "connect: connection refused"}
    assert owner("DELETE", f"{path}/inbox").status_code == 204
    assert owner("DELETE", f"{path}/inbox").status_code == 204
    assert owner("GET", path).json()["data"]["inbox"] is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"host": "imaps://mail"}, "host"),
        ({"port": 0}, "port"),
        ({"security": "none"}, "security"),
        ({"username": None}, "username"),
        ({"username": None, "password": None}, "username"),
        ({"password": None}, "password"),
        ({"password": "a\x00b"}, "password"),
        ({"folder": "INBOX"}, "folder"),
    ],
)
def test_what_is_wrong_with_an_inbox_is_named(owner: Browser, sink: Sink, wrong: dict[str, Any], field: str) -> None:
    id = owner("POST", "/api/mailboxes", settings(sink)).json()["data"]["id"]
    sent = {"host": "imap.tea.example", **LOGIN} | wrong
    assert details(owner("PUT", f"/api/mailboxes/{id}/inbox", sent))["field"] == field
    assert owner("GET", f"/api/mailboxes/{id}").json()["data"]["inbox"] is None


def test_an_inbox_without_a_login_takes_the_mailboxs_own(owner: Browser, sink: Sink) -> None:
    login = {"username": "olga", "password": "a mail secret", "security": "starttls"}
    id = owner("POST", "/api/mailboxes", settings(sink, **login)).json()["data"]["id"]
    shown = owner("PUT", f"/api/mailboxes/{id}/inbox", {"host": "imap.tea.example"}).json()["data"]["inbox"]
    assert (shown["username"], shown["port"]) == (None, 993)


def test_a_removed_mailbox_hears_no_more(owner: Browser, sink: Sink, world: World, cast: Cast) -> None:
    id = owner("POST", "/api/mailboxes", settings(sink)).json()["data"]["id"]
    owner("PUT", f"/api/mailboxes/{id}/inbox", {"host": "imap.tea.example", **LOGIN})
    owner("DELETE", f"/api/mailboxes/{id}")
    with world.database.read() as snapshot:
        assert inboxes.find(snapshot, cast.us.account.id, id) is None


def test_nothing_comes_back_to_the_catcher(owner: Browser, cast: Cast) -> None:
    path = f"/api/mailboxes/{cast.us.seller.mailbox_id}/inbox"
    assert details(owner("PUT", path, {"host": "imap.tea.example", **LOGIN}))["field"] == "mailbox"


def test_a_new_mailbox_leaves_some_time_between_letters_and_takes_other_limits(owner: Browser, sink: Sink) -> None:
    path = f"/api/mailboxes/{owner('POST', '/api/mailboxes', settings(sink)).json()['data']['id']}"
    shown = owner("GET", path).json()["data"]
    assert [shown[name] for name in ("perDay", "perHour", "spacing", "rampFrom")] == [None, None, 3, None]
    limits = {"perDay": 400, "perHour": 40, "spacing": 0, "rampFrom": 20}
    assert owner("PUT", path, limits).json()["data"] == shown | limits
    assert owner("PUT", path, {"perDay": None, "rampFrom": None}).json()["data"]["perDay"] is None
    assert owner("GET", path).json()["data"]["perHour"] == 40


@pytest.mark.parametrize(("name", "wrong"), [("perDay", 0), ("perHour", 1.5), ("spacing", -1), ("rampFrom", "5")])
def test_a_limit_that_is_none_is_named(owner: Browser, sink: Sink, name: str, wrong: Any) -> None:
    path = f"/api/mailboxes/{owner('POST', '/api/mailboxes', settings(sink)).json()['data']['id']}"
    assert details(owner("PUT", path, {name: wrong}))["field"] == name


def test_an_account_has_an_allowance_and_says_what_was_sent(owner: Browser) -> None:
    shown = owner("PUT", "/api/account", {"monthlyAllowance": 500}).json()["data"]
    assert (shown["monthlyAllowance"], shown["sentThisMonth"]) == (500, 0)
    assert details(owner("PUT", "/api/account", {"monthlyAllowance": -1}))["field"] == "monthlyAllowance"
    assert owner("PUT", "/api/account", {"keepDays": 365}).json()["data"]["keepDays"] == 365
    assert details(owner("PUT", "/api/account", {"keepDays": 0}))["field"] == "keepDays"
    shown = owner("PUT", "/api/account", {"monthlyAllowance": None}).json()["data"]
    assert (shown["monthlyAllowance"], shown["sentThisMonth"]) == (None, None)


def test_a_sender_is_looked_up(owner: Browser, sink: Sink) -> None:
    path = f"/api/mailboxes/{owner('POST', '/api/mailboxes', settings(sink)).json()['data']['id']}"
    found = owner("GET", f"{path}/identity").json()["data"]
    assert [each["subject"] for each in found][:3] == ["SPF", "DKIM", "DMARC"]
    assert found[0]["verdict"] == "wrong"
    assert "northwind.example" in found[0]["fix"]


def test_letters_are_signed_and_the_record_to_publish_is_told(owner: Browser, sink: Sink) -> None:
    path = f"/api/mailboxes/{owner('POST', '/api/mailboxes', settings(sink)).json()['data']['id']}"
    told = owner("PUT", f"{path}/dkim", {}).json()["data"]
    assert told["name"] == "drumbeat._domainkey.northwind.example"
    assert told["text"].startswith("v=DKIM1; k=rsa; p=")
    shown = owner("GET", path)
    assert shown.json()["data"]["dkimSelector"] == "drumbeat"
    assert "PRIVATE" not in shown.text
    assert details(owner("PUT", f"{path}/dkim", {"key": "nonsense"}))["field"] == "key"
    assert details(owner("PUT", f"{path}/dkim", {"selector": "a b"}))["field"] == "selector"
    assert owner("DELETE", f"{path}/dkim").status_code == 204
    assert owner("GET", path).json()["data"]["dkimSelector"] is None


PROVIDED = {"provider": "postmark", "senderEmail": "olga@northwind.example", "password": "the-key"}


def test_a_mailbox_sends_through_a_provider_and_its_key_is_tried_and_never_shown(owner: Browser) -> None:
    with FakeProvider(Provider.POSTMARK) as fake:
        local = {"host": "127.0.0.1", "port": fake.port, "security": "none"}
        made = owner("POST", "/api/mailboxes", PROVIDED | local)
        shown = made.json()["data"]
        assert (shown["provider"], shown["username"]) == ("postmark", None)
        assert "the-key" not in made.text
        path = f"/api/mailboxes/{shown['id']}"
        assert owner("POST", f"{path}/test").json()["data"]["works"] is True
        owner("PUT", path, {"password": "wrong"})
        assert "auth: 535" in owner("POST", f"{path}/test").json()["data"]["trouble"]
        assert fake.letters == []
    found = [each["subject"] for each in owner("GET", f"{path}/identity").json()["data"]]
    assert found == ["SPF", "DKIM", "DMARC", "mail that comes back"]
    assert details(owner("PUT", f"{path}/dkim", {}))["field"] == "mailbox"
    assert details(owner("PUT", f"{path}/grant", GRANT))["field"] == "mailbox"
    assert details(owner("PUT", f"{path}/inbox", {"host": "imap.example"}))["field"] == "username"


def test_mailgun_sends_from_the_senders_domain_or_another_one(owner: Browser) -> None:
    shown = owner("POST", "/api/mailboxes", PROVIDED | {"provider": "mailgun"}).json()["data"]
    assert (shown["host"], shown["username"]) == ("api.mailgun.net", "northwind.example")
    named = PROVIDED | {"provider": "mailgun", "username": "mg.northwind.example"}
    assert owner("POST", "/api/mailboxes", named).json()["data"]["username"] == "mg.northwind.example"


def test_a_provider_is_asked_where_it_usually_is(owner: Browser) -> None:
    shown = owner("POST", "/api/mailboxes", PROVIDED).json()["data"]
    assert [shown[name] for name in ("host", "port", "security")] == ["api.postmarkapp.com", 443, "tls"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"password": None}, "password"),
        ({"security": "none"}, "security"),
        ({"security": "starttls"}, "security"),
        ({"provider": "ses"}, "host"),
        ({"provider": "ses", "host": "email.eu-west-1.amazonaws.com"}, "username"),
        ({"provider": "nobody"}, "provider"),
        ({"provider": None}, "host"),
    ],
)
def test_what_a_provider_lacks_is_named(owner: Browser, wrong: dict[str, Any], field: str) -> None:
    assert details(owner("POST", "/api/mailboxes", PROVIDED | wrong))["field"] == field


GRANT = {"provider": "google", "username": "olga@northwind.example", "clientId": "c", "refreshToken": "a refresh token"}


def test_a_mailbox_logs_in_by_oauth_and_its_secrets_are_never_shown(owner: Browser, sink: Sink) -> None:
    login = {"username": "olga", "password": "a mail secret", "security": "starttls"}
    path = f"/api/mailboxes/{owner('POST', '/api/mailboxes', settings(sink, **login)).json()['data']['id']}"
    answer = owner("PUT", f"{path}/grant", GRANT)
    assert (answer.json()["data"]["byOauth"], answer.json()["data"]["username"]) == (True, "olga@northwind.example")
    assert "a refresh token" not in answer.text
    assert owner("PUT", path, {"password": "a mail secret"}).json()["data"]["byOauth"] is False


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"provider": "nobody"}, "provider"),
        ({"provider": "other"}, "tokenUrl"),
        ({"provider": "other", "tokenUrl": "http://token.example/"}, "tokenUrl"),
        ({"refreshToken": ""}, "refreshToken"),
        ({"clientId": ""}, "clientId"),
    ],
)
def test_what_is_wrong_with_a_grant_is_named(owner: Browser, sink: Sink, wrong: dict[str, Any], field: str) -> None:
    made = owner("POST", "/api/mailboxes", settings(sink, security="starttls"))
    path = f"/api/mailboxes/{made.json()['data']['id']}/grant"
    assert details(owner("PUT", path, GRANT | wrong))["field"] == field
