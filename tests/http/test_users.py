from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drumbeat.domain.account import UserStatus
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Api

LIST = "/v2/users"


def test_self_is_the_token_s_user_key_for_key(api: Api, cast: Cast) -> None:
    seller = cast.us.seller
    assert api("GET", f"{LIST}/self").json() == {
        "data": {
            "id": seller.id,
            "name": "Sam Seller",
            "email": seller.email,
            "status": "active",
            "invited": False,
            "confirmed": True,
            "phone_number": None,
            "role": "user",
            "roles": [],
            "team_name": None,
            "group": None,
            "reports_to": None,
            "timezone": "UTC+01:00",
            "created_at": "2026-03-03T10:00:00Z",
            "updated_at": "2026-03-03T10:00:00Z",
            "deleted_at": None,
            "zendesk_user_id": None,
        },
        "meta": {"type": "user"},
    }
    assert api("GET", f"{LIST}/{seller.id}").json() == api("GET", f"{LIST}/self").json()


def test_a_user_s_zone_is_shown_as_its_offset(api: Api, world: World, cast: Cast) -> None:
    def move(tx: Tx) -> None:
        account = accounts.get_account(tx, cast.us.account.id)
        accounts.save_account(tx, replace(account, time_zone="Asia/Kolkata"))

    world.database.transact(move)
    assert api("GET", f"{LIST}/self").json()["data"]["timezone"] == "UTC+05:30"
    account = api("GET", "/v2/accounts/self").json()
    assert account["data"]["timezone"] == "UTC+05:30"


def test_the_account_is_shown_key_for_key(api: Api, cast: Cast) -> None:
    assert api("GET", "/v2/accounts/self").json() == {
        "data": {
            "id": cast.us.account.id,
            "name": cast.us.account.name,
            "currency": None,
            "time_format": "24H",
            "timezone": "UTC+01:00",
            "phone": None,
            "subdomain": None,
            "created_at": "2026-03-03T10:00:00Z",
            "updated_at": "2026-03-03T10:00:00Z",
        },
        "meta": {"type": "account"},
    }


def test_the_list_is_filtered_sorted_and_paged(api: Api, world: World, cast: Cast) -> None:
    owner, seller = cast.us.owner.id, cast.us.seller.id
    assert api.ids(f"{LIST}?") == [owner, seller]
    assert api.ids(f"{LIST}?sort_by=name:desc") == [seller, owner]
    assert api.ids(f"{LIST}?ids={seller},77") == [seller]
    assert api.ids(f"{LIST}?name=olga owner") == api.ids(f"{LIST}?role=admin") == [owner]
    assert api.ids(f"{LIST}?email={cast.us.seller.email.upper()}") == api.ids(f"{LIST}?role=user") == [seller]
    assert api.ids(f"{LIST}?confirmed=true") == [owner, seller]
    assert (
        api.ids(f"{LIST}?confirmed=false")
        == api.ids(f"{LIST}?zendesk_user_ids=1")
        == api.ids(f"{LIST}?status=inactive")
        == []
    )
    world.database.transact(lambda tx: deactivate(tx, cast.us.owner))
    assert api.ids(f"{LIST}?status=inactive") == [owner]
    first = api("GET", f"{LIST}?per_page=1&sort_by=name").json()
    assert first["meta"]["count"] == 1
    assert first["meta"]["links"] == {
        "self": "http://drumbeat.test/v2/users?page=1&per_page=1&sort_by=name",
        "first_page": "http://drumbeat.test/v2/users?page=1&per_page=1&sort_by=name",
        "next_page": "http://drumbeat.test/v2/users?page=2&per_page=1&sort_by=name",
    }
    assert "next_page" not in api("GET", f"{LIST}?per_page=1&page=2").json()["meta"]["links"]
    assert api.ids(f"{LIST}?page=9") == []


def deactivate(tx: Tx, user: Any) -> None:
    """Let the user neither sign in nor send."""
    accounts.save_user(tx, replace(user, status=UserStatus.INACTIVE))


@pytest.mark.parametrize(
    "query", ["role=agent", "status=off", "confirmed=1", "sort_by=email", "sort_by=id:up", "ids=x", "nobody=1"]
)
def test_an_unacceptable_parameter_is_one_invalid_param(api: Api, query: str) -> None:
    answer = api("GET", f"{LIST}?{query}")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["error"]["code"] == "invalid_param"
    assert api("GET", f"{LIST}/self?x=1").status_code == 400


def test_a_rival_s_user_is_not_found(rival: Api, cast: Cast) -> None:
    assert rival("GET", f"{LIST}/{cast.us.seller.id}").status_code == 404
    assert cast.us.seller.id not in [item["data"]["id"] for item in rival("GET", LIST).json()["items"]]
