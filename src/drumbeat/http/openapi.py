"""The OpenAPI 3.1 document, made from what each handler says of itself and from the structs it speaks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from drumbeat import __version__
from drumbeat.domain.access import Scope, has_role
from drumbeat.domain.account import LARGEST_ID, Role
from drumbeat.http.errors import ApiErrors, SellErrors

BINARY = "application/octet-stream"
"""The body of what is uploaded as it is."""
_BINARY_SCHEMA = {"type": "string", "format": "binary"}
PAGE = "page"
"""The option of a handler that makes a page of the app; its value is the least role that sees it."""
_KEY = "described"
_REF = "#/components/schemas/{name}"
_EVERYWHERE = (500, 503)


Schema = Mapping[str, Any]
TEXT: Schema = {"type": "string", "pattern": r"^[^\x00]*$"}
FLAG: Schema = {"type": "boolean"}
IDS: Schema = {"type": "string", "pattern": r"^[0-9]{1,20}( *, *[0-9]{1,20})*$"}


def number(least: int = 1, most: int = LARGEST_ID) -> Schema:
    """A whole number; an id unless limits are named."""
    return {"type": "integer", "minimum": least, "maximum": most}


def choice(words: Iterable[str]) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": [str(word) for word in words]}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter and what it means; its place is the query or a header."""

    name: str
    meaning: str
    schema: Schema = field(default_factory=lambda: TEXT)
    place: str = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """What a handler says of itself; `answer` is a struct, the media type of what is not JSON, or None where
    the answer has no body; `alternatives` are the structs its answer refers to by name."""

    summary: str
    answer: Any = None
    status: int = 200
    scope: Scope | None = None
    role: Role | None = None
    parameters: Sequence[Parameter] = ()
    body: Any = None
    example: dict[str, Any] | None = None
    answer_example: dict[str, Any] | None = None
    refusals: Sequence[int] = ()
    alternatives: Sequence[Any] = ()


_CSRF = Parameter("X-CSRF-Token", "The csrfToken that GET /api/session tells.", place="header", required=True)


def described(summary: str, **more: Any) -> dict[str, Described]:
    """A handler's `opt` that puts it into the document."""
    return {_KEY: Described(summary, **more)}


def document(app: Litestar, base_url: str) -> dict[str, Any]:
    """The document of every route the application serves, but for the app's pages."""
    operations = list(_operations(app))
    types = [each for _, _, _, d in operations for each in (d.answer, d.body) if _is_struct(each)]
    types += [each for *_, d in operations for each in d.alternatives]
    types += [SellErrors, ApiErrors]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    known = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, handler, words in operations:
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler, words, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Drumbeat", "version": __version__, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }


_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of 64 characters."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "drumbeat",
        "description": "Set by POST /api/session; __Host-drumbeat where people reach Drumbeat by https.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key, on /api only."},
}


def _is_struct(kind: Any) -> bool:
    return kind is not None and not isinstance(kind, str)


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler, Described]]:
    for route in sorted(app.routes, key=lambda route: route.path):
        for handler in getattr(route, "route_handlers", ()):
            if PAGE in handler.opt:
                continue  # people find their way through pages without a reference
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                path = re.sub(r":\w+\}", "}", route.path_format)
                yield path, method, handler, handler.opt[_KEY]


def _operation(
    path: str, method: str, handler: HTTPRouteHandler, words: Described, known: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": words.summary,
        "description": getattr(handler.fn, "func", handler.fn).__doc__ or words.summary,
        "operationId": handler.handler_name,
        "parameters": _parameters(path, method, words),
        "responses": _answers(path, words, known),
    }
    if words.body is not None:
        schema = _BINARY_SCHEMA if words.body == BINARY else known[repr(words.body)]
        if path.startswith("/v2/"):
            inside = {"data": schema, "meta": {}}
            schema = {"type": "object", "required": ["data"], "properties": inside, "additionalProperties": False}
        content = {"schema": schema} | ({} if words.example is None else {"example": words.example})
        kind = words.body if isinstance(words.body, str) else "application/json"
        operation["requestBody"] = {"required": True, "content": {kind: content}}
    if words.scope is not None:
        schemes = ["token", "key"] if path.startswith("/api/") else ["token"]
        operation["security"] = [{scheme: []} for scheme in schemes]
        operation["x-scopes"] = [words.scope.value]
    if words.role is not None:
        operation["security"] = [{"session": []}]
        operation["x-roles"] = [role.value for role in Role if has_role(role, words.role)]
    return operation


def _parameters(path: str, method: str, words: Described) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    others = [
        {"name": p.name, "in": p.place, "required": p.required, "description": p.meaning, "schema": p.schema}
        for p in (*words.parameters, *([_CSRF] if words.role and method != "GET" else []))
    ]
    return in_path + others


def _answers(path: str, words: Described, known: dict[str, Any]) -> dict[str, Any]:
    answer = {"description": "Done."} | _content(words.answer, known, words.answer_example)
    answers: dict[str, Any] = {str(words.status): answer}
    refusals = set(words.refusals) | ({400, 401, 403, 429} if words.scope else set())
    refusals |= {400, 401, 403} if words.role else set()
    if words.body is not None:
        refusals |= {408, 413, 415}
    if path.startswith("/v2/"):
        refusals |= {406} if words.body is None else {406, 422}
    for status in sorted(refusals | set(_EVERYWHERE)):
        answers[str(status)] = {"description": HTTPStatus(status).phrase} | _error_content(path, known)
    if path.startswith("/api/") and words.scope:
        answers["200"]["headers"] = _STANDING
        answers["429"]["headers"] = _STANDING | _header("Retry-After", "Seconds until the next call may be made.")
    return answers


def _content(answer: Any, known: dict[str, Any], example: dict[str, Any] | None) -> dict[str, Any]:
    if answer is None:
        return {}
    if _is_struct(answer):
        shown = {} if example is None else {"example": example}
        return {"content": {"application/json": {"schema": known[repr(answer)]} | shown}}
    is_text = answer.startswith("text/")
    return {"content": {answer: {"schema": {"type": "string"} if is_text else {}}}}


def _header(name: str, meaning: str) -> dict[str, Any]:
    return {name: {"description": meaning, "schema": {"type": "integer"}}}


_STANDING = (
    _header("X-RateLimit-Limit", "Calls the account may make in a minute.")
    | _header("X-RateLimit-Remaining", "Calls left in this minute.")
    | _header("X-RateLimit-Reset", "When the minute ends, in seconds since 1970.")
)


def _error_content(path: str, known: dict[str, Any]) -> dict[str, Any]:
    if not path.startswith(("/v2/", "/api/")):
        return {"content": {"text/plain": {"schema": {"type": "string"}}}}
    kind = SellErrors if path.startswith("/v2/") else ApiErrors
    return {"content": {"application/json": {"schema": known[repr(kind)]}}}
