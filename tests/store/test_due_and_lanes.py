from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drumbeat.store import due, lanes
from drumbeat.store.database import Database
from drumbeat.store.due import Waiting
from drumbeat.store.stamps import instant_or_none
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import BrokenRule, Tx
from drumbeat.testing.clock import FrozenClock
from tests.store.tenants import Tenant, enrolled, found

SECOND, LEASE = timedelta(seconds=1), timedelta(seconds=30)
only_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)


def claim(tx: Tx, tenant: Tenant, token: str = "t", limit: int = 9, lane_id: int = 1) -> list[int]:
    until = tx.now + LEASE
    taken = due.claim(tx, tenant.account_id, lane_id, limit=limit, token=token, lease_until=until)
    return [each.enrollment_id for each in taken]


def wake_at(tx: Tx, tenant: Tenant, lane_id: int = 1) -> datetime | None:
    statement = Statement("SELECT wake_at FROM lanes WHERE account_id = :account_id AND id = :id")
    row = tx.first(statement, account_id=tenant.account_id, id=lane_id)
    assert row is not None
    return instant_or_none(row[0])


class TestClaim:
    def test_what_is_due_is_taken_oldest_first_and_only_so_many(self, tx: Tx, us: Tenant) -> None:
        for id in (1, 2, 3, 4):
            enrolled(tx, us, id)
        plans = [Waiting(id, 1, tx.now - age * SECOND) for id, age in ((1, 1), (2, 3), (3, -1), (4, 2))]
        due.plan(tx, us.account_id, plans)
        assert claim(tx, us, limit=2) == [2, 4]
        assert claim(tx, us) == [1]
        assert claim(tx, us) == []

    def test_it_tells_the_tries_so_far(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        first_tried_at = tx.now - timedelta(days=1)
        due.plan(tx, us.account_id, [Waiting(1, 1, tx.now, 4, first_tried_at)])
        (taken,) = due.claim(tx, us.account_id, 1, limit=1, token="t", lease_until=tx.now + LEASE)
        assert (taken.due_at, taken.attempt, taken.first_tried_at) == (tx.now, 4, first_tried_at)

    def test_another_lane_or_account_takes_nothing_of_it(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        enrolled(tx, us)
        enrolled(tx, rival)
        assert claim(tx, us, lane_id=lanes.NO_MAILBOX) == []
        assert claim(tx, rival) == [1]
        assert claim(tx, us) == [1]

    def test_what_waits_for_something_else_is_not_taken(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        due.plan(tx, us.account_id, [Waiting(1, 1, None)])
        assert claim(tx, us) == []

    def test_a_released_or_planned_one_may_be_taken_again(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        assert claim(tx, us, "a") == [1]
        due.release(tx, us.account_id, [1])
        assert claim(tx, us, "b") == [1]
        due.plan(tx, us.account_id, [Waiting(1, 1, tx.now)])
        assert claim(tx, us, "c") == [1]

    @only_postgresql
    def test_two_that_claim_at_once_share_what_is_due(self, database: Database) -> None:
        with database.write() as tx:
            us = found(tx, "Us")
            for id in range(1, 9):
                enrolled(tx, us, id)
        both_have_claimed = threading.Barrier(2)
        taken: list[list[int]] = []

        def work(token: str) -> None:
            with database.write() as tx:
                taken.append(claim(tx, us, token, limit=4))
                both_have_claimed.wait(10)

        threads = [threading.Thread(target=work, args=(token,)) for token in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(id for each in taken for id in each) == list(range(1, 9))


class TestLease:
    def test_only_its_holder_prolongs_it(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        enrolled(tx, us)
        claim(tx, us, "mine")
        due.renew(tx, us.account_id, [1], "yours", tx.now + timedelta(days=1))
        due.renew(tx, rival.account_id, [1], "mine", tx.now + timedelta(days=1))
        assert _lease(tx, us) == tx.now + LEASE
        due.renew(tx, us.account_id, [1], "mine", tx.now + 2 * LEASE)
        assert _lease(tx, us) == tx.now + 2 * LEASE

    def test_another_account_neither_releases_nor_plans_nor_removes_it(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        enrolled(tx, us)
        claim(tx, us)
        due.release(tx, rival.account_id, [1])
        due.plan(tx, rival.account_id, [Waiting(1, 0, None)])
        due.remove(tx, rival.account_id, [1])
        assert due.get_attempt(tx, rival.account_id, [1]) == {}
        assert _lease(tx, us) == tx.now + LEASE
        assert due.get_attempt(tx, us.account_id, [1]) == {1: (1, 0, None)}


class TestRows:
    def test_an_enrollment_is_due_once(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        again = "INSERT INTO due (account_id, enrollment_id, lane_id) VALUES (:account_id, 1, 1)"
        with pytest.raises(BrokenRule):
            tx.run(Statement(again), account_id=us.account_id)

    def test_one_that_ended_is_forgotten(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        enrolled(tx, us, 2)
        due.remove(tx, us.account_id, [1])
        assert due.get_attempt(tx, us.account_id, [1, 2]) == {2: (1, 0, None)}

    def test_the_counts_of_a_lane_tell_what_stands_where(self, database: Database, clock: FrozenClock) -> None:
        with database.write() as tx:
            us = found(tx, "Us")
            rival = found(tx, "Rival")
            enrolled(tx, rival)
            for id in (1, 2, 3, 4, 5):
                enrolled(tx, us, id)
            plans = [Waiting(1, 1, tx.now - SECOND), Waiting(2, 1, tx.now - SECOND), Waiting(3, 1, tx.now + SECOND)]
            due.plan(tx, us.account_id, [*plans, Waiting(4, 1, None), Waiting(5, 0, tx.now)])
            claim(tx, us, limit=1)
            (without, lane) = due.counts(tx, us.account_id)
            assert (without.lane_id, without.due, without.later, without.in_work, without.held) == (0, 1, 0, 0, 0)
            assert (lane.lane_id, lane.due, lane.later, lane.in_work, lane.held) == (1, 1, 1, 1, 1)
        clock.advance(timedelta(minutes=1))
        with database.write() as tx:
            lane = due.counts(tx, us.account_id)[1]
            assert (lane.due, lane.later, lane.in_work) == (3, 0, 0), "a lease that ran out is no work"


class TestLanes:
    def test_a_new_one_sleeps(self, tx: Tx, us: Tenant) -> None:
        assert wake_at(tx, us) is None
        assert lanes.awake(tx, tx.now, 9) == []

    def test_the_earliest_wish_wins(self, tx: Tx, us: Tenant) -> None:
        lanes.wake(tx, us.account_id, [(1, tx.now + 5 * SECOND), (1, tx.now + 3 * SECOND)])
        assert wake_at(tx, us) == tx.now + 3 * SECOND
        lanes.wake(tx, us.account_id, [(1, tx.now + 9 * SECOND)])
        assert wake_at(tx, us) == tx.now + 3 * SECOND
        lanes.wake(tx, us.account_id, [(1, tx.now), (0, tx.now + SECOND)])
        assert (wake_at(tx, us), wake_at(tx, us, 0)) == (tx.now, tx.now + SECOND)

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(wishes=st.lists(st.integers(-50, 50), min_size=1, max_size=6))
    def test_it_wakes_at_the_earliest_of_any_wishes(self, tx: Tx, us: Tenant, wishes: list[int]) -> None:
        lanes.hold(tx, us.account_id, 1, None)
        for wish in wishes:
            lanes.wake(tx, us.account_id, [(1, tx.now + wish * SECOND)])
        assert wake_at(tx, us) == tx.now + min(wishes) * SECOND

    def test_it_sleeps_until_its_earliest_row_that_nobody_works_on(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        for id in (1, 2, 3):
            enrolled(tx, us, id)
        enrolled(tx, rival)
        instants = {1: tx.now, 2: tx.now + 9 * SECOND, 3: None}
        due.plan(tx, us.account_id, [Waiting(id, 1, instant) for id, instant in instants.items()])
        claim(tx, us)
        lanes.sleep(tx, us.account_id, 1, tx.now)
        assert wake_at(tx, us) == tx.now + 9 * SECOND
        due.remove(tx, us.account_id, [2])
        lanes.sleep(tx, us.account_id, 1, tx.now)
        assert wake_at(tx, us) is None

    def test_a_held_one_wakes_when_it_is_told(self, tx: Tx, us: Tenant) -> None:
        lanes.wake(tx, us.account_id, [(1, tx.now)])
        lanes.hold(tx, us.account_id, 1, tx.now + SECOND)
        assert lanes.awake(tx, tx.now, 9) == []
        assert lanes.awake(tx, tx.now + SECOND, 9) == [(us.account_id, 1)]

    def test_another_account_neither_wakes_nor_holds_it(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        lanes.wake(tx, us.account_id, [(1, tx.now)])
        lanes.wake(tx, rival.account_id, [(1, tx.now - SECOND)])
        lanes.hold(tx, rival.account_id, 1, None)
        assert wake_at(tx, us) == tx.now

    def test_the_least_recently_served_comes_first_across_accounts(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        for tenant, served_at in ((us, tx.now), (rival, tx.now - SECOND)):
            lanes.sleep(tx, tenant.account_id, 1, served_at)
            lanes.wake(tx, tenant.account_id, [(1, tx.now)])
        assert lanes.awake(tx, tx.now, 9) == [(rival.account_id, 1), (us.account_id, 1)]
        assert lanes.awake(tx, tx.now, 1) == [(rival.account_id, 1)]

    def test_a_lane_that_is_not_there_cannot_be_taken(self, tx: Tx, us: Tenant) -> None:
        assert lanes.lock(tx, us.account_id, 1)
        assert not lanes.lock(tx, us.account_id, 404)

    @only_postgresql
    def test_a_lane_that_a_worker_is_at_is_not_taken_by_another(self, database: Database) -> None:
        with database.write() as tx:
            us = found(tx, "Us")
        with database.write() as tx, database.write() as other:
            assert lanes.lock(tx, us.account_id, 1)
            assert not lanes.lock(other, us.account_id, 1)

    @only_postgresql
    def test_who_enrolls_while_a_worker_puts_the_lane_to_sleep_wakes_it(self, database: Database) -> None:
        with database.write() as tx:
            us = found(tx, "Us")
        enrolling = threading.Event()

        def enroll() -> None:
            with database.write() as tx:
                enrolled(tx, us)
                enrolling.set()
                lanes.wake(tx, us.account_id, [(1, tx.now)])

        thread = threading.Thread(target=enroll)
        with database.write() as tx:
            assert lanes.lock(tx, us.account_id, 1)
            thread.start()
            assert enrolling.wait(10)
            lanes.sleep(tx, us.account_id, 1, tx.now)
        thread.join(30)
        with database.write() as tx:
            assert wake_at(tx, us) == tx.now


def _lease(tx: Tx, tenant: Tenant) -> datetime | None:
    statement = Statement("SELECT lease_until FROM due WHERE account_id = :account_id AND enrollment_id = 1")
    row = tx.first(statement, account_id=tenant.account_id)
    assert row is not None
    return instant_or_none(row[0])
