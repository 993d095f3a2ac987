from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.http.openapi import PAGE

Client = TestClient[Litestar]
SIGNING_IN = {("post", "/api/session"), ("post", "/api/password-letters"), ("post", "/api/passwords")}


@pytest.fixture
def reference(client: Client) -> Any:
    return client.get("/openapi.json").json()


def test_the_document_holds_every_route_but_the_app_s_pages_and_no_other(app: Litestar, reference: Any) -> None:
    served = {
        (re.sub(r":\w+\}", "}", route.path_format), method.lower())
        for route in app.routes
        for handler in route.route_handlers  # type: ignore[union-attr]
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
        if PAGE not in handler.opt
    }
    told = {(path, method) for path, methods in reference["paths"].items() for method in methods}
    assert told == served
    assert reference["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere(client: Client, reference: Any) -> None:
    names = set(re.findall(r"#/components/schemas/([\w.-]+)", client.get("/openapi.json").text))
    assert names <= set(reference["components"]["schemas"])
    assert {"EnrollmentData", "Record_TaskAction_", "SellErrors", "ApiErrors"} <= names


def test_what_needs_a_scope_or_a_session_says_so_and_refuses_without(client: Client, reference: Any) -> None:
    for path, methods in reference["paths"].items():
        for method, operation in methods.items():
            is_guarded = path.startswith(("/v2/", "/api/")) and (method, path) not in SIGNING_IN
            assert ("security" in operation) == is_guarded
            answer = client.request(method, re.sub(r"\{\w+\}", "1", path), headers={"User-Agent": "x"})
            # Who tells of letters proves itself in its provider's own way, which no scheme of OpenAPI names.
            assert (answer.status_code == 401) == (is_guarded or path.startswith("/hooks/")), path
            assert str(answer.status_code) in operation["responses"] or not is_guarded


def test_the_page_shows_every_operation_without_a_script(client: Client, reference: Any) -> None:
    page = client.get("/docs").text
    for path, methods in reference["paths"].items():
        for method, operation in methods.items():
            assert f'<section id="{operation["operationId"]}">' in page
            assert f"{method.upper()} {path}" in page
    assert '<section id="errors">' in page
    assert "contacts[].email" in page
    assert "<code>sequences:execute</code>" in page
    assert "Wrap a given callable" not in page
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="https?:', page)


def test_every_example_of_an_answer_is_one_that_could_be_given(app: Litestar) -> None:
    told = 0
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            words = handler.opt.get("described")
            if words is not None and words.answer_example is not None:
                read = msgspec.convert(words.answer_example, words.answer)
                assert msgspec.to_builtins(read) == words.answer_example
                told += 1
    assert told >= 80


def test_the_rate_limit_s_headers_and_the_idempotency_key_are_told(reference: Any) -> None:
    execute = reference["paths"]["/api/v1/sequences/{id}/execute"]["post"]
    enroll = reference["paths"]["/v2/sequence_enrollments"]["post"]
    for operation in (execute, enroll):
        (key,) = [each for each in operation["parameters"] if each["name"] == "Idempotency-Key"]
        assert key["in"] == "header"
        assert {"409", "422", "429"} <= set(operation["responses"])
    assert set(execute["responses"]["429"]["headers"]) == {
        *execute["responses"]["200"]["headers"],
        "Retry-After",
    }
    assert "headers" not in enroll["responses"]["429"]


def test_every_body_and_every_json_answer_of_the_contracts_has_an_example(reference: Any) -> None:
    for path, methods in reference["paths"].items():
        for method, operation in methods.items():
            if not path.startswith(("/v2/", "/api/")):
                continue
            (told, *_) = operation["responses"].values()
            contents = {**told.get("content", {}), **operation.get("requestBody", {}).get("content", {})}
            lacking = [kind for kind, content in contents.items() if "json" in kind and "example" not in content]
            assert not lacking, f"{method} {path}"
