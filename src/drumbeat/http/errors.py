"""One table, domain error -> status and code per contract, and the three bodies an error may have.

Under /v2 it is Sell's envelope, under /api {"error": {...}}, elsewhere a page or plain text; the framework's
own refusals take the same way.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from drumbeat.domain import errors
from drumbeat.domain.errors import (
    DrumbeatError,
    InFile,
    Invalid,
    InvalidMany,
    NoEligibleContacts,
    NotSignedIn,
    TooManyAttempts,
    WrongPassword,
)
from drumbeat.http.once_more import NotTaken, offer_once_more
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, request_id

_log = logging.getLogger("drumbeat.http")
_RETRY_AFTER = "5"
_SELL, _API = 0, 1  # the columns of the table


class Told(NamedTuple):
    """Status and code of an error, in Sell's words and in the execute API's."""

    sell: tuple[int, str]
    api: tuple[int, str]


_INVALID = (400, "VALIDATION_ERROR")
TABLE: dict[type[DrumbeatError], Told] = {
    errors.NotFound: Told((404, "not_found"), (404, "NOT_FOUND")),
    errors.Unauthorized: Told((401, "unauthorized"), (401, "INVALID_API_KEY")),
    errors.CredentialMissing: Told((401, "unauthorized"), (401, "MISSING_API_KEY")),
    errors.CredentialMalformed: Told((401, "unauthorized"), (401, "INVALID_API_KEY_FORMAT")),
    errors.CredentialExpired: Told((401, "unauthorized"), (401, "EXPIRED_API_KEY")),
    errors.NotSignedIn: Told((401, "unauthorized"), (401, "NOT_SIGNED_IN")),
    errors.WrongPassword: Told((401, "unauthorized"), (401, "WRONG_PASSWORD")),
    errors.Forbidden: Told((403, "insufficient_scope"), (403, "INSUFFICIENT_PERMISSIONS")),
    errors.CrossSite: Told((403, "insufficient_scope"), (403, "CROSS_SITE")),
    errors.SequencesDisabled: Told((403, "insufficient_scope"), (409, "SEQUENCES_DISABLED")),
    errors.Malformed: Told((400, "invalid_payload"), _INVALID),
    errors.MalformedParameter: Told((400, "invalid_param"), _INVALID),
    errors.MalformedHeader: Told((400, "invalid_header"), _INVALID),
    errors.Invalid: Told((422, "incorrect_payload"), _INVALID),
    errors.InvalidMany: Told((422, "incorrect_payload"), _INVALID),
    errors.UnknownField: Told((422, "unknown"), _INVALID),
    errors.MissingField: Told((422, "missing"), _INVALID),
    errors.BlankField: Told((422, "blank"), _INVALID),
    errors.WrongType: Told((422, "invalid_type"), _INVALID),
    errors.IncorrectValue: Told((422, "incorrect_value"), _INVALID),
    errors.AlreadyExists: Told((422, "already_exists"), (409, "ALREADY_EXISTS")),
    errors.NotNow: Told((422, "incorrect_payload"), (409, "CONFLICT")),
    errors.SequenceNotActive: Told((422, "incorrect_payload"), (409, "SEQUENCE_NOT_ACTIVE")),
    errors.SequenceEmpty: Told((422, "incorrect_payload"), (409, "SEQUENCE_EMPTY")),
    errors.VariantUnavailable: Told((422, "incorrect_payload"), (409, "VARIANT_UNAVAILABLE")),
    errors.ActorUnavailable: Told((422, "incorrect_payload"), (409, "ACTOR_UNAVAILABLE")),
    errors.SeveralMatch: Told((409, "conflict"), (409, "CONFLICT")),
    errors.KeyAtWork: Told((409, "conflict"), (409, "IDEMPOTENCY_KEY_AT_WORK")),
    errors.KeyReused: Told((422, "incorrect_payload"), (422, "IDEMPOTENCY_KEY_REUSED")),
    errors.LinkUsedUp: Told((422, "incorrect_payload"), (410, "LINK_USED_UP")),
    errors.TooManyCalls: Told((429, "rate_limit_exceeded"), (429, "RATE_LIMITED")),
    errors.NoEligibleContacts: Told((422, "incorrect_payload"), (422, "NO_ELIGIBLE_CONTACTS")),
    errors.Refused: Told((422, "incorrect_payload"), _INVALID),
    errors.TestClockRefused: Told((422, "incorrect_payload"), (409, "CONFLICT")),
    errors.MasterKeyWrong: Told((422, "incorrect_payload"), (409, "CONFLICT")),
    errors.Unavailable: Told((503, "temporarily_unavailable"), (503, "UNAVAILABLE")),
    errors.DrumbeatError: Told((500, "server_error"), (500, "INTERNAL_ERROR")),
}
# What the framework itself refuses, by status: Sell's code, ours, the message.
_FRAMEWORK = {
    400: ("invalid_payload", "VALIDATION_ERROR", "The request cannot be read."),
    404: ("not_found", "NOT_FOUND", "There is no such path."),
    405: ("incorrect_path", "METHOD_NOT_ALLOWED", "This path does not take that method."),
    406: ("invalid_header", "NOT_ACCEPTABLE", "The answer cannot have the form you accept."),
    408: ("invalid_payload", "REQUEST_TIMEOUT", "The body did not come in time."),
    413: ("incorrect_payload", "PAYLOAD_TOO_LARGE", "The body is too large."),
    415: ("invalid_header", "UNSUPPORTED_MEDIA_TYPE", "The body has a form that is not taken here."),
    500: ("server_error", "INTERNAL_ERROR", "Something went wrong."),
}
_RESOURCES = {
    "sequence_enrollments": "sequence_enrollment",
    "leads": "lead",
    "contacts": "contact",
    "tasks": "task",
    "lead_conversions": "lead_conversion",
}
_DETAILS = {
    500: "It was not your request's fault. The log holds the cause under this answer's X-Request-Id.",
}


class Complaint(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: a code for programs, words for people, and where it is."""

    code: str
    message: str
    details: Any
    resource: str | None = None
    field: str | None = None


class Problem(msgspec.Struct, frozen=True):
    """An error answer before it takes the form of a contract."""

    status: int
    complaints: list[Complaint]
    headers: dict[str, str] = {}


class MoreInfo(msgspec.Struct, frozen=True):
    """Where an error is explained."""

    more_info: str


class ErrorMeta(msgspec.Struct, frozen=True):
    """Beside each error of a Sell answer."""

    type: str
    links: MoreInfo


class SellError(msgspec.Struct, frozen=True):
    """One error of a Sell answer."""

    error: Complaint
    meta: ErrorMeta


class ErrorsMeta(msgspec.Struct, frozen=True):
    """Beside all errors of a Sell answer; logref is the answer's X-Request-Id."""

    type: str
    http_status: str
    logref: str
    links: MoreInfo


class SellErrors(msgspec.Struct, frozen=True):
    """Sell's error answer."""

    errors: list[SellError]
    meta: ErrorsMeta


class ApiErrors(msgspec.Struct, frozen=True):
    """The execute API's error answer."""

    error: Complaint


def answer_error(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Any exception as the answer its path's contract wants."""
    path = request.scope["path"]
    if path == "/v2" or path.startswith("/v2/"):
        return _sell_answer(request, _problem(request, error, _SELL))
    if path == "/api" or path.startswith("/api/"):
        problem = _problem(request, error, _API)
        body = ApiErrors(problem.complaints[0])
        return json_reply(body, problem.status, problem.headers)
    if isinstance(error, NotTaken):
        return offer_once_more(request, error)
    if isinstance(error, NotSignedIn):
        return _to_sign_in(request)
    return _page(request, _problem(request, error, _API))


def _to_sign_in(request: AnyRequest) -> Response[bytes]:
    """Whoever opens a page of the app signs in first, and comes back to it."""
    wanted = request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    there = quote(f"{wanted}?{query}" if query else wanted) if request.method in ("GET", "HEAD") else "/today"
    headers = {"location": f"/sign-in?next={there}", "cache-control": "no-store"}
    if request.headers.get("hx-request"):  # a part of a page: what is written in the rest of it stays
        return Response(b"", status_code=401, headers={"cache-control": "no-store"})
    return Response(b"", status_code=303, headers=headers)


def _problem(request: AnyRequest, error: Exception, contract: int) -> Problem:
    if isinstance(error, DrumbeatError) and _told(error)[contract][0] != 500:
        return _refusal(request, error, contract)
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status not in _FRAMEWORK:
        status = 400 if 400 <= status < 500 else 500
    if status == 500:
        _log.error("request %s failed", request_id(request.scope), exc_info=error)
    code, message = _FRAMEWORK[status][contract], _FRAMEWORK[status][2]
    reason = _DETAILS.get(status) or _framework_details(request, error, status)
    details: Any = reason if contract == _SELL else {"reason": reason}
    headers = dict(getattr(error, "headers", None) or {})
    return Problem(status, [Complaint(code, message, details)], headers)


def _refusal(request: AnyRequest, error: DrumbeatError, contract: int) -> Problem:
    status, code = _told(error)[contract]
    wrong = error.errors if isinstance(error, InvalidMany) else (error,)
    if contract == _SELL:
        return Problem(status, [_complaint(each, _resource(request)) for each in wrong], _headers(status, error))
    return Problem(status, [_api_complaint(code, error, wrong)], _headers(status, error))


def _told(error: DrumbeatError) -> Told:
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def _headers(status: int, error: DrumbeatError) -> dict[str, str]:
    if isinstance(error, TooManyAttempts):
        return {"retry-after": str(error.seconds)}
    if status == 503:
        return {"retry-after": _RETRY_AFTER}
    if status == 401 and not isinstance(error, NotSignedIn | WrongPassword):
        return {"www-authenticate": "Bearer"}
    return {}


def _resource(request: AnyRequest) -> str | None:
    """What Sell calls the records of a path."""
    return _RESOURCES.get(request.scope["path"].removeprefix("/v2/").partition("/")[0])


def _complaint(error: DrumbeatError, resource: str | None) -> Complaint:
    is_field = isinstance(error, Invalid) and error.field is not None
    return Complaint(
        code=_told(error).sell[1],
        message=error.message,
        details=error.detail or error.message,
        resource=resource if is_field else None,
        field=_pointer(error.field) if is_field and error.field else None,
    )


def _pointer(field: str) -> str:
    return "/" + field.replace("~", "~0").replace("/", "~1")


def _api_complaint(code: str, error: DrumbeatError, wrong: Any) -> Complaint:
    details: dict[str, Any] = {"reason": error.detail or error.message}
    if isinstance(error, NoEligibleContacts):
        details["results"] = list(error.results)
    named = [{"field": _camel(e), "reason": e.detail or e.message} for e in wrong if e.field]
    if named:
        details |= named[0] if len(named) == 1 else {"fields": named}
    return Complaint(code, error.message, details)


def _camel(error: DrumbeatError) -> str:
    """The field as the JSON under /api names it; a file's name stays as it is."""
    field = error.field or ""
    return field if isinstance(error, InFile) else re.sub(r"_([a-z])", lambda found: found[1].upper(), field)


def _framework_details(request: AnyRequest, error: Exception, status: int) -> str:
    if status == 413:
        return f"Send at most {request.route_handler.resolve_request_max_body_size():,} bytes."
    if status in (404, 405):
        allowed = (getattr(error, "headers", None) or {}).get("allow", "")
        takes = f" It takes {allowed}." if allowed else ""
        return f"{request.scope['method']} {request.scope['path'][:200]} is not served here.{takes}"
    return str(getattr(error, "detail", "")) or HTTPStatus(status).phrase


def _sell_answer(request: AnyRequest, problem: Problem) -> Response[bytes]:
    links = MoreInfo(f"{parts_of(request).world.settings.base_url}/docs#errors")
    phrase = HTTPStatus(problem.status).phrase.replace("Content", "Entity")
    meta = ErrorsMeta("errors", f"{problem.status} {phrase}", request_id(request.scope), links)
    listed = [SellError(complaint, ErrorMeta("error", links)) for complaint in problem.complaints]
    return json_reply(SellErrors(listed, meta), problem.status, problem.headers)


def _page(request: AnyRequest, problem: Problem) -> Response[bytes]:
    complaint = problem.complaints[0]
    reason = str(complaint.details["reason"])
    if "text/html" not in request.headers.get("accept", ""):
        text = f"{complaint.message} {reason}\n".encode()
        return Response(text, status_code=problem.status, media_type="text/plain", headers=problem.headers)
    page = parts_of(request).pages.page(
        "words.html", problem.status, lang="en", title=complaint.message, paragraphs=[reason], leads_on="/"
    )
    page.headers.update(problem.headers)
    return page
