"""How many enrollments stand where: what an operator sees at a glance."""

from __future__ import annotations

from drumbeat.store.statement import Rows, Statement
from drumbeat.store.transaction import Snapshot


def enrollments_by_sequence(snapshot: Snapshot, account_id: int) -> Rows:
    """Per sequence addressed: id, and how many enrollments are active, blocked and finished."""
    return snapshot.all(_BY_SEQUENCE, account_id=account_id)


def blocked_by_reason(snapshot: Snapshot, account_id: int) -> Rows:
    """Per failure reason of blocked enrollments: the reason, whether in doubt, how many."""
    return snapshot.all(_BY_REASON, account_id=account_id)


def count_unknown(snapshot: Snapshot, account_id: int) -> int:
    """How many letters nobody knows the fate of."""
    row = snapshot.first(_UNKNOWN, account_id=account_id)
    assert row is not None
    return int(row[0])


_BY_SEQUENCE = Statement("""
    SELECT sequence_id,
        sum(CASE WHEN state = 'active' THEN 1 ELSE 0 END) AS active,
        sum(CASE WHEN state = 'blocked' THEN 1 ELSE 0 END) AS blocked,
        sum(CASE WHEN state = 'finished' THEN 1 ELSE 0 END) AS finished
    FROM enrollments WHERE account_id = :account_id GROUP BY sequence_id ORDER BY sequence_id
""")
_BY_REASON = Statement("""
    SELECT failure_reason, in_doubt, count(*) AS total FROM enrollments
    WHERE account_id = :account_id AND state = 'blocked'
    GROUP BY failure_reason, in_doubt ORDER BY 3 DESC, 1
""")
_UNKNOWN = Statement("SELECT count(*) FROM deliveries WHERE account_id = :account_id AND status = 'unknown'")
