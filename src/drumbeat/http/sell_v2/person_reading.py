"""What callers send of leads and contacts, read into an edit; and whom a query looks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import IncorrectValue, MissingField
from drumbeat.domain.person import PersonKind, address_hash, findable, normalize_email
from drumbeat.http.openapi import FLAG, Parameter, number
from drumbeat.http.reading import LONGEST_BODY, LONGEST_TEXT, Attributes, number_list, text, truth, whole_number
from drumbeat.http.sell_v2.person_shapes import NO_STATUS, PLAIN, Address
from drumbeat.operations.people import PersonEdit
from drumbeat.operations.records import PersonFields
from drumbeat.store.person_pages import Sought

Id = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
Ignored = Annotated[Any, msgspec.Meta(extra_json_schema={"readOnly": True})]
ADDRESS_PARTS = Address.__struct_fields__
Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
LongText = Annotated[str, msgspec.Meta(max_length=LONGEST_BODY)]
_TEXTS = ("first_name", "last_name", "title", "email", "phone", "mobile")


class CustomerStatus(StrEnum):
    """Whether a contact buys."""

    NONE = "none"
    CURRENT = "current"
    PAST = "past"


class ProspectStatus(StrEnum):
    """Whether a contact may buy."""

    NONE = "none"
    CURRENT = "current"
    LOST = "lost"


class ReadOnly(msgspec.Struct, omit_defaults=True):
    """What stands in every record and cannot be changed; so that a whole record can be sent back, it is ignored."""

    id: Ignored = None
    creator_id: Ignored = None
    created_at: Ignored = None
    updated_at: Ignored = None


class PersonAttributes(ReadOnly, omit_defaults=True):
    """What leads and contacts have in common; null takes away."""

    owner_id: Id | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    title: Text | None = None
    description: LongText | None = None
    industry: LongText | None = None
    website: LongText | None = None
    email: Text | None = None
    phone: Text | None = None
    mobile: Text | None = None
    fax: LongText | None = None
    twitter: LongText | None = None
    facebook: LongText | None = None
    linkedin: LongText | None = None
    skype: LongText | None = None
    address: Address | None = None
    tags: list[Text] | None = None
    custom_fields: dict[str, Any] | None = None


class LeadAttributes(PersonAttributes, forbid_unknown_fields=True, omit_defaults=True):
    """A lead's attributes; it needs a last_name or an organization_name. Tags are replaced as a whole."""

    organization_name: Text | None = None
    status: Text | None = None
    source_id: Id | None = None
    unqualified_reason_id: Id | None = None


class ContactAttributes(PersonAttributes, forbid_unknown_fields=True, omit_defaults=True):
    """A contact's attributes; a person needs a last_name, an organization a name. Tags are replaced as a whole."""

    is_organization: bool | None = None
    name: Text | None = None
    contact_id: Id | None = None
    parent_organization_id: Id | None = None
    customer_status: CustomerStatus | None = None
    prospect_status: ProspectStatus | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None


def read_edit(kind: PersonKind, sent: Attributes) -> PersonEdit:
    """The edit that attributes ask for, or the complaints about them."""
    fields: dict[str, Any] = {name: sent.text(name) for name in _TEXTS if sent.has(name)}
    details: dict[str, Any] = {name: sent.text(name, LONGEST_BODY) for name in PLAIN if sent.has(name)}
    if sent.has("tags"):
        details["tags"] = sent.texts("tags") or None
    read, settle, addresses = _KINDS[kind]
    read(sent, fields, details)
    edit = PersonEdit(
        settle=settle,
        fields=fields,
        details=details,
        addresses={name: sent.parts(name, ADDRESS_PARTS) for name in addresses if sent.has(name)},
        custom=sent.custom("custom_fields"),
        owner_id=sent.id("owner_id") or None,
    )
    sent.check()
    return edit


def _read_lead(sent: Attributes, fields: dict[str, Any], details: dict[str, Any]) -> None:
    if sent.has("organization_name"):
        fields["organization_name"] = sent.text("organization_name")
    status = sent.text("status")
    if status is not None:
        fields["status"] = status
    if sent.has("source_id"):
        fields["source_id"] = sent.id("source_id") or None
    if sent.has("unqualified_reason_id"):
        details["unqualified_reason_id"] = sent.id("unqualified_reason_id") or None


def _read_contact(sent: Attributes, fields: dict[str, Any], details: dict[str, Any]) -> None:
    is_organization = sent.flag("is_organization")
    if is_organization is not None:
        fields["is_organization"] = is_organization
    if sent.has("name"):
        fields["organization_name"] = sent.text("name")
    if sent.has("contact_id"):
        fields["organization_id"] = sent.id("contact_id") or None
    if sent.has("parent_organization_id"):
        details["parent_organization_id"] = sent.id("parent_organization_id") or None
    if sent.has("customer_status"):
        details["customer_status"] = _status(sent.word("customer_status", CustomerStatus))
    if sent.has("prospect_status"):
        details["prospect_status"] = _status(sent.word("prospect_status", ProspectStatus))


def _status(word: StrEnum | None) -> str | None:
    return None if word is None or word == NO_STATUS else word.value


def _settle_lead(before: PersonFields | None, after: PersonFields) -> PersonFields:
    had_name = before is None or before.last_name or before.organization_name
    if had_name and not (after.last_name or after.organization_name):
        raise MissingField("A lead needs a last_name or an organization_name.", field="last_name")
    return after


def _settle_contact(before: PersonFields | None, after: PersonFields) -> PersonFields:
    if before is not None and before.is_organization is not after.is_organization:
        detail = "A person stays a person, and an organization an organization."
        raise IncorrectValue(detail, field="is_organization")
    if after.is_organization:
        if not after.organization_name:
            raise MissingField("An organization needs a name.", field="name")
        return after
    if not after.last_name and (before is None or before.last_name):
        raise MissingField("A person needs a last_name.", field="last_name")
    return replace(after, organization_name=before.organization_name if before else None)


_KINDS = {
    PersonKind.LEAD: (_read_lead, _settle_lead, ("address",)),
    PersonKind.CONTACT: (_read_contact, _settle_contact, ("address", "billing_address", "shipping_address")),
}

_ANYBODY = (
    Parameter("creator_id", "Only those this user made.", number()),
    Parameter("owner_id", "Only those this user owns.", number()),
    Parameter("first_name", "Only those of this first name."),
    Parameter("last_name", "Only those of this last name."),
    Parameter("email", "Only those with this address."),
    Parameter("phone", "Only those with this phone number, as it was written."),
    Parameter("mobile", "Only those with this mobile number, as it was written."),
    Parameter("address[city]", "Only those in this city."),
    Parameter("address[postal_code]", "Only those with this postal code."),
    Parameter("address[country]", "Only those in this country."),
    Parameter("custom_fields[NAME]", "Only those whose custom field NAME has this value."),
)
FILTERS = {
    PersonKind.LEAD: (
        *_ANYBODY,
        Parameter("organization_name", "Only those of this organization."),
        Parameter("status", "Only those of this status."),
        Parameter("source_id", "Only those from this source.", number()),
    ),
    PersonKind.CONTACT: (
        *_ANYBODY,
        Parameter("name", "Only those of this whole name."),
        Parameter("is_organization", "true: only organizations; false: only persons.", FLAG),
        Parameter("contact_id", "Only those who belong to this organization.", number()),
    ),
}
_COLUMNS = ("first_name", "last_name", "organization_name", "phone", "mobile", "status")
_NUMBERS = {
    "creator_id": "creator_id",
    "owner_id": "owner_id",
    "source_id": "source_id",
    "contact_id": "organization_id",
}
_CUSTOM = re.compile(r"custom_fields\[(.+)\]\Z", re.DOTALL)
_ADDRESS = re.compile(r"address\[(\w+)\]\Z")


def is_custom_filter(name: str) -> bool:
    """Whether a parameter looks for a custom field, whose name is the caller's choice."""
    return _CUSTOM.match(name) is not None


def read_sought(sent: Mapping[str, str], kind: PersonKind, hash_key: bytes, account_id: int) -> Sought:
    """Whom the parameters look for."""
    columns: dict[str, Any] = {name: text(sent, name) for name in _COLUMNS if name in sent}
    columns |= {column: whole_number(sent, name, 0, 1, LARGEST_ID) for name, column in _NUMBERS.items() if name in sent}
    is_organization = truth(sent, "is_organization")
    if is_organization is not None:
        columns["is_organization"] = is_organization
    email = text(sent, "email")
    if email is not None:
        columns["address_hash"] = _hash_of(email, hash_key, account_id)
    values = {}
    for name in sent:
        field = _field_of(name)
        if field is not None:
            values[field] = findable(text(sent, name)) or ""
    return Sought(kind, ids=number_list(sent, "ids"), columns=columns, values=values, name=text(sent, "name"))


def _field_of(name: str) -> str | None:
    """What `values_to_find` calls what a parameter looks for."""
    custom, address = _CUSTOM.match(name), _ADDRESS.match(name)
    if custom:
        return f"custom.{custom[1]}"
    return f"address.{address[1]}" if address else None


def _hash_of(email: str, hash_key: bytes, account_id: int) -> str:
    try:
        return address_hash(hash_key, account_id, normalize_email(email))
    except IncorrectValue:
        return ""  # nobody can have it
