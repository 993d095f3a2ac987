"""Every route of the app's API."""

from __future__ import annotations

from litestar import Router

from drumbeat.http.app_api import (
    account,
    calendars,
    executing,
    files,
    keys,
    mailboxes,
    passwords,
    sequences,
    session,
    templates,
    users,
    versions,
)


def router() -> Router:
    """The routes under /api for a browser that is signed in."""
    who = (session, passwords, account, users, keys, mailboxes)
    what = (calendars, templates, sequences, versions, executing, files)
    return Router("/api", route_handlers=[handler for noun in who + what for handler in noun.handlers])
