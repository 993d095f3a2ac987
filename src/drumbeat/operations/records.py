"""People: adding them, changing their address, deleting them, and what that means for what runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any

from msgspec import structs

from drumbeat.domain.calendar import zone_named
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment, FinishedReason
from drumbeat.domain.happening import CannotSend, FinishRequested, Resumed
from drumbeat.domain.machine import decide
from drumbeat.domain.person import Person, PersonKind, address_hash, normalize_email
from drumbeat.operations.changes import Change, readdress, store
from drumbeat.operations.dispatch import ADDRESS_TAKEN
from drumbeat.operations.enrollments import finish_all
from drumbeat.operations.healing import heals
from drumbeat.store import accounts, enrollments, events, people, tasks, unsubscribes
from drumbeat.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class PersonFields:
    """What a caller may say of a person; raw, checked when stored. The phone numbers are kept as they are."""

    first_name: str | None = None
    last_name: str | None = None
    organization_name: str | None = None
    title: str | None = None
    email: str | None = None
    phone: str | None = None
    time_zone: str | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)
    mobile: str | None = None
    status: str | None = None
    source_id: int | None = None
    is_organization: bool = False
    organization_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def fields_of(person: Person) -> PersonFields:
    """What is known of a person."""
    return PersonFields(**{each.name: getattr(person, each.name) for each in dataclass_fields(PersonFields)})


def add_person(
    tx: Tx,
    hash_key: bytes,
    account_id: int,
    creator_id: int,
    kind: PersonKind,
    fields: PersonFields,
    *,
    owner_id: int | None = None,
) -> Person:
    """A new lead or contact, the creator's unless an owner is named; IncorrectValue names what is not acceptable."""
    person = Person(
        account_id=account_id,
        kind=kind,
        id=accounts.take_ids(tx, account_id, kind),
        owner_id=owner_id or creator_id,
        creator_id=creator_id,
        created_at=tx.now,
        updated_at=tx.now,
        **_checked(hash_key, account_id, fields),
    )
    people.add(tx, [person])
    if kind is PersonKind.CONTACT and person.address_hash is not None:
        people.name_contacts(tx, account_id, [(person.address_hash, person.id)])
    return person


def change_person(
    tx: Tx, hash_key: bytes, person: Person, fields: PersonFields, *, owner_id: int | None = None
) -> Person:
    """Store a person's fields; a new address is what later letters go to. What is as it was is not stored."""
    checked = _checked(hash_key, person.account_id, fields)
    changed = structs.replace(person, owner_id=owner_id or person.owner_id, **checked)
    if changed == person:
        return person
    changed = structs.replace(changed, updated_at=tx.now)
    people.save(tx, person, changed)
    if changed.address_hash != person.address_hash:
        _move_enrollments(tx, person, changed.address_hash)
        if changed.kind is PersonKind.CONTACT:
            _give_up_address(tx, person)
            if changed.address_hash is not None:
                people.name_contacts(tx, person.account_id, [(changed.address_hash, person.id)])
    resume_filled(tx, person.account_id, person.kind, person.id)
    return changed


def _give_up_address(tx: Tx, contact: Person) -> None:
    """The address means another contact now that has it too, the oldest one, if there is any."""
    if contact.address_hash is None:
        return
    account_id, address = contact.account_id, contact.address_hash
    people.forget_address(tx, account_id, address, contact.id)
    other = people.find_by_address(tx, account_id, PersonKind.CONTACT, address)
    if other is not None:
        people.name_contacts(tx, account_id, [(address, other.id)])


def resume_filled(tx: Tx, account_id: int, kind: PersonKind, id: int) -> None:
    """The person's fields changed: what lacked values for merge tags is tried again."""
    ids = enrollments.ongoing_of_person(tx, account_id, kind, id, [])
    locked = enrollments.lock(tx, account_id, ids)
    lacking = [e for e in locked if heals(e, FailureReason.MISSING_MERGE_TAGS, tx.now)]
    store(tx, account_id, [Change(decide(e, Resumed(), tx.now), e.revision) for e in lacking])


def _checked(hash_key: bytes, account_id: int, fields: PersonFields) -> dict[str, Any]:
    email = normalize_email(fields.email) if fields.email else None
    if fields.time_zone:
        zone_named(fields.time_zone)
    return {
        "first_name": fields.first_name or None,
        "last_name": fields.last_name or None,
        "organization_name": fields.organization_name or None,
        "title": fields.title or None,
        "email": email,
        "address_hash": address_hash(hash_key, account_id, email) if email else None,
        "phone": fields.phone or None,
        "time_zone": fields.time_zone or None,
        "custom": dict(fields.custom),
        "mobile": fields.mobile or None,
        "status": fields.status or None,
        "source_id": fields.source_id,
        "is_organization": fields.is_organization,
        "organization_id": fields.organization_id,
        "details": dict(fields.details),
    }


def _move_enrollments(tx: Tx, person: Person, address: str | None) -> None:
    """Let what runs for the person follow to the new address; one that would meet another there blocks.

    Nothing runs on for an address that must not be written to.

    A letter that is out is left alone: nothing but its own answer settles it, and the step after it is
    looked at when it comes due.
    """
    account_id = person.account_id
    ids = enrollments.ongoing_of_person(tx, account_id, person.kind, person.id, [])
    if address is not None and unsubscribes.is_suppressed(tx, account_id, address):
        finish_all(tx, account_id, ids, FinishRequested(FinishedReason.SUBSCRIPTION_CANCELLED))
        return
    taken = enrollments.sequences_of_address(tx, account_id, address) if address else frozenset()
    locked = enrollments.lock(tx, account_id, ids)
    staying = [e for e in locked if _meets_another(e, taken)]
    moved = readdress(tx, account_id, address, [e for e in locked if not _meets_another(e, taken)])
    met = CannotSend(FailureReason.RECIPIENT_INVALID, ADDRESS_TAKEN)
    stopped = [(e, decide(e, met, tx.now)) for e in staying if not e.letter_is_out]
    healed = [(e, decide(e, Resumed(), tx.now)) for e in moved if heals(e, FailureReason.RECIPIENT_INVALID, tx.now)]
    store(tx, account_id, [Change(decision, e.revision) for e, decision in stopped + healed])


def _meets_another(enrollment: Enrollment, taken: frozenset[int]) -> bool:
    return bool({enrollment.subject.sequence_id, enrollment.subject.runs_sequence_id} & taken)


def delete_person(
    tx: Tx,
    account_id: int,
    kind: PersonKind,
    id: int,
    actor_id: int | None = None,
    *,
    seen_by: int | None = None,
) -> None:
    """Delete a person with their tasks; what runs for them finishes first, as `resource_deleted`."""
    person = people.get(tx, account_id, kind, id, seen_by=seen_by)
    finish_for_removed(tx, person)
    tasks.delete_of_person(tx, account_id, kind.value, id)
    people.delete(tx, person)
    if kind is PersonKind.CONTACT:
        _give_up_address(tx, person)
    events.journal(tx, account_id, f"{kind}_deleted", subject=kind, subject_id=id, actor_id=actor_id)


def finish_for_removed(tx: Tx, person: Person) -> None:
    """Finish what runs for a person who is about to be no more."""
    ids = enrollments.ongoing_of_person(tx, person.account_id, person.kind, person.id, [])
    finish_all(tx, person.account_id, ids, FinishRequested(FinishedReason.RESOURCE_DELETED))
