from __future__ import annotations

from dataclasses import replace

import pytest

from drumbeat.domain.errors import MasterKeyWrong
from drumbeat.store import inboxes, installation, mailboxes, notices
from drumbeat.store.database import Database
from drumbeat.store.inboxes import Inbox
from drumbeat.store.installation import Vault, new_master_key
from drumbeat.store.schema import metadata
from drumbeat.store.sealed import COLUMNS, Resealed, reseal_account, reseal_installation
from drumbeat.store.statement import Statement
from tests.store.tenants import Tenant, found

OLD, NEW = new_master_key(), new_master_key()
BEFORE, BETWEEN, AFTER = Vault([OLD]), Vault([NEW, OLD]), Vault([NEW])


def seal_everything(database: Database, name: str, vault: Vault = BEFORE) -> Tenant:
    with database.write() as tx:
        if not installation.is_installed(tx):
            installation.install(tx, vault)
        tenant = found(tx, name)
        account_id, id = tenant.account_id, tenant.mailbox_id
        one = replace(mailboxes.get(tx, account_id, id), sealed_password=vault.seal("a"), sealed_grant=vault.seal("b"))
        one = replace(one, sealed_dkim_key=vault.seal("c"), sealed_hook=vault.seal("d"))
        mailboxes.save_settings(tx, one)
        mailboxes.save_signing(tx, one)
        mailboxes.save_hook(tx, one)
        inbox = Inbox(account_id, id, "imap.example", 993, "tls", "o", vault.seal("e"), tx.now)
        inboxes.save(tx, inbox)
        notices.add(tx, account_id, "o@example.com", vault.seal("f"), tx.now)
    return tenant


def opened_with(database: Database, vault: Vault, tenant: Tenant) -> set[str]:
    with database.read() as snapshot:
        one = mailboxes.get(snapshot, tenant.account_id, tenant.mailbox_id)
        inbox = inboxes.find(snapshot, tenant.account_id, tenant.mailbox_id)
        assert inbox is not None
        sealed = [one.sealed_password, one.sealed_grant, one.sealed_dkim_key, one.sealed_hook, inbox.sealed_password]
        return {vault.open(each) for each in sealed if each is not None}


def reseal(database: Database, vault: Vault, tenant: Tenant) -> Resealed:
    with database.write() as tx:
        return reseal_account(tx, vault, tenant.account_id)


def test_after_sealing_anew_the_newest_key_alone_opens_everything(database: Database) -> None:
    tenant = seal_everything(database, "Tea")
    with database.read() as snapshot:
        key = installation.hash_key(snapshot, BEFORE)
    with pytest.raises(MasterKeyWrong):
        opened_with(database, AFTER, tenant)
    assert reseal(database, BETWEEN, tenant) == Resealed(anew=6)
    with database.write() as tx:
        reseal_installation(tx, BETWEEN)
    assert opened_with(database, AFTER, tenant) == {"a", "b", "c", "d", "e"}
    with database.read() as snapshot:
        assert installation.hash_key(snapshot, AFTER) == key
    assert reseal(database, AFTER, tenant) == Resealed(anew=6)


def test_one_account_is_sealed_anew_and_the_other_left_alone(database: Database) -> None:
    ours, theirs = seal_everything(database, "Tea"), seal_everything(database, "Rival")
    reseal(database, BETWEEN, ours)
    assert opened_with(database, AFTER, ours)
    assert opened_with(database, BEFORE, theirs)


def test_what_no_key_opens_is_told_and_left_as_it_is(database: Database) -> None:
    tenant = seal_everything(database, "Tea", Vault([new_master_key()]))
    assert reseal(database, BETWEEN, tenant) == Resealed(lost=6)


def test_nothing_sealed_is_forgotten_wherever_it_is_stored(database: Database) -> None:
    tenant = seal_everything(database, "Tea")
    reseal(database, BETWEEN, tenant)
    with database.write() as tx:
        reseal_installation(tx, BETWEEN)
        sealed = [
            value
            for table in metadata.tables
            for row in tx.all(Statement(f"SELECT * FROM {table}"))
            for value in row
            if isinstance(value, str) and value.startswith("gAAAA")
        ]
    assert len(sealed) == len(COLUMNS) + 2
    assert all(AFTER.open(each) for each in sealed)
