"""Users, the account, tokens and keys: what admins do, what agents may see, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.account import User
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.app_api.test_session import refused
from tests.http.conftest import Browser

Client = TestClient[Litestar]


def details(answer: Any) -> Any:
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]["details"]


def test_everybody_sees_who_works_here(seller: Browser, cast: Cast) -> None:
    listed = seller("GET", "/api/users").json()["data"]
    assert [user["email"] for user in listed] == ["olga@northwind.example", "sam@northwind.example"]
    assert seller("GET", "/api/users/2").json()["data"] == listed[1]
    assert listed[1]["mailboxId"] == cast.us.seller.mailbox_id
    assert refused(seller("GET", f"/api/users/{cast.rival.owner.id}")) == (404, "NOT_FOUND")


def test_an_admin_changes_what_is_sent_and_nothing_else(owner: Browser, seller: Browser) -> None:
    before = owner("GET", "/api/users/2").json()["data"]
    changed = owner("PUT", "/api/users/2", {"name": "Sam Smith", "timeZone": "Europe/Berlin"}).json()["data"]
    assert changed | {"updatedAt": before["updatedAt"]} == before | {"name": "Sam Smith", "timeZone": "Europe/Berlin"}
    assert owner("PUT", "/api/users/2", {"timeZone": None}).json()["data"]["timeZone"] is None
    assert owner("PUT", "/api/users/2", {"mailboxId": None}).json()["data"]["mailboxId"] is None
    assert owner("PUT", "/api/users/2", {"mailboxId": 1}).json()["data"]["mailboxId"] == 1
    owner("PUT", "/api/users/2", {"role": "admin"})
    assert seller("PUT", "/api/users/1", {"name": "Olga O."}).status_code == 200, "a role holds at once"


def test_what_a_user_cannot_be_is_told_by_field(owner: Browser, cast: Cast) -> None:
    assert details(owner("PUT", "/api/users/2", {"timeZone": "Mars/Base"}))["field"] == "timeZone"
    assert details(owner("PUT", "/api/users/2", {"mailboxId": cast.rival.seller.mailbox_id}))["field"] == "mailboxId"
    assert details(owner("PUT", "/api/users/2", {"name": " "}))["field"] == "name"
    assert details(owner("PUT", "/api/users/2", {"role": "boss"}))["field"] == "role"
    assert details(owner("PUT", "/api/users/1", {"role": "agent"}))["field"] == "role"
    assert details(owner("PUT", "/api/users/1", {"status": "inactive"}))["field"] == "status"
    assert details(owner("POST", "/api/users", {"email": "nobody"}))["field"] == "email"
    assert details(owner("POST", "/api/users", {"email": "n@x.example", "timeZone": "Mars"}))["field"] == "timeZone"
    assert refused(owner("POST", "/api/users", {"email": "SAM@northwind.example"})) == (409, "ALREADY_EXISTS")
    assert refused(owner("PUT", f"/api/users/{cast.rival.owner.id}", {"name": "x"})) == (404, "NOT_FOUND")


def test_an_inactive_user_is_out_at_once_and_comes_back(owner: Browser, seller: Browser) -> None:
    assert owner("PUT", "/api/users/2", {"status": "inactive"}).json()["data"]["status"] == "inactive"
    assert refused(seller("GET", "/api/users")) == (401, "NOT_SIGNED_IN")
    invited = owner("POST", "/api/users/2/invitation")
    assert details(invited)["field"] == "user"
    owner("PUT", "/api/users/2", {"status": "active"})
    assert refused(seller("GET", "/api/users")) == (401, "NOT_SIGNED_IN"), "they sign in anew"


def test_agents_change_no_users_no_keys_no_account(seller: Browser) -> None:
    for method, path, body in (
        ("POST", "/api/users", {"email": "x@northwind.example"}),
        ("PUT", "/api/users/2", {"role": "admin"}),
        ("POST", "/api/users/2/invitation", None),
        ("PUT", "/api/account", {"name": "Ours"}),
        ("GET", "/api/keys", None),
        ("POST", "/api/keys", {"name": "x", "scopes": ["*"]}),
        ("DELETE", "/api/keys/1", None),
    ):
        assert refused(seller(method, path, body)) == (403, "INSUFFICIENT_PERMISSIONS"), path


def test_the_account_is_read_by_all_and_changed_by_admins(owner: Browser, seller: Browser) -> None:
    before = seller("GET", "/api/account").json()["data"]
    assert (before["name"], before["sequencesEnabled"], before["unknownMeans"]) == ("Northwind Lamps", True, "ask")
    changed = owner("PUT", "/api/account", {"sequencesEnabled": False, "postalAddress": None}).json()["data"]
    assert changed | {"updatedAt": before["updatedAt"]} == before | {"sequencesEnabled": False, "postalAddress": None}
    assert details(owner("PUT", "/api/account", {"timeZone": "Mars/Base"}))["field"] == "timeZone"
    assert details(owner("PUT", "/api/account", {"name": ""}))["field"] == "name"
    assert details(owner("PUT", "/api/account", {"unknownMeans": "guess"}))["field"] == "unknownMeans"
    assert details(owner("PUT", "/api/account", {"colour": "red"}))["field"] == "colour"


def test_where_sequences_are_off_nobody_is_enrolled(owner: Browser, seller: Browser) -> None:
    owner("PUT", "/api/account", {"sequencesEnabled": False})
    answer = seller("POST", "/api/sequences/1/execute", {"contactIds": [1]})
    assert refused(answer) == (409, "SEQUENCES_DISABLED")


def test_a_key_is_shown_once_works_and_is_revoked_at_once(client: Client, owner: Browser) -> None:
    made = owner("POST", "/api/keys", {"name": "Booking page", "scopes": ["sequences:read"]})
    assert made.status_code == 201, made.text
    text = made.json()["data"]["text"]
    assert client.get("/api/v1/sequences", headers={"X-API-Key": text}).status_code == 200
    listed = owner("GET", "/api/keys").json()["data"]
    (shown,) = [key for key in listed if key["name"] == "Booking page"]
    assert (shown["kind"], shown["userId"], shown["scopes"]) == ("dbk", 1, ["sequences:read"])
    assert shown["lastUsedAt"] is not None
    assert text not in owner("GET", "/api/keys").text
    assert owner("DELETE", f"/api/keys/{shown['id']}").status_code == 204
    assert client.get("/api/v1/sequences", headers={"X-API-Key": text}).status_code == 401
    assert owner("GET", "/api/keys").json()["data"][-1]["revokedAt"] is not None


def test_a_key_may_be_another_user_s_and_end_by_itself(
    client: Client, owner: Browser, clock: FrozenClock, cast: Cast
) -> None:
    ends = (clock.now + timedelta(hours=1)).isoformat()
    wanted = {"name": "Sam's", "scopes": ["read"], "kind": "dbt", "userId": 2, "expiresAt": ends}
    text = owner("POST", "/api/keys", wanted).json()["data"]["text"]
    headers = {"Authorization": f"Bearer {text}", "User-Agent": "tests"}
    assert client.get("/v2/users/self", headers=headers).json()["data"]["id"] == 2
    clock.advance(timedelta(hours=1))
    assert client.get("/v2/users/self", headers=headers).status_code == 401
    assert details(owner("POST", "/api/keys", wanted))["field"] == "expiresAt"
    wanted["expiresAt"] = None  # type: ignore[assignment]
    assert details(owner("POST", "/api/keys", wanted | {"userId": cast.rival.owner.id}))["field"] == "userId"
    assert details(owner("POST", "/api/keys", wanted | {"scopes": ["fly"]}))["field"] == "scopes"
    assert details(owner("POST", "/api/keys", wanted | {"scopes": []}))["field"] == "scopes"
    assert refused(owner("DELETE", "/api/keys/99")) == (404, "NOT_FOUND")


def test_another_account_sees_none_of_it(
    sign_in: Callable[[User], Browser], world: World, cast: Cast, owner: Browser
) -> None:
    rival = sign_in(cast.rival.owner)
    assert {user["id"] for user in rival("GET", "/api/users").json()["data"]} == {
        cast.rival.owner.id,
        cast.rival.seller.id,
    }
    ids = {key["id"] for key in owner("GET", "/api/keys").json()["data"]}
    for id in ids:
        assert refused(rival("DELETE", f"/api/keys/{id}")) == (404, "NOT_FOUND")
    assert all(key["revokedAt"] is None for key in owner("GET", "/api/keys").json()["data"])
