"""What happened: each enrollment's events, the account's journal, and what other consumers still have to hear."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from drumbeat.domain.event import Event
from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Insertion, Rows, Statement
from drumbeat.store.transaction import Snapshot, Tx

STATISTICS = "statistics"
_TOPICS = (STATISTICS,)


def add(tx: Tx, account_id: int, facts: Sequence[tuple[int, int, Sequence[Event]]]) -> None:
    """Journal facts as (enrollment id, revision, events), and tell the other consumers of them."""
    at = to_stamp(tx.now)
    rows = [
        (account_id, enrollment_id, revision, number, event.fact.value, _encoded(event.cause), at)
        for enrollment_id, revision, events in facts
        for number, event in enumerate(events)
    ]
    if not rows:
        return
    tx.insert(_ADD, rows)
    told = _encoded([row[1:4] for row in rows])
    tx.insert(_TELL, [(account_id, topic, secrets.token_hex(8), told, at) for topic in _TOPICS])


def list_of_enrollment(snapshot: Snapshot, account_id: int, enrollment_id: int) -> Rows:
    """An enrollment's history: revision, number, fact, cause (JSON), at."""
    return snapshot.all(_LIST, account_id=account_id, enrollment_id=enrollment_id)


def journal(
    tx: Tx,
    account_id: int,
    fact: str,
    *,
    subject: str,
    subject_id: int | str,
    actor_id: int | None = None,
    **cause: Any,
) -> None:
    """Note something that happened to the account rather than to one enrollment."""
    row = (
        account_id,
        take_ids(tx, account_id, "journal"),
        subject,
        str(subject_id),
        fact,
        _encoded(cause),
        actor_id,
        to_stamp(tx.now),
    )
    tx.insert(_JOURNAL, [row])


def accounts_untold(snapshot: Snapshot, limit: int) -> list[int]:
    """Accounts in which something happened that is not counted yet, the longest waiting first."""
    return [row.account_id for row in snapshot.all(_ACCOUNTS_UNTOLD, topic=STATISTICS, limit=limit)]


def count_untold(tx: Tx, account_id: int, limit: int) -> int:
    """Add what happened to the account's counts per sequence and variant; returns how many outbox rows were taken."""
    taken = tx.all(_TAKE, account_id=account_id, topic=STATISTICS, limit=limit)
    if taken:
        told = [key for row in taken for key in msgspec.json.decode(row.events)]
        tx.run(_COUNT, account_id=account_id, told=told)
    return len(taken)


def counts(snapshot: Snapshot, account_id: int) -> Rows:
    """Per sequence and variant, how often each fact happened; `finished` with its reason, as finished:manual."""
    return snapshot.all(_COUNTS, account_id=account_id)


def counts_of(snapshot: Snapshot, account_id: int, sequence_id: int) -> Rows:
    """The same of one sequence: variant ('' for none), fact, total."""
    return snapshot.all(_COUNTS_OF, account_id=account_id, sequence_id=sequence_id)


def are_counted(snapshot: Snapshot, account_id: int) -> bool:
    """Whether the counts hold all that happened in the account."""
    return snapshot.first(_IS_UNTOLD, account_id=account_id, topic=STATISTICS) is None


def _encoded(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return msgspec.json.encode(value).decode()


_ADD = Insertion(
    "events",
    "account_id int, enrollment_id int, revision int, number int, fact text, cause text, at bigint",
)
_TELL = Insertion("outbox", "account_id int, topic text, token text, events text, created_at bigint")
_JOURNAL = Insertion(
    "journal",
    "account_id int, id int, subject text, subject_id text, fact text, cause text, actor_id int, at bigint",
)
_LIST = Statement("""
    SELECT revision, number, fact, cause, at FROM events
    WHERE account_id = :account_id AND enrollment_id = :enrollment_id ORDER BY revision, number
""")
_ACCOUNTS_UNTOLD = Statement("""
    SELECT account_id FROM outbox WHERE topic = :topic GROUP BY account_id
    ORDER BY min(created_at), account_id LIMIT :limit
""")
_TAKE = Statement("""
    DELETE FROM outbox WHERE account_id = :account_id AND topic = :topic AND token {in:
        SELECT token FROM outbox WHERE account_id = :account_id AND topic = :topic LIMIT :limit {skip locked} :in}
    RETURNING events
""")
_COUNT = Statement("""
    INSERT INTO sequence_counts (account_id, sequence_id, variant, fact, total)
    SELECT :account_id, e.sequence_id, coalesce(e.variant, ''), v.fact || CASE
        WHEN v.fact = 'finished' THEN coalesce(':' || e.finished_reason, '') ELSE '' END, count(*)
    FROM {told: enrollment_id int, revision int, number int} AS told
    JOIN events v ON v.account_id = :account_id AND {key: v.enrollment_id = told.enrollment_id}
        AND v.revision = told.revision AND v.number = told.number
    JOIN enrollments e ON e.account_id = :account_id AND e.id = told.enrollment_id
    GROUP BY 2, 3, 4
    ON CONFLICT (account_id, sequence_id, variant, fact)
    DO UPDATE SET total = sequence_counts.total + excluded.total
""")
_COUNTS = Statement("""
    SELECT sequence_id, variant, fact, total FROM sequence_counts
    WHERE account_id = :account_id ORDER BY sequence_id, variant, fact
""")
_COUNTS_OF = Statement("""
    SELECT variant, fact, total FROM sequence_counts
    WHERE account_id = :account_id AND sequence_id = :sequence_id ORDER BY variant, fact
""")
_IS_UNTOLD = Statement("SELECT 1 FROM outbox WHERE account_id = :account_id AND topic = :topic LIMIT 1")
