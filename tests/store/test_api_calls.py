from __future__ import annotations

from drumbeat.store import api_calls
from drumbeat.store.transaction import Tx
from tests.store.tenants import Tenant


def counted(tx: Tx, tenant: Tenant, *minutes: int) -> list[int]:
    """What each call in these minutes is told."""
    return [api_calls.count(tx, tenant.account_id, minute) for minute in minutes]


def test_each_minute_begins_anew_and_each_account_counts_alone(tx: Tx, us: Tenant, rival: Tenant) -> None:
    assert counted(tx, us, 100, 100, 100) == [1, 2, 3]
    assert counted(tx, rival, 100, 101) == [1, 1]
    assert counted(tx, us, 100, 101, 101, 200) == [4, 1, 2, 1]


def test_a_call_that_is_late_by_a_minute_counts_in_the_new_one(tx: Tx, us: Tenant) -> None:
    assert counted(tx, us, 100, 101, 100, 101) == [1, 1, 2, 3]


def test_a_clock_that_was_set_back_locks_nobody_out(tx: Tx, us: Tenant) -> None:
    assert counted(tx, us, 500, 500, 100, 100) == [1, 2, 1, 2]
