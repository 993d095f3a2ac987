"""Every route of the app's API."""

from __future__ import annotations

from litestar import Router

from drumbeat.http.app_api import account, executing, keys, mailboxes, passwords, session, users


def router() -> Router:
    """The routes under /api for a browser that is signed in."""
    nouns = (session, passwords, account, users, keys, mailboxes, executing)
    return Router("/api", route_handlers=[handler for noun in nouns for handler in noun.handlers])
