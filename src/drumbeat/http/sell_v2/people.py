"""What /v2/leads and /v2/contacts have in common: the verbs, over the two kinds of person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Response

from drumbeat.domain.access import Scope, sees
from drumbeat.domain.errors import MalformedParameter
from drumbeat.domain.person import Person, PersonKind
from drumbeat.http.auth import admit
from drumbeat.http.openapi import IDS, Parameter, choice
from drumbeat.http.parts import AnyRequest, json_reply, parts_of
from drumbeat.http.reading import read_attributes, read_id, read_parameters
from drumbeat.http.sell_v2.envelope import Record
from drumbeat.http.sell_v2.listing import AFTER, PAGING, long_order, read_paging, read_place
from drumbeat.http.sell_v2.person_reading import (
    FILTERS,
    ContactAttributes,
    LeadAttributes,
    is_custom_filter,
    read_edit,
    read_sought,
)
from drumbeat.http.sell_v2.person_shapes import person_record
from drumbeat.http.sell_v2.writing import admit_to, admit_writer, no_content
from drumbeat.operations import people as operations
from drumbeat.operations.people import PersonEdit
from drumbeat.operations.records import delete_person
from drumbeat.store import people, person_pages
from drumbeat.store.pages import Order
from drumbeat.store.stamps import to_stamp
from drumbeat.store.transaction import Snapshot, Tx

Answer = Response[bytes]

INCLUDES = Parameter(
    "includes", "organization: show the organization of each contact in full.", choice(["organization"])
)
_ORDERS = (Order.ID, Order.UPDATED, Order.NAME)
_IDS = Parameter("ids", "Only these: ids separated by commas.", IDS)
_ATTRIBUTES: dict[PersonKind, Any] = {PersonKind.LEAD: LeadAttributes, PersonKind.CONTACT: ContactAttributes}


def parameters_of(kind: PersonKind) -> tuple[Parameter, ...]:
    """What a list of the kind may be asked for."""
    includes = (INCLUDES,) if kind is PersonKind.CONTACT else ()
    return (*PAGING, _IDS, *FILTERS[kind], *includes, long_order(_ORDERS), AFTER)


def list_people(request: AnyRequest, kind: PersonKind) -> Answer:
    """A page of people."""
    world = parts_of(request).world
    with world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        names = [parameter.name for parameter in parameters_of(kind)]
        sent = read_parameters(request, names, is_custom_filter)
        if sent.get("includes", "organization") != "organization":
            raise MalformedParameter("includes can only be organization.")
        paging = read_paging(sent)
        place = read_place(sent, paging, _ORDERS)
        sought = read_sought(sent, kind, world.hash_key, caller.account_id)
        found = person_pages.list_page(snapshot, caller.account_id, sought, place, seen_by=caller.seen_by)
        shown, has_next = found[: paging.per_page], len(found) > paging.per_page
        records = _records(snapshot, shown, caller.seen_by, with_organizations="includes" in sent)
    if not has_next or place.order is Order.NAME:
        return paging.answer(request, records, has_next=has_next)
    last = shown[-1]
    last_at = to_stamp(last.updated_at) if place.order is Order.UPDATED else None
    return paging.answer(request, records, has_next=True, last_id=last.id, last_at=last_at)


def _records(
    snapshot: Snapshot, shown: Sequence[Person], seen_by: int | None, *, with_organizations: bool
) -> list[Record[Any]]:
    if not with_organizations:
        return [person_record(person) for person in shown]
    ids = {person.organization_id for person in shown if person.organization_id is not None}
    keys = [(PersonKind.CONTACT, id) for id in sorted(ids)]
    found = people.find_many(snapshot, shown[0].account_id, keys) if keys else {}
    organizations = {id: person_record(each) for (_, id), each in found.items() if sees(seen_by, each.owner_id)}
    return [person_record(person, organizations.get(person.organization_id or 0)) for person in shown]


def show_person(request: AnyRequest, kind: PersonKind, id: str) -> Answer:
    """One person."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        read_parameters(request)
        number = read_id(id, kind)
        return json_reply(person_record(people.get(snapshot, caller.account_id, kind, number, seen_by=caller.seen_by)))


def create_person(request: AnyRequest, kind: PersonKind, body: bytes) -> Answer:
    """A new person."""
    world = parts_of(request).world
    caller = admit_writer(request)
    edit = _read(request, kind, body)

    def work(tx: Tx) -> Person:
        account_id, by = caller.account_id, caller.user_id
        return operations.create(tx, world.hash_key, account_id, by, kind, edit, seen_by=caller.seen_by)

    return json_reply(person_record(world.database.transact(work)))


def update_person(request: AnyRequest, kind: PersonKind, id: str, body: bytes) -> Answer:
    """Change what is sent."""
    world = parts_of(request).world
    caller = admit_writer(request)
    number = read_id(id, kind)
    edit = _read(request, kind, body)

    def work(tx: Tx) -> Person:
        return operations.change(tx, world.hash_key, caller.account_id, kind, number, edit, seen_by=caller.seen_by)

    return json_reply(person_record(world.database.transact(work)))


def upsert_person(request: AnyRequest, kind: PersonKind, body: bytes) -> Answer:
    """Change the one that the filters fit, or create it."""
    world = parts_of(request).world
    caller = admit_to(request, Scope.WRITE)
    sent = read_parameters(request, [parameter.name for parameter in FILTERS[kind]], is_custom_filter)
    if not sent:
        raise MalformedParameter("Say in the query whom to look for, such as ?email=ada@example.com.")
    sought = read_sought(sent, kind, world.hash_key, caller.account_id)
    edit = _read(request, kind, body)

    def work(tx: Tx) -> Person:
        account_id, by = caller.account_id, caller.user_id
        return operations.upsert(tx, world.hash_key, account_id, by, sought, edit, seen_by=caller.seen_by)

    return json_reply(person_record(world.database.transact(work)))


def remove_person(request: AnyRequest, kind: PersonKind, id: str) -> Response[None]:
    """Delete a person; what runs for it finishes."""
    caller = admit_writer(request)
    number = read_id(id, kind)
    parts_of(request).world.database.transact(
        lambda tx: delete_person(tx, caller.account_id, kind, number, caller.user_id, seen_by=caller.seen_by)
    )
    return no_content()


def _read(request: AnyRequest, kind: PersonKind, body: bytes) -> PersonEdit:
    known = _ATTRIBUTES[kind].__struct_fields__
    return read_edit(kind, read_attributes(request, body, known))
