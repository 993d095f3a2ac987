"""The turns of mailboxes with limits, by the hour, and what accounts have sent of their allowances."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from drumbeat.domain.limits import Hour
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Insertion, Statement
from drumbeat.store.transaction import Snapshot, Tx

_KEPT_FOR = timedelta(days=3)  # longer than any day


def lock(tx: Tx, account_id: int, mailbox_id: int) -> None:
    """Let changes of a mailbox's turns come one after the other, those of its first hour too."""
    tx.run(_TOUCH, account_id=account_id, mailbox_id=mailbox_id)


def hours_since(snapshot: Snapshot, account_id: int, mailbox_id: int, since: datetime) -> dict[datetime, Hour]:
    """The mailbox's hours from this one on."""
    rows = snapshot.all(_SINCE, account_id=account_id, mailbox_id=mailbox_id, since=to_stamp(since))
    return {from_stamp(row[0]): Hour(row[1], row[2], instant_or_none(row[3])) for row in rows}


def save(tx: Tx, account_id: int, mailbox_id: int, hours: Mapping[datetime, Hour]) -> None:
    """Store hours of a locked mailbox, and forget those that are long over."""
    old = to_stamp(tx.now - _KEPT_FOR)
    given = [[to_stamp(hour)] for hour in hours]
    tx.run(_REPLACE, account_id=account_id, mailbox_id=mailbox_id, old=old, changed=given)
    rows = [
        (account_id, mailbox_id, to_stamp(hour), each.given, each.sent, stamp_or_none(each.last_at))
        for hour, each in hours.items()
    ]
    tx.insert(_ADD, rows)


def forget_given(tx: Tx, account_id: int, mailbox_id: int) -> None:
    """Nobody has a turn at a locked mailbox any more; what was sent stays counted."""
    tx.run(_FORGET, account_id=account_id, mailbox_id=mailbox_id, now=to_stamp(tx.now))


def sent_in(snapshot: Snapshot, account_id: int, month: int) -> int:
    """How many letters of the account were counted in a month (yyyymm)."""
    row = snapshot.first(_SENT_IN, account_id=account_id, month=month)
    return 0 if row is None else int(row[0])


def count_in(tx: Tx, account_id: int, month: int, letters: int) -> int:
    """Count so many letters in a month, locked until the end of the transaction; returns how many there are now."""
    row = tx.first(_COUNT_IN, account_id=account_id, month=month, letters=letters)
    assert row is not None
    return int(row[0])


def uncount_in(tx: Tx, account_id: int, month: int) -> None:
    """A letter counted in a month was not sent after all."""
    tx.run(_UNCOUNT_IN, account_id=account_id, month=month)


def accounts_over(snapshot: Snapshot) -> list[int]:
    """Accounts in which letters are blocked because the allowance was used up."""
    return [row[0] for row in snapshot.all(_BLOCKED)]


_TOUCH = Statement("""
    INSERT INTO turns (account_id, mailbox_id, hour, given, sent) VALUES (:account_id, :mailbox_id, 0, 0, 0)
    ON CONFLICT (account_id, mailbox_id, hour) DO UPDATE SET given = turns.given
""")
_SINCE = Statement("""
    SELECT hour, given, sent, last_at FROM turns
    WHERE account_id = :account_id AND mailbox_id = :mailbox_id AND hour >= :since
""")
_REPLACE = Statement("""
    DELETE FROM turns WHERE account_id = :account_id AND mailbox_id = :mailbox_id
        AND (hour > 0 AND hour < :old OR hour {in: SELECT hour FROM {changed: hour bigint} AS changed :in})
""")
_ADD = Insertion("turns", "account_id int, mailbox_id int, hour bigint, given int, sent int, last_at bigint")
_FORGET = Statement("""
    UPDATE turns SET given = 0, last_at = CASE WHEN sent = 0 THEN NULL WHEN last_at > :now THEN :now ELSE last_at END
    WHERE account_id = :account_id AND mailbox_id = :mailbox_id
""")
_SENT_IN = Statement("SELECT sent FROM allowances WHERE account_id = :account_id AND month = :month")
_COUNT_IN = Statement("""
    INSERT INTO allowances (account_id, month, sent) VALUES (:account_id, :month, :letters)
    ON CONFLICT (account_id, month) DO UPDATE SET sent = allowances.sent + :letters
    RETURNING sent
""")
_UNCOUNT_IN = Statement("""
    UPDATE allowances SET sent = sent - 1 WHERE account_id = :account_id AND month = :month AND sent > 0
""")
_BLOCKED = Statement("""
    SELECT DISTINCT account_id FROM enrollments WHERE state = 'blocked' AND failure_reason = 'quota_exceeded' LIMIT 100
""")
