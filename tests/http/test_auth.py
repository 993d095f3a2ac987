from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.access import CredentialKind, Scope
from drumbeat.domain.account import UserStatus
from drumbeat.store import accounts, credentials
from drumbeat.testing.cast import Cast, add_credential
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World

LIST = "/v2/sequence_enrollments"
EXECUTE = "/api/v1/sequences/1/execute"
ONE = {"contacts": [{"email": "ada@customer.example"}]}
Client = TestClient[Litestar]


def read(client: Client, credential: str) -> int:
    headers = {"Authorization": f"Bearer {credential}", "User-Agent": "tests"}
    return client.get(LIST, headers=headers).status_code


def run(client: Client, headers: dict[str, str]) -> tuple[int, str]:
    answer = client.post(EXECUTE, json=ONE, headers=headers)
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def test_a_token_has_the_64_characters_clients_insist_on(cast: Cast) -> None:
    assert len(cast.us.token) == len(cast.us.key) == 64


def test_refused_credentials_tell_execute_callers_why(client: Client, cast: Cast) -> None:
    forged = cast.us.key[:-3] + "AAA"
    assert run(client, {}) == (401, "MISSING_API_KEY")
    assert run(client, {"Authorization": ""}) == (401, "MISSING_API_KEY")
    assert run(client, {"Authorization": "Basic abc"}) == (401, "INVALID_API_KEY_FORMAT")
    assert run(client, {"X-API-Key": "dem_123"}) == (401, "INVALID_API_KEY_FORMAT")
    assert run(client, {"X-API-Key": forged}) == (401, "INVALID_API_KEY")
    assert run(client, {"X-API-Key": forged.replace("00000001", "zzzzzzzz", 1)}) == (401, "INVALID_API_KEY")
    assert run(client, {"X-API-Key": cast.us.key}) == (200, "")
    assert run(client, {"Authorization": f"bearer {cast.us.token}"}) == (200, "")


def test_an_expired_or_revoked_credential_opens_nothing(
    client: Client, world: World, cast: Cast, clock: FrozenClock
) -> None:
    ends = clock.now + timedelta(hours=1)
    key = world.database.transact(
        lambda tx: add_credential(
            tx, cast.us.seller, CredentialKind.KEY, [Scope.READ, Scope.SEQUENCES_EXECUTE], expires_at=ends
        )
    )
    assert run(client, {"X-API-Key": key}) == (200, "")
    clock.advance(timedelta(hours=1))
    assert run(client, {"X-API-Key": key}) == (401, "EXPIRED_API_KEY")
    assert read(client, key) == 401
    assert read(client, cast.us.token) == 200
    (used,) = [each for each in listed(world, cast) if each["kind"] == "dbt"]
    world.database.transact(lambda tx: credentials.revoke(tx, cast.us.account.id, used["id"]))
    assert read(client, cast.us.token) == 401


def listed(world: World, cast: Cast) -> list[dict[str, Any]]:
    with world.database.read() as snapshot:
        return credentials.list_all(snapshot, cast.us.account.id)


def test_an_inactive_user_s_credentials_open_nothing(client: Client, world: World, cast: Cast) -> None:
    gone = replace(cast.us.seller, status=UserStatus.INACTIVE)
    world.database.transact(lambda tx: accounts.save_user(tx, gone))
    assert read(client, cast.us.token) == 401
    assert run(client, {"X-API-Key": cast.us.key}) == (401, "INVALID_API_KEY")


def test_a_key_in_its_own_header_opens_only_the_api(client: Client, cast: Cast) -> None:
    answer = client.get(LIST, headers={"X-API-Key": cast.us.token, "User-Agent": "tests"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_last_use_is_noted_at_most_once_a_minute(
    client: Client, world: World, cast: Cast, clock: FrozenClock
) -> None:
    def last_used() -> Any:
        (token,) = [each for each in listed(world, cast) if each["kind"] == "dbt"]
        return token["last_used_at"]

    assert last_used() is None
    read(client, cast.us.token)
    first = last_used()
    assert first is not None
    clock.advance(timedelta(seconds=59))
    read(client, cast.us.token)
    assert last_used() == first
    clock.advance(timedelta(seconds=2))
    read(client, cast.us.token)
    assert last_used() > first
