"""Signing in and out: whom it lets in, what it tells nobody, and that other sites cannot use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.account import Role, User, UserStatus
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.app_api.conftest import PASSWORD
from tests.http.conftest import Browser

Client = TestClient[Litestar]


def enter(client: Client, email: str, password: str = PASSWORD, **more: Any) -> Any:
    client.cookies.clear()
    headers = more.pop("headers", {})
    return client.post("/api/session", json={"email": email, "password": password, **more}, headers=headers)


def browser(client: Client, answer: Any) -> Browser:
    assert answer.status_code == 200, answer.text
    cookie = answer.cookies["drumbeat"]
    client.cookies.clear()
    return Browser(client, cookie, answer.json()["data"]["csrfToken"])


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_the_right_password_opens_a_session_in_a_cookie_that_scripts_cannot_read(client: Client, sam: User) -> None:
    answer = enter(client, f"  {sam.email.upper()} ")
    assert answer.status_code == 200, answer.text
    shown = answer.json()["data"]
    assert shown["user"] == {
        "id": sam.id,
        "name": sam.name,
        "email": sam.email,
        "role": "agent",
        "timeZone": None,
    }
    assert shown["account"] == {"id": 1, "name": "Northwind Lamps"}
    assert shown["accounts"] == [shown["account"]]
    words = answer.headers["set-cookie"].lower()
    assert "httponly" in words
    assert "samesite=lax" in words
    assert "path=/" in words
    me = browser(client, answer)
    assert me("GET", "/api/session").json()["data"] == shown


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client: Client, sam: User) -> None:
    wrong, unknown = enter(client, sam.email, "lamps and candles"), enter(client, "nobody@nowhere.example")
    assert refused(wrong) == refused(unknown) == (401, "WRONG_PASSWORD")
    assert wrong.json() == unknown.json()
    assert "set-cookie" not in wrong.headers


def test_an_inactive_user_is_let_in_nowhere(client: Client, world: World, sam: User) -> None:
    me = browser(client, enter(client, sam.email))
    world.database.transact(lambda tx: accounts.save_user(tx, replace(sam, status=UserStatus.INACTIVE)))
    assert refused(me("GET", "/api/session")) == (401, "NOT_SIGNED_IN")
    assert refused(enter(client, sam.email)) == (401, "WRONG_PASSWORD")


def test_ten_wrong_guesses_close_the_address_for_whoever_guessed(client: Client, sam: User, clock: FrozenClock) -> None:
    for _ in range(10):
        assert refused(enter(client, sam.email, "a wrong password")) == (401, "WRONG_PASSWORD")
    closed = enter(client, sam.email)
    assert refused(closed) == (429, "RATE_LIMITED")
    assert 0 < int(closed.headers["retry-after"]) <= 900
    assert refused(enter(client, "other@northwind.example")) == (401, "WRONG_PASSWORD")
    clock.advance(timedelta(minutes=15))
    assert enter(client, sam.email).status_code == 200


def test_addresses_nobody_has_are_closed_alike(client: Client, cast: Cast) -> None:
    answers = [refused(enter(client, "nobody@nowhere.example", "a wrong password")) for _ in range(11)]
    assert answers == [(401, "WRONG_PASSWORD")] * 10 + [(429, "RATE_LIMITED")]


def test_a_right_password_clears_the_count(client: Client, sam: User) -> None:
    for _ in range(2):
        for _ in range(6):
            enter(client, sam.email, "a wrong password")
        assert enter(client, sam.email).status_code == 200


def test_a_session_ends_after_twelve_idle_hours_and_after_fourteen_days(
    client: Client, sam: User, clock: FrozenClock
) -> None:
    me = browser(client, enter(client, sam.email))
    for _ in range(28):
        assert me("GET", "/api/session").status_code == 200
        clock.advance(timedelta(hours=11, minutes=59))
    assert me("GET", "/api/session").status_code == 200
    clock.advance(timedelta(minutes=28))
    assert refused(me("GET", "/api/session")) == (401, "NOT_SIGNED_IN")
    again = browser(client, enter(client, sam.email))
    clock.advance(timedelta(hours=12))
    assert refused(again("GET", "/api/session")) == (401, "NOT_SIGNED_IN")


def test_signing_out_ends_this_session_or_all_the_others(client: Client, sam: User) -> None:
    here, there = (browser(client, enter(client, sam.email)) for _ in range(2))
    assert here("DELETE", "/api/sessions").status_code == 204
    assert here("GET", "/api/session").status_code == 200
    assert refused(there("GET", "/api/session")) == (401, "NOT_SIGNED_IN")
    assert here("DELETE", "/api/session").status_code == 204
    assert refused(here("GET", "/api/session")) == (401, "NOT_SIGNED_IN")


@pytest.mark.parametrize("cookie", ["", "x", "dbs_0000000100000001_" + "A" * 43, "dbs_zzzzzzzzzzzzzzzz_" + "A" * 43])
def test_a_forged_cookie_opens_nothing(client: Client, seller: Browser, cookie: str) -> None:
    assert refused(replace(seller, cookie=cookie)("GET", "/api/session")) == (401, "NOT_SIGNED_IN")


def test_a_token_is_no_session(client: Client, cast: Cast, seller: Browser) -> None:
    assert refused(replace(seller, cookie=cast.us.token)("GET", "/api/session")) == (401, "NOT_SIGNED_IN")
    answer = client.get("/api/session", headers={"Authorization": f"Bearer {cast.us.token}"})
    assert refused(answer) == (401, "NOT_SIGNED_IN")


@pytest.mark.parametrize("csrf", ["", "x" * 64])
def test_a_change_without_the_token_of_its_session_is_refused(seller: Browser, csrf: str) -> None:
    assert refused(replace(seller, csrf=csrf)("DELETE", "/api/session")) == (403, "CROSS_SITE")
    assert seller("GET", "/api/session").status_code == 200


def test_the_token_of_another_session_does_not_fit(owner: Browser, seller: Browser) -> None:
    assert refused(replace(seller, csrf=owner.csrf)("DELETE", "/api/session")) == (403, "CROSS_SITE")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_neither_sign_in_nor_change(client: Client, sam: User, seller: Browser, site: str) -> None:
    elsewhere = {"Sec-Fetch-Site": site}
    assert refused(enter(client, sam.email, headers=elsewhere)) == (403, "CROSS_SITE")
    assert refused(seller("DELETE", "/api/session", headers=elsewhere)) == (403, "CROSS_SITE")


def test_one_address_works_in_several_accounts_and_picks_one(
    client: Client, world: World, cast: Cast, sam: User
) -> None:
    def join(tx: Tx) -> User:
        login_id = accounts.login_of(tx, sam.account_id, sam.id)
        return accounts.add_user(
            tx, cast.rival.account.id, name="Sam", email=sam.email, role=Role.ADMIN, login_id=login_id
        )

    there = world.database.transact(join)
    me = browser(client, enter(client, sam.email))
    assert [each["id"] for each in me("GET", "/api/session").json()["data"]["accounts"]] == [1, 2]
    picked = me("PUT", "/api/session", {"accountId": 2})
    assert picked.json()["data"]["user"]["id"] == there.id
    assert refused(me("GET", "/api/session")) == (401, "NOT_SIGNED_IN")
    now = browser(client, picked)
    assert now("GET", "/api/session").json()["data"]["account"]["name"] == "Rival Lanterns"
    assert refused(now("PUT", "/api/session", {"accountId": 3})) == (404, "NOT_FOUND")
    direct = enter(client, sam.email, accountId=2)
    assert direct.json()["data"]["account"]["id"] == 2


def test_whoever_comes_through_proxies_is_told_apart_by_what_the_trusted_one_saw(
    world: World, sam: User, make_client: Callable[..., Client]
) -> None:
    client = make_client(proxies=1)
    guessing = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    for _ in range(11):
        answer = enter(client, sam.email, "a wrong password", headers=guessing)
    assert refused(answer) == (429, "RATE_LIMITED")
    elsewhere = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
    assert enter(client, sam.email, headers=elsewhere).status_code == 200


def test_by_https_the_cookie_is_secure_and_of_this_host_alone(
    world: World, sam: User, make_client: Callable[..., Client]
) -> None:
    client = make_client(base_url="https://drumbeat.test")
    words = enter(client, sam.email).headers["set-cookie"]
    assert words.startswith("__Host-drumbeat=")
    assert "secure" in words.lower()


@pytest.mark.parametrize(
    ("body", "field"),
    [({"password": PASSWORD}, "email"), ({"email": "a@b.example", "password": 7}, "password")],
)
def test_what_is_wrong_with_the_body_is_named(client: Client, cast: Cast, body: Any, field: str) -> None:
    answer = client.post("/api/session", json=body)
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"]["field"] == field
