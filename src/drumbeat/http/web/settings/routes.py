"""Every page under /settings."""

from __future__ import annotations

from drumbeat.http.web.settings import (
    account,
    calendars,
    consent,
    files,
    keys,
    mailbox_parts,
    mailbox_trust,
    mailboxes,
    overview,
    preflight,
    profile,
    suppressions,
    users,
)

_WHO = (overview, profile, account, users, keys)
_MAIL = (mailboxes, mailbox_parts, mailbox_trust, consent, preflight)
_PAGES = (*_WHO, *_MAIL, calendars, suppressions, files)
handlers = [handler for page in _PAGES for handler in page.handlers]
