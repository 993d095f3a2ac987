"""What happened: each enrollment's events, the account's journal, and what other consumers still have to hear."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from drumbeat.domain.event import Event
from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Insertion, Rows, Statement
from drumbeat.store.transaction import Snapshot, Tx

STATISTICS = "statistics"
A_DAY = 86_400_000_000  # microseconds
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
    positions = [event.cause.get("position") for _, _, events in facts for event in events]
    tx.insert(_ADD, rows)
    told = _encoded([(*row[1:4], position) for row, position in zip(rows, positions, strict=True)])
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
) -> int:
    """Note something that happened to the account rather than to one enrollment; returns the note's id."""
    id = take_ids(tx, account_id, "journal")
    row = (
        account_id,
        id,
        subject,
        str(subject_id),
        fact,
        _encoded(cause),
        actor_id,
        to_stamp(tx.now),
    )
    tx.insert(_JOURNAL, [row])
    return id


def find_note(snapshot: Snapshot, account_id: int, id: int, fact: str) -> tuple[str, dict[str, Any]] | None:
    """The subject's id and the cause of a note of this fact, or None if there is none."""
    row = snapshot.first(_FIND_NOTE, account_id=account_id, id=id, fact=fact)
    return None if row is None else (row.subject_id, msgspec.json.decode(row.cause))


def accounts_untold(snapshot: Snapshot, limit: int) -> list[int]:
    """Accounts in which something happened that is not counted yet, the longest waiting first."""
    return [row.account_id for row in snapshot.all(_ACCOUNTS_UNTOLD, topic=STATISTICS, limit=limit)]


def count_untold(tx: Tx, account_id: int, limit: int) -> int:
    """Add what happened to the account's counts per sequence and variant; returns how many outbox rows were taken."""
    taken = tx.all(_TAKE, account_id=account_id, topic=STATISTICS, limit=limit)
    if taken:
        told = [key for row in taken for key in msgspec.json.decode(row.events)]
        _count(tx, account_id, tx.all(_GROUPED, account_id=account_id, told=told))
    return len(taken)


def _count(tx: Tx, account_id: int, grouped: Rows) -> None:
    by_sequence: Counter[tuple[int, str, str]] = Counter()
    for row in grouped:
        by_sequence[row.sequence_id, row.variant, row.fact] += row.total
    # In one order, so that no two workers wait for each other's rows.
    tx.run(_COUNT, account_id=account_id, counted=[(*key, total) for key, total in sorted(by_sequence.items())])
    steps = sorted((r.sequence_id, r.variant, r.day, r.position, r.fact, r.total) for r in grouped)
    tx.run(_COUNT_STEPS, account_id=account_id, counted=steps)


def counts(snapshot: Snapshot, account_id: int) -> Rows:
    """Per sequence and variant, how often each fact happened; `finished` with its reason, as finished:manual."""
    return snapshot.all(_COUNTS, account_id=account_id)


def counts_of(snapshot: Snapshot, account_id: int, sequence_id: int) -> Rows:
    """The same of one sequence: variant ('' for none), fact, total."""
    return snapshot.all(_COUNTS_OF, account_id=account_id, sequence_id=sequence_id)


def step_counts(snapshot: Snapshot, account_id: int, sequence_ids: Iterable[int], since_day: int) -> Rows:
    """Per variant, day (since 1970, in UTC), step and fact how often it happened in these sequences, from a day on."""
    sought = [(id, variant) for id in sorted(sequence_ids) for variant in ("", "A", "B")]
    return snapshot.all(_STEP_COUNTS, account_id=account_id, sought=sought, since=since_day)


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
_FIND_NOTE = Statement("""
    SELECT subject_id, cause FROM journal WHERE account_id = :account_id AND id = :id AND fact = :fact
""")
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
# What a step's own facts name, else the last one that was carried out: whoever ends an enrollment reacts to it.
_POSITION = """coalesce(told.position, (
        SELECT max(a.position) FROM actions a WHERE a.account_id = :account_id AND a.enrollment_id = told.enrollment_id
    ), 0)"""
_GROUPED = Statement(f"""
    SELECT e.sequence_id, coalesce(e.variant, '') AS variant, v.fact || CASE
        WHEN v.fact = 'finished' THEN coalesce(':' || e.finished_reason, '') ELSE '' END AS fact,
        v.at / {A_DAY} AS day, {_POSITION} AS position, count(*) AS total
    FROM {{told: enrollment_id int, revision int, number int, position int}} AS told
    JOIN events v ON v.account_id = :account_id AND {{key: v.enrollment_id = told.enrollment_id}}
        AND v.revision = told.revision AND v.number = told.number
    JOIN enrollments e ON e.account_id = :account_id AND e.id = told.enrollment_id
    GROUP BY 1, 2, 3, 4, 5
""")
_COUNT = Statement("""
    INSERT INTO sequence_counts (account_id, sequence_id, variant, fact, total)
    SELECT :account_id, counted.sequence_id, counted.variant, counted.fact, counted.total
    FROM {counted: sequence_id int, variant text, fact text, total bigint} AS counted WHERE true
    ON CONFLICT (account_id, sequence_id, variant, fact)
    DO UPDATE SET total = sequence_counts.total + excluded.total
""")
_COUNT_STEPS = Statement("""
    INSERT INTO step_counts (account_id, sequence_id, variant, day, position, fact, total)
    SELECT :account_id, counted.sequence_id, counted.variant, counted.day, counted.position, counted.fact, counted.total
    FROM {counted: sequence_id int, variant text, day int, position int, fact text, total bigint} AS counted WHERE true
    ON CONFLICT (account_id, sequence_id, variant, day, position, fact)
    DO UPDATE SET total = step_counts.total + excluded.total
""")
_COUNTS = Statement("""
    SELECT sequence_id, variant, fact, total FROM sequence_counts
    WHERE account_id = :account_id ORDER BY sequence_id, variant, fact
""")
_COUNTS_OF = Statement("""
    SELECT variant, fact, total FROM sequence_counts
    WHERE account_id = :account_id AND sequence_id = :sequence_id ORDER BY variant, fact
""")
_STEP_COUNTS = Statement("""
    SELECT c.variant, c.day, c.position, c.fact, sum(c.total) AS total
    FROM {sought: sequence_id int, variant text} AS sought
    JOIN step_counts c ON c.account_id = :account_id AND {key: c.sequence_id = sought.sequence_id}
        AND c.variant = sought.variant AND c.day >= :since
    GROUP BY c.variant, c.day, c.position, c.fact
""")
_IS_UNTOLD = Statement("SELECT 1 FROM outbox WHERE account_id = :account_id AND topic = :topic LIMIT 1")
