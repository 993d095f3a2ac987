"""How often somebody tried to sign in lately, counted over every web process by keyed hashes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx


def count(tx: Tx, key_hashes: Sequence[str], lasts: timedelta) -> dict[str, tuple[int, int]]:
    """Count an attempt under each key; returns how many there were, and in how many seconds they are forgotten.

    They are forgotten together, `lasts` after the first.
    """
    now = to_stamp(tx.now)
    counted = sorted([key_hash] for key_hash in key_hashes)
    rows = tx.all(_COUNT, counted=counted, now=now, ends_at=to_stamp(tx.now + lasts))
    return {row.key_hash: (row.attempts, max((row.ends_at - now) // 1_000_000, 1)) for row in rows}


def forget(tx: Tx, key_hashes: Sequence[str]) -> None:
    """Forget the attempts under these keys."""
    tx.run(_FORGET, gone=[[key_hash] for key_hash in key_hashes])


def any_over(snapshot: Snapshot) -> bool:
    """Whether there are attempts that do not count any more."""
    return snapshot.first(_ANY_OVER, now=to_stamp(snapshot.now)) is not None


def forget_over(tx: Tx) -> None:
    """Forget the attempts that do not count any more."""
    tx.run(_FORGET_OVER, now=to_stamp(tx.now))


_COUNT = Statement("""
    INSERT INTO sign_in_attempts (key_hash, ends_at, attempts)
    SELECT key_hash, :ends_at, 1 FROM {counted: key_hash text} AS counted WHERE true
    ON CONFLICT (key_hash) DO UPDATE SET
        attempts = CASE WHEN sign_in_attempts.ends_at > :now THEN sign_in_attempts.attempts + 1 ELSE 1 END,
        ends_at = CASE WHEN sign_in_attempts.ends_at > :now THEN sign_in_attempts.ends_at ELSE excluded.ends_at END
    RETURNING key_hash, attempts, ends_at
""")
_FORGET = Statement("""
    DELETE FROM sign_in_attempts WHERE key_hash {in: SELECT key_hash FROM {gone: key_hash text} AS gone :in}
""")
_ANY_OVER = Statement("SELECT 1 FROM sign_in_attempts WHERE ends_at <= :now LIMIT 1")
_FORGET_OVER = Statement("DELETE FROM sign_in_attempts WHERE ends_at <= :now")
