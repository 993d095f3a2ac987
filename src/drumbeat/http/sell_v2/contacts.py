"""/v2/contacts: list, create, show, change, delete, and create or change by what fits."""

from __future__ import annotations

from litestar import Response, delete, post, put
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import Scope
from drumbeat.domain.person import PersonKind
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.sell_v2 import examples
from drumbeat.http.sell_v2.envelope import Page, Record
from drumbeat.http.sell_v2.people import (
    Answer,
    create_person,
    list_people,
    parameters_of,
    remove_person,
    show_person,
    update_person,
    upsert_person,
)
from drumbeat.http.sell_v2.person_reading import FILTERS, ContactAttributes
from drumbeat.http.sell_v2.person_shapes import ShownContact

_CONTACT = PersonKind.CONTACT
_EXAMPLE = {
    "data": {"first_name": "Carl", "last_name": "Customer", "email": "carl@customer.example", "contact_id": None}
}


@readable(
    "/contacts",
    opt=described(
        "List contacts",
        scope=Scope.READ,
        parameters=parameters_of(_CONTACT),
        answer=Page[Record[ShownContact]],
        answer_example=examples.page(examples.CONTACT, "contacts"),
    ),
)
def list_contacts(request: AnyRequest) -> Answer:
    """A page of the account's contacts, persons and organizations; filters are exact, and all must fit."""
    return list_people(request, _CONTACT)


@post(
    "/contacts",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Create a contact",
        scope=Scope.WRITE,
        body=ContactAttributes,
        example=_EXAMPLE,
        answer=Record[ShownContact],
        answer_example=examples.CONTACT,
    ),
)
def create_contact(request: AnyRequest, body: RawBody) -> Answer:
    """A new contact, the token's owner's unless owner_id names another user; several may have one address."""
    return create_person(request, _CONTACT, body)


@post(
    "/contacts/upsert",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Create or change a contact",
        scope=Scope.WRITE,
        parameters=FILTERS[_CONTACT],
        body=ContactAttributes,
        example=_EXAMPLE,
        answer=Record[ShownContact],
        answer_example=examples.CONTACT,
        refusals=(409,),
    ),
)
def upsert_contact(request: AnyRequest, body: RawBody) -> Answer:
    """Change the one contact the query's filters fit, or create one if they fit none; 409 if they fit several.

    A filter's value is not copied into a new contact: repeat it in the body.
    """
    return upsert_person(request, _CONTACT, body)


@readable(
    "/contacts/{id:str}",
    opt=described(
        "Show a contact",
        scope=Scope.READ,
        answer=Record[ShownContact],
        answer_example=examples.CONTACT,
        refusals=(404,),
    ),
)
def show_contact(request: AnyRequest, id: FromPath[str]) -> Answer:
    """One contact."""
    return show_person(request, _CONTACT, id)


@put(
    "/contacts/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change a contact",
        scope=Scope.WRITE,
        body=ContactAttributes,
        example={"data": {"customer_status": "current"}},
        answer=Record[ShownContact],
        answer_example=examples.CONTACT,
        refusals=(404,),
    ),
)
def update_contact(request: AnyRequest, id: FromPath[str], body: RawBody) -> Answer:
    """Change the attributes sent; null takes one away. Later letters go to a new address.

    Of an address and of custom fields only the parts sent are changed, tags are replaced as a whole. What
    cannot be changed (id, creator_id, created_at, updated_at) is ignored, so that a whole contact can be sent back.
    """
    return update_person(request, _CONTACT, id, body)


@delete(
    "/contacts/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Delete a contact", scope=Scope.WRITE, status=204, refusals=(404,)),
)
def delete_contact(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """Delete a contact with its tasks; its enrollments finish as resource_deleted."""
    return remove_person(request, _CONTACT, id)


handlers = [list_contacts, create_contact, upsert_contact, show_contact, update_contact, delete_contact]
