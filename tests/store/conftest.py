"""A transaction, and two accounts in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from tests.store.tenants import Tenant, found


@pytest.fixture
def tx(database: Database) -> Iterator[Tx]:
    """A transaction that writes."""
    with database.write() as tx:
        yield tx


@pytest.fixture
def us(tx: Tx) -> Tenant:
    """Our account, with the id 1."""
    return found(tx, "Us")


@pytest.fixture
def rival(tx: Tx, us: Tenant) -> Tenant:
    """Another account, whose rows have the ids ours have."""
    rival = found(tx, "Rival")
    assert (rival.owner_id, rival.mailbox_id, rival.sequence.id) == (us.owner_id, us.mailbox_id, us.sequence.id)
    return rival
