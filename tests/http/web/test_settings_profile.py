"""/settings/profile: one's name, clock and locale, one's password and sessions, and the other accounts one works in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.account import Role, User
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.app_api.test_session import enter
from tests.http.conftest import Browser
from tests.http.web.settings import post, said, see

PROFILE = "/settings/profile"
PASSWORD, NEW = "lamps and lanterns", "a better password"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def sam(seller: Browser, world: World, cast: Cast) -> Browser:
    """Our seller, signed in, with a password."""

    def work(tx: Tx) -> None:
        login_id = accounts.login_of(tx, cast.us.account.id, cast.us.seller.id)
        assert login_id is not None
        accounts.save_password(tx, login_id, QUICK.hash(PASSWORD))

    world.database.transact(work)
    return seller


def stored(world: World, user: User) -> User:
    with world.database.read() as snapshot:
        return accounts.get_user(snapshot, user.account_id, user.id)


def is_led_to_the_sign_in(browser: Browser) -> bool:
    answer: Any = browser("GET", PROFILE, follow_redirects=False)
    return (answer.status_code, answer.headers.get("location")) == (303, f"/sign-in?next={PROFILE}")


def test_an_admin_changes_their_name_and_clock(owner: Browser, world: World, cast: Cast) -> None:
    page = see(owner, PROFILE)
    assert (page.fields["name"], page.fields["time_zone"]) == ("Olga Owner", "")
    page = page.press("Keep the changes", name=" Olga O. ", time_zone="Asia/Tokyo")
    assert (page.path, page.said) == (PROFILE, "What you changed is kept.")
    assert (page.fields["name"], page.fields["time_zone"]) == ("Olga O.", "Asia/Tokyo")
    user = stored(world, cast.us.owner)
    assert (user.name, user.time_zone) == ("Olga O.", "Asia/Tokyo")
    assert page.press("Keep the changes", time_zone="").fields["time_zone"] == ""
    assert stored(world, cast.us.owner).time_zone is None


def test_a_name_or_clock_that_is_none_is_told_beside_it_and_nothing_changes(
    owner: Browser, world: World, cast: Cast
) -> None:
    page = see(owner, PROFILE)
    nameless = page.press("Keep the changes", name=" ", time_zone="Asia/Tokyo")
    assert (nameless.status, set(nameless.complaints)) == (422, {"name"})
    assert nameless.fields["time_zone"] == "Asia/Tokyo"
    nowhere = page.press("Keep the changes", name="Olga O.", time_zone="Moon/Base")
    assert (nowhere.status, set(nowhere.complaints)) == (422, {"time_zone"})
    assert (nowhere.fields["name"], nowhere.fields["time_zone"]) == ("Olga O.", "Moon/Base")
    other = page.press("Change the password", current_password="lamps and candles", password=NEW)
    assert (set(other.complaints), other.fields["name"]) == ({"current_password"}, "Olga Owner")
    assert stored(world, cast.us.owner) == cast.us.owner


def test_sellers_change_their_own_name_clock_and_locale(seller: Browser, world: World, cast: Cast) -> None:
    page = see(seller, PROFILE).press("Keep the changes", name="Samuel", locale="en-us", role="admin", mailbox_id="")
    assert (page.path, page.fields["name"], page.fields["locale"]) == (PROFILE, "Samuel", "en-US")
    assert stored(world, cast.us.seller) == replace(
        cast.us.seller, name="Samuel", locale="en-US", updated_at=stored(world, cast.us.seller).updated_at
    )
    nowhere = page.press("Keep the changes", locale="klingon")
    assert (nowhere.status, set(nowhere.complaints), nowhere.fields["locale"]) == (422, {"locale"}, "klingon")


def test_whoever_changes_their_password_is_signed_out_everywhere_else(
    sam: Browser, sign_in: Callable[[User], Browser], client: TestClient[Litestar], cast: Cast
) -> None:
    elsewhere = sign_in(cast.us.seller)
    page = see(sam, PROFILE).press("Change the password", current_password=PASSWORD, password=NEW)
    assert (page.path, page.said) == (PROFILE, "Your password is changed, and you are signed out everywhere else.")
    assert PASSWORD not in page.text
    assert NEW not in page.text
    assert is_led_to_the_sign_in(elsewhere)
    assert enter(client, cast.us.seller.email, NEW).status_code == 200


def test_a_password_that_cannot_be_taken_is_told_beside_it_and_never_shown(
    sam: Browser, client: TestClient[Litestar], cast: Cast
) -> None:
    page = see(sam, PROFILE)
    for current, password, field in (
        ("lamps and candles", NEW, "current_password"),
        (PASSWORD, "short", "password"),
        ("lamps and candles" * 20, NEW, "current_password"),
    ):
        wrong = page.press("Change the password", current_password=current, password=password)
        assert (wrong.status, set(wrong.complaints)) == (422, {field})
        assert (wrong.fields["current_password"], wrong.fields["password"]) == ("", "")
        assert current not in wrong.text
    for _ in range(8):
        page.press("Change the password", current_password="lamps and candles", password=NEW)
    closed = page.press("Change the password", current_password=PASSWORD, password=NEW)
    assert (closed.status, closed.headers["retry-after"]) == (429, "900")
    assert closed.refused == "Try again in 15 minutes."
    assert enter(client, cast.us.seller.email, PASSWORD).status_code == 200


def test_one_signs_out_from_afar_and_that_is_said_once(
    owner: Browser, sign_in: Callable[[User], Browser], cast: Cast
) -> None:
    elsewhere = sign_in(cast.us.owner)
    answer = post(owner, f"{PROFILE}/sign-out-elsewhere")
    assert (answer.headers["location"], said(answer).text) == (PROFILE, "You are signed out everywhere else.")
    words = answer.headers["set-cookie"].lower()
    assert "httponly" in words
    assert "samesite=lax" in words
    assert is_led_to_the_sign_in(elsewhere)
    page = see(owner, PROFILE).press("Sign out everywhere else")
    assert (page.path, page.said) == (PROFILE, "You are signed out everywhere else.")
    assert "max-age=0" in page.headers["set-cookie"].lower(), "the next page does not say it again"
    assert see(owner, PROFILE).alerts == {}


def test_whoever_works_in_two_accounts_changes_over_and_back(owner: Browser, world: World, cast: Cast) -> None:
    def let_in(tx: Tx) -> User:
        login_id = accounts.login_of(tx, cast.us.account.id, cast.us.owner.id)
        return accounts.add_user(
            tx, cast.rival.account.id, name="Olga", email="olga@lamps.example", role=Role.AGENT, login_id=login_id
        )

    world.database.transact(let_in)
    page = see(owner, PROFILE).press("Work there: Rival Lanterns")
    assert (page.path, page.said) == ("/today", "You work in Rival Lanterns now.")
    assert is_led_to_the_sign_in(owner)
    there = see(page.browser, PROFILE)
    assert "Agent of Rival Lanterns" in there.words
    assert there.press("Work there: Northwind Lamps").said == "You work in Northwind Lamps now."


def test_nobody_changes_over_to_an_account_that_is_not_theirs(owner: Browser, cast: Cast) -> None:
    assert "Rival Lanterns" not in see(owner, PROFILE).text
    for wrong in (cast.rival.account.id, 77, "", "x"):
        told = said(post(owner, f"{PROFILE}/account", account_id=wrong))
        assert told.wrong, wrong
    assert "Admin of Northwind Lamps" in see(owner, PROFILE).words
