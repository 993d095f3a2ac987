"""The web application: every route, and what holds for every answer."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders, State
from litestar.types import Message, Scope

from drumbeat.http import caught, docs, execute_v1, hooks, metrics, password_page, public
from drumbeat.http.app_api import routes as app_api
from drumbeat.http.auth import note_use, standing_of
from drumbeat.http.bodies import LARGEST_BODY, few_large_bodies, whole_bodies
from drumbeat.http.errors import answer_error
from drumbeat.http.pages import Pages
from drumbeat.http.parts import Catcher, Parts, request_id
from drumbeat.http.rates import Rates
from drumbeat.http.sell_v2 import routes
from drumbeat.http.web import routes as web
from drumbeat.wiring import World

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-robots-tag", b"noindex"),
)
_CLOSED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def make_app(world: World, catcher: Catcher | None = None) -> Litestar:
    """The application over a world; `catcher` shows its letters under /caught on this machine."""
    return Litestar(
        route_handlers=[
            routes.router(),
            execute_v1.router(),
            app_api.router(),
            public.router(),
            hooks.router(),
            password_page.router(),
            web.router(),
            caught.list_caught,
            caught.list_caught_json,
            caught.show_caught,
            caught.show_caught_html,
            docs.show_openapi,
            docs.show_docs,
            metrics.show_metrics,
        ],
        state=State({"parts": Parts(world, Pages(), catcher, Rates(world))}, deep_copy=False),
        middleware=[few_large_bodies(), whole_bodies()],
        exception_handlers={Exception: answer_error},
        before_send=[add_headers],
        after_response=note_use,
        request_max_body_size=LARGEST_BODY,
        openapi_config=None,
        logging_config=None,
    )


async def add_headers(message: Message, scope: Scope) -> None:
    """Put the request's id, the security headers and where the caller's rate limit stands on the answer."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders(message)
    policy = headers.setdefault("content-security-policy", _CLOSED)
    if scope.get("method") == "OPTIONS" and "allow" in headers:
        headers["allow"] = ", ".join(sorted(_methods(scope)))
    framed = b"SAMEORIGIN" if "frame-ancestors 'self'" in policy else b"DENY"
    added = [(b"x-request-id", request_id(scope).encode()), (b"x-frame-options", framed)]
    path: Any = scope["path"]
    if f"{path}/".startswith(("/v2/", "/api/")):
        added.append((b"cache-control", b"no-store"))
    if f"{path}/".startswith("/v2/"):
        added.append((b"content-language", b"en"))
    headers.headers.extend((*_ALWAYS, *added))  # no handler sets these: adding is a tenth of the work of setting
    standing = standing_of(scope)
    if standing is not None:
        headers["x-ratelimit-limit"] = str(standing.limit)
        headers["x-ratelimit-remaining"] = str(standing.remaining)
        headers["x-ratelimit-reset"] = str(standing.ends_at)
        if standing.is_exceeded:
            headers["retry-after"] = str(standing.ends_in)


def _methods(scope: Scope) -> set[str]:
    """What the path takes; the framework itself tells only those of its first handler."""
    app: Litestar = scope["litestar_app"]
    return {m for route in app.routes if route.path_format == scope["path_template"] for m in route.methods}
