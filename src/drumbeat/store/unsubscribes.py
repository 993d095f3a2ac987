"""Who must not be written to: suppressed and undeliverable address keys, as keyed hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from drumbeat.domain.unsubscribe import Suppression
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address key nothing is sent to, and the address, if the account still knows anybody who has it."""

    address_hash: str
    email: str | None
    cause: Suppression
    evidence: str
    created_at: datetime


def suppress(
    tx: Tx, account_id: int, address_hash: str, cause: Suppression, evidence: str, since: datetime | None = None
) -> bool:
    """Never write to this address key again, as from now or since then; False if it was suppressed already."""
    return (
        tx.count_changed(
            _SUPPRESS,
            account_id=account_id,
            address_hash=address_hash,
            cause=cause.value,
            evidence=evidence,
            since=to_stamp(since or tx.now),
        )
        > 0
    )


def lift(tx: Tx, account_id: int, address_hash: str) -> bool:
    """Let this address key be written to again; False if it was not suppressed."""
    return tx.count_changed(_LIFT, account_id=account_id, address_hash=address_hash) > 0


def list_suppressed(snapshot: Snapshot, account_id: int, after: str, limit: int) -> list[Suppressed]:
    """Suppressed address keys behind this one, in order."""
    rows = snapshot.all(_LIST, account_id=account_id, after=after, limit=limit)
    return [Suppressed(row[0], row[1], Suppression(row[2]), row[3] or "", from_stamp(row[4])) for row in rows]


def find_suppressed(snapshot: Snapshot, account_id: int, address_hash: str) -> Suppressed | None:
    """Why, and since when, nothing is sent to an address key; None if it may be written to."""
    row = snapshot.first(_FIND, account_id=account_id, address_hash=address_hash)
    return None if row is None else Suppressed(row[0], None, Suppression(row[1]), row[2] or "", from_stamp(row[3]))


def is_suppressed(snapshot: Snapshot, account_id: int, address_hash: str) -> bool:
    """Whether the address key must not be written to."""
    return bool(suppressed_among(snapshot, account_id, [address_hash]))


def suppressed_among(snapshot: Snapshot, account_id: int, address_hashes: Sequence[str]) -> frozenset[str]:
    """Which of these address keys must not be written to."""
    return frozenset(causes_among(snapshot, account_id, address_hashes))


def causes_among(snapshot: Snapshot, account_id: int, address_hashes: Sequence[str]) -> dict[str, Suppression]:
    """The same with why."""
    rows = snapshot.all(_SUPPRESSED, account_id=account_id, sought=[[each] for each in address_hashes])
    return {row[0]: Suppression(row[1]) for row in rows}


def mark_undeliverable(tx: Tx, account_id: int, address_hash: str, detail: str) -> None:
    """No letter reaches this address key; it heals when the person's address changes."""
    tx.run(_UNDELIVERABLE, account_id=account_id, address_hash=address_hash, detail=detail, now=to_stamp(tx.now))


def clear_undeliverable(tx: Tx, account_id: int, address_hash: str) -> None:
    """Let letters be tried again at this address key."""
    tx.run(_CLEAR_UNDELIVERABLE, account_id=account_id, address_hash=address_hash)


def undeliverable_among(snapshot: Snapshot, account_id: int, address_hashes: Sequence[str]) -> dict[str, str]:
    """Which of these address keys no letter reaches, and why."""
    rows = snapshot.all(_FIND_UNDELIVERABLE, account_id=account_id, sought=[[each] for each in address_hashes])
    return {row[0]: row[1] for row in rows}


_SUPPRESS = Statement("""
    INSERT INTO suppressions (account_id, address_hash, cause, evidence, created_at)
    VALUES (:account_id, :address_hash, :cause, :evidence, :since)
    ON CONFLICT (account_id, address_hash) DO NOTHING
""")
_LIFT = Statement("DELETE FROM suppressions WHERE account_id = :account_id AND address_hash = :address_hash")
_LIST = Statement("""
    SELECT s.address_hash, (
            SELECT min(p.email) FROM people p WHERE p.account_id = :account_id AND p.address_hash = s.address_hash
        ) AS email, s.cause, s.evidence, s.created_at
    FROM suppressions s WHERE s.account_id = :account_id AND s.address_hash > :after
    ORDER BY s.address_hash LIMIT :limit
""")
_FIND = Statement("""
    SELECT address_hash, cause, evidence, created_at FROM suppressions
    WHERE account_id = :account_id AND address_hash = :address_hash
""")
_SUPPRESSED = Statement("""
    SELECT s.address_hash, s.cause FROM {sought: address_hash text} AS sought
    JOIN suppressions s ON s.account_id = :account_id AND {key: s.address_hash = sought.address_hash}
""")
_UNDELIVERABLE = Statement("""
    INSERT INTO undeliverable_addresses (account_id, address_hash, detail, created_at)
    VALUES (:account_id, :address_hash, :detail, :now)
    ON CONFLICT (account_id, address_hash) DO UPDATE SET detail = excluded.detail
""")
_CLEAR_UNDELIVERABLE = Statement("""
    DELETE FROM undeliverable_addresses WHERE account_id = :account_id AND address_hash = :address_hash
""")
_FIND_UNDELIVERABLE = Statement("""
    SELECT u.address_hash, u.detail FROM {sought: address_hash text} AS sought
    JOIN undeliverable_addresses u ON u.account_id = :account_id AND {key: u.address_hash = sought.address_hash}
""")
