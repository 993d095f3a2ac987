"""A lead becomes a contact: what runs for it finishes, and what it was goes over to a person and an organization."""

from __future__ import annotations

from dataclasses import replace

from drumbeat.domain.person import Person, PersonKind
from drumbeat.operations.accounts import active_user
from drumbeat.operations.people import find_person
from drumbeat.operations.records import PersonFields, add_person, fields_of, finish_for_removed
from drumbeat.store import accounts, conversions, events, people, tasks
from drumbeat.store.conversions import Conversion
from drumbeat.store.transaction import Tx

_OF_LEADS = ("unqualified_reason_id",)


def convert(
    tx: Tx,
    hash_key: bytes,
    account_id: int,
    caller_id: int,
    lead_id: int,
    owner_id: int | None,
    *,
    seen_by: int | None = None,
) -> Conversion:
    """Make a lead a contact, its organization another one, and remove it; the lead's owner owns both, or `owner_id`.

    What ran for the lead finishes as `resource_deleted`; its tasks, but those of its sequences, are the contact's.
    """
    people.lock(tx, account_id, PersonKind.LEAD, lead_id)
    lead = find_person(tx, account_id, PersonKind.LEAD, lead_id, "lead_id", seen_by=seen_by)
    if owner_id is not None:
        active_user(tx, account_id, owner_id, "owner_id")
    finish_for_removed(tx, lead)
    owner = owner_id or lead.owner_id
    organization, individual = _contacts_of(lead)
    organization_id = individual_id = None
    if organization is not None:
        organization_id = _add(tx, hash_key, lead, caller_id, owner, organization)
    if individual is not None:
        member = replace(individual, organization_id=organization_id)
        individual_id = _add(tx, hash_key, lead, caller_id, owner, member)
    after = individual_id or organization_id
    assert after is not None
    tasks.move(tx, account_id, (PersonKind.LEAD.value, lead_id), (PersonKind.CONTACT.value, after))
    people.delete(tx, lead)
    made = Conversion(
        account_id=account_id,
        id=accounts.take_ids(tx, account_id, "lead_conversion"),
        lead_id=lead_id,
        individual_id=individual_id,
        organization_id=organization_id,
        creator_id=caller_id,
        created_at=tx.now,
    )
    conversions.add(tx, made)
    events.journal(
        tx, account_id, "lead_converted", subject="lead", subject_id=lead_id, actor_id=caller_id, contact_id=after
    )
    return made


def _contacts_of(lead: Person) -> tuple[PersonFields | None, PersonFields | None]:
    """The organization and the person a lead becomes; one of a bare organization is the organization itself."""
    details = {name: value for name, value in lead.details.items() if name not in _OF_LEADS}
    whole = replace(fields_of(lead), status=None, source_id=None, details=details)
    nobody = replace(whole, is_organization=True, first_name=None, last_name=None)
    if not lead.name and lead.organization_name:
        return nobody, None
    name = lead.organization_name
    organization = PersonFields(organization_name=name, is_organization=True) if name else None
    return organization, whole


def _add(tx: Tx, hash_key: bytes, lead: Person, caller_id: int, owner_id: int, fields: PersonFields) -> int:
    made = add_person(tx, hash_key, lead.account_id, caller_id, PersonKind.CONTACT, fields, owner_id=owner_id)
    return made.id
