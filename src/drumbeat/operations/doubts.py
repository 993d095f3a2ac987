"""Letters left behind: leases that ran out, and doubts, which only evidence or a person settles."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

from msgspec import structs

from drumbeat.domain.account import UnknownMeans
from drumbeat.domain.delivery import EVIDENCE_AWAITED, DeliveryStatus
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.errors import IncorrectValue, NotFound
from drumbeat.domain.happening import CountedAsNotSent, CountedAsSent, Doubted, DoubtExpired, RepeatLetter, SentAgain
from drumbeat.domain.machine import decide
from drumbeat.mail.compose import COMPOSER
from drumbeat.operations.changes import Change, apply, store
from drumbeat.operations.deliveries import end_leases
from drumbeat.operations.letters import Writer, read_frozen
from drumbeat.store import accounts, deliveries, enrollments
from drumbeat.store.deliveries import Delivery, Key, Settled
from drumbeat.store.transaction import Snapshot, Tx

_PROVEN_WITHIN = timedelta(days=1)
_LISTED_AT_ONCE = 5_000
_LOOKED_FOR_AT_ONCE = 50


def reap(tx: Tx, expired: Delivery) -> bool:
    """Deal with one delivery whose lease or waiting time ran out; False if somebody else did meanwhile.

    Claimed: nothing was sent, it goes back to the queue. Transmitting: nobody can tell, so it becomes a
    doubt and is never sent again by itself. A doubt without evidence in time waits for a person, or
    counts as sent where the account says so.
    """
    account_id = expired.account_id
    locked = enrollments.lock(tx, account_id, [expired.enrollment_id])
    fresh = [d for d in deliveries.list_of_steps(tx, account_id, [expired.key[:2]]) if d.key == expired.key]
    lapsed = [d for d in fresh if d.lease_until is not None and d.lease_until < tx.now]
    if not locked or not lapsed:
        return False
    delivery, enrollment = lapsed[0], locked[0]
    if delivery.status is DeliveryStatus.CLAIMED:
        _requeue(tx, delivery)
    elif delivery.status is DeliveryStatus.TRANSMITTING:
        _doubt(tx, delivery, enrollment)
    else:
        _expire_doubt(tx, delivery, enrollment)
    return True


def _requeue(tx: Tx, delivery: Delivery) -> None:
    settled = Settled(delivery.key, DeliveryStatus.QUEUED, "the worker stopped before the point of no return")
    deliveries.settle(tx, delivery.account_id, [settled], delivery.lease_token or "")
    end_leases(tx, delivery.account_id, [delivery.enrollment_id])


def _doubt(tx: Tx, delivery: Delivery, enrollment: Enrollment) -> None:
    detail = "Whether the letter arrived is not known: the worker stopped while it waited for the answer."
    look_at = tx.now + EVIDENCE_AWAITED
    settled = Settled(delivery.key, DeliveryStatus.UNKNOWN, detail, look_at)
    deliveries.settle(tx, delivery.account_id, [settled], delivery.lease_token or "")
    apply(tx, enrollment, Doubted(detail))


def _expire_doubt(tx: Tx, delivery: Delivery, enrollment: Enrollment) -> None:
    account = accounts.get_account(tx, delivery.account_id)
    if account.unknown_means is UnknownMeans.SENT:
        _count_as_sent(tx, delivery, enrollment, None)
        return
    settled = Settled(delivery.key, DeliveryStatus.UNKNOWN, delivery.reply)
    deliveries.settle_doubts(tx, delivery.account_id, [settled])
    apply(tx, enrollment, DoubtExpired())


def count_as_sent(tx: Tx, account_id: int, enrollment_id: int, actor_id: int | None) -> Enrollment:
    """Settle a doubt as sent: the step completes and the enrollment goes on."""
    delivery, enrollment = _doubtful(tx, account_id, enrollment_id)
    return _count_as_sent(tx, delivery, enrollment, actor_id)


def _count_as_sent(tx: Tx, delivery: Delivery, enrollment: Enrollment, actor_id: int | None) -> Enrollment:
    settled = Settled(delivery.key, DeliveryStatus.ACCEPTED, f"counted as sent; {delivery.reply}")
    deliveries.settle_doubts(tx, delivery.account_id, [settled])
    # Without a digest it was never written here: if it left, then before a restore, when it was due.
    left_at = delivery.transmitting_at if delivery.sha256 is None else None
    return apply(tx, enrollment, CountedAsSent(actor_id, left_at))


def doubts_of_mailbox(snapshot: Snapshot, account_id: int, mailbox_id: int) -> dict[str, Key]:
    """The mailbox's letters in doubt for a day at most, by Message-ID; some of them each time, if they are many."""
    since = snapshot.now - _PROVEN_WITHIN
    found = deliveries.list_unknown_of_mailbox(snapshot, account_id, mailbox_id, since, _LISTED_AT_ONCE)
    begin = int(snapshot.now.timestamp()) % max(len(found), 1)
    found = (found[begin:] + found[:begin])[:_LOOKED_FOR_AT_ONCE]
    return {read_frozen(delivery.frozen).message_id: delivery.key for delivery in found}


def settle_by_evidence(tx: Tx, account_id: int, key: Key, evidence: str) -> bool:
    """Count a doubtful letter as sent because something proves that it left; False if it is in no doubt."""
    locked = enrollments.lock(tx, account_id, [key[0]])
    delivery = deliveries.find_unknown(tx, account_id, key[0])
    if not locked or delivery is None or delivery.key != key:
        return False
    _count_as_sent(tx, structs.replace(delivery, reply=f"{evidence}; {delivery.reply}"), locked[0], None)
    return True


def count_as_not_sent(tx: Tx, account_id: int, enrollment_id: int, actor_id: int) -> Enrollment:
    """Settle the doubt of a finished enrollment as not sent."""
    delivery, enrollment = _doubtful(tx, account_id, enrollment_id)
    if enrollment.is_ongoing:
        raise IncorrectValue(
            "The enrollment still runs: count the letter as sent, or send it again.", field="enrollment_id"
        )
    settled = Settled(delivery.key, DeliveryStatus.REFUSED, f"counted as not sent; {delivery.reply}")
    deliveries.settle_doubts(tx, account_id, [settled])
    return apply(tx, enrollment, CountedAsNotSent(actor_id))


def sha256_rewritten(snapshot: Snapshot, writer: Writer, account_id: int, enrollment_id: int) -> str:
    """The SHA-256 in hex of the doubtful letter, written anew from what was frozen; NotFound if there is none."""
    delivery = deliveries.find_unknown(snapshot, account_id, enrollment_id)
    if delivery is None:
        raise NotFound(f"There is no doubtful letter of enrollment {enrollment_id}.")
    step = enrollments.get(snapshot, account_id, enrollment_id).plan.steps[delivery.position]
    return sha256(writer.write(account_id, step, read_frozen(delivery.frozen))).hexdigest()


def send_again(tx: Tx, account_id: int, enrollment_id: int, actor_id: int, *, rewritten_sha256: str) -> Enrollment:
    """Queue the doubtful letter once more with the same bytes; refused if they cannot be made again."""
    delivery, enrollment = _doubtful(tx, account_id, enrollment_id)
    if not enrollment.is_ongoing:
        detail = "The enrollment has finished: count the letter as sent or as not sent."
        raise IncorrectValue(detail, field="enrollment_id")
    if delivery.sha256 not in (None, rewritten_sha256):
        detail = "The letter cannot be made again byte for byte; count it as sent."
        raise IncorrectValue(detail, field="enrollment_id")
    decision = decide(enrollment, SentAgain(actor_id), tx.now)
    assert RepeatLetter() in decision.effects
    settled = Settled(delivery.key, DeliveryStatus.REFUSED, f"sent again by user {actor_id}; {delivery.reply}")
    deliveries.settle_doubts(tx, account_id, [settled])
    again = structs.replace(
        delivery,
        attempt=delivery.attempt + 1,
        status=DeliveryStatus.QUEUED,
        composer=COMPOSER,
        lease_until=None,
        lease_token=None,
        sha256=None,
        reply=None,
        claimed_at=tx.now,
    )
    deliveries.add(tx, [again])
    store(tx, account_id, [Change(decision, enrollment.revision)])
    return decision.enrollment


def _doubtful(tx: Tx, account_id: int, enrollment_id: int) -> tuple[Delivery, Enrollment]:
    locked = enrollments.lock(tx, account_id, [enrollment_id])
    delivery = deliveries.find_unknown(tx, account_id, enrollment_id)
    if not locked or delivery is None:
        raise NotFound(f"There is no doubtful letter of enrollment {enrollment_id}.")
    enrollment = locked[0]
    if not enrollment.in_doubt:
        raise NotFound(f"There is no doubtful letter of enrollment {enrollment_id}.")
    return delivery, enrollment
