"""Letters to users (invitations, forgotten passwords) that wait for the installation's own mail server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from drumbeat.store.accounts import take_ids
from drumbeat.store.quarantine import IS_QUARANTINED
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Record, Statement
from drumbeat.store.transaction import Snapshot, Tx


@dataclass(frozen=True, slots=True)
class Notice:
    """A letter to a user, sealed, because it holds a link that opens something; of no use after `ends_at`."""

    account_id: int
    id: int
    recipient: str
    sealed: str = field(repr=False)
    tries: int
    ends_at: datetime


def add(tx: Tx, account_id: int, recipient: str, sealed: str, ends_at: datetime) -> None:
    """Let a letter go as soon as there is somebody to carry it."""
    tx.run(
        _ADD,
        account_id=account_id,
        id=take_ids(tx, account_id, "notice"),
        recipient=recipient,
        sealed=sealed,
        now=to_stamp(tx.now),
        ends_at=to_stamp(ends_at),
    )


def find_due(snapshot: Snapshot) -> Notice | None:
    """The letter that waits longest, or None if none is due, or nothing is to leave."""
    row = snapshot.first(_FIND_DUE, now=to_stamp(snapshot.now))
    return None if row is None else _notice(row)


def claim(tx: Tx, notice: Notice, next_try_at: datetime) -> bool:
    """Whether this try is ours; another one is made at `next_try_at`, unless the letter is deleted before."""
    changed = tx.count_changed(
        _CLAIM, account_id=notice.account_id, id=notice.id, tries=notice.tries, due_at=to_stamp(next_try_at)
    )
    return changed > 0


def delete(tx: Tx, account_id: int, id: int) -> None:
    """Forget a letter that was sent, or is of no use any more."""
    tx.run(_DELETE, account_id=account_id, id=id)


def _notice(row: Record) -> Notice:
    return Notice(row.account_id, row.id, row.recipient, row.sealed, row.tries, from_stamp(row.ends_at))


_ADD = Statement("""
    INSERT INTO notices (account_id, id, recipient, sealed, due_at, ends_at)
    VALUES (:account_id, :id, :recipient, :sealed, :now, :ends_at)
""")
_FIND_DUE = Statement(f"""
    SELECT account_id, id, recipient, sealed, tries, ends_at FROM notices
    WHERE due_at <= :now AND NOT {IS_QUARANTINED} ORDER BY due_at LIMIT 1
""")
_CLAIM = Statement("""
    UPDATE notices SET tries = tries + 1, due_at = :due_at
    WHERE account_id = :account_id AND id = :id AND tries = :tries
""")
_DELETE = Statement("DELETE FROM notices WHERE account_id = :account_id AND id = :id")
