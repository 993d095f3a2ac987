"""Inboxes: letting a mailbox hear what comes back, or not, and how its server is reached."""

from __future__ import annotations

from dataclasses import dataclass, field

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.line import check_line
from drumbeat.mail.imap import ImapServer, check_inbox
from drumbeat.mail.session import Security, TokenSource
from drumbeat.operations.mailboxes import check_host, check_password, check_port, standing
from drumbeat.store import events, inboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class InboxSettings:
    """Where what comes back is read (IMAP); without a login of its own it is the mailbox's."""

    host: str
    port: int = 993
    security: Security = Security.TLS
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def listen(
    tx: Tx,
    vault: Vault,
    account_id: int,
    mailbox_id: int,
    settings: InboxSettings,
    *,
    actor_id: int | None = None,
) -> Inbox:
    """Let a mailbox hear: its INBOX is read from the next message on, and nothing in it is changed.

    The same server set again goes on where it stood.
    """
    mailbox = standing(tx, account_id, mailbox_id)
    if mailbox.is_catcher:
        raise IncorrectValue("This is the built-in catcher: nothing comes back to it.", field="mailbox")
    if mailbox.provider is not None and settings.username is None:
        raise IncorrectValue("A provider's key opens no inbox: name a user and a password.", field="username")
    _check_login(mailbox, settings)
    inbox = Inbox(
        account_id=account_id,
        mailbox_id=mailbox_id,
        host=check_host(settings.host),
        port=check_port(settings.port),
        security=settings.security.value,
        username=settings.username,
        sealed_password=vault.seal(settings.password) if settings.password else None,
        look_at=tx.now,
    )
    inboxes.save(tx, inbox)
    _journal(tx, account_id, mailbox_id, "inbox_set", actor_id)
    return inbox


def _check_login(mailbox: StoredMailbox, settings: InboxSettings) -> None:
    if settings.username is None:
        if settings.password:
            raise IncorrectValue("A password needs a user name beside it.", field="username")
        if mailbox.username is None:
            raise IncorrectValue("The mailbox sends without a login; name the one to read with.", field="username")
    else:
        check_line(settings.username, "username")
        check_password(settings.password)
    if settings.security is Security.NONE:
        raise IncorrectValue("A login needs encryption: take starttls or tls.", field="security")


def stop_listening(tx: Tx, account_id: int, mailbox_id: int, *, actor_id: int | None = None) -> bool:
    """Let a mailbox hear no more; False if it did not."""
    standing(tx, account_id, mailbox_id)
    removed = inboxes.remove(tx, account_id, mailbox_id)
    if removed:
        _journal(tx, account_id, mailbox_id, "inbox_removed", actor_id)
    return removed


def _journal(tx: Tx, account_id: int, mailbox_id: int, fact: str, actor_id: int | None) -> None:
    events.journal(tx, account_id, fact, subject="mailbox", subject_id=mailbox_id, actor_id=actor_id)


def imap_server_of(vault: Vault, mailbox: StoredMailbox, inbox: Inbox, token: TokenSource | None = None) -> ImapServer:
    """How to reach and enter the server where what comes back to a mailbox is read; `token` gives access tokens if the
    mailbox logs in by OAuth 2."""
    own = inbox.username is not None
    sealed = inbox.sealed_password if own else mailbox.sealed_password
    return ImapServer(
        host=inbox.host,
        port=inbox.port,
        security=Security(inbox.security),
        username=(inbox.username if own else mailbox.username) or "",
        password="" if sealed is None else vault.open(sealed),
        token=None if own else token,
    )


def trouble_of_inbox(
    vault: Vault, mailbox: StoredMailbox, inbox: Inbox | None, token: TokenSource | None = None
) -> str | None:
    """What keeps a mailbox from hearing, found by logging in; None if nothing does, or it is not meant to."""
    return None if inbox is None else check_inbox(imap_server_of(vault, mailbox, inbox, token))
