"""Stopping for good: unsubscribe and suppress act on the human behind the address, in every sequence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from drumbeat.domain.delivery import DeliveryStatus
from drumbeat.domain.enrollment import Enrollment, FinishedReason
from drumbeat.domain.happening import FinishRequested
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.enrollments import finish_all
from drumbeat.store import deliveries, enrollments, events, sequences, unsubscribes
from drumbeat.store.transaction import Snapshot, Tx


def suppress(
    tx: Tx,
    account_id: int,
    address_hash: str,
    cause: Suppression,
    *,
    evidence: str,
    actor_id: int | None = None,
    since: datetime | None = None,
) -> int:
    """Never write to this address key again, as from now or since then, and finish what runs for it: how many."""
    if unsubscribes.suppress(tx, account_id, address_hash, cause, evidence, since):
        events.journal(
            tx,
            account_id,
            cause,
            subject="address",
            subject_id=address_hash,
            actor_id=actor_id,
            evidence=evidence,
        )
    ids = enrollments.ongoing_of_address(tx, account_id, address_hash)
    return len(finish_all(tx, account_id, ids, FinishRequested(FinishedReason.SUBSCRIPTION_CANCELLED)))


def unsubscribe(tx: Tx, account_id: int, enrollment_id: int, *, evidence: str) -> None:
    """A person took the way out that a letter of this enrollment offered; doing it twice is fine.

    The link does not say which letter it was in: each address its letters may have reached is suppressed,
    and the one they would go to next.
    """
    for address in _addresses(tx, enrollments.get(tx, account_id, enrollment_id)):
        suppress(tx, account_id, address, Suppression.UNSUBSCRIBED, evidence=evidence)


def _addresses(snapshot: Snapshot, enrollment: Enrollment) -> list[str]:
    addresses = {enrollment.subject.address_hash}
    for delivery in deliveries.list_of_enrollment(snapshot, enrollment.account_id, enrollment.id):
        if delivery.status in _MAY_HAVE_ARRIVED:
            addresses.add(delivery.address_hash)
    return sorted(address for address in addresses if address is not None)


_MAY_HAVE_ARRIVED = frozenset({DeliveryStatus.TRANSMITTING, DeliveryStatus.ACCEPTED, DeliveryStatus.UNKNOWN})


@dataclass(frozen=True, slots=True)
class WayOut:
    """The way out that an enrollment's letters offer: the locale its sequence speaks, and whether it was taken."""

    locale: str
    is_taken: bool


def way_out(snapshot: Snapshot, account_id: int, enrollment_id: int) -> WayOut:
    """What the unsubscribe page has to know; NotFound if there is no such enrollment."""
    enrollment = enrollments.get(snapshot, account_id, enrollment_id)
    sequence = sequences.get(snapshot, account_id, enrollment.subject.runs_sequence_id)
    addresses = _addresses(snapshot, enrollment)
    stopped = unsubscribes.suppressed_among(snapshot, account_id, addresses)
    return WayOut(sequence.unsubscribing.locale, bool(addresses) and stopped == set(addresses))
