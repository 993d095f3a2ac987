"""Every page of the app."""

from __future__ import annotations

from litestar import Router

from drumbeat.http.web import (
    builder,
    enrolling,
    enrollments,
    imports,
    people,
    planning,
    publishing,
    reports,
    sequences,
    sign_in,
    tasks,
    templates,
    today,
)
from drumbeat.http.web.settings import routes as settings


def router() -> Router:
    """The pages that a signed-in browser opens, and the sign-in."""
    pages = (
        sign_in,
        today,
        tasks,
        people,
        imports,
        enrolling,
        sequences,
        builder,
        planning,
        publishing,
        enrollments,
        templates,
        reports,
    )
    handlers = [handler for noun in pages for handler in noun.handlers]
    return Router("/", route_handlers=[*handlers, *settings.handlers])
