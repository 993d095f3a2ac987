"""Every route under /v2, and what holds for all of them."""

from __future__ import annotations

from litestar import Router

from drumbeat.http.sell_v2 import contacts, conversions, enrollments, leads, sequences, sync, tasks, users
from drumbeat.http.sell_v2.envelope import check_headers


def router() -> Router:
    """The routes under /v2."""
    nouns = (enrollments, sequences, users, leads, contacts, tasks, conversions, sync)
    handlers = [handler for noun in nouns for handler in noun.handlers]
    return Router("/v2", route_handlers=handlers, before_request=check_headers)
