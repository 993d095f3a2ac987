"""Suppressed addresses over the app's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drumbeat.domain.account import User
from drumbeat.testing.cast import Cast
from tests.http.app_api.test_session import refused
from tests.http.app_api.test_users import details
from tests.http.conftest import Browser

PATH = "/api/suppressions"


def test_addresses_are_suppressed_listed_exported_and_lifted(owner: Browser, seller: Browser) -> None:
    answer = seller("POST", PATH, {"emails": ["ada@x.example", "Bob@x.example", "nobody"]})
    assert answer.json()["data"] == {"added": 2, "already": 0, "finished": 0, "invalid": ["nobody"]}
    first = owner("GET", f"{PATH}?perPage=1").json()
    second = owner("GET", f"{PATH}?perPage=1&after={first['meta']['after']}").json()
    shown = [*first["data"], *second["data"]]
    assert [each["cause"] for each in shown] == ["suppressed", "suppressed"]
    assert second["meta"]["after"] is None
    exported = owner("GET", "/api/suppressions.csv")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    assert all(each["addressHash"] in exported.text for each in shown)
    assert owner("POST", f"{PATH}/lift", {"email": "ADA@x.example"}).json()["data"] == {"lifted": True}
    assert owner("POST", f"{PATH}/lift", {"email": "ada@x.example"}).json()["data"] == {"lifted": False}


@pytest.mark.parametrize("wrong", [{"emails": []}, {"emails": ["a@x.example"] * 1001}, {"emails": "a@x.example"}, {}])
def test_a_list_that_cannot_be_taken_is_named(seller: Browser, wrong: dict[str, Any]) -> None:
    assert details(seller("POST", PATH, wrong))["field"] == "emails"


def test_agents_suppress_and_only_admins_look_and_lift(seller: Browser) -> None:
    for method, path, body in (
        ("GET", PATH, None),
        ("GET", "/api/suppressions.csv", None),
        ("POST", f"{PATH}/lift", {"email": "a@x.example"}),
    ):
        assert refused(seller(method, path, body)) == (403, "INSUFFICIENT_PERMISSIONS")


def test_a_rival_s_list_is_its_own(owner: Browser, sign_in: Callable[[User], Browser], cast: Cast) -> None:
    owner("POST", PATH, {"emails": ["ada@x.example"]})
    rival = sign_in(cast.rival.owner)
    assert rival("GET", PATH).json()["data"] == []
    assert rival("POST", f"{PATH}/lift", {"email": "ada@x.example"}).json()["data"] == {"lifted": False}
    assert len(owner("GET", PATH).json()["data"]) == 1


def test_where_agents_see_their_own_alone_only_admins_suppress(owner: Browser, seller: Browser) -> None:
    owner("PUT", "/api/account", {"agentsSee": "own"})
    assert refused(seller("POST", PATH, {"emails": ["ada@x.example"]})) == (403, "INSUFFICIENT_PERMISSIONS")
    assert owner("POST", PATH, {"emails": ["ada@x.example"]}).json()["data"]["added"] == 1
