from __future__ import annotations

from drumbeat.domain.unsubscribe import Suppression
from drumbeat.store import unsubscribes
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from tests.store.tenants import Tenant

EVIDENCE = Statement("SELECT cause, evidence FROM suppressions WHERE account_id = :account_id")


def test_a_suppressed_address_key_stays_so_with_its_first_cause(tx: Tx, us: Tenant) -> None:
    assert not unsubscribes.is_suppressed(tx, us.account_id, "h")
    assert unsubscribes.suppress(tx, us.account_id, "h", Suppression.COMPLAINED, "a report")
    assert not unsubscribes.suppress(tx, us.account_id, "h", Suppression.UNSUBSCRIBED, "a click")
    assert unsubscribes.is_suppressed(tx, us.account_id, "h")
    assert [tuple(row) for row in tx.all(EVIDENCE, account_id=us.account_id)] == [("complained", "a report")]


def test_of_many_only_the_suppressed_are_told(tx: Tx, us: Tenant) -> None:
    for each in ("a", "b"):
        unsubscribes.suppress(tx, us.account_id, each, Suppression.SUPPRESSED, "")
    assert unsubscribes.suppressed_among(tx, us.account_id, ["b", "c", "a", "a"]) == {"a", "b"}
    assert unsubscribes.suppressed_among(tx, us.account_id, []) == frozenset()


def test_an_undeliverable_address_key_keeps_what_was_said_last(tx: Tx, us: Tenant) -> None:
    unsubscribes.mark_undeliverable(tx, us.account_id, "h", "550 no such user")
    unsubscribes.mark_undeliverable(tx, us.account_id, "h", "551 moved")
    assert unsubscribes.undeliverable_among(tx, us.account_id, ["h", "i"]) == {"h": "551 moved"}


def test_undeliverable_is_not_suppressed(tx: Tx, us: Tenant) -> None:
    unsubscribes.mark_undeliverable(tx, us.account_id, "h", "550")
    assert not unsubscribes.is_suppressed(tx, us.account_id, "h")


def test_another_account_knows_nothing_of_it(tx: Tx, us: Tenant, rival: Tenant) -> None:
    unsubscribes.suppress(tx, us.account_id, "h", Suppression.UNSUBSCRIBED, "")
    unsubscribes.mark_undeliverable(tx, us.account_id, "h", "550")
    assert not unsubscribes.is_suppressed(tx, rival.account_id, "h")
    assert unsubscribes.undeliverable_among(tx, rival.account_id, ["h"]) == {}
    assert unsubscribes.suppress(tx, rival.account_id, "h", Suppression.UNSUBSCRIBED, "")
