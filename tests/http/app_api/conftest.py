"""Our seller, with a password."""

from __future__ import annotations

from functools import lru_cache

import pytest

from drumbeat.domain.account import User
from drumbeat.domain.person import address_key
from drumbeat.operations.accounts import hash_password
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World

PASSWORD = "lamps and lanterns"


@lru_cache(maxsize=1)
def hashed() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def sam(world: World, cast: Cast) -> User:
    """Our seller, with a password."""

    def work(tx: Tx) -> User:
        user = cast.us.seller
        login_id = accounts.add_login(tx, user.email, address_key(user.email), hashed())
        accounts.set_login(tx, user.account_id, user.id, login_id)
        return user

    return world.database.transact(work)
