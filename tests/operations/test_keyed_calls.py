"""A call with a key has its effect once: what its twin sees while it is at work, and after."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from drumbeat.domain.account import Account
from drumbeat.domain.errors import KeyAtWork, KeyReused
from drumbeat.operations.keyed_calls import once
from drumbeat.store import accounts
from drumbeat.store.database import Database
from drumbeat.store.kept_answers import KeyedCall
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx


@pytest.fixture
def account(database: Database) -> Account:
    """Somebody to call."""
    return database.transact(lambda tx: accounts.add_account(tx, "Tea House", "UTC", None))


def call_of(account: Account, key: str = "k", request: str = "r") -> KeyedCall:
    return KeyedCall(account.id, key, request)


def never() -> bytes:
    raise AssertionError("must not be done twice")


def test_the_first_answer_is_given_again_and_another_request_is_refused(database: Database, account: Account) -> None:
    assert database.transact(lambda tx: once(tx, call_of(account), lambda: b"\x00one")) == b"\x00one"
    assert database.transact(lambda tx: once(tx, call_of(account), never)) == b"\x00one"
    with pytest.raises(KeyReused):
        database.transact(lambda tx: once(tx, call_of(account, request="other"), never))
    assert database.transact(lambda tx: once(tx, call_of(account, key="l"), lambda: b"two")) == b"two"


def test_a_call_without_a_key_is_done_each_time(database: Database) -> None:
    answers = [database.transact(lambda tx, n=n: once(tx, None, lambda: b"%d" % n)) for n in range(2)]  # type: ignore[misc]
    assert answers == [b"0", b"1"]


def test_an_effect_that_fails_frees_its_key(database: Database, account: Account) -> None:
    def fails() -> bytes:
        raise ValueError

    with pytest.raises(ValueError):
        database.transact(lambda tx: once(tx, call_of(account), fails))
    assert database.transact(lambda tx: once(tx, call_of(account), lambda: b"second")) == b"second"


@contextmanager
def at_work(database: Database, account: Account, *, fails: bool = False) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """A call that is at work until the event is set; it ends well or fails."""
    began, ends = Event(), Event()

    def work() -> bytes:
        began.set()
        assert ends.wait(10)
        if fails:
            raise ValueError
        return b"first"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: database.transact(lambda tx: once(tx, call_of(account), work)))
        assert began.wait(10)
        try:
            yield pool, ends
        finally:
            ends.set()
            assert (first.exception() is not None) == fails


def until_it_waits(database: Database, twin: Future[bytes]) -> None:
    """On PostgreSQL, until the twin stands before the first one's row; on SQLite it waits to write at all."""
    while not database.is_sqlite and not twin.done():
        with database.read() as snapshot:
            if snapshot.all(Statement("SELECT 1 FROM pg_locks WHERE NOT granted")):
                return


@pytest.mark.parametrize("fails", [False, True])
def test_a_twin_waits_and_gets_the_answer_or_does_what_the_first_one_failed_to_do(
    database: Database, account: Account, fails: bool
) -> None:
    with at_work(database, account, fails=fails) as (pool, ends):
        twin = pool.submit(lambda: database.transact(lambda tx: once(tx, call_of(account), lambda: b"twin")))
        until_it_waits(database, twin)
        assert not twin.done()
        ends.set()
        assert twin.result() == (b"twin" if fails else b"first")


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_a_twin_that_waited_long_enough_is_told_to_come_back_and_others_do_not_wait(
    database: Database, account: Account
) -> None:
    with at_work(database, account):
        tries = []

        def work(tx: Tx) -> bytes:
            tries.append(tx)
            return once(tx, call_of(account), never, wait_for=0.05)

        with pytest.raises(KeyAtWork):
            database.transact(work)
        assert len(tries) == 1
        assert database.transact(lambda tx: once(tx, call_of(account, key="l"), lambda: b"other")) == b"other"
    assert database.transact(lambda tx: once(tx, call_of(account), never)) == b"first"


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_only_the_key_is_waited_for_so_briefly(database: Database, account: Account) -> None:
    def limit(tx: Tx) -> bytes:
        row = tx.first(Statement("SELECT current_setting('lock_timeout')"))
        assert row is not None
        return str(row[0]).encode()

    assert database.transact(lambda tx: once(tx, call_of(account), lambda: limit(tx))) == b"0"
