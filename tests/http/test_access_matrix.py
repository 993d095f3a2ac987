"""Who may call what: written out here, compared with the OpenAPI document, and tried, each route by each caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.access import CredentialKind, Scope, covers, read_credential
from drumbeat.domain.account import Role, User, UserStatus
from drumbeat.store import accounts, credentials
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast, add_credential
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.callers import UNKNOWN, Operation, operations
from tests.http.conftest import Browser

# The scope a token or key needs, or the least role of whoever is signed in.
NEEDED = {
    "GET /api/account": "agent",
    "PUT /api/account": "admin",
    "POST /api/attachments": "agent",
    "GET /api/calendars": "agent",
    "POST /api/calendars": "agent",
    "DELETE /api/calendars/{id}": "agent",
    "GET /api/calendars/{id}": "agent",
    "PUT /api/calendars/{id}": "agent",
    "GET /api/doubts": "agent",
    "GET /api/enrollments": "agent",
    "POST /api/enrollments": "agent",
    "GET /api/enrollments/{id}": "agent",
    "PUT /api/enrollments/{id}": "agent",
    "POST /api/enrollments/{id}/doubt": "agent",
    "POST /api/enrollments/{id}/not-a-reply": "agent",
    "GET /api/files": "admin",
    "POST /api/files": "admin",
    "GET /api/imports": "agent",
    "POST /api/imports": "agent",
    "GET /api/imports/{id}": "agent",
    "PUT /api/imports/{id}": "agent",
    "GET /api/imports/{id}/rejected": "agent",
    "GET /api/keys": "admin",
    "POST /api/keys": "admin",
    "DELETE /api/keys/{id}": "admin",
    "GET /api/mailboxes": "agent",
    "POST /api/mailboxes": "admin",
    "DELETE /api/mailboxes/{id}": "admin",
    "GET /api/mailboxes/{id}": "agent",
    "GET /api/mailboxes/{id}/identity": "admin",
    "PUT /api/mailboxes/{id}": "admin",
    "DELETE /api/mailboxes/{id}/dkim": "admin",
    "PUT /api/mailboxes/{id}/dkim": "admin",
    "PUT /api/mailboxes/{id}/grant": "admin",
    "DELETE /api/mailboxes/{id}/hook": "admin",
    "PUT /api/mailboxes/{id}/hook": "admin",
    "DELETE /api/mailboxes/{id}/inbox": "admin",
    "PUT /api/mailboxes/{id}/inbox": "admin",
    "POST /api/mailboxes/{id}/lift": "admin",
    "POST /api/mailboxes/{id}/test": "admin",
    "PUT /api/password": "agent",
    "GET /api/people": "agent",
    "POST /api/people": "agent",
    "GET /api/people.csv": "agent",
    "DELETE /api/people/{kind}/{id}": "agent",
    "GET /api/people/{kind}/{id}": "agent",
    "PUT /api/people/{kind}/{id}": "agent",
    "GET /api/sequences": "agent",
    "POST /api/sequences": "agent",
    "DELETE /api/sequences/{id}": "agent",
    "GET /api/sequences/{id}": "agent",
    "PUT /api/sequences/{id}": "agent",
    "POST /api/sequences/{id}/execute": "agent",
    "PUT /api/sequences/{id}/status": "agent",
    "POST /api/sequences/{id}/versions": "agent",
    "GET /api/sequences/{id}/versions/{number}": "agent",
    "DELETE /api/session": "agent",
    "GET /api/session": "agent",
    "PUT /api/session": "agent",
    "DELETE /api/sessions": "agent",
    "GET /api/suppressions": "admin",
    "POST /api/suppressions": "agent",
    "GET /api/suppressions.csv": "admin",
    "POST /api/suppressions/lift": "admin",
    "GET /api/status": "admin",
    "GET /api/tasks": "agent",
    "POST /api/tasks": "agent",
    "DELETE /api/tasks/{id}": "agent",
    "GET /api/tasks/{id}": "agent",
    "PUT /api/tasks/{id}": "agent",
    "GET /api/templates": "agent",
    "POST /api/templates": "agent",
    "POST /api/templates/preview": "agent",
    "DELETE /api/templates/{id}": "agent",
    "GET /api/templates/{id}": "agent",
    "PUT /api/templates/{id}": "agent",
    "GET /api/users": "agent",
    "POST /api/users": "admin",
    "GET /api/users/{id}": "agent",
    "PUT /api/users/{id}": "admin",
    "POST /api/users/{id}/invitation": "admin",
    "GET /api/v1/sequences": "sequences:read",
    "GET /api/v1/sequences/{id}": "sequences:read",
    "POST /api/v1/sequences/{id}/execute": "sequences:execute",
    "GET /v2/accounts/self": "read",
    "GET /v2/contacts": "read",
    "POST /v2/contacts": "write",
    "POST /v2/contacts/upsert": "write",
    "DELETE /v2/contacts/{id}": "write",
    "GET /v2/contacts/{id}": "read",
    "PUT /v2/contacts/{id}": "write",
    "GET /v2/lead_conversions": "read",
    "POST /v2/lead_conversions": "write",
    "GET /v2/lead_conversions/{id}": "read",
    "GET /v2/leads": "read",
    "POST /v2/leads": "write",
    "POST /v2/leads/upsert": "write",
    "DELETE /v2/leads/{id}": "write",
    "GET /v2/leads/{id}": "read",
    "PUT /v2/leads/{id}": "write",
    "GET /v2/sequence_enrollments": "read",
    "POST /v2/sequence_enrollments": "write",
    "POST /v2/sequence_enrollments/finish_ongoing_for_resource": "write",
    "GET /v2/sequence_enrollments/{id}": "read",
    "PUT /v2/sequence_enrollments/{id}": "write",
    "GET /v2/sequences": "read",
    "GET /v2/sequences/{id}": "read",
    "POST /v2/sync/ack": "read",
    "POST /v2/sync/start": "read",
    "GET /v2/sync/{session_id}/queues/main": "read",
    "GET /v2/tasks": "read",
    "POST /v2/tasks": "write",
    "DELETE /v2/tasks/{id}": "write",
    "GET /v2/tasks/{id}": "read",
    "PUT /v2/tasks/{id}": "write",
    "GET /v2/users": "read",
    "GET /v2/users/self": "read",
    "GET /v2/users/{id}": "read",
}
NOBODYS = (
    "",
    "Bearer",
    "Basic abc",
    "Bearer short",
    f"Bearer dbt_{'0' * 16}_{'A' * 43}",
    f"Bearer dbs_{'0' * 16}_{'A' * 43}",
)


@pytest.fixture
def found(client: TestClient[Litestar], cast: Cast) -> list[Operation]:
    """Every operation of the document."""
    return operations(client.get("/openapi.json").json())


def test_the_document_says_of_every_route_what_is_written_here(found: list[Operation]) -> None:
    told = {str(operation): needed(operation) for operation in found}
    assert told == NEEDED


def needed(operation: Operation) -> str:
    """What the document says."""
    if "x-roles" in operation.told:
        assert operation.told["security"] == [{"session": []}]
        return str(min(operation.told["x-roles"], key=lambda role: role == Role.ADMIN))
    (scope,) = operation.told["x-scopes"]
    keys = [{"key": []}] if operation.path.startswith("/api/") else []
    assert operation.told["security"] == [{"token": []}, *keys]
    return str(scope)


def ask(client: TestClient[Litestar], operation: Operation, headers: dict[str, str]) -> tuple[int, str]:
    """The status and the code of a call whose ids nobody has and whose body holds nothing."""
    path = re.sub(r"\{\w+\}", str(UNKNOWN), operation.path)
    body = {} if "requestBody" in operation.told else None
    answer = client.request(operation.method, path, json=body, headers={"User-Agent": "tests"} | headers)
    if answer.status_code < 400:
        return answer.status_code, ""
    if "json" not in answer.headers.get("content-type", ""):
        return answer.status_code, answer.text
    told = answer.json()
    error = told["errors"][0]["error"] if "errors" in told else told["error"]
    assert ("errors" in told) == operation.path.startswith("/v2/"), f"{operation}: the other contract's envelope"
    return answer.status_code, error["code"]


def test_without_a_credential_of_ours_nothing_is_opened(client: TestClient[Litestar], found: list[Operation]) -> None:
    for operation in found:
        for authorization in NOBODYS:
            status, code = ask(client, operation, {"Authorization": authorization} if authorization else {})
            assert status == 401, f"{operation} {authorization}"
            expected = (
                {"unauthorized"} if operation.path.startswith("/v2/") else _CODES[needed(operation) in list(Role)]
            )
            assert code in expected, f"{operation} {authorization}: {code}"


_CODES = {
    True: {"NOT_SIGNED_IN"},
    False: {"MISSING_API_KEY", "INVALID_API_KEY", "INVALID_API_KEY_FORMAT"},
}


def test_each_scope_opens_its_routes_and_no_others(
    client: TestClient[Litestar], world: World, cast: Cast, found: list[Operation]
) -> None:
    grants: list[list[str]] = [[scope] for scope in Scope] + [["sequences:*"], ["*"], []]
    for number, scopes in enumerate(grants):
        kind = list(CredentialKind)[number % 2]
        text = _made(world, cast.us.owner, kind, scopes)
        for operation in found:
            wanted = needed(operation)
            status, code = ask(client, operation, {"Authorization": f"Bearer {text}"})
            if wanted in list(Role):
                assert (status, code) == (401, "NOT_SIGNED_IN"), f"{operation} with {scopes}"
            elif covers(scopes, Scope(wanted)):
                assert status not in (401, 403, 405, 500), f"{operation} with {scopes}: {status} {code}"
            else:
                denied = "insufficient_scope" if operation.path.startswith("/v2/") else "INSUFFICIENT_PERMISSIONS"
                assert (status, code) == (403, denied), f"{operation} with {scopes}"


def test_a_credential_that_is_over_opens_nothing(
    client: TestClient[Litestar], world: World, cast: Cast, found: list[Operation], clock: FrozenClock
) -> None:
    for text in _over(world, cast, clock):
        for operation in found:
            status, _ = ask(client, operation, {"Authorization": f"Bearer {text}"})
            assert status == 401, str(operation)


def _over(world: World, cast: Cast, clock: FrozenClock) -> Iterator[str]:
    """Credentials that might do everything, if they only were still good: expired, revoked, an inactive user's."""
    yield _made(world, cast.us.owner, CredentialKind.TOKEN, ["*"], expires_at=clock.now)
    revoked = _made(world, cast.us.owner, CredentialKind.TOKEN, ["*"])

    def work(tx: Tx) -> User:
        named = read_credential(revoked)
        assert named is not None
        credentials.revoke(tx, named.account_id, named.id)
        gone = accounts.add_user(tx, cast.us.account.id, name="Gone", email="g@northwind.example", role=Role.ADMIN)
        accounts.save_user(tx, replace(gone, status=UserStatus.INACTIVE))
        return gone

    gone = world.database.transact(work)
    yield revoked
    yield _made(world, gone, CredentialKind.KEY, ["*"])


def _made(world: World, user: User, kind: CredentialKind, scopes: Any, **more: Any) -> str:
    return world.database.transact(lambda tx: add_credential(tx, user, kind, scopes, **more))


@pytest.mark.parametrize("role", list(Role))
def test_each_role_opens_its_routes_and_no_others(
    client: TestClient[Litestar],
    sign_in: Callable[[User], Browser],
    cast: Cast,
    found: list[Operation],
    role: Role,
) -> None:
    user = cast.us.owner if role is Role.ADMIN else cast.us.seller
    for operation in found:
        browser, wanted = sign_in(user), needed(operation)
        headers = {"Cookie": f"drumbeat={browser.cookie}", "X-CSRF-Token": browser.csrf}
        status, code = ask(client, operation, headers)
        if wanted not in list(Role):
            assert status == 401, f"{operation} by a session"
        elif wanted == Role.ADMIN and role is Role.AGENT:
            assert (status, code) == (403, "INSUFFICIENT_PERMISSIONS"), str(operation)
        else:
            assert status not in (401, 403, 405, 500), f"{operation}: {status} {code}"


def test_no_change_is_taken_without_the_session_s_token_or_from_another_site(
    client: TestClient[Litestar], owner: Browser, found: list[Operation]
) -> None:
    changing = [each for each in found if "x-roles" in each.told and each.method != "GET"]
    assert len(changing) > 30
    cookie, token = {"Cookie": f"drumbeat={owner.cookie}"}, {"X-CSRF-Token": owner.csrf}
    for operation in changing:
        assert ask(client, operation, cookie) == (403, "CROSS_SITE"), str(operation)
        elsewhere = cookie | token | {"Sec-Fetch-Site": "cross-site"}
        assert ask(client, operation, elsewhere) == (403, "CROSS_SITE"), str(operation)
    assert owner("GET", "/api/session").status_code == 200
