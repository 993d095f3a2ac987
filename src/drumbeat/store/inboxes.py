"""Inboxes: how a mailbox hears, how far it was read, and which worker is reading it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from drumbeat.store.stamps import from_stamp, instant_or_none, to_stamp
from drumbeat.store.statement import Record, Statement
from drumbeat.store.transaction import Snapshot, Tx


@dataclass(frozen=True, slots=True)
class Inbox:
    """The IMAP server of a mailbox and how far it was read; without a sealed password it is the mailbox's own login."""

    account_id: int
    mailbox_id: int
    host: str
    port: int
    security: str
    username: str | None
    sealed_password: str | None
    look_at: datetime
    uid_validity: int | None = None
    uid: int | None = None
    failures: int = 0
    trouble: str | None = None
    heard_at: datetime | None = None


def save(tx: Tx, inbox: Inbox) -> None:
    """Let a mailbox hear so, from its next message on; another server or login is read from its end."""
    tx.run(
        _SAVE,
        account_id=inbox.account_id,
        mailbox_id=inbox.mailbox_id,
        host=inbox.host,
        port=inbox.port,
        security=inbox.security,
        username=inbox.username,
        password=inbox.sealed_password,
        look_at=to_stamp(inbox.look_at),
        now=to_stamp(tx.now),
    )


def remove(tx: Tx, account_id: int, mailbox_id: int) -> bool:
    """Let a mailbox hear no more; False if it did not."""
    return tx.count_changed(_REMOVE, account_id=account_id, mailbox_id=mailbox_id) > 0


def find(snapshot: Snapshot, account_id: int, mailbox_id: int) -> Inbox | None:
    """How a mailbox hears, or None if it does not."""
    row = snapshot.first(_FIND, account_id=account_id, mailbox_id=mailbox_id)
    return None if row is None else _inbox(row)


def list_all(snapshot: Snapshot, account_id: int) -> dict[int, Inbox]:
    """The account's inboxes, by mailbox."""
    return {row.mailbox_id: _inbox(row) for row in snapshot.all(_LIST, account_id=account_id)}


def list_due(snapshot: Snapshot, now: datetime, limit: int) -> list[Inbox]:
    """Inboxes of any account to look at now which nobody reads, longest waiting first; those of mailboxes in use."""
    return [_inbox(row) for row in snapshot.all(_DUE, now=to_stamp(now), limit=limit)]


def claim(tx: Tx, inbox: Inbox, token: str, lease_until: datetime) -> bool:
    """Read the inbox alone, or keep on reading it; False if another worker does."""
    changed = tx.count_changed(
        _CLAIM,
        account_id=inbox.account_id,
        mailbox_id=inbox.mailbox_id,
        token=token,
        lease_until=to_stamp(lease_until),
        now=to_stamp(tx.now),
    )
    return changed > 0


def advance(tx: Tx, inbox: Inbox, token: str, lease_until: datetime, uid_validity: int, uid: int) -> bool:
    """Remember what was read up to this message, and read on; False if another worker reads it now."""
    changed = tx.count_changed(
        _ADVANCE,
        account_id=inbox.account_id,
        mailbox_id=inbox.mailbox_id,
        token=token,
        lease_until=to_stamp(lease_until),
        uid_validity=uid_validity,
        uid=uid,
        now=to_stamp(tx.now),
    )
    return changed > 0


def look_again(tx: Tx, account_id: int, mailbox_id: int) -> None:
    """Look at the inbox at once, as after a change of its mailbox's login."""
    tx.run(_LOOK_AGAIN, account_id=account_id, mailbox_id=mailbox_id, now=to_stamp(tx.now))


def leave(tx: Tx, inbox: Inbox, token: str, look_at: datetime, trouble: str | None) -> None:
    """Stop reading until `look_at`; with trouble, one more failure in a row."""
    tx.run(
        _LEAVE,
        account_id=inbox.account_id,
        mailbox_id=inbox.mailbox_id,
        token=token,
        look_at=to_stamp(look_at),
        trouble=trouble,
        failures=0 if trouble is None else inbox.failures + 1,
        heard_at=to_stamp(tx.now) if trouble is None else None,
        now=to_stamp(tx.now),
    )


def _inbox(row: Record) -> Inbox:
    return Inbox(
        account_id=row.account_id,
        mailbox_id=row.mailbox_id,
        host=row.host,
        port=row.port,
        security=row.security,
        username=row.username,
        sealed_password=row.password,
        look_at=from_stamp(row.look_at),
        uid_validity=row.uid_validity,
        uid=row.uid,
        failures=row.failures,
        trouble=row.trouble,
        heard_at=instant_or_none(row.heard_at),
    )


_COLUMNS: Sequence[str] = (
    "account_id",
    "mailbox_id",
    "host",
    "port",
    "security",
    "username",
    "password",
    "look_at",
    "uid_validity",
    "uid",
    "failures",
    "trouble",
    "heard_at",
)
_PICKED = ", ".join(f"i.{name}" for name in _COLUMNS)
_SAVE = Statement("""
    INSERT INTO inboxes (account_id, mailbox_id, host, port, security, username, password, look_at, created_at,
        updated_at)
    VALUES (:account_id, :mailbox_id, :host, :port, :security, :username, :password, :look_at, :now, :now)
    ON CONFLICT (account_id, mailbox_id) DO UPDATE SET
        uid_validity = CASE WHEN inboxes.host = excluded.host
            AND coalesce(inboxes.username, '') = coalesce(excluded.username, '') THEN inboxes.uid_validity END,
        uid = CASE WHEN inboxes.host = excluded.host
            AND coalesce(inboxes.username, '') = coalesce(excluded.username, '') THEN inboxes.uid END,
        host = excluded.host, port = excluded.port, security = excluded.security, username = excluded.username,
        password = excluded.password, look_at = excluded.look_at, failures = 0, trouble = NULL, lease_until = NULL,
        lease_token = NULL, updated_at = excluded.updated_at
""")
_REMOVE = Statement("DELETE FROM inboxes WHERE account_id = :account_id AND mailbox_id = :mailbox_id")
_FIND = Statement(f"SELECT {_PICKED} FROM inboxes i WHERE i.account_id = :account_id AND i.mailbox_id = :mailbox_id")
_LIST = Statement(f"SELECT {_PICKED} FROM inboxes i WHERE i.account_id = :account_id")
_DUE = Statement(f"""
    SELECT {_PICKED} FROM inboxes i
    JOIN mailboxes m ON m.account_id = i.account_id AND m.id = i.mailbox_id AND m.removed_at IS NULL
    WHERE i.look_at <= :now AND (i.lease_until IS NULL OR i.lease_until < :now) ORDER BY i.look_at LIMIT :limit
""")
_CLAIM = Statement("""
    UPDATE inboxes SET lease_token = :token, lease_until = :lease_until
    WHERE account_id = :account_id AND mailbox_id = :mailbox_id
        AND (lease_until IS NULL OR lease_until < :now OR lease_token = :token)
""")
_ADVANCE = Statement("""
    UPDATE inboxes SET uid_validity = :uid_validity, uid = :uid, heard_at = :now, lease_until = :lease_until
    WHERE account_id = :account_id AND mailbox_id = :mailbox_id AND lease_token = :token
""")
_LOOK_AGAIN = Statement("""
    UPDATE inboxes SET look_at = :now, failures = 0 WHERE account_id = :account_id AND mailbox_id = :mailbox_id
""")
_LEAVE = Statement("""
    UPDATE inboxes SET look_at = :look_at, trouble = :trouble, failures = :failures, lease_token = NULL,
        heard_at = coalesce(:heard_at, heard_at),
        lease_until = NULL, updated_at = :now
    WHERE account_id = :account_id AND mailbox_id = :mailbox_id AND lease_token = :token
""")
