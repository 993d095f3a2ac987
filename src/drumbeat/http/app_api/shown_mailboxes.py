"""A mailbox as the app's API shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from drumbeat.domain.account import User
from drumbeat.domain.errors import NotFound
from drumbeat.http.app_api.admission import Member
from drumbeat.http.app_api.shapes import stamp
from drumbeat.mail.session import Provider, Security
from drumbeat.store import accounts, inboxes, mailboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Snapshot


class ShownInbox(msgspec.Struct, rename="camel", frozen=True):
    """Where what comes back is read, until when it was read, and what is in the way."""

    host: str
    port: int
    security: Security
    username: str | None
    heard_at: str | None
    trouble: str | None
    look_at: str | None


class MailboxHold(msgspec.Struct, rename="camel", frozen=True):
    """Why nothing leaves through it: with a reason its letters block, without one they wait. `until` is the next
    test; null: a person must act."""

    since: str | None
    until: str | None
    reason: str | None
    detail: str | None


class ShownMailbox(msgspec.Struct, rename="camel", frozen=True):
    """A mailbox without its secrets; a catcher delivers nothing, and one that is hooked is told by its provider what
    became of letters."""

    id: int
    name: str
    sender_name: str
    sender_email: str
    host: str
    port: int
    security: Security
    username: str | None
    by_oauth: bool
    provider: Provider | None
    hooked: bool
    connections: int
    per_day: int | None
    per_hour: int | None
    spacing: int
    ramp_from: int | None
    per_domain: int | None
    dkim_selector: str | None
    needs_identity: bool
    identity_seen_at: str | None
    catcher: bool
    active: bool
    user_ids: list[int]
    hold: MailboxHold | None
    inbox: ShownInbox | None


MAILBOX_SHOWN: dict[str, Any] = {
    "id": 1,
    "name": "Olive",
    "senderName": "Olive Owner",
    "senderEmail": "olive@tea.example",
    "host": "smtp.tea.example",
    "port": 587,
    "security": "starttls",
    "username": "olive",
    "byOauth": False,
    "provider": None,
    "hooked": False,
    "connections": 4,
    "perDay": 400,
    "perHour": None,
    "spacing": 3,
    "rampFrom": None,
    "perDomain": None,
    "dkimSelector": None,
    "needsIdentity": False,
    "identitySeenAt": None,
    "catcher": False,
    "active": True,
    "userIds": [1],
    "hold": None,
    "inbox": {
        "host": "imap.tea.example",
        "port": 993,
        "security": "tls",
        "username": None,
        "heardAt": "2026-03-03T12:00:00Z",
        "trouble": None,
        "lookAt": "2026-03-03T12:01:00Z",
    },
}
MAILBOX_EXAMPLE = {"data": MAILBOX_SHOWN}


def standing_mailbox(snapshot: Snapshot, member: Member, id: int) -> StoredMailbox:
    """The mailbox, or NotFound also when it was removed."""
    mailbox = mailboxes.get(snapshot, member.account_id, id)
    if mailbox.is_removed:
        raise NotFound(f"There is no mailbox {id}.")
    return mailbox


def read_back(snapshot: Snapshot, member: Member, id: int) -> ShownMailbox:
    """A mailbox as it is shown; NotFound also when it was removed."""
    mailbox = standing_mailbox(snapshot, member, id)
    users = accounts.list_users(snapshot, member.account_id)
    return shown_mailbox(mailbox, users, inboxes.find(snapshot, member.account_id, id))


def shown_mailbox(mailbox: StoredMailbox, users: Sequence[User], inbox: Inbox | None) -> ShownMailbox:
    """A mailbox with whoever sends with it and how it hears."""
    is_held = mailbox.hold_reason is not None or mailbox.held_until is not None
    hold = MailboxHold(stamp(mailbox.held_since), stamp(mailbox.held_until), mailbox.hold_reason, mailbox.hold_detail)
    return ShownMailbox(
        id=mailbox.id,
        name=mailbox.name,
        sender_name=mailbox.sender_name,
        sender_email=mailbox.sender_email,
        host=mailbox.host,
        port=mailbox.port,
        security=Security(mailbox.security),
        username=mailbox.username,
        by_oauth=mailbox.sealed_grant is not None,
        provider=None if mailbox.provider is None else Provider(mailbox.provider),
        hooked=mailbox.sealed_hook is not None,
        connections=mailbox.connections,
        per_day=mailbox.per_day,
        per_hour=mailbox.per_hour,
        spacing=mailbox.spacing,
        ramp_from=mailbox.ramp_from,
        per_domain=mailbox.per_domain,
        dkim_selector=mailbox.dkim_selector,
        needs_identity=mailbox.needs_identity,
        identity_seen_at=stamp(mailbox.identity_seen_at),
        catcher=mailbox.is_catcher,
        active=mailbox.is_active,
        user_ids=[user.id for user in users if user.mailbox_id == mailbox.id],
        hold=hold if is_held else None,
        inbox=None if inbox is None else _shown_inbox(inbox),
    )


def _shown_inbox(inbox: Inbox) -> ShownInbox:
    return ShownInbox(
        host=inbox.host,
        port=inbox.port,
        security=Security(inbox.security),
        username=inbox.username,
        heard_at=stamp(inbox.heard_at),
        trouble=inbox.trouble,
        look_at=stamp(inbox.look_at),
    )
