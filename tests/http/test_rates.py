"""Rate limits: v2's per token and hour, the execute API's per account and minute."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.access import CredentialKind, Scope
from drumbeat.http.app import make_app
from drumbeat.settings import Settings
from drumbeat.testing.cast import Cast, add_credential
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World, open_world
from tests.http.conftest import Api

EXECUTE, LIST = "/api/v1/sequences/1/execute", "/v2/sequence_enrollments"
NOBODY = {"contacts": []}  # costs nothing, and counts


@pytest.fixture
def world(tmp_path: Path, database_url: str, clock: FrozenClock) -> Iterator[World]:
    """An installation that allows three of each."""
    told: dict[str, Any] = {"data": tmp_path / "data", "database_url": database_url, "base_url": "http://drumbeat.test"}
    made = open_world(Settings(**told, execute_per_minute=3, v2_per_hour=3), now=clock)
    yield made
    made.close()


def rates_of(answer: Any) -> tuple[int, list[str | None]]:
    """The status, and Limit, Remaining and Reset."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    return answer.status_code, [answer.headers.get(name) for name in names]


def test_an_account_s_calls_are_counted_down_and_the_next_is_429_until_the_minute_ends(
    api: Api, cast: Cast, clock: FrozenClock
) -> None:
    clock.advance(timedelta(seconds=18))
    ends = str(int((clock.now + timedelta(seconds=42)).timestamp()))
    key = Api(api.client, cast.us.key)
    for caller, left in ((api, "2"), (key, "1"), (api, "0")):
        answer = caller("POST", EXECUTE, NOBODY)
        assert rates_of(answer) == (400, ["3", left, ends])
        assert "Retry-After" not in answer.headers
    refused = key("POST", EXECUTE, {"contacts": [{"email": "ada@customer.example"}]})
    assert rates_of(refused) == (429, ["3", "0", ends])
    assert refused.headers["Retry-After"] == "42"
    assert refused.json()["error"] == {
        "code": "RATE_LIMITED",
        "message": "The rate limit is exceeded.",
        "details": {"reason": "An account may make 3 calls a minute; call again in 42 seconds."},
    }
    clock.advance(timedelta(seconds=42))
    assert rates_of(api("POST", EXECUTE, NOBODY))[1][1] == "2"


def test_the_rival_s_calls_are_counted_apart(api: Api, rival: Api) -> None:
    for _ in range(4):
        last = api("POST", EXECUTE, NOBODY)
    assert last.status_code == 429
    assert rival("POST", EXECUTE, NOBODY).status_code == 400


def test_who_is_not_known_is_neither_counted_nor_told(api: Api) -> None:
    for _ in range(4):
        answer = Api(api.client, "dbk_" + "0" * 60)("POST", EXECUTE, NOBODY)
        assert rates_of(answer) == (401, [None, None, None])
    assert api("POST", EXECUTE, NOBODY).headers["X-RateLimit-Remaining"] == "2"


def test_calls_that_the_scope_forbids_count_too(api: Api, world: World, cast: Cast) -> None:
    text = world.database.transact(lambda tx: add_credential(tx, cast.us.seller, CredentialKind.KEY, [Scope.READ]))
    statuses = [Api(api.client, text)("POST", EXECUTE, NOBODY).status_code for _ in range(4)]
    assert statuses == [403, 403, 403, 429]


def test_several_web_processes_share_an_account_s_limit_on_postgresql(api: Api, world: World) -> None:
    if world.database.is_sqlite:
        pytest.skip("there is one web process on SQLite")
    with TestClient(make_app(world), base_url="http://drumbeat.test") as second:
        other = Api(second, api.token)
        left = [each("POST", EXECUTE, NOBODY).headers["X-RateLimit-Remaining"] for each in (api, other, api, other)]
    assert left == ["2", "1", "0", "0"]


def test_of_twenty_calls_at_once_as_many_as_the_limit_pass(api: Api) -> None:
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: api("POST", EXECUTE, NOBODY).status_code, range(20)))
    assert sorted(statuses) == [400] * 3 + [429] * 17


def test_a_token_s_requests_end_with_429_in_sell_s_words_until_the_hour_ends(
    api: Api, world: World, cast: Cast, clock: FrozenClock
) -> None:
    assert [api("GET", f"{LIST}{rest}").status_code for rest in ("", "/9", "?x=1")] == [200, 404, 400]
    refused = api("GET", LIST)
    assert rates_of(refused) == (429, [None, None, None])
    assert "Retry-After" not in refused.headers
    told = refused.json()
    assert told["meta"]["http_status"] == "429 Too Many Requests"
    assert told["errors"][0]["error"]["code"] == "rate_limit_exceeded"
    assert api("POST", LIST, {"data": {}}).status_code == 429
    scopes = (Scope.READ,)
    other = world.database.transact(lambda tx: add_credential(tx, cast.us.seller, CredentialKind.TOKEN, scopes))
    assert Api(api.client, other)("GET", LIST).status_code == 200
    clock.advance(timedelta(minutes=59))
    assert api("GET", LIST).status_code == 429
    clock.advance(timedelta(minutes=1))
    assert api("GET", LIST).status_code == 200


def test_without_limits_nothing_is_counted_or_told(world: World, cast: Cast, clock: FrozenClock) -> None:
    free = world.settings.model_copy(update={"execute_per_minute": 0, "v2_per_hour": 0})
    app: Litestar = make_app(replace(world, settings=free))
    with TestClient(app, base_url="http://drumbeat.test") as client:
        api = Api(client, cast.us.token)
        assert [rates_of(api("POST", EXECUTE, NOBODY)) for _ in range(5)] == [(400, [None, None, None])] * 5
        assert [api("GET", LIST).status_code for _ in range(5)] == [200] * 5


def test_the_limits_are_a_thousand_calls_a_minute_and_36000_requests_an_hour_unless_set() -> None:
    assert Settings().execute_per_minute == 1000
    assert Settings().v2_per_hour == 36_000
