"""/settings/keys: tokens and keys are made, shown once, and revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.store import credentials
from drumbeat.store.stamps import to_stamp
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import Page, post, said, see

KEYS = "/settings/keys"
KEY = re.compile(r"db[kt]_[0-9a-z]{16}_[\w-]{43}")
NEW: dict[str, Any] = {"name": "Booking <i>page", "kind": "dbk", "scopes": ["sequences:read"]}


def stored(world: World, cast: Cast) -> list[dict[str, Any]]:
    with world.database.read() as snapshot:
        return credentials.list_all(snapshot, cast.us.account.id)


def opens(client: TestClient[Litestar], text: str, path: str = "/v2/leads") -> bool:
    client.cookies.clear()
    answer = client.get(path, headers={"Authorization": f"Bearer {text}", "User-Agent": "tests"})
    assert answer.status_code in (200, 401), answer.text
    return bool(answer.status_code == 200)


def text_in(page: Page) -> str:
    (text,) = KEY.findall(page.text)
    return str(text)


def test_a_key_is_shown_once_and_opens_what_it_may(
    owner: Browser, client: TestClient[Litestar], world: World, cast: Cast
) -> None:
    page = see(owner, KEYS).press("Make it", **NEW)
    assert (page.path, page.status) == (KEYS, 200)
    assert "Copy it now" in page.words
    assert "set-cookie" not in page.headers
    text = text_in(page)
    assert opens(client, text, "/api/v1/sequences")
    assert page.fields["name"] == ""
    assert "Booking <i>page Key for /api/v1, dbk_… Olga Owner sequences:read Never" in page.words
    assert stored(world, cast)[-1]["user_id"] == cast.us.owner.id
    again = see(owner, KEYS)
    assert KEY.findall(again.text) == []
    assert "Copy it now" not in again.words
    for secret in (text, cast.us.token, cast.us.key):
        assert secret[-43:] not in again.text


def test_one_is_made_for_another_user_until_an_instant_on_one_s_own_clock(
    owner: Browser, client: TestClient[Litestar], clock: FrozenClock, world: World, cast: Cast
) -> None:
    for_seller = {"kind": "dbt", "scopes": ["read", "write"], "user_id": cast.us.seller.id}
    page = see(owner, KEYS).press("Make it", **NEW | for_seller | {"expires_at": "2026-03-03T11:01"})
    made = stored(world, cast)[-1]
    assert (made["user_id"], made["kind"], made["scopes"]) == (cast.us.seller.id, "dbt", "read write")
    assert made["expires_at"] == to_stamp(datetime(2026, 3, 3, 10, 1, tzinfo=UTC)), "Berlin is an hour ahead"
    assert opens(client, text_in(page))
    clock.advance(timedelta(minutes=1))
    assert not opens(client, text_in(page))
    page = see(owner, KEYS)
    assert "Booking <i>page Token for /v2 Sam Seller today 11:00 Expired today 11:01" in page.words
    assert f"{KEYS}/{made['id']}/revoke" not in page.text


def test_what_no_key_can_be_is_told_beside_its_field_and_none_is_made(owner: Browser, world: World, cast: Cast) -> None:
    page = see(owner, KEYS)
    for name, wrong in (
        ("name", ""),
        ("kind", "dbs"),
        ("scopes", []),
        ("scopes", ["sequences:read", "fly"]),
        ("user_id", cast.rival.seller.id),
        ("user_id", "99"),
        ("expires_at", "2026-03-03T11:00"),
        ("expires_at", "soon"),
    ):
        again = page.press("Make it", **{**NEW, "expires_at": "2026-12-01T10:00", name: wrong})
        assert (again.status, set(again.complaints)) == (422, {name}), wrong
        assert again.fields["name"] == ("" if name == "name" else "Booking <i>page")
        assert again.fields["expires_at"] == (wrong if name == "expires_at" else "2026-12-01T10:00")
        ticked = [value for id, value in again.fields.items() if id.startswith("scope-")]
        assert ticked == ([] if wrong == [] else ["sequences:read"])
        assert KEY.findall(again.text) == []
    assert len(stored(world, cast)) == 2


def test_a_key_is_revoked_and_where_none_is_left_it_is_told_what_they_are_for(
    owner: Browser, client: TestClient[Litestar], world: World, cast: Cast
) -> None:
    assert opens(client, cast.us.token)
    page = see(owner, KEYS)
    for id in (1, 2):
        page = page.press("Revoke it", at=f"{KEYS}/{id}/revoke")
        assert (page.path, page.said) == (KEYS, "It opens nothing any more.")
    assert not opens(client, cast.us.token)
    assert "None yet. To let a booking page" in page.words
    assert "Revoked today 11:00" in page.words
    assert "Revoke it" not in page.buttons
    assert all(each["revoked_at"] for each in stored(world, cast))


def test_sellers_and_other_accounts_touch_no_key(
    owner: Browser, seller: Browser, client: TestClient[Litestar], world: World, cast: Cast
) -> None:
    assert seller("GET", KEYS).status_code == 403
    assert post(seller, KEYS, **NEW).status_code == 403
    assert post(seller, f"{KEYS}/1/revoke").status_code == 403
    assert len(stored(world, cast)) == 2
    told = said(post(owner, f"{KEYS}/1000001/revoke"))
    assert (told.text, told.wrong) == ("There is no token or key 1000001.", True)
    assert opens(client, cast.us.token)
    assert opens(client, cast.rival.token)
