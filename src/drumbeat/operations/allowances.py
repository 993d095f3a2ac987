"""Allowances: another month's lets what waited for it go on."""

from __future__ import annotations

from drumbeat.domain.delivery import FailureReason
from drumbeat.operations.healing import release
from drumbeat.operations.pacing import allowance_of
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx


def renew(tx: Tx, account_id: int) -> int:
    """Let what an account's used-up allowance has blocked go on if there is some again; returns how many."""
    allowance = allowance_of(tx, accounts.get_account(tx, account_id))
    if allowance is not None and not allowance.left:
        return 0
    return release(tx, account_id, [FailureReason.QUOTA_EXCEEDED])
