"""An account with an owner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drumbeat.domain.account import Role
from drumbeat.store import accounts
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from tests.operations.world import MONDAY, World


@pytest.fixture
def world(database: Database, clock: FrozenClock) -> World:
    """The account on Monday, 2 March 2026, at 9:00 UTC."""
    clock.now = MONDAY
    with database.write() as tx:
        account = accounts.add_account(tx, "Analytical Engines", "Europe/Berlin", None)
        owner = accounts.add_user(tx, account.id, name="Owner", email="owner@example.com", role=Role.ADMIN)
    return World(database, clock, account.id, owner.id)


@pytest.fixture
def tx(world: World) -> Iterator[Tx]:
    """A transaction that writes."""
    with world.database.write() as tx:
        yield tx
