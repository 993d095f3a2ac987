"""Lanes: one row per mailbox (and lane 0 per account) that knows when anything in it may happen next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from drumbeat.store.quarantine import IS_QUARANTINED
from drumbeat.store.stamps import instant_or_none, to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx

NO_MAILBOX = 0
_SOON = timedelta(seconds=1)  # whoever is at rest looks by himself no later than that


def add(tx: Tx, account_id: int, lane_id: int) -> None:
    """A new lane, asleep."""
    tx.run(_ADD, account_id=account_id, id=lane_id)


def awake(snapshot: Snapshot, now: datetime, limit: int) -> list[tuple[int, int]]:
    """(account id, lane id) of lanes in which something may happen, least recently served first; none in quarantine.

    The read is bounded, and it is the one that looks across accounts.
    """
    rows = snapshot.all(_AWAKE, now=to_stamp(now), limit=limit)
    return [(row[0], row[1]) for row in rows]


def next_wake(snapshot: Snapshot, now: datetime) -> datetime | None:
    """When the next lane wakes that sleeps now, of any account; None if none will by itself."""
    row = snapshot.first(_NEXT_WAKE, now=to_stamp(now))
    return None if row is None else instant_or_none(row[0])


def lock(tx: Tx, account_id: int, lane_id: int) -> bool:
    """Take the lane for this transaction; False if another worker has it, or nothing is to leave."""
    return tx.first(_LOCK, account_id=account_id, id=lane_id) is not None


def lock_all(tx: Tx, account_id: int) -> None:
    """Wait for every worker that is at a lane of the account, and let none begin before this transaction ends."""
    tx.all(_LOCK_ALL, account_id=account_id)


def wake(tx: Tx, account_id: int, woken: Sequence[tuple[int, datetime]]) -> None:
    """Let lanes wake at these instants at the latest.

    The row is written even when it would wake earlier anyway: the write waits for a worker that is just
    putting the lane to sleep without having seen this transaction's rows.
    """
    earliest: dict[int, int] = {}
    for lane_id, instant in woken:
        stamp = to_stamp(instant)
        earliest[lane_id] = min(stamp, earliest.get(lane_id, stamp))
    if earliest and min(earliest.values()) <= to_stamp(tx.now + _SOON):
        tx.ring()
    if earliest:
        tx.run(_WAKE, account_id=account_id, woken=sorted(earliest.items()))


def sleep(tx: Tx, account_id: int, lane_id: int, now: datetime) -> None:
    """Put a locked lane to sleep until its earliest due row that nobody works on."""
    tx.run(_SLEEP, account_id=account_id, id=lane_id, now=to_stamp(now))


def hold(tx: Tx, account_id: int, lane_id: int, until: datetime | None) -> None:
    """Let nothing happen in the lane before `until` (None: until it is woken)."""
    tx.run(_HOLD, account_id=account_id, id=lane_id, until=None if until is None else to_stamp(until))


_ADD = Statement("INSERT INTO lanes (account_id, id) VALUES (:account_id, :id)")
_AWAKE = Statement(f"""
    SELECT account_id, id FROM (
        SELECT account_id, id, served_at FROM lanes WHERE wake_at <= :now AND NOT {IS_QUARANTINED}
        ORDER BY wake_at LIMIT 1000
    ) AS woken ORDER BY served_at LIMIT :limit
""")
_NEXT_WAKE = Statement("SELECT min(wake_at) FROM lanes WHERE wake_at > :now")
_LOCK = Statement(
    f"SELECT id FROM lanes WHERE account_id = :account_id AND id = :id AND NOT {IS_QUARANTINED} {{skip locked}}"
)
_LOCK_ALL = Statement("SELECT id FROM lanes WHERE account_id = :account_id ORDER BY id {lock}")
_WAKE = Statement("""
    UPDATE lanes SET wake_at = CASE WHEN lanes.wake_at < woken.wake_at THEN lanes.wake_at ELSE woken.wake_at END
    FROM {woken: id int, wake_at bigint} AS woken
    WHERE lanes.account_id = :account_id AND lanes.id = woken.id
""")
_SLEEP = Statement("""
    UPDATE lanes SET served_at = :now, wake_at = (
        SELECT min(due_at) FROM due
        WHERE due.account_id = :account_id AND due.lane_id = :id AND due.due_at IS NOT NULL AND due.lease_until IS NULL
    ) WHERE account_id = :account_id AND id = :id
""")
_HOLD = Statement("UPDATE lanes SET wake_at = :until WHERE account_id = :account_id AND id = :id")
