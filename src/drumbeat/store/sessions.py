"""Sessions of signed-in browsers, and the links by which users choose a password: only fingerprints are stored."""

from __future__ import annotations

from datetime import datetime

from drumbeat.domain.access import SESSION_IDLE_FOR, SESSION_LASTS, Session
from drumbeat.domain.account import AgentsSee, Role, User
from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Record, Statement
from drumbeat.store.transaction import Snapshot, Tx


def reserve_id(tx: Tx, account_id: int) -> int:
    """The id a new session will carry in its text."""
    return take_ids(tx, account_id, "session")


def add(tx: Tx, user: User, id: int, fingerprint: str) -> None:
    """Keep a session by its fingerprint; the user's sessions that are over go."""
    tx.run(_DELETE_OVER, account_id=user.account_id, user_id=user.id, **_limits(tx.now))
    tx.run(_ADD, account_id=user.account_id, id=id, user_id=user.id, fingerprint=fingerprint, now=to_stamp(tx.now))


def find(snapshot: Snapshot, account_id: int, id: int) -> tuple[Session, str] | None:
    """The session and its fingerprint, or None; it is there only while its user is active."""
    row = snapshot.first(_FIND, account_id=account_id, id=id)
    return None if row is None else (_session(account_id, id, row), row.fingerprint)


def list_ids(snapshot: Snapshot, account_id: int, user_id: int) -> list[int]:
    """The ids of a user's sessions."""
    return [int(row[0]) for row in snapshot.all(_LIST_IDS, account_id=account_id, user_id=user_id)]


def touch(tx: Tx, account_id: int, id: int, now: datetime) -> None:
    """Note that it was used, to the minute."""
    tx.run(_TOUCH, account_id=account_id, id=id, now=to_stamp(now), before=to_stamp(now) - 60_000_000)


def delete(tx: Tx, account_id: int, id: int) -> None:
    """End a session."""
    tx.run(_DELETE, account_id=account_id, id=id)


def delete_of_user(tx: Tx, account_id: int, user_id: int) -> None:
    """End every session of a user in this account."""
    tx.run(_DELETE_OF_USER, account_id=account_id, user_id=user_id)


def keep_link(tx: Tx, account_id: int, user_id: int, fingerprint: str, ends_at: datetime) -> None:
    """Keep a user's link to choose a password; one that was made before opens nothing any more."""
    tx.run(_KEEP_LINK, account_id=account_id, user_id=user_id, fingerprint=fingerprint, ends_at=to_stamp(ends_at))


def find_link(snapshot: Snapshot, account_id: int, user_id: int) -> str | None:
    """The fingerprint of the user's link that is still good, or None."""
    row = snapshot.first(_FIND_LINK, account_id=account_id, user_id=user_id, now=to_stamp(snapshot.now))
    return None if row is None else str(row[0])


def delete_link(tx: Tx, account_id: int, user_id: int) -> None:
    """Let the user's link open nothing any more."""
    tx.run(_DELETE_LINK, account_id=account_id, user_id=user_id)


def _limits(now: datetime) -> dict[str, int]:
    return {"idle": to_stamp(now - SESSION_IDLE_FOR), "old": to_stamp(now - SESSION_LASTS)}


def _session(account_id: int, id: int, row: Record) -> Session:
    return Session(
        account_id=account_id,
        id=id,
        user_id=row.user_id,
        login_id=row.login_id,
        role=Role(row.role),
        created_at=from_stamp(row.created_at),
        seen_at=from_stamp(row.seen_at),
        agents_see=AgentsSee(row.agents_see),
    )


_ADD = Statement("""
    INSERT INTO sessions (account_id, id, user_id, fingerprint, created_at, seen_at)
    VALUES (:account_id, :id, :user_id, :fingerprint, :now, :now)
""")
_FIND = Statement("""
    SELECT s.user_id, u.login_id, u.role, s.fingerprint, s.created_at, s.seen_at, a.agents_see
    FROM sessions s JOIN users u ON u.account_id = s.account_id AND u.id = s.user_id
    JOIN accounts a ON a.id = s.account_id
    WHERE s.account_id = :account_id AND s.id = :id AND u.status = 'active' AND u.login_id IS NOT NULL
""")
_LIST_IDS = Statement("SELECT id FROM sessions WHERE account_id = :account_id AND user_id = :user_id ORDER BY id")
_TOUCH = Statement("""
    UPDATE sessions SET seen_at = :now WHERE account_id = :account_id AND id = :id AND seen_at < :before
""")
_DELETE = Statement("DELETE FROM sessions WHERE account_id = :account_id AND id = :id")
_DELETE_OF_USER = Statement("DELETE FROM sessions WHERE account_id = :account_id AND user_id = :user_id")
_DELETE_OVER = Statement("""
    DELETE FROM sessions WHERE account_id = :account_id AND user_id = :user_id
        AND (seen_at <= :idle OR created_at <= :old)
""")
_KEEP_LINK = Statement("""
    INSERT INTO password_links (account_id, user_id, fingerprint, ends_at)
    VALUES (:account_id, :user_id, :fingerprint, :ends_at)
    ON CONFLICT (account_id, user_id) DO UPDATE SET fingerprint = excluded.fingerprint, ends_at = excluded.ends_at
""")
_FIND_LINK = Statement("""
    SELECT fingerprint FROM password_links
    WHERE account_id = :account_id AND user_id = :user_id AND ends_at > :now
""")
_DELETE_LINK = Statement("DELETE FROM password_links WHERE account_id = :account_id AND user_id = :user_id")
