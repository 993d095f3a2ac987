"""Every route of the app's API."""

from __future__ import annotations

from litestar import Router

from drumbeat.http.app_api import (
    account,
    calendars,
    doubts,
    enrollments,
    executing,
    explaining,
    files,
    grants,
    hooks,
    identities,
    imports,
    inboxes,
    keys,
    mailboxes,
    passwords,
    people,
    sequences,
    session,
    status,
    suppressions,
    tasks,
    templates,
    users,
    versions,
)


def router() -> Router:
    """The routes under /api for a browser that is signed in."""
    who = (session, passwords, account, users, keys, mailboxes, inboxes, grants, hooks, identities)
    what = (calendars, templates, sequences, versions, executing, files)
    work = (imports, people, tasks, enrollments, explaining, doubts, suppressions, status)
    return Router("/api", route_handlers=[handler for noun in who + what + work for handler in noun.handlers])
