"""The steps of a sequence that somebody works at, before they are published."""

from __future__ import annotations

from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx


def find(snapshot: Snapshot, account_id: int, sequence_id: int) -> str | None:
    """The draft as it was saved, or None."""
    row = snapshot.first(_FIND, account_id=account_id, sequence_id=sequence_id)
    return None if row is None else str(row[0])


def save(tx: Tx, account_id: int, sequence_id: int, steps: str) -> None:
    """Keep a draft in the place of the one before."""
    tx.run(_SAVE, account_id=account_id, sequence_id=sequence_id, steps=steps, now=to_stamp(tx.now))


def delete(tx: Tx, account_id: int, sequence_id: int) -> None:
    """Forget a draft; without one nothing happens."""
    tx.run(_DELETE, account_id=account_id, sequence_id=sequence_id)


_FIND = Statement("SELECT steps FROM drafts WHERE account_id = :account_id AND sequence_id = :sequence_id")
_SAVE = Statement("""
    INSERT INTO drafts (account_id, sequence_id, steps, updated_at)
    VALUES (:account_id, :sequence_id, :steps, :now)
    ON CONFLICT (account_id, sequence_id) DO UPDATE SET steps = excluded.steps, updated_at = excluded.updated_at
""")
_DELETE = Statement("DELETE FROM drafts WHERE account_id = :account_id AND sequence_id = :sequence_id")
