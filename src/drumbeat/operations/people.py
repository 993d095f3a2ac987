"""What callers of the Sell API do with leads and contacts: create, change, create or change, convert."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from drumbeat.domain.access import sees
from drumbeat.domain.errors import IncorrectValue, NotFound, SeveralMatch
from drumbeat.domain.person import NEW_LEAD, Person, PersonKind
from drumbeat.operations.accounts import active_user
from drumbeat.operations.records import PersonFields, add_person, change_person, fields_of
from drumbeat.store import accounts, people, person_pages
from drumbeat.store.pages import Place
from drumbeat.store.person_pages import Sought
from drumbeat.store.transaction import Snapshot, Tx

Settle = Callable[[PersonFields | None, PersonFields], PersonFields]


@dataclass(frozen=True, slots=True)
class PersonEdit:
    """What a caller changes of a person.

    Fields and details are named and replaced; of addresses and custom fields only the parts named are. What
    is set to None is taken away. `settle` gets the fields before (None: there was nobody) and after; it completes
    them, or refuses what the contract does not allow.
    """

    settle: Settle
    fields: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    addresses: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    owner_id: int | None = None

    def applied(self, before: PersonFields | None) -> PersonFields:
        """The fields as they are to be stored."""
        old = before or PersonFields()
        addresses = {name: _merged(old.details.get(name) or {}, parts) for name, parts in self.addresses.items()}
        new = replace(
            old,
            **self.fields,
            custom=_merged(old.custom, self.custom),
            details=_merged(old.details, {**self.details, **{name: each or None for name, each in addresses.items()}}),
        )
        return self.settle(before, new)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    untouched = {name: value for name, value in old.items() if name not in new}
    return untouched | {name: value for name, value in new.items() if value is not None}


def create(
    tx: Tx,
    hash_key: bytes,
    account_id: int,
    caller_id: int,
    kind: PersonKind,
    edit: PersonEdit,
    *,
    seen_by: int | None = None,
) -> Person:
    """A new lead or contact; it is the caller's unless another owner is named."""
    fields = edit.applied(None)
    if kind is PersonKind.LEAD and not fields.status:
        fields = replace(fields, status=NEW_LEAD)
    _check_references(tx, account_id, None, edit, fields, seen_by)
    return add_person(tx, hash_key, account_id, caller_id, kind, fields, owner_id=edit.owner_id)


def change(
    tx: Tx,
    hash_key: bytes,
    account_id: int,
    kind: PersonKind,
    id: int,
    edit: PersonEdit,
    *,
    seen_by: int | None = None,
) -> Person:
    """Change a lead or contact; NotFound if there is none that is seen."""
    people.lock(tx, account_id, kind, id)
    person = people.get(tx, account_id, kind, id, seen_by=seen_by)
    before = fields_of(person)
    fields = edit.applied(before)
    _check_references(tx, account_id, person, edit, fields, seen_by)
    return change_person(tx, hash_key, person, fields, owner_id=edit.owner_id)


def upsert(
    tx: Tx,
    hash_key: bytes,
    account_id: int,
    caller_id: int,
    sought: Sought,
    edit: PersonEdit,
    *,
    seen_by: int | None = None,
) -> Person:
    """Change the one person that is sought, or create it if there is none; SeveralMatch if there are more.

    One transaction at a time looks, so that twins do not create two.
    """
    accounts.lock_ids(tx, account_id, sought.kind)
    found = person_pages.list_page(tx, account_id, sought, Place(limit=2), seen_by=seen_by)
    if len(found) > 1:
        ids = ", ".join(str(person.id) for person in found)
        raise SeveralMatch(f"{sought.kind.title()}s {ids} fit the filters; name filters that only one fits.")
    if found:
        return change(tx, hash_key, account_id, sought.kind, found[0].id, edit, seen_by=seen_by)
    return create(tx, hash_key, account_id, caller_id, sought.kind, edit, seen_by=seen_by)


def _check_references(
    tx: Tx, account_id: int, before: Person | None, edit: PersonEdit, fields: PersonFields, seen_by: int | None
) -> None:
    if edit.owner_id is not None and edit.owner_id != (before and before.owner_id):
        active_user(tx, account_id, edit.owner_id, "owner_id")
    if fields.organization_id is not None and fields.organization_id != (before and before.organization_id):
        _check_organization(tx, account_id, fields.organization_id, "contact_id", before, seen_by)
    parent: int | None = fields.details.get("parent_organization_id")
    if parent is not None and parent != (before and before.details.get("parent_organization_id")):
        _check_organization(tx, account_id, parent, "parent_organization_id", before, seen_by)


def _check_organization(
    tx: Tx, account_id: int, id: int, field: str, member: Person | None, seen_by: int | None
) -> None:
    found = people.find(tx, account_id, PersonKind.CONTACT, id)
    if found is not None and not sees(seen_by, found.owner_id):
        found = None
    is_itself = member is not None and (member.kind, member.id) == (PersonKind.CONTACT, id)
    if found is None or not found.is_organization or is_itself:
        raise IncorrectValue("Name a contact of this account that is another organization.", field=field)


def find_person(
    snapshot: Snapshot, account_id: int, kind: PersonKind, id: int, field: str, *, seen_by: int | None = None
) -> Person:
    """The person that a field names, or IncorrectValue on it."""
    try:
        return people.get(snapshot, account_id, kind, id, seen_by=seen_by)
    except NotFound as error:
        raise IncorrectValue(error.detail, field=field) from None
