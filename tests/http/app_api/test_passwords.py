"""Choosing a password: by invitation, when it was forgotten, and when somebody wants another one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.account import User, UserStatus
from drumbeat.mail.catcher import HOST, Catcher
from drumbeat.store import accounts
from drumbeat.store.statement import Statement
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from drumbeat.worker import Worker
from tests.http.app_api.conftest import PASSWORD
from tests.http.app_api.test_session import browser, enter, refused
from tests.http.conftest import Browser

Client = TestClient[Litestar]
NEW = "a better password"
SEALED = Statement("SELECT sealed FROM notices")


@pytest.fixture
def catcher(clock: FrozenClock) -> Iterator[Catcher]:
    """Takes in what the installation writes to its users."""
    with Catcher(now=clock) as started:
        yield started


@pytest.fixture
def carry(world: World, catcher: Catcher) -> Callable[[], list[str]]:
    """Lets the worker carry what waits; returns every letter's text so far, newest first."""
    to_catcher = replace(world, settings=world.settings.mail_to(f"smtp://{HOST}:{catcher.port}"))

    def work() -> list[str]:
        worker = Worker(to_catcher)
        worker.step()
        worker.close()
        return [text_of(letter.raw) for letter in catcher.letters()]

    return work


def text_of(raw: bytes) -> str:
    letter = message_from_bytes(raw, policy=default)
    assert letter["Auto-Submitted"] == "auto-generated"
    body = letter.get_body()
    assert body is not None
    return f"To: {letter['To']}\nSubject: {letter['Subject']}\n\n{body.get_content()}"


def code_in(letter: str) -> str:
    found = re.search(r"http://drumbeat\.test/password#(dbl_\S+)", letter)
    assert found
    return found[1]


def choose(client: Client, code: str, password: str = NEW) -> Any:
    client.cookies.clear()
    return client.post("/api/passwords", json={"code": code, "password": password})


INVITED = {"email": "Nora@northwind.example", "name": "Nora New", "role": "agent"}


def test_who_is_invited_chooses_a_password_by_the_letter_and_signs_in(
    client: Client, owner: Browser, carry: Callable[[], list[str]]
) -> None:
    made = owner("POST", "/api/users", INVITED)
    assert made.status_code == 201, made.text
    assert enter(client, INVITED["email"], NEW).status_code == 401
    (letter,) = carry()
    assert letter.startswith("To: Nora@northwind.example\nSubject: Your invitation to Northwind Lamps\n")
    assert "Olga Owner invited you to Northwind Lamps" in letter
    assert choose(client, code_in(letter)).status_code == 204
    me = browser(client, enter(client, INVITED["email"], NEW))
    assert me("GET", "/api/session").json()["data"]["user"]["id"] == made.json()["data"]["id"]
    assert refused(choose(client, code_in(letter), "yet another one")) == (410, "LINK_USED_UP")
    assert carry() == [letter], "each letter goes once"


def test_another_invitation_ends_the_first_link(client: Client, owner: Browser, carry: Callable[[], list[str]]) -> None:
    id = owner("POST", "/api/users", INVITED).json()["data"]["id"]
    assert owner("POST", f"/api/users/{id}/invitation").status_code == 204
    second, first = carry()
    if code_in(first) == code_in(second):
        pytest.fail("both letters hold the same code")
    answers = {choose(client, code_in(letter)).status_code for letter in (first, second)}
    assert answers == {204, 410}


def test_an_invitation_ends_after_seven_days(
    client: Client, owner: Browser, clock: FrozenClock, carry: Callable[[], list[str]]
) -> None:
    owner("POST", "/api/users", INVITED)
    (letter,) = carry()
    clock.advance(timedelta(days=7))
    assert refused(choose(client, code_in(letter))) == (410, "LINK_USED_UP")


def test_who_has_a_password_in_another_account_is_told_to_use_it(
    client: Client, sam: User, sign_in: Callable[[User], Browser], cast: Cast, carry: Callable[[], list[str]]
) -> None:
    rival = sign_in(cast.rival.owner)
    made = rival("POST", "/api/users", {"email": sam.email, "name": "Sam"})
    assert made.status_code == 201, made.text
    (letter,) = carry()
    assert "Sign in with the password you have" in letter
    assert "dbl_" not in letter
    assert len(enter(client, sam.email).json()["data"]["accounts"]) == 2


def test_a_forgotten_password_is_chosen_anew_and_ends_every_session(
    client: Client, sam: User, carry: Callable[[], list[str]]
) -> None:
    me = browser(client, enter(client, sam.email))
    asked = client.post("/api/password-letters", json={"email": sam.email.upper()})
    assert (asked.status_code, asked.content) == (204, b"")
    (letter,) = carry()
    assert choose(client, code_in(letter)).status_code == 204
    assert refused(me("GET", "/api/session")) == (401, "NOT_SIGNED_IN")
    assert enter(client, sam.email).status_code == 401
    assert enter(client, sam.email, NEW).status_code == 200


def test_nobody_learns_who_signs_in_here(client: Client, sam: User, carry: Callable[[], list[str]]) -> None:
    known = client.post("/api/password-letters", json={"email": sam.email})
    unknown = client.post("/api/password-letters", json={"email": "nobody@nowhere.example"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert len(carry()) == 1


def test_an_hour_later_the_link_is_of_no_use(
    client: Client, sam: User, clock: FrozenClock, carry: Callable[[], list[str]]
) -> None:
    client.post("/api/password-letters", json={"email": sam.email})
    (letter,) = carry()
    clock.advance(timedelta(hours=1))
    assert refused(choose(client, code_in(letter))) == (410, "LINK_USED_UP")


def test_an_inactive_user_gets_no_letter_and_an_old_link_does_nothing(
    client: Client, world: World, sam: User, carry: Callable[[], list[str]]
) -> None:
    client.post("/api/password-letters", json={"email": sam.email})
    (letter,) = carry()
    world.database.transact(lambda tx: accounts.save_user(tx, replace(sam, status=UserStatus.INACTIVE)))
    assert refused(choose(client, code_in(letter))) == (410, "LINK_USED_UP")
    client.post("/api/password-letters", json={"email": sam.email})
    assert carry() == [letter]


def test_letters_are_asked_for_ten_times_at_most(client: Client, sam: User) -> None:
    answers = [client.post("/api/password-letters", json={"email": sam.email}).status_code for _ in range(11)]
    assert answers == [204] * 10 + [429]


def test_letters_wait_for_a_server_that_is_away(
    client: Client, world: World, sam: User, clock: FrozenClock, carry: Callable[[], list[str]]
) -> None:
    client.post("/api/password-letters", json={"email": sam.email})
    away = replace(world, settings=world.settings.mail_to(f"smtp://{HOST}:1"))
    worker = Worker(away)
    worker.step()
    worker.close()
    assert carry() == [], "the next try comes later"
    clock.advance(timedelta(minutes=1))
    assert len(carry()) == 1


def test_what_a_letter_says_is_stored_sealed(client: Client, world: World, sam: User) -> None:
    client.post("/api/password-letters", json={"email": sam.email})
    with world.database.read() as snapshot:
        (row,) = snapshot.all(SEALED)
    assert "dbl_" not in row.sealed
    assert "dbl_" in world.vault.open(row.sealed)


def test_a_code_may_be_forged_by_nobody(client: Client, sam: User, carry: Callable[[], list[str]]) -> None:
    client.post("/api/password-letters", json={"email": sam.email})
    (letter,) = carry()
    for code in ("", "dbl_", code_in(letter)[:-3] + "AAA", code_in(letter).replace("dbl_", "dbs_")):
        assert refused(choose(client, code)) == (410, "LINK_USED_UP")


def test_changing_the_password_takes_the_old_one_and_ends_the_other_sessions(client: Client, sam: User) -> None:
    here, there = (browser(client, enter(client, sam.email)) for _ in range(2))
    wrong = here("PUT", "/api/password", {"currentPassword": "a wrong password", "password": NEW})
    assert (refused(wrong), wrong.json()["error"]["details"]["field"]) == (
        (400, "VALIDATION_ERROR"),
        "currentPassword",
    )
    short = here("PUT", "/api/password", {"currentPassword": PASSWORD, "password": "short"})
    assert short.json()["error"]["details"] == {"field": "password", "reason": "Take 10 to 255 characters."}
    assert here("PUT", "/api/password", {"currentPassword": PASSWORD, "password": NEW}).status_code == 204
    assert here("GET", "/api/session").status_code == 200
    assert refused(there("GET", "/api/session")) == (401, "NOT_SIGNED_IN")
    assert enter(client, sam.email, NEW).status_code == 200


def test_the_page_takes_the_code_and_the_password_without_a_script(
    client: Client, sam: User, carry: Callable[[], list[str]]
) -> None:
    client.post("/api/password-letters", json={"email": sam.email})
    (letter,) = carry()
    shown = client.get("/password")
    assert shown.status_code == 200
    assert "script-src 'self'" in shown.headers["content-security-policy"]
    script = re.search(r'<script src="(/static/password\.[0-9a-f]+\.js)">', shown.text)
    assert script
    assert client.get(script[1]).headers["content-type"].startswith("text/javascript")
    short = client.post("/password", data={"code": code_in(letter), "password": "short"})
    assert short.status_code == 400
    assert "Take 10 to 255 characters." in short.text
    assert code_in(letter) in short.text
    done = client.post("/password", data={"code": f" {code_in(letter)} ", "password": NEW})
    assert (done.status_code, "Your password is set." in done.text) == (200, True)
    again = client.post("/password", data={"code": code_in(letter), "password": NEW})
    assert again.status_code == 410
    assert enter(client, sam.email, NEW).status_code == 200
