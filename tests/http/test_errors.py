from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain import errors
from drumbeat.http.errors import TABLE
from drumbeat.wiring import World
from tests.http.conftest import Api

LIST = "/v2/sequence_enrollments"
Client = TestClient[Litestar]


def check_sell_error(answer: Any, status: int, code: str) -> Any:
    """The one error of an answer in Sell's envelope, which is checked key for key."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"errors", "meta"}
    assert set(body["meta"]) == {"type", "http_status", "logref", "links"}
    assert body["meta"]["type"] == "errors"
    assert body["meta"]["http_status"].startswith(f"{status} ")
    assert body["meta"]["logref"] == answer.headers["x-request-id"]
    assert UUID(body["meta"]["logref"])
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["content-language"] == "en"
    for each in body["errors"]:
        assert set(each) == {"error", "meta"}
        assert each["meta"] == {"type": "error", "links": {"more_info": "http://drumbeat.test/docs#errors"}}
        assert (
            {"code", "message", "details"} <= set(each["error"]) <= {"code", "message", "details", "resource", "field"}
        )
        assert all(isinstance(text, str) and text for text in each["error"].values())
    assert body["errors"][0]["error"]["code"] == code
    return body["errors"][0]["error"]


def test_an_unknown_path_is_404_before_it_is_401(client: Client) -> None:
    check_sell_error(client.get("/v2/nothing", headers={"User-Agent": "x"}), 404, "not_found")
    check_sell_error(client.get("/v2", headers={"User-Agent": "x"}), 404, "not_found")
    check_sell_error(client.get(LIST, headers={"User-Agent": "x"}), 401, "unauthorized")


def test_a_method_that_is_not_taken_tells_which_are(client: Client) -> None:
    answer = client.delete(LIST)
    check_sell_error(answer, 405, "incorrect_path")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (LIST, "GET, HEAD, OPTIONS, POST"),
        (f"{LIST}/1", "GET, HEAD, OPTIONS, PUT"),
        ("/u/x", "GET, HEAD, OPTIONS, POST"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_tells_every_method_of_the_path(client: Client, path: str, allowed: str) -> None:
    assert client.options(path).headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/openapi.json"])
def test_what_can_be_read_answers_head(client: Client, path: str) -> None:
    assert client.head(path).status_code == 200


@pytest.mark.parametrize("agent", ["", "   "])
def test_a_blank_user_agent_is_refused(api: Api, agent: str) -> None:
    check_sell_error(api("GET", LIST, headers={"User-Agent": agent}), 400, "invalid_header")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/*;q=0.5", 200),
        ("text/html, application/json", 200),
        ("", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("application/xml", 406),
        ("application/json;charset=utf-8", 200),
    ],
)
def test_only_json_is_spoken(api: Api, accept: str, status: int) -> None:
    answer = api("GET", LIST, headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        check_sell_error(answer, 406, "invalid_header")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_payload"),
        (b"", 400, "invalid_payload"),
        (b"\xff\xfe", 400, "invalid_payload"),
        (b"[" * 100_000, 400, "invalid_payload"),
        (b'{"data": {"resource_type": "\xff"}}', 400, "invalid_payload"),
        (b'{"data": {"resource_id": 1e400}}', 400, "invalid_payload"),
        (b'{"data": {"resource_id": %b}}' % (b"1" * 5000), 400, "invalid_payload"),
        (b"[]", 422, "incorrect_payload"),
        (b"null", 422, "incorrect_payload"),
        (b'{"data": []}', 422, "incorrect_payload"),
        (b'{"state": "finished"}', 422, "incorrect_payload"),
        (b'{"data": {}, "state": "finished"}', 422, "unknown"),
        (b" " * 1_000_001, 413, "incorrect_payload"),
    ],
)
def test_a_body_that_cannot_be_read(api: Api, body: bytes, status: int, code: str) -> None:
    answer = api("POST", LIST, content=body, headers={"Content-Type": "application/json"})
    check_sell_error(answer, status, code)


@pytest.mark.parametrize(
    ("path", "most"), [(LIST, 1_000_000), ("/people/import", 100_000_000), ("/templates/new", 50_000_000)]
)
def test_a_body_that_is_too_large_is_told_how_large_one_may_be_there(client: Client, path: str, most: int) -> None:
    answer = client.post(path, content=b"x", headers={"Content-Length": f"{most + 1}", "User-Agent": "x"})
    assert (answer.status_code, f"Send at most {most:,} bytes." in answer.text) == (413, True)


def test_a_body_that_is_no_json_by_its_own_word_is_refused(api: Api) -> None:
    answer = api("POST", LIST, content=b'{"data": {}}', headers={"Content-Type": "text/plain"})
    check_sell_error(answer, 415, "invalid_header")


def test_a_thousand_unknown_attributes_get_a_short_answer(api: Api) -> None:
    sent = {f"unknown_{n}" * 20: n for n in range(1000)}
    answer = api("POST", LIST, {"data": sent})
    check_sell_error(answer, 422, "unknown")
    assert len(answer.json()["errors"]) == 20
    assert len(answer.content) < 10_000


def test_a_defect_of_ours_is_500_without_a_trace(api: Api) -> None:
    state = api.client.app.state
    state["parts"] = replace(state["parts"], world=replace(state["parts"].world, database=None))
    answer = api("GET", f"{LIST}/1")
    error = check_sell_error(answer, 500, "server_error")
    assert "NoneType" not in answer.text
    assert "X-Request-Id" in error["details"]
    refused = api("POST", "/api/v1/sequences/1/execute", {})
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert api.client.get("/health").status_code == 500


def test_a_database_that_is_away_is_503_and_says_when_to_come_back(api: Api, world: World) -> None:
    if not world.database.is_sqlite:
        pytest.skip("a file that is gone is SQLite's trouble")
    world.database.close()
    path = Path(world.database.url.database or "")
    path.unlink()
    path.mkdir()
    answer = api("GET", LIST)
    check_sell_error(answer, 503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "5"
    health = api.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "unavailable")


def test_the_api_has_its_own_envelope(client: Client) -> None:
    for path, status, code in (
        ("/api/nothing", 404, "NOT_FOUND"),
        ("/api/v1/sequences/1/execute", 405, "METHOD_NOT_ALLOWED"),
    ):
        answer = client.get(path)
        assert answer.status_code == status
        assert set(answer.json()) == {"error"}
        assert set(answer.json()["error"]) == {"code", "message", "details"}
        assert answer.json()["error"]["code"] == code
        assert UUID(answer.headers["x-request-id"])


def test_elsewhere_errors_are_text_or_a_page(client: Client) -> None:
    plain = client.get("/nothing")
    assert (plain.status_code, plain.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    page = client.get("/<script>", headers={"Accept": "text/html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script>" not in page.text


def test_every_refusal_has_its_row() -> None:
    def below(kind: type[errors.DrumbeatError]) -> set[type[errors.DrumbeatError]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    for kind in below(errors.Refused) | below(errors.Unavailable):
        row = next(TABLE[each] for each in kind.__mro__ if each in TABLE)
        assert (row.sell[0] < 500) == (row.api[0] < 500) == issubclass(kind, errors.Refused), kind


@pytest.mark.parametrize("path", ["/", "/health", LIST, "/api/x", "/nothing", "/docs", "/u/x", "/openapi.json"])
def test_every_answer_carries_the_security_headers(client: Client, path: str) -> None:
    headers = client.get(path, headers={"User-Agent": "x", "Origin": "http://evil.example"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert not any(name.startswith("access-control") for name in headers)
    assert UUID(headers["x-request-id"])
