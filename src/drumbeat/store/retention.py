"""Which enrollments ended so long ago that their content is kept no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx


def lock_over(tx: Tx, account_id: int, after: int, up_to: int, ended_before: datetime) -> list[int]:
    """Ids in a range (its begin left out) of enrollments that ended before then and still have their content, locked.

    One that another goes on with keeps it: the other one's letters answer its own.
    """
    rows = tx.all(_LOCK_OVER, account_id=account_id, after=after, up_to=up_to, ended_before=to_stamp(ended_before))
    return [row[0] for row in rows]


def mark(tx: Tx, account_id: int, ids: Sequence[int]) -> None:
    """Note that the content of these is gone."""
    tx.run(_MARK, account_id=account_id, emptied=[[id] for id in ids], now=to_stamp(tx.now))


def is_emptied(snapshot: Snapshot, account_id: int, enrollment_id: int) -> bool:
    """Whether an enrollment's content was taken away."""
    return snapshot.first(_IS_EMPTIED, account_id=account_id, id=enrollment_id) is not None


_LOCK_OVER = Statement("""
    SELECT e.id FROM enrollments e
    WHERE e.account_id = :account_id AND e.id > :after AND e.id <= :up_to AND e.state = 'finished'
        AND e.finished_at < :ended_before AND e.emptied_at IS NULL AND e.status <> 'in_progress' AND NOT e.in_doubt
        AND NOT EXISTS (SELECT 1 FROM enrollments c WHERE c.account_id = :account_id AND c.id = e.continued_by_id
            AND c.state <> 'finished')
    ORDER BY e.id {skip locked OF e}
""")
_MARK = Statement("""
    UPDATE enrollments SET emptied_at = :now
    WHERE account_id = :account_id AND id {in: SELECT id FROM {emptied: id int} AS emptied :in}
""")
_IS_EMPTIED = Statement(
    "SELECT 1 FROM enrollments WHERE account_id = :account_id AND id = :id AND emptied_at IS NOT NULL"
)
