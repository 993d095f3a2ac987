"""Every route of the app's API."""

from __future__ import annotations

from litestar import Router

from drumbeat.http.app_api import executing, passwords, session


def router() -> Router:
    """The routes under /api for a browser that is signed in."""
    return Router("/api", route_handlers=[*session.handlers, *passwords.handlers, *executing.handlers])
