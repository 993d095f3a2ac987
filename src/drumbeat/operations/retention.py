"""Content that was kept long enough goes, in bounded batches; that something happened, and when, stays."""

from __future__ import annotations

from datetime import timedelta

from drumbeat.operations.erasure import blank_letters_and_history
from drumbeat.store import accounts, retention
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from drumbeat.store.verification import next_enrollments

_AT_ONCE = 500  # enrollments looked at in a transaction


def kept_for_a_while(database: Database) -> list[int]:
    """Accounts whose content is not kept for ever."""
    with database.read() as snapshot:
        return [account.id for account in accounts.list_accounts(snapshot) if account.keep_days is not None]


def empty_next(database: Database, account_id: int, after: int) -> int | None:
    """Take the content of what ended long enough ago from the next enrollments behind `after`; where to go on, or None
    at the end."""
    with database.read() as snapshot:
        part = next_enrollments(snapshot, account_id, after, _AT_ONCE)
    if part is None:
        return None
    up_to, _ = part
    database.transact(lambda tx: _empty(tx, account_id, after, up_to))
    return up_to


def _empty(tx: Tx, account_id: int, after: int, up_to: int) -> None:
    account = accounts.get_account(tx, account_id)
    if account.keep_days is None:
        return
    ids = retention.lock_over(tx, account_id, after, up_to, tx.now - timedelta(days=account.keep_days))
    if ids:
        blank_letters_and_history(tx, account_id, ids)
        retention.mark(tx, account_id, ids)
