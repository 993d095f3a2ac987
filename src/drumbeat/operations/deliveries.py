"""What becomes of letters: the point of no return, the server's answer, leases that ran out, doubts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from drumbeat.domain.delivery import (
    EVIDENCE_AWAITED,
    DeliveryStatus,
    FailureReason,
    Kind,
    Outcome,
    Scope,
    Stage,
    Verdict,
    read_outcome,
    reason_after_giving_up,
    retry_at,
)
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.happening import (
    Accepted,
    CannotSend,
    CountedAsSent,
    Deferred,
    Doubted,
    EnrollmentEvent,
    PointOfNoReturnPassed,
)
from drumbeat.domain.machine import decide
from drumbeat.operations.changes import Change, store
from drumbeat.operations.dispatch import LEASE, ClaimedLetter
from drumbeat.operations.holds import hold_mailbox
from drumbeat.operations.letters import lacks_less
from drumbeat.operations.pacing import Counter, open_counter
from drumbeat.store import accounts, deliveries, due, enrollments, lanes, mailboxes, people, unsubscribes
from drumbeat.store.deliveries import Delivery, Key, Settled
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.stamps import from_stamp
from drumbeat.store.transaction import Tx

NOT_SENT = "not sent:"
_REPEATED = 2  # pauses in a row after which a server that asks to slow down has its way
_HOLDS_MAILBOX = frozenset({FailureReason.AUTH, FailureReason.SENDOUT_LIMITED})


@dataclass(frozen=True, slots=True)
class Answered:
    """A claimed letter and how its try ended: the server's outcome, or what was found before connecting."""

    letter: ClaimedLetter
    ending: Outcome | CannotSend


@dataclass(frozen=True, slots=True)
class _Ending:
    """What the delivery becomes, what happens to the enrollment, and the verdict both follow from."""

    settled: Settled
    event: EnrollmentEvent
    verdict: Verdict | None
    delivery: Delivery

    @property
    def address_hash(self) -> str:
        return self.delivery.address_hash


def commit_turn(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    answered: Sequence[Answered],
    ready: Sequence[tuple[ClaimedLetter, str]],
    *,
    token: str,
) -> frozenset[Key]:
    """Settle what was answered and pass the point of no return for what stands ready (letter, SHA-256).

    Returns the keys whose final dot may be written. All rows are locked first, in key order: every stop
    writes its enrollment's row, so this is where stop and send meet.
    """
    ids = {a.letter.enrollment.id for a in answered} | {letter.enrollment.id for letter, _ in ready}
    revisions = enrollments.lock_revisions(tx, account_id, ids)
    counter = open_counter(tx, account_id, mailbox_id)
    if answered:
        _settle(tx, counter, answered, _as_locked(tx, account_id, answered, revisions), token)
    passed = _pass(tx, counter, ready, token) if ready else frozenset()
    counter.close(tx)
    return passed


def _pass(tx: Tx, counter: Counter, ready: Sequence[tuple[ClaimedLetter, str]], token: str) -> frozenset[Key]:
    """Let those pass for which there is room, oldest first; the others go back, to be given another turn."""
    account_id, mailbox_id = counter.account.id, counter.mailbox.id
    room = counter.room(tx.now)
    rows = [(*letter.delivery.key, sha256) for letter, sha256 in ready[:room]]
    passed = frozenset(
        deliveries.pass_point_of_no_return(tx, account_id, mailbox_id, rows, token=token, lease_until=tx.now + LEASE)
    )
    if counter.is_needed:
        counter.count(tx, len(passed))
        for letter, _ in ready:
            counter.give_back(letter.turn_at)
    stopped = [letter for letter, _ in ready if letter.delivery.key not in passed]
    if stopped:
        _withdraw(tx, account_id, stopped, token)
        due.forget_turns_of(tx, account_id, [letter.enrollment.id for letter in stopped])
    return passed


def _as_locked(
    tx: Tx, account_id: int, answered: Sequence[Answered], revisions: Mapping[int, int]
) -> dict[int, Enrollment]:
    """The enrollments of answered letters as they stand.

    Whoever stands at the revision that the worker's own acts led to is known without being read again.
    """
    expected = [_expected(each, tx) for each in answered]
    known = [e for e in expected if e is not None and revisions.get(e.id) == e.revision]
    locked = {e.id: e for e in enrollments.with_live_plans(tx, account_id, known)}
    changed = sorted({each.letter.enrollment.id for each in answered} - locked.keys())
    return locked | {e.id: e for e in enrollments.find_many(tx, account_id, changed)} if changed else locked


def _expected(answered: Answered, tx: Tx) -> Enrollment | None:
    """What the claimed enrollment has become if nobody else changed it; None if that is not certain."""
    claimed, ending = answered.letter.enrollment, answered.ending
    if isinstance(ending, CannotSend) or ending.stage not in (Stage.DATA, Stage.DOT):
        return claimed
    # Behind a body, the point of no return may or may not have been passed; behind a dot it was.
    return decide(claimed, PointOfNoReturnPassed(), tx.now).enrollment if ending.stage is Stage.DOT else None


def _withdraw(tx: Tx, account_id: int, letters: Sequence[ClaimedLetter], token: str) -> None:
    """Letters whose body stood at the server, and which may not go: their connection drops without the dot."""
    why = "not sent: stopped before the point of no return"
    settled = [Settled(letter.delivery.key, DeliveryStatus.QUEUED, why) for letter in letters]
    stored = deliveries.settle(tx, account_id, settled, token)
    end_leases(tx, account_id, [key[0] for key in stored])


def release(tx: Tx, account_id: int, letters: Sequence[ClaimedLetter], token: str) -> None:
    """Give a mailbox's claimed letters back that were never tried, and the turns they had."""
    if not letters:
        return
    enrollments.lock_revisions(tx, account_id, [letter.enrollment.id for letter in letters])
    counter = open_counter(tx, account_id, letters[0].delivery.mailbox_id)
    settled = [Settled(letter.delivery.key, DeliveryStatus.QUEUED, None) for letter in letters]
    stored = deliveries.settle(tx, account_id, settled, token)
    end_leases(tx, account_id, [key[0] for key in stored])
    for letter in letters:
        counter.give_back(letter.turn_at if letter.delivery.key in stored else None)
    due.forget_turns_of(tx, account_id, [key[0] for key in stored])
    counter.close(tx)


def end_leases(tx: Tx, account_id: int, enrollment_ids: Collection[int]) -> None:
    """Let enrollments be claimed again at once, whoever held them."""
    if not enrollment_ids:
        return
    ids = sorted(enrollment_ids)
    due.release(tx, account_id, ids)
    waiting = due.get_attempt(tx, account_id, ids)
    lanes.wake(tx, account_id, [(lane, tx.now) for lane, *_ in waiting.values()])


def _settle(
    tx: Tx, counter: Counter, answered: Sequence[Answered], locked: Mapping[int, Enrollment], token: str
) -> None:
    account_id = counter.account.id
    if counter.is_needed:
        _uncount(tx, counter, answered, token)
    endings = [_ending(tx, each) for each in answered]
    stored = deliveries.settle(tx, account_id, [ending.settled for ending in endings], token)
    known = zip(endings, answered, strict=True)
    late = [_closing(e) for e, each in known if e.settled.key not in stored and _settles_doubt(each, e)]
    proven = deliveries.settle_own_doubts(tx, account_id, late, token) if late else frozenset()
    changes = []
    for ending, each in zip(endings, answered, strict=True):
        enrollment = locked[each.letter.enrollment.id]
        if enrollment.position != each.letter.delivery.position:
            continue
        if ending.settled.key in stored:
            today = _of_today(ending, enrollment, tx)
            changes.append(_change(tx, each.letter, enrollment, today, is_out=_was_out(each.ending)))
        elif ending.settled.key in proven:
            proof = CountedAsSent() if isinstance(ending.event, Accepted) else ending.event
            changes.append(_change(tx, each.letter, enrollment, replace(ending, event=proof), is_out=True))
    store(tx, account_id, changes)
    _note_consequences(tx, counter.mailbox, [e for e in endings if e.settled.key in stored | proven])


def _uncount(tx: Tx, counter: Counter, answered: Sequence[Answered], token: str) -> None:
    """A letter that did not pass the point of no return gives its turn back; one that did was not sent after all."""
    unsent = [each for each in answered if _was_not_sent(each.ending)]
    steps = [each.letter.delivery.key[:2] for each in unsent]
    listed = deliveries.list_of_steps(tx, counter.account.id, steps) if steps else []
    own = [out for out in listed if out.lease_token == token and out.status is DeliveryStatus.TRANSMITTING]
    passed = {out.key: out.transmitting_at for out in own}
    for each in unsent:
        counted_at = passed.get(each.letter.delivery.key)
        if counted_at is not None:
            counter.uncount(tx, counted_at)
        elif isinstance(each.ending, CannotSend) or each.ending.stage is not Stage.DOT:
            counter.give_back(each.letter.turn_at)


def _was_out(ending: Outcome | CannotSend) -> bool:
    return isinstance(ending, Outcome) and ending.stage is Stage.DOT


def _was_not_sent(ending: Outcome | CannotSend) -> bool:
    return isinstance(ending, CannotSend) or read_outcome(ending).kind not in (Kind.ACCEPTED, Kind.IN_DOUBT)


def _of_today(ending: _Ending, enrollment: Enrollment, tx: Tx) -> _Ending:
    """What is said of an address that the person has given up meanwhile blocks nothing: the letter is made anew."""
    if isinstance(ending.event, CannotSend) and enrollment.subject.address_hash != ending.address_hash:
        return replace(ending, event=Deferred(tx.now, "The address changed while the letter was on its way."))
    return ending


def _settles_doubt(answered: Answered, ending: _Ending) -> bool:
    """Whether the worker that carried the letter knows what became of it, though it tells so late."""
    return isinstance(answered.ending, Outcome) and ending.settled.status is not DeliveryStatus.UNKNOWN


def _closing(ending: _Ending) -> Settled:
    """A doubt never becomes a letter in the queue again: what was not sent is closed, and the next try is new."""
    settled = ending.settled
    return replace(settled, status=DeliveryStatus.REFUSED) if settled.status is DeliveryStatus.QUEUED else settled


def _change(tx: Tx, letter: ClaimedLetter, enrollment: Enrollment, ending: _Ending, *, is_out: bool) -> Change:
    # A database that fell back may have forgotten that the dot was written.
    out = decide(enrollment, PointOfNoReturnPassed(), tx.now).enrollment if is_out else enrollment
    decision = decide(out, ending.event, tx.now)
    if not isinstance(ending.event, Deferred):
        return Change(decision, enrollment.revision)
    attempt = letter.attempt if ending.verdict is None else letter.attempt + 1
    return Change(decision, enrollment.revision, attempt, from_stamp(letter.first_tried_at_stamp))


def _note_consequences(tx: Tx, mailbox: StoredMailbox, endings: Sequence[_Ending]) -> None:
    """What an answer means beyond its letter: the address is undeliverable, the mailbox is held or freed."""
    troubles, delivered = [], False
    for ending in endings:
        verdict = ending.verdict
        delivered = delivered or ending.settled.status is DeliveryStatus.ACCEPTED
        if verdict is None:
            continue
        if verdict.reason is FailureReason.RECIPIENT_INVALID:
            unsubscribes.mark_undeliverable(tx, mailbox.account_id, ending.address_hash, verdict.detail)
        if verdict.scope is Scope.MAILBOX and verdict.kind is not Kind.ACCEPTED:
            troubles.append(verdict)
    if troubles or delivered:
        _note_mailbox(tx, mailbox, troubles, delivered=delivered)


def _ending(tx: Tx, answered: Answered) -> _Ending:
    delivery, ending = answered.letter.delivery, answered.ending
    if isinstance(ending, CannotSend):
        if ending.reason is FailureReason.MISSING_MERGE_TAGS and _lacks_less(tx, answered.letter):
            why = "A field was filled while the letter was being written."
            return _Ending(Settled(delivery.key, DeliveryStatus.REFUSED, why), Deferred(tx.now, why), None, delivery)
        return _Ending(Settled(delivery.key, DeliveryStatus.REFUSED, ending.detail), ending, None, delivery)
    verdict = read_outcome(ending)
    if verdict.kind is Kind.ACCEPTED:
        said = str(ending.reply)
        settled = Settled(delivery.key, DeliveryStatus.ACCEPTED, said)
        return _Ending(settled, Accepted(said), verdict, delivery)
    if verdict.kind is Kind.IN_DOUBT:
        settled = Settled(delivery.key, DeliveryStatus.UNKNOWN, verdict.detail, tx.now + EVIDENCE_AWAITED)
        return _Ending(settled, Doubted(verdict.detail), verdict, delivery)
    if verdict.kind is Kind.RETRY:
        return _retried(tx, answered.letter, ending, verdict)
    assert verdict.reason is not None
    settled = Settled(delivery.key, DeliveryStatus.REFUSED, verdict.detail)
    return _Ending(settled, CannotSend(verdict.reason, verdict.detail), verdict, delivery)


def _lacks_less(tx: Tx, letter: ClaimedLetter) -> bool:
    """Whether what the letter lacked was filled since it was claimed: whoever filled it saw nothing blocked."""
    account_id, subject = letter.delivery.account_id, letter.enrollment.subject
    person = people.find(tx, account_id, subject.resource_type, subject.resource_id)
    if person is None or subject.mailbox_id is None:
        return False
    account, mailbox = accounts.get_account(tx, account_id), mailboxes.get(tx, account_id, subject.mailbox_id)
    return lacks_less(letter.frozen, letter.enrollment.step, person, account, mailbox)


def _retried(tx: Tx, letter: ClaimedLetter, outcome: Outcome, verdict: Verdict) -> _Ending:
    delivery = letter.delivery
    if outcome.error is not None and outcome.error.startswith(NOT_SENT):
        # The letter stood ready and the commit failed, or the worker stops: nothing is wrong with it.
        settled = Settled(delivery.key, DeliveryStatus.QUEUED, outcome.error)
        return _Ending(settled, Deferred(tx.now, outcome.error), None, delivery)
    first = from_stamp(letter.first_tried_at_stamp)
    seed = f"{delivery.account_id}.{delivery.enrollment_id}".encode()
    until = retry_at(outcome.stage, letter.attempt + 1, first, tx.now, seed)
    if until is None:
        reason = reason_after_giving_up(outcome.stage)
        given_up = f"Given up after three days. {verdict.detail}"
        settled = Settled(delivery.key, DeliveryStatus.REFUSED, given_up)
        return _Ending(settled, CannotSend(reason, given_up), verdict, delivery)
    settled = Settled(delivery.key, DeliveryStatus.QUEUED, verdict.detail)
    return _Ending(settled, Deferred(until, verdict.detail), verdict, delivery)


def _note_mailbox(tx: Tx, mailbox: StoredMailbox, troubles: Sequence[Verdict], *, delivered: bool) -> None:
    """One hold for the whole mailbox: with a reason letters block, without one they wait a moment.

    A hold with a reason stands until it was tested, whatever other connections still get through.
    """
    if not troubles and mailbox.is_free:
        return
    mailbox = mailboxes.lock(tx, mailbox.account_id, mailbox.id)
    if mailbox.hold_reason is not None:
        return
    for verdict in troubles:
        if verdict.reason in _HOLDS_MAILBOX:
            hold_mailbox(tx, mailbox, verdict.reason, verdict.detail)
            return
    if delivered:
        if mailbox.hold_count or mailbox.held_until is not None:
            mailboxes.save_hold(tx, replace(mailbox, held_until=None, hold_detail=None, hold_count=0))
            lanes.wake(tx, mailbox.account_id, [(mailbox.id, tx.now)])
        return
    retried = next((verdict for verdict in troubles if verdict.kind is Kind.RETRY), None)
    if retried is not None and (mailbox.held_until is None or mailbox.held_until <= tx.now):
        is_repeated = mailbox.hold_count >= _REPEATED
        hold_mailbox(tx, mailbox, retried.if_repeated if is_repeated else None, retried.detail)


def renew_leases(tx: Tx, account_id: int, letters: Sequence[ClaimedLetter], token: str) -> None:
    """Prolong the leases on letters that are still to be carried, or whose answer is awaited."""
    until = tx.now + LEASE
    deliveries.renew(tx, account_id, [letter.delivery.key for letter in letters], token, until)
    due.renew(tx, account_id, [letter.enrollment.id for letter in letters], token, until)
