from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drumbeat.domain.account import Role, UnknownMeans, UserStatus
from drumbeat.domain.errors import NotFound
from drumbeat.store import accounts, lanes
from drumbeat.store.database import Database
from drumbeat.store.transaction import BrokenRule, Tx
from drumbeat.testing.clock import FrozenClock
from tests.store.tenants import Tenant


class TestIds:
    def test_they_start_at_one_and_are_never_given_twice(self, tx: Tx, us: Tenant) -> None:
        assert accounts.take_ids(tx, us.account_id, "lead") == 1
        assert accounts.take_ids(tx, us.account_id, "lead", 5) == 2
        assert accounts.take_ids(tx, us.account_id, "lead") == 7

    def test_each_noun_and_each_account_has_its_own(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        accounts.take_ids(tx, us.account_id, "lead", 10)
        assert accounts.take_ids(tx, us.account_id, "contact") == 1
        assert accounts.take_ids(tx, rival.account_id, "lead") == 1

    def test_an_import_moves_them_up_and_never_down(self, tx: Tx, us: Tenant) -> None:
        accounts.start_ids_at(tx, us.account_id, "lead", 500)
        assert accounts.take_ids(tx, us.account_id, "lead") == 500
        accounts.start_ids_at(tx, us.account_id, "lead", 3)
        assert accounts.take_ids(tx, us.account_id, "lead") == 501

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=8))
    def test_ranges_never_overlap(self, tx: Tx, us: Tenant, counts: list[int]) -> None:
        firsts = [accounts.take_ids(tx, us.account_id, "task", count) for count in counts]
        taken = [id for first, count in zip(firsts, counts, strict=True) for id in range(first, first + count)]
        assert len(taken) == len(set(taken))
        assert taken == sorted(taken)

    def test_threads_that_take_them_at_once_all_get_different_ones(self, database: Database) -> None:
        account = database.transact(lambda tx: accounts.add_account(tx, "A", "UTC", None))
        taken: list[int] = []

        def take() -> None:
            taken.extend(database.transact(lambda tx: accounts.take_ids(tx, account.id, "lead")) for _ in range(10))

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(taken) == list(range(1, 41))


class TestAccounts:
    def test_a_new_one_has_a_lane_for_what_needs_no_mailbox(self, tx: Tx) -> None:
        account = accounts.add_account(tx, "Tea House", "Europe/London", "1 Tea Lane")
        assert accounts.get_account(tx, account.id) == account
        assert lanes.lock(tx, account.id, lanes.NO_MAILBOX)

    def test_its_settings_are_stored(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        before = accounts.get_account(tx, rival.account_id)
        changed = replace(
            accounts.get_account(tx, us.account_id),
            name="Tea",
            time_zone="Asia/Tokyo",
            postal_address="1 Lane",
            sequences_enabled=False,
            unknown_means=UnknownMeans.SENT,
        )
        accounts.save_account(tx, changed)
        assert accounts.get_account(tx, us.account_id) == changed
        assert accounts.list_accounts(tx) == [changed, before]

    def test_one_that_is_not_there_is_not_found(self, tx: Tx) -> None:
        with pytest.raises(NotFound, match="no account 7"):
            accounts.get_account(tx, 7)


class TestUsers:
    def test_a_new_one_is_active_and_has_no_mailbox(self, tx: Tx, us: Tenant, clock: FrozenClock) -> None:
        user = accounts.add_user(
            tx, us.account_id, name="Sam", email="sam@example.com", role=Role.AGENT, time_zone="Asia/Tokyo"
        )
        assert user.is_active
        assert (user.id, user.role, user.time_zone, user.mailbox_id) == (2, Role.AGENT, "Asia/Tokyo", None)
        assert user.created_at == user.updated_at == clock.now

    def test_a_change_is_stored_with_its_time(self, database: Database, clock: FrozenClock) -> None:
        with database.write() as tx:
            account = accounts.add_account(tx, "A", "UTC", None)
            user = accounts.add_user(tx, account.id, name="Sam", email="sam@example.com", role=Role.AGENT)
        clock.advance(timedelta(hours=1))
        changed = replace(user, name="Samira", role=Role.ADMIN, status=UserStatus.INACTIVE, time_zone="UTC")
        with database.write() as tx:
            accounts.save_user(tx, changed)
        with database.read() as snapshot:
            stored = accounts.get_user(snapshot, account.id, user.id)
        assert stored == replace(changed, updated_at=clock.now)

    def test_another_account_sees_and_changes_none_of_them(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        sam = accounts.add_user(tx, us.account_id, name="Sam", email="sam@example.com", role=Role.AGENT)
        assert accounts.find_user(tx, rival.account_id, sam.id) is None
        with pytest.raises(NotFound, match=f"no user {sam.id}"):
            accounts.get_user(tx, rival.account_id, sam.id)
        assert [user.id for user in accounts.list_users(tx, rival.account_id)] == [rival.owner_id]
        accounts.save_user(tx, replace(sam, account_id=rival.account_id, name="Stolen"))
        accounts.set_mailbox(tx, rival.account_id, sam.id, rival.mailbox_id)
        assert accounts.get_user(tx, us.account_id, sam.id) == sam


class TestLogins:
    def test_one_is_found_by_its_address_key(self, tx: Tx) -> None:
        id = accounts.add_login(tx, "Sam@Example.com", "sam@example.com", "argon")
        found = accounts.find_login(tx, "sam@example.com")
        assert found is not None
        assert tuple(found) == (id, "argon")
        assert accounts.find_login(tx, "Sam@Example.com") is None

    def test_an_address_key_signs_in_once(self, tx: Tx) -> None:
        accounts.add_login(tx, "sam@example.com", "sam@example.com", "one")
        with pytest.raises(BrokenRule):
            accounts.add_login(tx, "SAM@example.com", "sam@example.com", "two")

    def test_a_login_works_in_several_accounts_and_once_in_each(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        id = accounts.add_login(tx, "sam@example.com", "sam@example.com", "argon")
        for account_id in (us.account_id, rival.account_id):
            accounts.add_user(tx, account_id, name="Sam", email="sam@example.com", role=Role.AGENT, login_id=id)
        with pytest.raises(BrokenRule):
            accounts.add_user(tx, us.account_id, name="Twin", email="x@example.com", role=Role.AGENT, login_id=id)
