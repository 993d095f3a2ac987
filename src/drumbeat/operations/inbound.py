"""What a received message does: once each, matched by what only we could have written, with the evidence kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from zoneinfo import ZoneInfo

import structlog

from drumbeat.domain.delivery import DeliveryStatus, read_message_id
from drumbeat.domain.enrollment import Enrollment, FinishedReason
from drumbeat.domain.happening import AddressFailed, Away, Bounced, EnrollmentEvent, FinishRequested
from drumbeat.domain.inbound import InboundKind, Reading, Received, classify
from drumbeat.domain.machine import decide
from drumbeat.domain.person import address_hash, address_key
from drumbeat.domain.unsubscribe import Suppression, find_unsubscribe_token, read_unsubscribe_token
from drumbeat.mail.parse import parse
from drumbeat.operations.changes import Change, store
from drumbeat.operations.doubts import settle_by_evidence
from drumbeat.operations.enrollments import finish_all
from drumbeat.operations.unsubscribes import suppress, unsubscribe
from drumbeat.store import accounts, deliveries, enrollments, mailboxes, received, unsubscribes
from drumbeat.store.deliveries import Delivery
from drumbeat.store.received import Absence, ReceivedMessage
from drumbeat.store.transaction import Snapshot, Tx

LONGEST_ABSENCE = timedelta(days=30)
_WORDS_KEPT = 2000
_LINE_KEPT = 500
_OUT = frozenset({DeliveryStatus.TRANSMITTING, DeliveryStatus.ACCEPTED, DeliveryStatus.UNKNOWN})
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heard:
    """A received message as it was read, and the SHA-256 of its bytes."""

    digest: str
    message: Received
    reading: Reading


def read(raw: bytes) -> Heard:
    """Read a raw message; whatever the bytes are, something comes of it."""
    message = parse(raw)
    return Heard(sha256(raw).hexdigest(), message, classify(message))


class MatchedBy(StrEnum):
    """What ties a message to an enrollment."""

    MESSAGE_ID = "message_id"
    SENDER = "sender"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class _Match:
    by: MatchedBy
    enrollment: Enrollment
    delivery: Delivery | None = None

    @property
    def address_hash(self) -> str | None:
        """The address key the letter went to, or the next one would."""
        return self.enrollment.subject.address_hash if self.delivery is None else self.delivery.address_hash


def take_in(tx: Tx, hash_key: bytes, account_id: int, mailbox_id: int, heard: Heard) -> InboundKind | None:
    """Let a received message have its effect, once; returns the kind it had the effect of, None if none.

    Bounces, complaints and unsubscriptions count only with an id of ours, which nobody can guess; a person's
    message counts also when it comes from the address that an enrollment of this mailbox writes to.
    """
    if _is_own_copy(tx, hash_key, account_id, heard.message):
        return None
    kind, matches = _matched(tx, hash_key, account_id, mailbox_id, heard)
    new = [each for each in matches if not received.is_known(tx, account_id, mailbox_id, _digest(heard, each))]
    for match in new:
        _take_effect(tx, mailbox_id, heard, kind, match)
    return kind if new else None


def _digest(heard: Heard, match: _Match) -> str:
    """What the message has its effect once under: several enrollments of its sender have the evidence each."""
    return f"{heard.digest}/{match.enrollment.id}" if match.by is MatchedBy.SENDER else heard.digest


def _is_own_copy(tx: Tx, hash_key: bytes, account_id: int, message: Received) -> bool:
    """Whether it is a letter of ours, which proves that the letter left; a follow-up names the letter before it."""
    ours = read_message_id(hash_key, message.first("message-id").strip())
    if ours is None or ours[0] != account_id:
        return False
    settle_by_evidence(tx, account_id, ours[1:], "a copy of it was found in the mailbox")
    return True


def _matched(
    tx: Tx, hash_key: bytes, account_id: int, mailbox_id: int, heard: Heard
) -> tuple[InboundKind, list[_Match]]:
    by_link = _by_link(tx, hash_key, account_id, heard.message)
    if by_link is not None:
        return InboundKind.UNSUBSCRIBE, [by_link]
    kind = heard.reading.kind
    by_id = _by_message_id(tx, hash_key, account_id, heard.reading.message_ids)
    is_report = kind in (InboundKind.BOUNCE, InboundKind.COMPLAINT)
    if by_id is not None and kind is not InboundKind.UNRELATED:
        is_ours = not is_report and _is_from_us(tx, hash_key, heard.message, by_id)
        return kind, [] if is_ours else [by_id]
    if is_report:
        return kind, []
    by_sender = _by_sender(tx, hash_key, account_id, mailbox_id, heard.message)
    if not _may_be_a_person(heard):
        return kind, []
    # Without an id of ours it could be forged: it stops what runs here, and suppresses nobody.
    return InboundKind.AUTO_REPLY if kind is InboundKind.AUTO_REPLY else InboundKind.REPLY, by_sender


def _is_from_us(snapshot: Snapshot, hash_key: bytes, message: Received, match: _Match) -> bool:
    """Whether a mailbox of the account wrote it, in the thread of a letter that was not written to that mailbox."""
    account_id, sender = match.enrollment.account_id, message.sender
    ours = {address_key(mailbox.sender_email) for mailbox in mailboxes.list_all(snapshot, account_id)}
    if sender is None or address_key(sender) not in ours:
        return False
    return address_hash(hash_key, account_id, sender) != match.address_hash


def _may_be_a_person(heard: Heard) -> bool:
    """Whether a message from the person's address is theirs: a receipt or a report of success is not."""
    message = heard.message
    return not (message.is_receipt or message.report is not None or message.feedback is not None)


def _by_link(snapshot: Snapshot, hash_key: bytes, account_id: int, message: Received) -> _Match | None:
    """The enrollment whose mailto way out was taken: its token stands in the subject."""
    token = find_unsubscribe_token(message.subject)
    named = None if token is None else read_unsubscribe_token(hash_key, token)
    if named is None or named[0] != account_id:
        return None
    found = enrollments.find_many(snapshot, account_id, [named[1]])
    return _Match(MatchedBy.LINK, found[0]) if found else None


def _by_message_id(snapshot: Snapshot, hash_key: bytes, account_id: int, ids: Sequence[str]) -> _Match | None:
    for id in ids:
        ours = read_message_id(hash_key, id)
        if ours is None or ours[0] != account_id:
            continue
        found = enrollments.find_many(snapshot, account_id, [ours[1]])
        for delivery in deliveries.list_of_steps(snapshot, account_id, [ours[1:3]]) if found else []:
            if delivery.key == ours[1:] and delivery.status in _OUT:
                return _Match(MatchedBy.MESSAGE_ID, found[0], delivery)
    return None


def _by_sender(
    snapshot: Snapshot, hash_key: bytes, account_id: int, mailbox_id: int, message: Received
) -> list[_Match]:
    """What runs for the sender and has sent from this mailbox."""
    if message.sender is None:
        return []
    hashed = address_hash(hash_key, account_id, message.sender)
    ids = enrollments.ongoing_of_address(snapshot, account_id, hashed)
    found = enrollments.find_many(snapshot, account_id, ids)
    return [_Match(MatchedBy.SENDER, each) for each in found if each.subject.mailbox_id == mailbox_id]


def _take_effect(tx: Tx, mailbox_id: int, heard: Heard, kind: InboundKind, match: _Match) -> None:
    account_id, enrollment_id = match.enrollment.account_id, match.enrollment.id
    if match.delivery is not None:
        settle_by_evidence(tx, account_id, match.delivery.key, f"{kind.value.replace('_', '-')} came back to it")
    until = _until(tx, account_id, heard.reading.until) if kind is InboundKind.AUTO_REPLY else None
    kept = _evidence(mailbox_id, heard, kind, match, until)
    message_id = received.add(tx, replace(kept, received_at=tx.now))
    _EFFECTS[kind](tx, match, replace(kept, id=message_id))
    _log.info("heard", kind=kind.value, account_id=account_id, enrollment_id=enrollment_id, matched_by=match.by.value)


def _evidence(
    mailbox_id: int, heard: Heard, kind: InboundKind, match: _Match, until: datetime | None
) -> ReceivedMessage:
    message = heard.message
    return ReceivedMessage(
        account_id=match.enrollment.account_id,
        id=0,
        mailbox_id=mailbox_id,
        digest=_digest(heard, match),
        kind=kind.value,
        matched_by=match.by.value,
        enrollment_id=match.enrollment.id,
        position=None if match.delivery is None else match.delivery.position,
        sender=message.sender and message.sender[:_LINE_KEPT],
        subject=message.subject[:_LINE_KEPT],
        words=(message.own_text or message.text)[:_WORDS_KEPT],
        message_id=message.first("message-id")[:_LINE_KEPT] or None,
        why=heard.reading.why,
        permanent=heard.reading.permanent if kind is InboundKind.BOUNCE else None,
        until=until,
        received_at=datetime.fromtimestamp(0, UTC),
    )


def _until(tx: Tx, account_id: int, day: date | None) -> datetime | None:
    """When somebody who is away until that day is back: its beginning where the account is, at most 30 days on."""
    if day is None:
        return None
    zone = ZoneInfo(accounts.get_account(tx, account_id).time_zone)
    back = datetime.combine(day, time(), zone).astimezone(UTC)
    return min(back, tx.now + LONGEST_ABSENCE) if back > tx.now else None


def _replied(tx: Tx, match: _Match, kept: ReceivedMessage) -> None:
    request = FinishRequested(FinishedReason.REPLIED_TO_EMAIL, message_id=kept.id)
    finish_all(tx, kept.account_id, [_latest(tx, match.enrollment).id], request)


def _latest(snapshot: Snapshot, enrollment: Enrollment) -> Enrollment:
    """The enrollment that goes on with what a mistaken reply had ended: a reply to the old thread is one to it."""
    while enrollment.continued_by_id is not None:
        enrollment = enrollments.get(snapshot, enrollment.account_id, enrollment.continued_by_id)
    return enrollment


def _auto_replied(tx: Tx, match: _Match, kept: ReceivedMessage) -> None:
    if match.address_hash is None:
        return
    if kept.until is not None:
        received.save_absence(tx, kept.account_id, match.address_hash, Absence(kept.until, kept.id))
    _tell_all(tx, kept.account_id, match.address_hash, Away(kept.until, kept.id))


def _bounced(tx: Tx, match: _Match, kept: ReceivedMessage) -> None:
    """A letter came back; when the address is dead, what would write to it next blocks."""
    assert match.delivery is not None
    account_id, delivery = kept.account_id, match.delivery
    deliveries.mark_bounced(tx, account_id, delivery.key)
    told = Bounced(delivery.position, kept.permanent is True, kept.why, kept.id)
    _tell(tx, account_id, [match.enrollment.id], told)
    if kept.permanent:
        unsubscribes.mark_undeliverable(tx, account_id, delivery.address_hash, kept.why)
        _tell_all(tx, account_id, delivery.address_hash, AddressFailed(kept.why))


def _complained(tx: Tx, match: _Match, kept: ReceivedMessage) -> None:
    if match.address_hash is not None:
        evidence = f"received message {kept.id}: {kept.why}"
        suppress(tx, kept.account_id, match.address_hash, Suppression.COMPLAINED, evidence=evidence)


def _unsubscribed(tx: Tx, match: _Match, kept: ReceivedMessage) -> None:
    unsubscribe(tx, kept.account_id, match.enrollment.id, evidence=f"received message {kept.id}: {kept.why}")


_EFFECTS: Mapping[InboundKind, Callable[[Tx, _Match, ReceivedMessage], None]] = {
    InboundKind.REPLY: _replied,
    InboundKind.AUTO_REPLY: _auto_replied,
    InboundKind.BOUNCE: _bounced,
    InboundKind.COMPLAINT: _complained,
    InboundKind.UNSUBSCRIBE: _unsubscribed,
}


def _tell_all(tx: Tx, account_id: int, address: str, event: EnrollmentEvent) -> None:
    """Let something happen to every ongoing enrollment of an address key."""
    _tell(tx, account_id, enrollments.ongoing_of_address(tx, account_id, address), event)


def _tell(tx: Tx, account_id: int, ids: Sequence[int], event: EnrollmentEvent) -> None:
    changes = []
    for each in enrollments.lock(tx, account_id, ids):
        decision = decide(each, event, tx.now)
        changes.append(Change(decision, each.revision, replans=decision.enrollment.due_at != each.due_at))
    store(tx, account_id, changes)
