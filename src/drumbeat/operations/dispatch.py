"""What is due leaves its lane: letters are claimed and frozen, tasks opened, what cannot go is held or blocked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from msgspec import structs

from drumbeat.domain.account import User
from drumbeat.domain.delivery import EVIDENCE_AWAITED, DeliveryStatus, FailureReason
from drumbeat.domain.enrollment import Enrollment, FinishedReason
from drumbeat.domain.errors import Unavailable, Unsendable
from drumbeat.domain.happening import (
    Away,
    CannotSend,
    Deferred,
    Doubted,
    FinishRequested,
    Frozen,
    PointOfNoReturnPassed,
    Postponed,
    SendLetter,
    StepDue,
)
from drumbeat.domain.machine import decide
from drumbeat.domain.person import Person
from drumbeat.domain.timeline import Binding, Circumstances, Hold, hold_on_letter
from drumbeat.mail.compose import COMPOSER
from drumbeat.operations.changes import Change, lane_of, readdress, store
from drumbeat.operations.letters import Frozen as FrozenLetter
from drumbeat.operations.letters import Identity, encode_frozen, freeze_letter, read_frozen
from drumbeat.operations.pacing import close_diary, give_anew_if_missed
from drumbeat.operations.rounds import Round, gather
from drumbeat.store import (
    deliveries,
    due,
    enrollments,
    lanes,
    mailboxes,
)
from drumbeat.store.deliveries import Delivery, Settled
from drumbeat.store.due import Due, Waiting
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.stamps import to_stamp
from drumbeat.store.transaction import BrokenRule, Tx

LEASE = timedelta(seconds=30)
POISONED_WAITS = timedelta(hours=1)
_NOT_OUT = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.CLAIMED})
LOST = "It came due before this database was restored or fell back: whether it left then is not known."
ADDRESS_TAKEN = "Another enrollment of this sequence runs for the same e-mail address."
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClaimedLetter:
    """A letter this worker holds: its delivery, the enrollment as it was claimed, and its frozen inputs.

    `turn_at` is the turn it has where limits of its mailbox give turns.
    """

    delivery: Delivery
    enrollment: Enrollment
    frozen: FrozenLetter
    attempt: int
    first_tried_at_stamp: int
    turn_at: datetime | None = None


@dataclass(slots=True)
class Claim:
    """What one claim brought: letters to carry, and how many due enrollments were dealt with in all."""

    letters: list[ClaimedLetter] = field(default_factory=list)
    taken: int = 0


def claim(tx: Tx, identity: Identity, account_id: int, lane_id: int, *, limit: int, token: str) -> Claim:
    """Take the lane's oldest due enrollments, at most `limit`: letters are held with `token`, the rest is done.

    Nothing is taken while another worker is at the lane, or while the mailbox may not send for a moment.
    """
    if not lanes.lock(tx, account_id, lane_id):
        return Claim()
    mailbox = mailboxes.get(tx, account_id, lane_id) if lane_id != lanes.NO_MAILBOX else None
    if mailbox is not None and _is_paused(mailbox, tx):
        lanes.hold(tx, account_id, lane_id, mailbox.held_until)
        return Claim()
    if mailbox is not None and mailbox.is_paced and give_anew_if_missed(tx, mailbox):
        return Claim(taken=1)  # in a transaction of its own: the next claim locks enrollments before turns
    lease_until = tx.now + LEASE
    found = due.claim(tx, account_id, lane_id, limit=limit, token=token, lease_until=lease_until)
    claim = Claim(taken=len(found))
    if found:
        locked = {e.id: e for e in enrollments.lock(tx, account_id, [d.enrollment_id for d in found])}
        batch = gather(tx, account_id, mailbox, token, locked)
        for each in found:
            try:
                _deal_with(batch, identity, locked[each.enrollment_id], each)
            except (Unavailable, BrokenRule):
                raise  # the transaction is broken, whoever's row it was
            except Exception:
                # One poisoned row must not stop its lane: it waits an hour, the others go on.
                _log.exception("step failed", account_id=account_id, enrollment_id=each.enrollment_id)
                _put_aside(batch, batch.locked[each.enrollment_id], each)
        claim.letters = _write(batch)
        if mailbox is not None:
            close_diary(tx, account_id, mailbox.id, batch.diary)
    lanes.sleep(tx, account_id, lane_id, tx.now)
    return claim


def _put_aside(batch: Round, enrollment: Enrollment, each: Due) -> None:
    later = batch.tx.now + POISONED_WAITS
    decision = decide(enrollment, Postponed(later, Binding.ERROR), batch.tx.now)
    if decision.facts:
        batch.changes.append(Change(decision, enrollment.revision, each.attempt + 1, each.first_tried_at))
    else:
        batch.replanned.append(Waiting(enrollment.id, _lane(batch), later, each.attempt + 1, each.first_tried_at))


def _is_paused(mailbox: StoredMailbox, tx: Tx) -> bool:
    if mailbox.hold_reason is not None:
        return False
    return mailbox.is_unproven or (mailbox.held_until is not None and mailbox.held_until > tx.now)


def _deal_with(batch: Round, identity: Identity, enrollment: Enrollment, each: Due) -> None:
    subject, now = enrollment.subject, batch.tx.now
    decision = decide(enrollment, Frozen() if enrollment.plan.paused else StepDue(), now)
    if decision.enrollment.revision == enrollment.revision and not decision.effects:
        # Another try of the letter is out already: what settles that one plans anew.
        batch.replanned.append(Waiting(enrollment.id, _lane(batch), None, each.attempt, each.first_tried_at))
        return
    if SendLetter() not in decision.effects:
        batch.changes.append(Change(decision, enrollment.revision, each.attempt, each.first_tried_at))
        return
    person = batch.people.get((subject.resource_type, subject.resource_id))
    stopped = {subject.address_hash, person.address_hash if person else None} & batch.suppressed
    if person is None or person.address_hash is None or stopped:
        gone = FinishedReason.RESOURCE_DELETED if person is None else FinishedReason.SUBSCRIPTION_CANCELLED
        _drop(batch, enrollment, person, gone)
        return
    user = batch.users[subject.actor_id]
    lane = lane_of(enrollment, user.mailbox_id if user else None)
    if (batch.mailbox is not None and lane != batch.mailbox.id) or (batch.mailbox is None and lane):
        batch.moved.append(Waiting(enrollment.id, lane, each.due_at, each.attempt, each.first_tried_at))
        return
    if person.address_hash != subject.address_hash:
        _follow(batch, identity, enrollment, each, person)
    else:
        _send(batch, identity, enrollment, each, person)


def _follow(batch: Round, identity: Identity, enrollment: Enrollment, each: Due, person: Person) -> None:
    """The person's address changed while another enrollment had it: it goes on there once that has ended."""
    tx, subject, address = batch.tx, enrollment.subject, person.address_hash
    assert address is not None
    taken = enrollments.sequences_of_address(tx, enrollment.account_id, address)
    if {subject.sequence_id, subject.runs_sequence_id} & taken:
        event = CannotSend(FailureReason.RECIPIENT_INVALID, ADDRESS_TAKEN)
        batch.changes.append(Change(decide(enrollment, event, tx.now), enrollment.revision))
        return
    moved = readdress(tx, enrollment.account_id, address, [enrollment])[0]
    batch.locked[enrollment.id] = moved
    _send(batch, identity, moved, each, person)


def _send(batch: Round, identity: Identity, enrollment: Enrollment, each: Due, person: Person) -> None:
    user, now = batch.users[enrollment.subject.actor_id], batch.tx.now
    if batch.mailbox is not None and _may_have_left(batch, each):
        batch.lost[enrollment.id] = each.due_at
        _try_to_take(batch, identity, enrollment, each, person)
        return
    hold = hold_on_letter(enrollment, _around(batch, enrollment, user), now)
    if hold is not None:
        _hold(batch, enrollment, each, hold)
        return
    turn = _turn(batch, enrollment, each)
    if turn is not None and turn > now:
        decision = decide(enrollment, Postponed(turn, Binding.PACE), now)
        came_due_at = each.came_due_at or each.due_at
        change = Change(decision, enrollment.revision, each.attempt, each.first_tried_at, came_due_at=came_due_at)
        batch.changes.append(change)
        return
    _try_to_take(batch, identity, enrollment, each, person)


def _may_have_left(batch: Round, each: Due) -> bool:
    """Whether the letter was due in a time that a restore lost, and nobody has decided about it since."""
    until = batch.lost_until
    if until is None or each.due_at >= until:
        return False
    closed = [d for d in batch.earlier.get(each.enrollment_id, []) if d.status is DeliveryStatus.REFUSED]
    return not any(d.settled_at is not None and d.settled_at >= until for d in closed)


def _turn(batch: Round, enrollment: Enrollment, each: Due) -> datetime | None:
    """When the mailbox's limits let the letter leave: the turn it has, or the next free one; None without limits."""
    if batch.diary is None:
        return None
    if each.came_due_at is not None:
        turn = each.due_at
    else:
        seed = f"{enrollment.account_id}.{enrollment.id}.{enrollment.position}".encode()
        turn = batch.diary.give(batch.tx.now, seed, enrollment.plan.rhythm.opening)
    batch.turns[enrollment.id] = turn
    return turn


def _drop(batch: Round, enrollment: Enrollment, person: Person | None, gone: FinishedReason) -> None:
    event: CannotSend | FinishRequested = FinishRequested(gone)
    if person is not None and person.address_hash is None:
        event = CannotSend(FailureReason.RECIPIENT_INVALID, "The person has no e-mail address any more.")
    batch.changes.append(Change(decide(enrollment, event, batch.tx.now), enrollment.revision))


def _around(batch: Round, enrollment: Enrollment, user: User | None) -> Circumstances:
    assert user is not None
    address = enrollment.subject.address_hash
    return Circumstances(
        account=batch.account,
        actor=user,
        mailbox=batch.mailbox_state,
        paused_at=None,
        undeliverable=batch.undeliverable.get(address) if address else None,
        away_until=batch.away[address].until if address in batch.away else None,
        allowance=batch.allowance,
        has_footer=batch.sequences[enrollment.subject.runs_sequence_id].unsubscribing.enabled,
    )


def _hold(batch: Round, enrollment: Enrollment, each: Due, hold: Hold) -> None:
    now = batch.tx.now
    if hold.reason is not None:
        event = CannotSend(hold.reason, hold.sentence)
        batch.changes.append(Change(decide(enrollment, event, now), enrollment.revision))
    else:
        waiting = _waiting(batch, enrollment, hold)
        change = decide(enrollment, waiting, now)
        batch.changes.append(Change(change, enrollment.revision, each.attempt, each.first_tried_at))


def _waiting(batch: Round, enrollment: Enrollment, hold: Hold) -> Postponed | Deferred | Away:
    address = enrollment.subject.address_hash
    if hold.binding is Binding.AWAY and address is not None:
        absence = batch.away[address]
        return Away(absence.until, absence.message_id)
    until = hold.until or batch.tx.now + LEASE
    return Postponed(until, hold.binding) if hold.binding is Binding.WINDOW else Deferred(until, hold.sentence)


def _lane(batch: Round) -> int:
    return lanes.NO_MAILBOX if batch.mailbox is None else batch.mailbox.id


def _try_to_take(batch: Round, identity: Identity, enrollment: Enrollment, each: Due, person: Person) -> None:
    try:
        _take(batch, identity, enrollment, each, person)
    except Unsendable as error:
        event = CannotSend(FailureReason.UNKNOWN, f"The mailbox's address: {error.detail}")
        batch.changes.append(Change(decide(enrollment, event, batch.tx.now), enrollment.revision))


def _take(batch: Round, identity: Identity, enrollment: Enrollment, each: Due, person: Person) -> None:
    assert batch.mailbox is not None
    assert person.address_hash is not None
    tried = batch.earlier.get(enrollment.id, [])
    # Whoever leases the enrollment has its letter, even one that a worker whose lease was ended still carries.
    queued = next((d for d in tried if d.status in _NOT_OUT), None)
    same = (person.address_hash, batch.mailbox.id, COMPOSER)
    if queued is not None and (queued.address_hash, queued.mailbox_id, queued.composer) == same:
        batch.requeued.append((queued, each, enrollment))
        return
    if queued is not None:
        reason = "the person's address, the mailbox, or how letters are written, changed before it left"
        batch.discarded.append(Settled(queued.key, DeliveryStatus.REFUSED, reason))
    attempt = len(tried)
    now = batch.tx.now
    frozen = freeze_letter(
        identity,
        enrollment,
        attempt,
        now_stamp=to_stamp(now),
        person=person,
        account=batch.account,
        mailbox=batch.mailbox,
        unsubscribing=batch.sequences[enrollment.subject.runs_sequence_id].unsubscribing,
        thread=batch.threads.get(enrollment.id),
        hears=batch.hears,
    )
    delivery = Delivery(
        account_id=enrollment.account_id,
        enrollment_id=enrollment.id,
        position=enrollment.position,
        attempt=attempt,
        status=DeliveryStatus.CLAIMED,
        mailbox_id=batch.mailbox.id,
        address_hash=person.address_hash,
        frozen=encode_frozen(frozen),
        composer=COMPOSER,
        claimed_at=now,
        lease_until=now + LEASE,
        lease_token=batch.token,
    )
    batch.new.append((delivery, each, enrollment, frozen))


def _write(batch: Round) -> list[ClaimedLetter]:
    tx, account_id = batch.tx, batch.account.id
    _settle_rest(batch)
    deliveries.add(tx, [delivery for delivery, *_ in batch.new])
    letters = [_letter(batch, d, each, e, frozen) for d, each, e, frozen in batch.new]
    if batch.requeued:
        keys = [delivery.key for delivery, *_ in batch.requeued]
        taken = deliveries.claim_queued(tx, account_id, keys, batch.token, tx.now + LEASE)
        by_key = {delivery.key: delivery for delivery in taken}
        letters += [
            _letter(batch, by_key[queued.key], each, e, read_frozen(queued.frozen))
            for queued, each, e in batch.requeued
        ]
    if batch.lost and batch.mailbox is not None:
        _doubt(batch, batch.mailbox, [letter for letter in letters if letter.enrollment.id in batch.lost])
    return [letter for letter in letters if letter.enrollment.id not in batch.lost]


def _doubt(batch: Round, mailbox: StoredMailbox, lost: Sequence[ClaimedLetter]) -> None:
    """Letters that may have left in a time of which the database knows nothing are in doubt from the start."""
    tx, account_id = batch.tx, batch.account.id
    look_at, keys = tx.now + EVIDENCE_AWAITED, [letter.delivery.key for letter in lost]
    deliveries.presume_out(tx, account_id, [(*key, batch.lost[key[0]]) for key in keys], batch.token, look_at)
    settled = [Settled(key, DeliveryStatus.UNKNOWN, LOST, look_at) for key in keys]
    deliveries.settle(tx, account_id, settled, batch.token)
    enrollments.bind(tx, account_id, mailbox.id, [letter.enrollment.id for letter in lost])
    changes = []
    for waiting in (batch.locked[letter.enrollment.id] for letter in lost):
        out = decide(waiting, PointOfNoReturnPassed(), tx.now).enrollment
        changes.append(Change(decide(out, Doubted(LOST), tx.now), waiting.revision))
    store(tx, account_id, changes)


def _settle_rest(batch: Round) -> None:
    tx, account_id = batch.tx, batch.account.id
    if batch.discarded:
        deliveries.discard(tx, account_id, batch.discarded)
    store(tx, account_id, batch.changes)
    waiting = batch.replanned + batch.moved
    if waiting:
        due.plan(tx, account_id, waiting)
        lanes.wake(tx, account_id, [(w.lane_id, w.due_at) for w in waiting if w.due_at is not None])


def _letter(batch: Round, delivery: Delivery, each: Due, enrollment: Enrollment, frozen: FrozenLetter) -> ClaimedLetter:
    bound = structs.replace(enrollment, subject=structs.replace(enrollment.subject, mailbox_id=delivery.mailbox_id))
    first_tried_at = to_stamp(each.first_tried_at or batch.tx.now)
    return ClaimedLetter(delivery, bound, frozen, each.attempt, first_tried_at, batch.turns.get(enrollment.id))
