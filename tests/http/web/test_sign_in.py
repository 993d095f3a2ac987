"""The door of the app: who comes in and where to, who stays out and learns nothing, and leaving by it."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.account import User
from drumbeat.domain.person import address_key
from drumbeat.http.web.frame import own_path
from drumbeat.operations.sign_in import count_attempt
from drumbeat.store import accounts
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.app_api.conftest import PASSWORD, hashed
from tests.http.conftest import Browser
from tests.http.web.work import complaint, led, post, said, see, value, words

Client = TestClient[Litestar]


@pytest.fixture
def sam(world: World, cast: Cast) -> User:
    """Our seller, with a password."""

    def work(tx: Tx) -> User:
        user = cast.us.seller
        login_id = accounts.add_login(tx, user.email, address_key(user.email), hashed())
        accounts.set_login(tx, user.account_id, user.id, login_id)
        return user

    return world.database.transact(work)


@pytest.fixture
def stranger(client: Client) -> Browser:
    """A browser in which nobody is signed in."""
    return Browser(client, "", "")


def enter(stranger: Browser, email: str, password: str = PASSWORD, **fields: str) -> Any:
    """The answer to the sign-in's form."""
    return post(stranger, "/sign-in", email=email, password=password, **fields)


def test_the_right_password_opens_the_day_in_a_session_that_scripts_cannot_read(stranger: Browser, sam: User) -> None:
    answer = enter(stranger, f" {sam.email.upper()} ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/today")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("drumbeat=")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    today = see(Browser(stranger.client, answer.cookies["drumbeat"], ""), "/today")
    assert "Sam Seller Northwind Lamps" in words(today)


def test_whoever_asked_for_a_page_comes_back_to_it_after_signing_in(stranger: Browser, sam: User) -> None:
    asked = stranger("GET", "/enrollments?reason=auth", follow_redirects=False)
    door = see(stranger, asked.headers["location"])
    assert value(door, "email") == ""
    assert 'name="next" value="/enrollments?reason=auth"' in door.text
    answer = enter(stranger, sam.email, next="/enrollments?reason=auth")
    assert answer.headers["location"] == "/enrollments?reason=auth"


def test_nobody_is_led_to_another_host(stranger: Browser, sam: User) -> None:
    answer = enter(stranger, sam.email, next="https://elsewhere.example/today")
    assert answer.headers["location"] == "/today"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "\\/elsewhere.example",
        "https://elsewhere.example",
        "javascript:alert(1)",
        "/today\r\nset-cookie: a=b",
        "/\t/elsewhere.example",
        "/größe",
        "/to\u2028day",
        "/" + "x" * 2000,
    ],
)
def test_only_a_path_of_ours_leads_on(text: str) -> None:
    assert own_path(text, "/today") == "/today"


@pytest.mark.parametrize("text", ["/", "/people/lead/7", "/people?q=%C3%BC&kind=lead", "/reports/3#steps"])
def test_a_path_of_ours_is_kept_as_it_was_sent(text: str) -> None:
    assert own_path(text, "/today") == text


def test_a_wrong_password_and_an_unknown_address_are_told_alike(stranger: Browser, sam: User) -> None:
    wrong = enter(stranger, sam.email, "lamps and candles", next="/people")
    assert wrong.status_code == 401
    assert said(wrong) == "The e-mail address or the password is wrong. Check both."
    assert "set-cookie" not in wrong.headers
    assert (value(wrong, "email"), value(wrong, "password")) == (sam.email, "")
    assert 'name="next" value="/people"' in wrong.text
    unknown = enter(stranger, "nobody@nowhere.example", next="/people")
    assert unknown.text.replace("nobody@nowhere.example", sam.email) == wrong.text
    assert enter(stranger, sam.email, "x" * 1001).status_code == 401


def test_after_ten_guesses_the_door_stays_closed_for_a_while_and_says_for_how_long(
    stranger: Browser, world: World, sam: User
) -> None:
    def guess(tx: Tx) -> None:
        count_attempt(tx, world.hash_key, "sign-in", sam.email, "testclient")

    for _ in range(9):
        world.database.transact(guess)  # as the form does before it looks at the password, which takes its time
    assert enter(stranger, sam.email, "a wrong password").status_code == 401
    closed = enter(stranger, sam.email)
    assert closed.status_code == 429
    assert 0 < int(closed.headers["retry-after"]) <= 900
    assert said(closed)
    assert "set-cookie" not in closed.headers


def test_a_form_of_another_site_signs_nobody_in(stranger: Browser, sam: User) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}
    content = f"email={sam.email}&password={PASSWORD.replace(' ', '+')}"
    answer = stranger("POST", "/sign-in", content=content, headers=headers, follow_redirects=False)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_signing_out_ends_the_session_and_takes_its_cookie_away(seller: Browser) -> None:
    answer = post(seller, "/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert 'drumbeat=""' in answer.headers["set-cookie"] or "drumbeat=;" in answer.headers["set-cookie"]
    asked = seller("GET", "/today", follow_redirects=False)
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=/today")


def test_of_a_forgotten_password_the_same_is_said_to_anybody(stranger: Browser, world: World, sam: User) -> None:
    def waiting() -> int:
        with world.database.read() as snapshot:
            return len(snapshot.all(Statement("SELECT sealed FROM notices")))

    somebody = post(stranger, "/sign-in/forgotten", email=sam.email)
    assert (somebody.status_code, waiting()) == (200, 1)
    assert "If somebody signs in with this address, a letter with a link is on its way." in words(somebody)
    nobody = post(stranger, "/sign-in/forgotten", email="nobody@nowhere.example")
    assert (nobody.status_code, nobody.text, waiting()) == (200, somebody.text, 1)
    blank = post(stranger, "/sign-in/forgotten", email=" ")
    assert blank.status_code == 422
    assert complaint(blank, "email") == "Write the address you sign in with."
    for _ in range(9):
        post(stranger, "/sign-in/forgotten", email=sam.email)
    closed = post(stranger, "/sign-in/forgotten", email=sam.email)
    assert closed.status_code == 429
    assert said(closed)


def test_what_a_form_of_ours_does_is_said_on_the_next_page_once(seller: Browser) -> None:
    answer = post(seller, "/tasks", content="Call <Lena>", back="/tasks")
    page = led(seller, answer)
    assert said(page) == "The task is made."
    assert 'drumbeat-said=""' in page.headers["set-cookie"] or "drumbeat-said=;" in page.headers["set-cookie"]
    assert "<Lena>" not in page.text
    assert said(see(seller, "/tasks")) == ""
    forged = see(seller, "/tasks", Cookie=f"drumbeat={seller.cookie}; drumbeat-said=bm90IG91cnM=")
    assert said(forged) == ""
