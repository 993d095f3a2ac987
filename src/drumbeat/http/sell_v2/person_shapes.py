"""Leads and contacts as Sell shows them, key for key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from drumbeat.domain.person import NEW_LEAD, Person, PersonKind
from drumbeat.http.sell_v2.envelope import Meta, Record, whole_seconds


class Address(msgspec.Struct, frozen=True):
    """Where somebody is; what is not known is null."""

    line1: str | None = None
    city: str | None = None
    postal_code: str | None = None
    state: str | None = None
    country: str | None = None


class ShownLead(msgspec.Struct, frozen=True):
    """A lead."""

    id: int
    creator_id: int
    owner_id: int
    first_name: str | None
    last_name: str | None
    organization_name: str | None
    status: str
    source_id: int | None
    unqualified_reason_id: int | None
    title: str | None
    description: str | None
    industry: str | None
    website: str | None
    email: str | None
    phone: str | None
    mobile: str | None
    fax: str | None
    twitter: str | None
    facebook: str | None
    linkedin: str | None
    skype: str | None
    address: Address | None
    tags: list[str]
    custom_fields: dict[str, Any]
    created_at: str
    updated_at: str


class ShownContact(msgspec.Struct, frozen=True):
    """A person or an organization; `organization` is there when the list includes it."""

    id: int
    creator_id: int
    owner_id: int
    is_organization: bool
    contact_id: int | None
    parent_organization_id: int | None
    name: str | None
    first_name: str | None
    last_name: str | None
    customer_status: str
    prospect_status: str
    title: str | None
    description: str | None
    industry: str | None
    website: str | None
    email: str | None
    phone: str | None
    mobile: str | None
    fax: str | None
    twitter: str | None
    facebook: str | None
    linkedin: str | None
    skype: str | None
    address: Address | None
    billing_address: Address | None
    shipping_address: Address | None
    tags: list[str]
    custom_fields: dict[str, Any]
    created_at: str
    updated_at: str
    organization: Any = UNSET


# The kinds of text that are kept as they come and only shown.
PLAIN = ("description", "industry", "website", "fax", "twitter", "facebook", "linkedin", "skype")
NO_STATUS = "none"
_LEAD, _CONTACT = Meta("lead"), Meta("contact")


def person_record(person: Person, organization: Record[Any] | UnsetType | None = UNSET) -> Record[Any]:
    """The person in its envelope."""
    if person.kind is PersonKind.LEAD:
        return Record(_lead(person), _LEAD)
    return Record(_contact(person, organization), _CONTACT)


def _lead(person: Person) -> ShownLead:
    details = person.details
    return ShownLead(
        first_name=person.first_name,
        last_name=person.last_name,
        organization_name=person.organization_name,
        status=person.status or NEW_LEAD,
        source_id=person.source_id,
        unqualified_reason_id=details.get("unqualified_reason_id"),
        address=_address(details, "address"),
        **_shared(person),
    )


def _contact(person: Person, organization: Any) -> ShownContact:
    details = person.details
    return ShownContact(
        is_organization=person.is_organization,
        contact_id=person.organization_id,
        parent_organization_id=details.get("parent_organization_id"),
        name=person.name or None,
        first_name=person.first_name,
        last_name=person.last_name,
        customer_status=details.get("customer_status", NO_STATUS),
        prospect_status=details.get("prospect_status", NO_STATUS),
        address=_address(details, "address"),
        billing_address=_address(details, "billing_address"),
        shipping_address=_address(details, "shipping_address"),
        organization=organization,
        **_shared(person),
    )


def _shared(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "creator_id": person.creator_id,
        "owner_id": person.owner_id,
        "title": person.title,
        "email": person.email,
        "phone": person.phone,
        "mobile": person.mobile,
        "tags": list(person.details.get("tags", ())),
        "custom_fields": dict(person.custom),
        "created_at": whole_seconds(person.created_at),
        "updated_at": whole_seconds(person.updated_at),
        **{name: person.details.get(name) for name in PLAIN},
    }


def _address(details: Mapping[str, Any], name: str) -> Address | None:
    parts = details.get(name)
    return Address(**parts) if parts else None
