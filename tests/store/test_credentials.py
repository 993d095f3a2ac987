from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from drumbeat.domain.access import Credential, CredentialKind
from drumbeat.domain.account import UserStatus
from drumbeat.store import accounts, credentials
from drumbeat.store.database import Database
from drumbeat.store.stamps import to_stamp
from drumbeat.store.transaction import BrokenRule, Tx
from drumbeat.testing.clock import FrozenClock
from tests.store.tenants import Tenant


def made(tx: Tx, tenant: Tenant, **fields: object) -> Credential:
    id = credentials.reserve_id(tx, tenant.account_id)
    plain = Credential(tenant.account_id, id, CredentialKind.TOKEN, tenant.owner_id, frozenset({"read", "write"}))
    credential = replace(plain, **fields)  # type: ignore[arg-type]
    credentials.add(tx, credential, "for tests", f"fingerprint {id}")
    return credential


def test_one_is_found_with_its_fingerprint_as_it_was_made(tx: Tx, us: Tenant) -> None:
    token = made(tx, us)
    key = made(tx, us, kind=CredentialKind.KEY, expires_at=tx.now + timedelta(days=1), scopes=frozenset({"*"}))
    assert credentials.find(tx, us.account_id, token.id) == (token, "fingerprint 1", True, None)
    assert credentials.find(tx, us.account_id, key.id) == (key, "fingerprint 2", True, None)


def test_it_is_told_when_its_user_is_inactive(tx: Tx, us: Tenant) -> None:
    token = made(tx, us)
    owner = accounts.get_user(tx, us.account_id, us.owner_id)
    accounts.save_user(tx, replace(owner, status=UserStatus.INACTIVE))
    found = credentials.find(tx, us.account_id, token.id)
    assert found is not None
    assert found[2] is False


def test_another_account_with_the_same_ids_sees_and_ends_none(tx: Tx, us: Tenant, rival: Tenant) -> None:
    token = made(tx, us)
    assert credentials.find(tx, rival.account_id, token.id) is None
    assert credentials.list_all(tx, rival.account_id) == []
    assert not credentials.revoke(tx, rival.account_id, token.id)
    credentials.touch(tx, rival.account_id, token.id, tx.now)
    assert credentials.find(tx, us.account_id, token.id) == (token, "fingerprint 1", True, None)
    assert credentials.list_all(tx, us.account_id)[0]["last_used_at"] is None


def test_a_credential_of_another_account_s_user_cannot_be_written(tx: Tx, us: Tenant) -> None:
    with pytest.raises(BrokenRule):
        made(tx, us, user_id=99)


def test_the_list_never_shows_a_fingerprint(tx: Tx, us: Tenant) -> None:
    made(tx, us)
    (shown,) = credentials.list_all(tx, us.account_id)
    assert "fingerprint 1" not in shown.values()
    assert shown["scopes"] == "read write"
    assert shown["created_at"] == to_stamp(tx.now)


def test_it_ends_once_and_keeps_the_first_time(database: Database, clock: FrozenClock) -> None:
    with database.write() as tx:
        account = accounts.add_account(tx, "A", "UTC", None)
        tenant = Tenant(account.id, _owner(tx, account.id), 1, None)  # type: ignore[arg-type]
        token = made(tx, tenant)
        assert credentials.revoke(tx, account.id, token.id)
    ended_at = clock.now
    clock.advance(timedelta(days=1))
    with database.write() as tx:
        assert credentials.revoke(tx, account.id, token.id)
        found = credentials.find(tx, account.id, token.id)
    assert found is not None
    assert found[0].revoked_at == ended_at
    assert not found[0].is_valid(ended_at)


def test_the_last_use_is_noted_to_the_minute(tx: Tx, us: Tenant) -> None:
    token = made(tx, us)
    began = tx.now
    seen = []
    for seconds in (0, 30, 60, 61):
        credentials.touch(tx, us.account_id, token.id, began + timedelta(seconds=seconds))
        seen.append(credentials.list_all(tx, us.account_id)[0]["last_used_at"])
    assert [int(str(each)) - to_stamp(began) for each in seen] == [0, 0, 0, 61_000_000]


def _owner(tx: Tx, account_id: int) -> int:
    return accounts.add_user(tx, account_id, name="O", email="o@example.com", role=accounts.Role.ADMIN).id
