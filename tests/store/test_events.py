from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drumbeat.domain.event import Event, Fact
from drumbeat.domain.variant import Variant
from drumbeat.store import events
from drumbeat.store.database import Database
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import BrokenRule, Tx
from tests.store.tenants import Tenant, enrolled, found

SENT, BLOCKED = Event(Fact.LETTER_SENT, {"position": 0, "detail": "250 “ok” 100 %"}), Event(Fact.BLOCKED)
JOURNAL = Statement("SELECT * FROM journal WHERE account_id = :account_id ORDER BY id")


class TestHistory:
    def test_facts_come_back_in_order_with_cause_and_time(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        events.add(tx, us.account_id, [(1, 2, [BLOCKED])])
        events.add(tx, us.account_id, [(1, 1, [SENT, BLOCKED])])
        rows = events.list_of_enrollment(tx, us.account_id, 1)
        assert [tuple(row)[:3] for row in rows] == [(1, 0, "letter_sent"), (1, 1, "blocked"), (2, 0, "blocked")]
        assert msgspec.json.decode(rows[0].cause) == SENT.cause
        assert {row.at for row in rows} == {to_stamp(tx.now)}

    def test_a_revision_s_events_are_written_once(self, tx: Tx, us: Tenant) -> None:
        events.add(tx, us.account_id, [(1, 1, [SENT])])
        with pytest.raises(BrokenRule):
            events.add(tx, us.account_id, [(1, 1, [BLOCKED])])

    def test_another_account_with_the_same_ids_has_a_history_of_its_own(
        self, tx: Tx, us: Tenant, rival: Tenant
    ) -> None:
        events.add(tx, us.account_id, [(1, 1, [SENT])])
        assert events.list_of_enrollment(tx, rival.account_id, 1) == []
        events.add(tx, rival.account_id, [(1, 1, [BLOCKED])])
        assert [row.fact for row in events.list_of_enrollment(tx, us.account_id, 1)] == ["letter_sent"]

    def test_no_facts_tell_nobody_anything(self, tx: Tx, us: Tenant) -> None:
        events.add(tx, us.account_id, [(1, 1, [])])
        assert events.accounts_untold(tx, 10) == []


class TestJournal:
    def test_it_numbers_what_happened_to_each_account(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        for fact in ("sequence_paused", "sequence_activated"):
            events.journal(tx, us.account_id, fact, subject="sequence", subject_id=7, actor_id=1, was="x")
        events.journal(tx, rival.account_id, "key_made", subject="credential", subject_id="k")
        first, second = tx.all(JOURNAL, account_id=us.account_id)
        assert (first.id, first.subject, first.subject_id, first.actor_id) == (1, "sequence", "7", 1)
        assert (second.id, second.fact, msgspec.json.decode(second.cause)) == (2, "sequence_activated", {"was": "x"})
        assert [(row.id, row.fact) for row in tx.all(JOURNAL, account_id=rival.account_id)] == [(1, "key_made")]


class TestCounts:
    def test_what_happened_is_counted_once_per_sequence_and_variant(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        enrolled(tx, us, 1, variant=Variant.A)
        enrolled(tx, us, 2, variant=Variant.B)
        enrolled(tx, rival, 1)
        events.add(tx, us.account_id, [(1, 1, [SENT]), (2, 1, [SENT, BLOCKED])])
        events.add(tx, us.account_id, [(1, 2, [SENT])])
        events.add(tx, rival.account_id, [(1, 1, [BLOCKED])])
        assert events.accounts_untold(tx, 10) == [us.account_id, rival.account_id]
        assert events.count_untold(tx, us.account_id, 100) == 2
        assert events.accounts_untold(tx, 10) == [rival.account_id]
        assert events.counts(tx, rival.account_id) == []
        assert events.count_untold(tx, rival.account_id, 100) == 1
        assert events.accounts_untold(tx, 10) == []
        assert events.count_untold(tx, us.account_id, 100) == 0
        assert [tuple(row) for row in events.counts(tx, us.account_id)] == [
            (1, "A", "letter_sent", 2),
            (1, "B", "blocked", 1),
            (1, "B", "letter_sent", 1),
        ]
        assert [tuple(row) for row in events.counts(tx, rival.account_id)] == [(1, "", "blocked", 1)]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(batches=st.lists(st.integers(1, 3), min_size=1, max_size=8))
    def test_in_whatever_batches_they_are_counted_the_counts_are_those_of_the_events(
        self, tx: Tx, us: Tenant, batches: list[int]
    ) -> None:
        enrollment_id = _fresh(tx, us)
        before = Counter({row.fact: row.total for row in events.counts(tx, us.account_id)})
        for revision, size in enumerate(batches, 1):
            events.add(tx, us.account_id, [(enrollment_id, revision, [SENT] * size)])
        while events.count_untold(tx, us.account_id, 2):
            pass
        after = Counter({row.fact: row.total for row in events.counts(tx, us.account_id)})
        assert after - before == Counter({"letter_sent": sum(batches)})

    def test_a_count_that_fails_is_made_again(self, database: Database) -> None:
        with database.write() as tx:
            from_before = _one_told(tx)
        with pytest.raises(RuntimeError, match="on purpose"):
            _count_and_fail(database, from_before)
        with database.write() as tx:
            assert events.count_untold(tx, from_before, 10) == 1
            assert [row.total for row in events.counts(tx, from_before)] == [1]


def _fresh(tx: Tx, tenant: Tenant) -> int:
    row = tx.first(Statement("SELECT coalesce(max(id), 0) + 1 FROM enrollments WHERE account_id = 1"))
    assert row is not None
    return enrolled(tx, tenant, int(row[0])).id


def _one_told(tx: Tx) -> int:
    tenant = found(tx, "A")
    enrolled(tx, tenant)
    events.add(tx, tenant.account_id, [(1, 1, [SENT])])
    return tenant.account_id


def _count_and_fail(database: Database, account_id: int) -> None:
    with database.write() as tx:
        events.count_untold(tx, account_id, 10)
        raise RuntimeError("on purpose")
