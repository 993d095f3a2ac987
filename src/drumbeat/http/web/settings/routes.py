"""Every page under /settings."""

from __future__ import annotations

from drumbeat.http.web.settings import (
    account,
    calendars,
    keys,
    mailbox_parts,
    mailboxes,
    overview,
    preflight,
    profile,
    suppressions,
    users,
)

_PAGES = (overview, profile, account, users, keys, mailboxes, mailbox_parts, preflight, calendars, suppressions)
handlers = [handler for page in _PAGES for handler in page.handlers]
