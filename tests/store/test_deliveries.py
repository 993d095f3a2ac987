from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from drumbeat.domain.account import UserStatus
from drumbeat.domain.delivery import DeliveryStatus
from drumbeat.domain.enrollment import ActionStatus, State
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.store import accounts, deliveries, doubts, due, enrollments, mailboxes, people, sequences, unsubscribes
from drumbeat.store.deliveries import Delivery, Key, Settled
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import BrokenRule, Tx
from tests.store.tenants import Tenant, delivery, enrolled, person

QUEUED, CLAIMED, TRANSMITTING = DeliveryStatus.QUEUED, DeliveryStatus.CLAIMED, DeliveryStatus.TRANSMITTING
ACCEPTED, REFUSED, UNKNOWN = DeliveryStatus.ACCEPTED, DeliveryStatus.REFUSED, DeliveryStatus.UNKNOWN
LEASE = timedelta(seconds=30)
SHA256 = "5" * 64


def claimed(tx: Tx, tenant: Tenant, id: int = 1, token: str = "t", **fields: Any) -> Delivery:
    """A stored enrollment whose letter a worker carries."""
    people.add(tx, [person(tenant, tx.now, id)])
    enrolled(tx, tenant, id)
    due.claim(tx, tenant.account_id, tenant.mailbox_id, limit=9, token=token, lease_until=tx.now + LEASE)
    held = {"status": CLAIMED, "lease_token": token, "lease_until": tx.now + LEASE}
    made = delivery(tenant, tx.now, id, **held | fields)
    deliveries.add(tx, [made])
    return made


def passing(tx: Tx, tenant: Tenant, *keys: Key, token: str = "t") -> list[Key]:
    """Those of the letters whose final dot may be written."""
    ready = [(*key, SHA256) for key in keys]
    return deliveries.pass_point_of_no_return(
        tx, tenant.account_id, tenant.mailbox_id, ready, token=token, lease_until=tx.now + 2 * LEASE
    )


def stored(tx: Tx, tenant: Tenant, key: Key = (1, 0, 0)) -> Delivery:
    return next(d for d in deliveries.list_of_enrollment(tx, tenant.account_id, key[0]) if d.key == key)


class TestKeeping:
    def test_one_comes_back_as_it_was_stored(self, tx: Tx, us: Tenant) -> None:
        made = claimed(tx, us, frozen='{"values": "100 % “tea”"}', reply="450 later", sha256=SHA256)
        assert deliveries.list_of_enrollment(tx, us.account_id, 1) == [made]
        assert made.key == (1, 0, 0)

    def test_those_of_steps_come_by_attempt(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        for position, attempt in ((0, 1), (0, 0), (2, 0)):
            deliveries.add(tx, [delivery(us, tx.now, position=position, attempt=attempt, status=REFUSED)])
        listed = deliveries.list_of_steps(tx, us.account_id, [(1, 0)])
        assert [each.key for each in listed] == [(1, 0, 0), (1, 0, 1)]

    def test_the_last_accepted_is_what_a_reply_threads_to(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        for position, status in ((0, ACCEPTED), (1, ACCEPTED), (2, REFUSED)):
            deliveries.add(tx, [delivery(us, tx.now, position=position, status=status)])
        assert deliveries.last_accepted(tx, us.account_id, [1, 2])[1].position == 1

    def test_a_queued_one_is_claimed_as_it_was_frozen(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        deliveries.add(tx, [delivery(us, tx.now, frozen='{"a": 1}')])
        (taken,) = deliveries.claim_queued(tx, us.account_id, [(1, 0, 0)], "t", tx.now + LEASE)
        assert (taken.status, taken.lease_token, taken.frozen) == (CLAIMED, "t", '{"a": 1}')

    @pytest.mark.parametrize("status", [TRANSMITTING, ACCEPTED, REFUSED, UNKNOWN])
    def test_one_whose_dot_may_have_been_written_is_never_claimed(
        self, tx: Tx, us: Tenant, status: DeliveryStatus
    ) -> None:
        enrolled(tx, us)
        deliveries.add(tx, [delivery(us, tx.now, status=status)])
        assert deliveries.claim_queued(tx, us.account_id, [(1, 0, 0)], "t", tx.now + LEASE) == []
        assert deliveries.discard(tx, us.account_id, [Settled((1, 0, 0), REFUSED, "")]) == frozenset()


class TestTheLastNet:
    @pytest.mark.parametrize("first", [TRANSMITTING, ACCEPTED, UNKNOWN])
    @pytest.mark.parametrize("second", [TRANSMITTING, ACCEPTED, UNKNOWN])
    def test_a_step_has_at_most_one_letter_that_is_out(
        self, tx: Tx, us: Tenant, first: DeliveryStatus, second: DeliveryStatus
    ) -> None:
        enrolled(tx, us)
        deliveries.add(tx, [delivery(us, tx.now, status=first)])
        with pytest.raises(BrokenRule):
            deliveries.add(tx, [delivery(us, tx.now, attempt=1, status=second)])

    def test_refused_ones_leave_room_and_other_steps_do_not_matter(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        deliveries.add(tx, [delivery(us, tx.now, attempt=n, status=REFUSED) for n in (0, 1)])
        deliveries.add(tx, [delivery(us, tx.now, attempt=2, status=ACCEPTED)])
        deliveries.add(tx, [delivery(us, tx.now, position=2, status=UNKNOWN)])
        kept = deliveries.list_of_enrollment(tx, us.account_id, 1)
        assert [each.status for each in kept] == [REFUSED, REFUSED, ACCEPTED, UNKNOWN]

    def test_nobody_s_letter_cannot_be_written(self, tx: Tx, us: Tenant) -> None:
        with pytest.raises(BrokenRule):
            deliveries.add(tx, [delivery(us, tx.now, 404)])


class TestPointOfNoReturn:
    def test_a_letter_that_nothing_forbids_passes_once(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        assert passing(tx, us, (1, 0, 0)) == [(1, 0, 0)]
        assert passing(tx, us, (1, 0, 0)) == []
        out = stored(tx, us)
        assert (out.status, out.sha256, out.transmitting_at) == (TRANSMITTING, SHA256, tx.now)
        assert out.lease_until == tx.now + 2 * LEASE
        enrollment = enrollments.get(tx, us.account_id, 1)
        assert (enrollment.status, enrollment.revision) == (ActionStatus.IN_PROGRESS, 1)

    def test_of_several_those_pass_that_may(self, tx: Tx, us: Tenant) -> None:
        for id in (1, 2, 3):
            claimed(tx, us, id)
        unsubscribes.suppress(tx, us.account_id, "hash-2", Suppression.UNSUBSCRIBED, "")
        assert sorted(passing(tx, us, (1, 0, 0), (2, 0, 0), (3, 0, 0))) == [(1, 0, 0), (3, 0, 0)]
        assert stored(tx, us, (2, 0, 0)).status is CLAIMED

    def test_another_token_does_not_pass(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        assert passing(tx, us, (1, 0, 0), token="other") == []

    def test_a_lease_that_ran_out_does_not_pass(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us, lease_until=tx.now)
        assert passing(tx, us, (1, 0, 0)) == []

    def test_who_lost_the_enrollment_s_lease_does_not_pass(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        due.release(tx, us.account_id, [1])
        assert passing(tx, us, (1, 0, 0)) == []

    def test_a_closed_try_does_not_pass_beside_the_one_that_took_its_place(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us, status=REFUSED)
        held = {"status": CLAIMED, "lease_token": "t", "lease_until": tx.now + LEASE}
        deliveries.add(tx, [delivery(us, tx.now, attempt=1, **held)])
        assert passing(tx, us, (1, 0, 0), (1, 0, 1)) == [(1, 0, 1)]
        assert stored(tx, us).status is REFUSED

    def test_a_letter_of_an_earlier_step_does_not_pass(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        ahead = structs.replace(enrollments.get(tx, us.account_id, 1), position=2, revision=1)
        enrollments.save(tx, us.account_id, [(ahead, 0)])
        assert passing(tx, us, (1, 0, 0)) == []

    @pytest.mark.parametrize(
        "forbidding",
        [
            *("finished", "blocked", "moved", "elsewhere", "deleted", "suppressed"),
            *("paused", "inactive", "off", "held", "disabled"),
        ],
    )
    def test_nothing_passes_against_a_stop(self, tx: Tx, us: Tenant, forbidding: str) -> None:
        claimed(tx, us)
        _forbid(tx, us, forbidding)
        before = enrollments.get(tx, us.account_id, 1)
        assert passing(tx, us, (1, 0, 0)) == []
        assert stored(tx, us).status is CLAIMED
        assert enrollments.get(tx, us.account_id, 1) == before

    def test_another_account_s_stops_do_not_matter(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        claimed(tx, us)
        enrolled(tx, rival)
        for forbidding in ("finished", "suppressed", "paused", "inactive", "off", "disabled"):
            _forbid(tx, rival, forbidding)
        assert passing(tx, rival, (1, 0, 0)) == []
        assert passing(tx, us, (1, 0, 0)) == [(1, 0, 0)]


def _forbid(tx: Tx, tenant: Tenant, how: str) -> None:
    account_id = tenant.account_id
    enrollment = enrollments.get(tx, account_id, 1)
    if how in ("finished", "blocked"):
        enrollments.save(tx, account_id, [(structs.replace(enrollment, state=State(how), revision=1), 0)])
    elif how == "moved":
        enrollments.readdress(tx, account_id, "new", [1])
    elif how == "elsewhere":
        people.save(tx, person(tenant, tx.now), person(tenant, tx.now, address_hash="new"))
    elif how == "deleted":
        people.delete(tx, person(tenant, tx.now))
    elif how == "suppressed":
        unsubscribes.suppress(tx, account_id, "hash-1", Suppression.UNSUBSCRIBED, "")
    elif how == "paused":
        sequences.set_status(tx, tenant.sequence, SequenceStatus.PAUSED)
    elif how == "inactive":
        owner = accounts.get_user(tx, account_id, tenant.owner_id)
        accounts.save_user(tx, replace(owner, status=UserStatus.INACTIVE))
    elif how == "disabled":
        accounts.save_account(tx, replace(accounts.get_account(tx, account_id), sequences_enabled=False))
    else:
        mailbox = mailboxes.get(tx, account_id, tenant.mailbox_id)
        held_since = tx.now if how == "held" else None
        mailboxes.switch(tx, account_id, mailbox.id, on=how != "off")
        mailboxes.save_hold(tx, replace(mailbox, held_since=held_since))


class TestSettling:
    def test_its_holder_settles_it_once(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        passing(tx, us, (1, 0, 0))
        settled = [Settled((1, 0, 0), ACCEPTED, "250 ok")]
        assert deliveries.settle(tx, us.account_id, settled, "other") == frozenset()
        assert deliveries.settle(tx, us.account_id, settled, "t") == {(1, 0, 0)}
        assert deliveries.settle(tx, us.account_id, [Settled((1, 0, 0), REFUSED, "late")], "t") == frozenset()
        found = stored(tx, us)
        assert (found.status, found.reply, found.settled_at) == (ACCEPTED, "250 ok", tx.now)
        assert (found.lease_until, found.lease_token) == (None, None)

    def test_a_doubt_is_looked_at_again(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        look_at = tx.now + timedelta(minutes=10)
        deliveries.settle(tx, us.account_id, [Settled((1, 0, 0), UNKNOWN, "silence", look_at)], "t")
        assert deliveries.find_unknown(tx, us.account_id, 1) == stored(tx, us)
        assert [d.key for d in doubts.list_unknown(tx, us.account_id)] == [(1, 0, 0)]
        assert deliveries.expired(tx, look_at, 9) == []
        assert [d.key for d in deliveries.expired(tx, look_at + timedelta(seconds=1), 9)] == [(1, 0, 0)]

    def test_only_a_doubt_is_settled_as_one(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        settled = [Settled((1, 0, 0), ACCEPTED, "counted")]
        assert deliveries.settle_doubts(tx, us.account_id, settled) == frozenset()
        deliveries.settle(tx, us.account_id, [Settled((1, 0, 0), UNKNOWN, "silence")], "t")
        assert deliveries.settle_doubts(tx, us.account_id, settled) == {(1, 0, 0)}
        assert deliveries.find_unknown(tx, us.account_id, 1) is None

    def test_a_letter_left_behind_is_closed(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        assert deliveries.discard(tx, us.account_id, [Settled((1, 0, 0), REFUSED, "moved")]) == {(1, 0, 0)}
        assert passing(tx, us, (1, 0, 0)) == []


class TestLeases:
    def test_only_the_holder_prolongs_one(self, tx: Tx, us: Tenant) -> None:
        claimed(tx, us)
        later = tx.now + timedelta(days=1)
        deliveries.renew(tx, us.account_id, [(1, 0, 0)], "other", later)
        assert stored(tx, us).lease_until == tx.now + LEASE
        deliveries.renew(tx, us.account_id, [(1, 0, 0)], "t", later)
        assert stored(tx, us).lease_until == later

    def test_those_that_ran_out_are_told_of_every_account(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        claimed(tx, us)
        claimed(tx, rival)
        claimed(tx, us, 2, lease_until=tx.now + timedelta(days=1))
        enrolled(tx, us, 3)
        deliveries.add(tx, [delivery(us, tx.now, 3)])
        found = deliveries.expired(tx, tx.now + timedelta(minutes=1), 9)
        assert sorted((d.account_id, d.enrollment_id) for d in found) == [(us.account_id, 1), (rival.account_id, 1)]
        assert len(deliveries.expired(tx, tx.now + timedelta(minutes=1), 1)) == 1


def test_another_account_with_the_same_ids_sees_and_changes_nothing(tx: Tx, us: Tenant, rival: Tenant) -> None:
    made = claimed(tx, us)
    enrolled(tx, rival)
    account_id, key = rival.account_id, made.key
    assert deliveries.list_of_enrollment(tx, account_id, 1) == []
    assert deliveries.list_of_steps(tx, account_id, [(1, 0)]) == []
    assert deliveries.last_accepted(tx, account_id, [1]) == {}
    assert doubts.list_unknown(tx, account_id) == []
    assert deliveries.find_unknown(tx, account_id, 1) is None
    assert deliveries.claim_queued(tx, account_id, [key], "x", tx.now + LEASE) == []
    assert deliveries.settle(tx, account_id, [Settled(key, ACCEPTED, "")], "t") == frozenset()
    assert deliveries.settle_doubts(tx, account_id, [Settled(key, ACCEPTED, "")]) == frozenset()
    assert deliveries.discard(tx, account_id, [Settled(key, REFUSED, "")]) == frozenset()
    assert passing(tx, rival, key) == []
    deliveries.renew(tx, account_id, [key], "t", tx.now + timedelta(days=1))
    assert deliveries.list_of_enrollment(tx, us.account_id, 1) == [made]


def test_a_status_nobody_knows_cannot_be_written(tx: Tx, us: Tenant) -> None:
    claimed(tx, us)
    with pytest.raises(BrokenRule):
        tx.run(
            Statement("UPDATE deliveries SET status = 'sent' WHERE account_id = :account_id"), account_id=us.account_id
        )
