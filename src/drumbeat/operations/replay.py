"""Reading the sent journal back: what it knows of letters is settled, and what the database forgot is found out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from drumbeat.domain.delivery import DeliveryStatus, Outcome, Reply, Stage
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.timeline import Quarantine
from drumbeat.operations.deliveries import Answered, commit_turn
from drumbeat.operations.dispatch import ClaimedLetter
from drumbeat.operations.doubts import settle_by_evidence
from drumbeat.operations.letters import read_frozen
from drumbeat.store import deliveries, due, enrollments, quarantine
from drumbeat.store.deliveries import Delivery
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.transaction import Tx

_TEXT: Final = 200  # characters of what a server said
_ADDRESS = re.compile(r"\S+@\S+")
_NOT_OUT = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.CLAIMED})
_EVIDENCE = "the journal of sent letters has the server's answer"


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a letter whose final dot was written (code 0: none yet); `at` is when the try passed its point of
    no return, by the database's clock, in microseconds.

    What the server said has no addresses any more: nobody is to be found here after an erasure.
    """

    account_id: int
    mailbox_id: int
    enrollment_id: int
    position: int
    attempt: int
    token: str
    at: int
    code: int
    enhanced: str | None
    text: str

    @property
    def key(self) -> tuple[int, int, int]:
        """The letter's key within its account."""
        return self.enrollment_id, self.position, self.attempt

    @property
    def is_proof(self) -> bool:
        """Whether the server took the letter."""
        return 200 <= self.code <= 299

    @property
    def may_have_left(self) -> bool:
        """Whether the server took the letter, or may have."""
        return self.is_proof or not self.code


def without_addresses(text: str) -> str:
    """What a server said, shortened, and without anybody's address."""
    return _ADDRESS.sub("(address)", text)[:_TEXT]


def replay(tx: Tx, account_id: int, entries: Sequence[Entry]) -> list[Entry]:
    """Settle what a worker did not live to commit; the entries of letters that the database knows nothing of.

    Entries that are settled already change nothing. A letter that a server took, and that waits here to be sent, was
    forgotten: the database has fallen back.
    """
    locked = {each.id: each for each in enrollments.lock(tx, account_id, {entry.enrollment_id for entry in entries})}
    steps = sorted({entry.key[:2] for entry in entries})
    known = {delivery.key: delivery for delivery in deliveries.list_of_steps(tx, account_id, steps)}
    unknown = []
    for entry in entries:
        delivery = known.get(entry.key)
        if delivery is None or delivery.status in _NOT_OUT:
            unknown += [entry] if entry.may_have_left else []
        elif entry.code and _is_of_this_try(entry, delivery):
            answered = _answered(tx, entry, delivery, locked[entry.enrollment_id])
            commit_turn(tx, account_id, delivery.mailbox_id, [answered], [], token=entry.token)
        elif delivery.status is DeliveryStatus.UNKNOWN and entry.is_proof:
            settle_by_evidence(tx, account_id, entry.key, _EVIDENCE)
    return unknown


def _is_of_this_try(entry: Entry, delivery: Delivery) -> bool:
    """Whether it answers the try that is out: an earlier one, put off, may have had another answer."""
    is_out = delivery.status in (DeliveryStatus.TRANSMITTING, DeliveryStatus.UNKNOWN)
    left_at = None if delivery.transmitting_at is None else to_stamp(delivery.transmitting_at)
    return is_out and delivery.lease_token == entry.token and left_at == entry.at


def _answered(tx: Tx, entry: Entry, delivery: Delivery, enrollment: Enrollment) -> Answered:
    _, attempt, first_tried_at = due.get_attempt(tx, entry.account_id, [enrollment.id]).get(enrollment.id, (0, 0, None))
    letter = ClaimedLetter(
        delivery, enrollment, read_frozen(delivery.frozen), attempt, to_stamp(first_tried_at or delivery.claimed_at)
    )
    return Answered(letter, Outcome(entry.key, Stage.DOT, Reply(entry.code, entry.enhanced, entry.text)))


def stand_still_if_fallen_back(tx: Tx, unknown: Sequence[Entry]) -> bool:
    """Begin the quarantine if letters left that the database does not know of; True if it was begun now.

    What an operator has reconciled since is no news.
    """
    reconciled_at = quarantine.reconciled_at(tx)
    news = [entry.at for entry in unknown if reconciled_at is None or from_stamp(entry.at) > reconciled_at]
    if not news:
        return False
    since: datetime = from_stamp(min(news))
    cause = f"The database has fallen back: letters that left since {since:%Y-%m-%d %H:%M:%S} UTC are missing in it."
    standstill = Quarantine(since, cause)
    return quarantine.begin(tx, standstill, nothing_left_after=tx.now)
