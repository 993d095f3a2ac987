from __future__ import annotations

from datetime import timedelta

from drumbeat.store import kept_answers
from drumbeat.store.database import Database
from drumbeat.store.kept_answers import KEPT_FOR, KeyedCall
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from tests.store.tenants import Tenant, found


def kept(tx: Tx, account_id: int, key_hash: str, answer: bytes = b"{}") -> KeyedCall:
    """A call that was answered."""
    call = KeyedCall(account_id, key_hash, "request")
    assert kept_answers.claim(tx, call, wait_for=1)
    kept_answers.keep(tx, call, answer)
    return call


def test_a_key_is_claimed_once_and_its_answer_comes_back_as_it_was(tx: Tx, us: Tenant) -> None:
    answer = bytes(range(256))
    call = kept(tx, us.account_id, "k", answer)
    assert not kept_answers.claim(tx, call, wait_for=1)
    assert kept_answers.get(tx, call) == ("request", answer)


def test_another_account_s_key_is_another_one(tx: Tx, us: Tenant, rival: Tenant) -> None:
    ours, theirs = kept(tx, us.account_id, "k", b"ours"), kept(tx, rival.account_id, "k", b"theirs")
    assert kept_answers.get(tx, ours)[1] == b"ours"
    assert kept_answers.get(tx, theirs)[1] == b"theirs"


def test_what_is_given_no_more_is_found_oldest_first_and_deleted_alone(database: Database, clock: FrozenClock) -> None:
    with database.write() as tx:
        us, rival = found(tx, "Us"), found(tx, "Rival")
        kept(tx, us.account_id, "b")
    clock.advance(timedelta(seconds=1))
    with database.write() as tx:
        kept(tx, us.account_id, "a")
        kept(tx, rival.account_id, "a")
    clock.advance(KEPT_FOR - timedelta(seconds=1))
    with database.write() as tx:
        assert kept_answers.expired(tx, 10) == {us.account_id: ["b"]}
        kept_answers.delete(tx, us.account_id, ["a", "b"])
        left = tx.all(Statement("SELECT account_id, key_hash FROM kept_answers ORDER BY account_id"))
        assert [tuple(row) for row in left] == [(us.account_id, "a"), (rival.account_id, "a")]
    clock.advance(timedelta(seconds=1))
    with database.write() as tx:
        assert len(kept_answers.expired(tx, 1)) == 1
        assert kept_answers.expired(tx, 10) == {us.account_id: ["a"], rival.account_id: ["a"]}
