"""Tokens and API keys: only their fingerprints are stored."""

from __future__ import annotations

from datetime import datetime

from drumbeat.domain.access import Credential, CredentialKind, owner_seen
from drumbeat.domain.account import AgentsSee, Role
from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx


def reserve_id(tx: Tx, account_id: int) -> int:
    """The id a new credential will carry in its text."""
    return take_ids(tx, account_id, "credential")


def add(tx: Tx, credential: Credential, name: str, fingerprint: str) -> None:
    """Keep a credential by its fingerprint."""
    tx.run(
        _ADD,
        account_id=credential.account_id,
        id=credential.id,
        kind=credential.kind.value,
        user_id=credential.user_id,
        name=name,
        fingerprint=fingerprint,
        scopes=" ".join(sorted(credential.scopes)),
        expires_at=stamp_or_none(credential.expires_at),
        now=to_stamp(tx.now),
    )


def find(snapshot: Snapshot, account_id: int, id: int) -> tuple[Credential, str, bool, int | None] | None:
    """The credential, its fingerprint, whether its user is active, and whose records they see; or None."""
    row = snapshot.first(_FIND, account_id=account_id, id=id)
    if row is None:
        return None
    credential = Credential(
        account_id=account_id,
        id=id,
        kind=CredentialKind(row.kind),
        user_id=row.user_id,
        scopes=frozenset(row.scopes.split()),
        expires_at=instant_or_none(row.expires_at),
        revoked_at=instant_or_none(row.revoked_at),
    )
    seen_by = owner_seen(Role(row.role), AgentsSee(row.agents_see), row.user_id)
    return credential, row.fingerprint, row.status == "active", seen_by


def list_all(snapshot: Snapshot, account_id: int) -> list[dict[str, object]]:
    """What may be shown of the account's credentials."""
    return [row._asdict() for row in snapshot.all(_LIST, account_id=account_id)]


def touch(tx: Tx, account_id: int, id: int, now: datetime) -> None:
    """Note the last use, to the minute."""
    tx.run(_TOUCH, account_id=account_id, id=id, now=to_stamp(now), before=to_stamp(now) - 60_000_000)


def revoke(tx: Tx, account_id: int, id: int) -> bool:
    """End a credential at once; False if there is none."""
    return tx.count_changed(_REVOKE, account_id=account_id, id=id, now=to_stamp(tx.now)) > 0


_ADD = Statement("""
    INSERT INTO credentials (account_id, id, kind, user_id, name, fingerprint, scopes, created_at, expires_at)
    VALUES (:account_id, :id, :kind, :user_id, :name, :fingerprint, :scopes, :now, :expires_at)
""")
_FIND = Statement("""
    SELECT c.kind, c.user_id, c.fingerprint, c.scopes, c.expires_at, c.revoked_at, u.status,
        u.role, a.agents_see
    FROM credentials c JOIN users u ON u.account_id = c.account_id AND u.id = c.user_id
    JOIN accounts a ON a.id = c.account_id
    WHERE c.account_id = :account_id AND c.id = :id
""")
_LIST = Statement("""
    SELECT id, kind, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at
    FROM credentials WHERE account_id = :account_id ORDER BY id
""")
_TOUCH = Statement("""
    UPDATE credentials SET last_used_at = :now
    WHERE account_id = :account_id AND id = :id AND (last_used_at IS NULL OR last_used_at < :before)
""")
_REVOKE = Statement("""
    UPDATE credentials SET revoked_at = coalesce(revoked_at, :now) WHERE account_id = :account_id AND id = :id
""")
