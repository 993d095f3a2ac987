"""/api/people: leads and contacts, found, made, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, post, put
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import LARGEST_ID, Role
from drumbeat.domain.errors import MalformedParameter, MissingField, NotFound
from drumbeat.domain.person import Person, PersonKind, address_hash, normalize_email
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.paging import AFTER, PER_PAGE, read_place, reply_page
from drumbeat.http.app_api.shapes import One, PageOf, nothing, reply, stamp
from drumbeat.http.decoding import BodyReader, Email, Id, LongText, Name, struct_changes
from drumbeat.http.openapi import Parameter, choice, described, number
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import check_custom, read_id, read_parameters, shortened, text, whole_number, word
from drumbeat.operations import people as operations
from drumbeat.operations.people import PersonEdit
from drumbeat.operations.records import PersonFields, delete_person
from drumbeat.store import people, person_pages, unsubscribes
from drumbeat.store.person_pages import Sought
from drumbeat.store.transaction import Snapshot, Tx

_Tags = Annotated[list[Name], msgspec.Meta(max_length=100)]


class PostalAddress(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """An address; a part that is left out stays, null takes it away."""

    line1: Name | UnsetType | None = UNSET
    city: Name | UnsetType | None = UNSET
    postal_code: Name | UnsetType | None = UNSET
    state: Name | UnsetType | None = UNSET
    country: Name | UnsetType | None = UNSET


class PersonFieldsSent(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What is left out stays; null takes a field away. A person needs a name or an e-mail address.

    Tags are replaced as a whole, custom fields one by one. Phone numbers are kept as they are written.
    """

    first_name: Name | UnsetType | None = UNSET
    last_name: Name | UnsetType | None = UNSET
    organization_name: Name | UnsetType | None = UNSET
    title: Name | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    phone: Name | UnsetType | None = UNSET
    mobile: Name | UnsetType | None = UNSET
    time_zone: Name | UnsetType | None = UNSET
    status: Name | UnsetType | None = UNSET
    owner_id: Id | UnsetType = UNSET
    website: LongText | UnsetType | None = UNSET
    description: LongText | UnsetType | None = UNSET
    address: PostalAddress | UnsetType = UNSET
    tags: _Tags | UnsetType = UNSET
    custom_fields: dict[str, Any] | UnsetType = UNSET


class NewPerson(PersonFieldsSent, rename="camel", forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A lead or a contact; it is whoever makes it's, unless ownerId names another user."""

    kind: PersonKind


class ShownPerson(msgspec.Struct, rename="camel", frozen=True):
    """A person; nothing is written to an address that is unsubscribed, or undeliverable (and why)."""

    kind: PersonKind
    id: int
    first_name: str | None
    last_name: str | None
    organization_name: str | None
    title: str | None
    email: str | None
    phone: str | None
    mobile: str | None
    time_zone: str | None
    status: str | None
    owner_id: int
    creator_id: int
    website: str | None
    description: str | None
    address: PostalAddress
    tags: list[str]
    custom_fields: dict[str, Any]
    unsubscribed: bool
    undeliverable: str | None
    created_at: str | None
    updated_at: str | None


_PARAMETERS = (
    Parameter("kind", f"{' or '.join(PersonKind)}; needed.", choice(PersonKind), required=True),
    Parameter("email", "Only those with this address."),
    Parameter("lastName", "Only those of this last name."),
    Parameter("ownerId", "Only those this user owns.", number()),
    PER_PAGE,
    AFTER,
)
_PERSON: dict[str, Any] = {
    "kind": "contact",
    "id": 7,
    "firstName": "Ada",
    "lastName": "Lovelace",
    "organizationName": None,
    "title": None,
    "email": "ada@example.com",
    "phone": "+442079460000",
    "mobile": None,
    "timeZone": "Europe/London",
    "status": None,
    "ownerId": 1,
    "creatorId": 1,
    "website": None,
    "description": None,
    "address": {"city": "London"},
    "tags": ["webinar"],
    "customFields": {"plan": "pro"},
    "unsubscribed": False,
    "undeliverable": None,
    "createdAt": "2026-03-02T09:30:00Z",
    "updatedAt": "2026-03-03T10:00:00Z",
}
_EXAMPLE = {"data": _PERSON}
_read_new = BodyReader(NewPerson)
_read_changes = BodyReader(PersonFieldsSent)
_DETAILS = ("website", "description")


@readable(
    "/people",
    opt=described(
        "List people",
        role=Role.AGENT,
        parameters=_PARAMETERS,
        answer=PageOf[ShownPerson],
        answer_example={"data": [_PERSON], "meta": {"perPage": 25, "after": None}},
    ),
)
def list_people(request: AnyRequest) -> Response[bytes]:
    """A page of leads or of contacts by id; as quick at any depth."""
    world = parts_of(request).world
    with world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        sent = read_parameters(request, [parameter.name for parameter in _PARAMETERS])
        kind = word(sent, "kind", PersonKind)
        if kind is None:
            raise MalformedParameter("Say whom to list: kind=lead or kind=contact.")
        place = read_place(sent)
        sought = Sought(kind, columns=_columns(sent, world.hash_key, member.account_id))
        found = person_pages.list_page(snapshot, member.account_id, sought, place, seen_by=member.seen_by)
        shown = _shown(snapshot, found)
    return reply_page(shown, place)


def _columns(sent: Mapping[str, str], hash_key: bytes, account_id: int) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "email" in sent:
        columns["address_hash"] = address_hash(hash_key, account_id, normalize_email(sent["email"]))
    if "lastName" in sent:
        columns["last_name"] = text(sent, "lastName")
    if "ownerId" in sent:
        columns["owner_id"] = whole_number(sent, "ownerId", 0, 1, LARGEST_ID)
    return columns


@readable(
    "/people/{kind:str}/{id:str}",
    opt=described("Show a person", role=Role.AGENT, answer=One[ShownPerson], answer_example=_EXAMPLE, refusals=(404,)),
)
def show_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str]) -> Response[bytes]:
    """One lead or contact."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        key = _read_key(kind, id)
        return reply(_shown(snapshot, [people.get(snapshot, member.account_id, *key, seen_by=member.seen_by)])[0])


def _read_key(kind: str, id: str) -> tuple[PersonKind, int]:
    if kind not in list(PersonKind):
        raise NotFound(f"There are {' and '.join(PersonKind)}, no {shortened(kind)}.")
    return PersonKind(kind), read_id(id, kind)


@post(
    "/people",
    sync_to_thread=True,
    opt=described(
        "Make a person",
        role=Role.AGENT,
        body=NewPerson,
        example={"kind": "contact", "firstName": "Ada", "email": "ada@example.com"},
        answer=One[ShownPerson],
        answer_example=_EXAMPLE,
        status=201,
    ),
)
def make_person(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new lead or contact; several may have one address."""
    member = admit_writing(request)
    read_parameters(request)
    sent = struct_changes(_read_new(request, body))
    kind = sent.pop("kind")
    edit = _edit(sent)

    def work(tx: Tx, hash_key: bytes) -> Person:
        account_id, by = member.account_id, member.user_id
        return operations.create(tx, hash_key, account_id, by, kind, edit, seen_by=member.seen_by)

    return _written(request, work, 201)


@put(
    "/people/{kind:str}/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change a person",
        role=Role.AGENT,
        body=PersonFieldsSent,
        example={"title": "Countess", "customFields": {"plan": None}},
        answer=One[ShownPerson],
        answer_example=_EXAMPLE,
        refusals=(404,),
    ),
)
def update_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change the fields sent; letters that waited for an address or a merge tag go on."""
    member = admit_writing(request)
    read_parameters(request)
    key, edit = _read_key(kind, id), _edit(struct_changes(_read_changes(request, body)))

    def work(tx: Tx, hash_key: bytes) -> Person:
        return operations.change(tx, hash_key, member.account_id, *key, edit, seen_by=member.seen_by)

    return _written(request, work, 200)


def _edit(sent: Mapping[str, Any]) -> PersonEdit:
    """What was sent, as an edit; blanks around texts are left out."""
    plain: dict[str, Any] = {
        name: each.strip() or None if isinstance(each, str) else each for name, each in sent.items()
    }
    check_custom(plain.get("custom_fields", {}), "customFields")
    details: dict[str, Any] = {name: plain[name] for name in _DETAILS if name in plain}
    if "tags" in plain:
        details["tags"] = list(dict.fromkeys(tag.strip() for tag in plain["tags"] if tag.strip())) or None
    special = ("custom_fields", "tags", "address", "owner_id", *_DETAILS)
    return PersonEdit(
        settle=_settle,
        fields={name: value for name, value in plain.items() if name not in special},
        details=details,
        addresses={"address": struct_changes(plain["address"])} if "address" in plain else {},
        custom=plain.get("custom_fields", {}),
        owner_id=plain.get("owner_id"),
    )


def _settle(before: PersonFields | None, after: PersonFields) -> PersonFields:
    if not any((after.first_name, after.last_name, after.organization_name, after.email)):
        raise MissingField("A person needs a name or an e-mail address.", field="last_name")
    return after


def _written(request: AnyRequest, work: Any, status: int) -> Response[bytes]:
    world = parts_of(request).world

    def shown(tx: Tx) -> ShownPerson:
        return _shown(tx, [work(tx, world.hash_key)])[0]

    return reply(world.database.transact(shown), status)


@delete(
    "/people/{kind:str}/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Delete a person", role=Role.AGENT, status=204, refusals=(404,)),
)
def remove_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str]) -> Response[None]:
    """What runs for the person finishes as resource_deleted, and their tasks go."""
    member = admit_writing(request)
    read_parameters(request)
    key = _read_key(kind, id)
    parts_of(request).world.database.transact(
        lambda tx: delete_person(tx, member.account_id, *key, member.user_id, seen_by=member.seen_by)
    )
    return nothing()


def _shown(snapshot: Snapshot, found: Sequence[Person]) -> list[ShownPerson]:
    if not found:
        return []
    account_id = found[0].account_id
    hashes = [person.address_hash for person in found if person.address_hash is not None]
    suppressed = unsubscribes.suppressed_among(snapshot, account_id, hashes)
    undeliverable = unsubscribes.undeliverable_among(snapshot, account_id, hashes)
    return [
        ShownPerson(
            **{name: getattr(person, name) for name in _PLAIN},
            website=person.details.get("website"),
            description=person.details.get("description"),
            address=PostalAddress(**(person.details.get("address") or {})),
            tags=person.details.get("tags") or [],
            custom_fields=dict(person.custom),
            unsubscribed=person.address_hash in suppressed,
            undeliverable=undeliverable.get(person.address_hash or ""),
            created_at=stamp(person.created_at),
            updated_at=stamp(person.updated_at),
        )
        for person in found
    ]


_PLAIN = (
    *("kind", "id", "first_name", "last_name", "organization_name", "title", "email", "phone", "mobile"),
    *("time_zone", "status", "owner_id", "creator_id"),
)
handlers = [list_people, show_person, make_person, update_person, remove_person]
