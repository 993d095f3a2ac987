"""/openapi.json and /docs: the reference, rendered here from the same document."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Response

from drumbeat.http.errors import TABLE
from drumbeat.http.openapi import BINARY, described, document
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable

_EXAMPLE_TOKEN = "$TOKEN"  # noqa: S105 - a shell variable's name


@readable("/openapi.json", opt=described("This reference for programs", answer="application/json"))
def show_openapi(request: AnyRequest) -> Response[bytes]:
    """The OpenAPI 3.1 document."""
    return json_reply(document(request.app, parts_of(request).world.settings.base_url))


@readable("/docs", opt=described("This reference for people", answer="text/html"))
def show_docs(request: AnyRequest) -> Response[bytes]:
    """Every operation with its scopes, parameters, body, an example and its answers; and the errors."""
    parts = parts_of(request)
    reference = document(request.app, parts.world.settings.base_url)
    return parts.pages.page(
        "docs.html",
        lang="en",
        operations=sorted(shown_operations(reference), key=_place),
        errors=list(_errors()),
        version=reference["info"]["version"],
    )


def _place(operation: dict[str, Any]) -> tuple[int, str]:
    """The APIs first, then what a browser opens."""
    path = str(operation["path"])
    return next((n for n, start in enumerate(("/v2/", "/api/", "/u/")) if path.startswith(start)), 3), path


def shown_operations(reference: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation of the document, as pages show it."""
    base = reference["servers"][0]["url"]
    for path, methods in reference["paths"].items():
        for method, operation in methods.items():
            contents = operation.get("requestBody", {}).get("content", {})
            content = contents.get("application/json", {})
            yield {
                "id": operation["operationId"],
                "method": method.upper(),
                "path": path,
                "summary": operation["summary"],
                "description": operation["description"],
                "scopes": operation.get("x-scopes", []),
                "roles": operation.get("x-roles", []),
                "parameters": operation["parameters"],
                "body": list(_fields(content.get("schema"), reference)),
                "curl": _curl(method.upper(), base + path, operation, contents),
                "answers": operation["responses"],
            }


def _fields(schema: dict[str, Any] | None, reference: dict[str, Any], place: str = "") -> Iterator[dict[str, Any]]:
    """Each field of a body with its place, such as contacts[].email."""
    if schema is None:
        return
    if "$ref" in schema:
        schema = reference["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "items" in schema:
        yield from _fields(schema["items"], reference, f"{place}[]")
    for name, inner in schema.get("properties", {}).items():
        inside = f"{place}.{name}".lstrip(".")
        yield {"name": inside, "required": name in schema.get("required", ()), "kind": _kind(inner, reference)}
        yield from _fields(inner, reference, inside)


def _kind(schema: dict[str, Any], reference: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _kind(reference["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], reference)
    if "anyOf" in schema:
        return " or ".join(_kind(each, reference) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join("null" if word is None else str(word) for word in schema["enum"])
    if "items" in schema:
        return f"list of {_kind(schema['items'], reference)}"
    return str(schema.get("type", "anything"))


def _curl(method: str, url: str, operation: dict[str, Any], contents: dict[str, Any]) -> str:
    example = contents.get("application/json", {}).get("example")
    words = ["curl"] if method == "GET" else ["curl", "-X", method]
    url = url.replace("{id}", "1").replace("{token}", "TOKEN").replace("{kind}", "contact").replace("{number}", "1")
    words.append(shlex.quote(url))
    if "x-scopes" in operation:
        words += ["-H", f'"Authorization: Bearer {_EXAMPLE_TOKEN}"']
    if "x-roles" in operation:
        words += ["-b", "jar"] if method == "GET" else ["-b", "jar", "-H", '"X-CSRF-Token: $CSRF"']
    if BINARY in contents:
        words += ["-H", f"'Content-Type: {BINARY}'", "--data-binary", "@FILE"]
    if example is not None:
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(msgspec.json.encode(example).decode())]
    return " ".join(words)


def _errors() -> Iterator[dict[str, Any]]:
    for kind, told in TABLE.items():
        yield {"message": (kind.__doc__ or "").split("\n")[0], "sell": told.sell, "api": told.api}
