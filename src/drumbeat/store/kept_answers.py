"""The answers of calls that carried an Idempotency-Key: given again, byte for byte, when the call is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx

KEPT_FOR = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """A call with a key: hashes (hex) of whose key it is and of what is asked."""

    account_id: int
    key_hash: str
    request_hash: str


def claim(tx: Tx, call: KeyedCall, *, wait_for: float) -> bool:
    """Whether the key is this call's to use; False if another call used it within KEPT_FOR.

    A call with the key that is still at work is waited for, `wait_for` seconds at most, then StillHeld.
    """
    with tx.patient_for(wait_for):
        changed = tx.count_changed(
            _CLAIM,
            account_id=call.account_id,
            key_hash=call.key_hash,
            request_hash=call.request_hash,
            now=to_stamp(tx.now),
            expired=_until(tx.now),
        )
    return changed > 0


def keep(tx: Tx, call: KeyedCall, answer: bytes) -> None:
    """Store the answer of a call whose key was claimed in this transaction."""
    tx.run(_KEEP, account_id=call.account_id, key_hash=call.key_hash, answer=answer)


def get(snapshot: Snapshot, call: KeyedCall) -> tuple[str, bytes]:
    """The request hash and the answer of the call that used the key."""
    row = snapshot.first(_GET, account_id=call.account_id, key_hash=call.key_hash)
    assert row is not None
    return row.request_hash, bytes(row.answer)


def expired(snapshot: Snapshot, limit: int) -> dict[int, list[str]]:
    """Key hashes of answers that are given no more, oldest first, by account."""
    found: dict[int, list[str]] = {}
    for row in snapshot.all(_EXPIRED, before=_until(snapshot.now), limit=limit):
        found.setdefault(row.account_id, []).append(row.key_hash)
    return found


def delete(tx: Tx, account_id: int, key_hashes: Sequence[str]) -> None:
    """Delete those of these answers that are given no more."""
    gone = [[key_hash] for key_hash in key_hashes]
    tx.run(_DELETE, account_id=account_id, gone=gone, before=_until(tx.now))


def _until(now: datetime) -> int:
    return to_stamp(now - KEPT_FOR)


# On PostgreSQL the insert waits for a call with the same key that has not committed yet.
_CLAIM = Statement("""
    INSERT INTO kept_answers (account_id, key_hash, request_hash, created_at)
    VALUES (:account_id, :key_hash, :request_hash, :now)
    ON CONFLICT (account_id, key_hash) DO UPDATE
    SET request_hash = excluded.request_hash, created_at = excluded.created_at, answer = NULL
    WHERE kept_answers.created_at <= :expired
""")
_KEEP = Statement("UPDATE kept_answers SET answer = :answer WHERE account_id = :account_id AND key_hash = :key_hash")
_GET = Statement("""
    SELECT request_hash, answer FROM kept_answers WHERE account_id = :account_id AND key_hash = :key_hash
""")
_EXPIRED = Statement("""
    SELECT account_id, key_hash FROM kept_answers WHERE created_at <= :before ORDER BY created_at LIMIT :limit
""")
_DELETE = Statement("""
    DELETE FROM kept_answers WHERE account_id = :account_id AND created_at <= :before
        AND key_hash {in: SELECT key_hash FROM {gone: key_hash text} AS gone :in}
""")
