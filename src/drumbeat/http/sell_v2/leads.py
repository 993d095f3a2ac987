"""/v2/leads: list, create, show, change, delete, and create or change by what fits."""

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
from drumbeat.http.sell_v2.person_reading import FILTERS, LeadAttributes
from drumbeat.http.sell_v2.person_shapes import ShownLead

_LEAD = PersonKind.LEAD
_EXAMPLE = {"data": {"first_name": "Lena", "last_name": "Lindt", "email": "lena@customer.example", "tags": ["lamps"]}}


@readable(
    "/leads",
    opt=described(
        "List leads",
        scope=Scope.READ,
        parameters=parameters_of(_LEAD),
        answer=Page[Record[ShownLead]],
        answer_example=examples.page(examples.LEAD, "leads"),
    ),
)
def list_leads(request: AnyRequest) -> Answer:
    """A page of the account's leads; filters are exact, and all of them must fit."""
    return list_people(request, _LEAD)


@post(
    "/leads",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Create a lead",
        scope=Scope.WRITE,
        body=LeadAttributes,
        example=_EXAMPLE,
        answer=Record[ShownLead],
        answer_example=examples.LEAD,
    ),
)
def create_lead(request: AnyRequest, body: RawBody) -> Answer:
    """A new lead, the token's owner's unless owner_id names another user; several may have one address."""
    return create_person(request, _LEAD, body)


@post(
    "/leads/upsert",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Create or change a lead",
        scope=Scope.WRITE,
        parameters=FILTERS[_LEAD],
        body=LeadAttributes,
        example=_EXAMPLE,
        answer=Record[ShownLead],
        answer_example=examples.LEAD,
        refusals=(409,),
    ),
)
def upsert_lead(request: AnyRequest, body: RawBody) -> Answer:
    """Change the one lead the query's filters fit, or create one if they fit none; 409 if they fit several.

    A filter's value is not copied into a new lead: repeat it in the body.
    """
    return upsert_person(request, _LEAD, body)


@readable(
    "/leads/{id:str}",
    opt=described(
        "Show a lead", scope=Scope.READ, answer=Record[ShownLead], answer_example=examples.LEAD, refusals=(404,)
    ),
)
def show_lead(request: AnyRequest, id: FromPath[str]) -> Answer:
    """One lead."""
    return show_person(request, _LEAD, id)


@put(
    "/leads/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change a lead",
        scope=Scope.WRITE,
        body=LeadAttributes,
        example={"data": {"status": "Working"}},
        answer=Record[ShownLead],
        answer_example=examples.LEAD,
        refusals=(404,),
    ),
)
def update_lead(request: AnyRequest, id: FromPath[str], body: RawBody) -> Answer:
    """Change the attributes sent; null takes one away. Later letters go to a new address.

    Of an address and of custom fields only the parts sent are changed, tags are replaced as a whole. What
    cannot be changed (id, creator_id, created_at, updated_at) is ignored, so that a whole lead can be sent back.
    """
    return update_person(request, _LEAD, id, body)


@delete(
    "/leads/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Delete a lead", scope=Scope.WRITE, status=204, refusals=(404,)),
)
def delete_lead(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """Delete a lead with its tasks; its enrollments finish as resource_deleted."""
    return remove_person(request, _LEAD, id)


handlers = [list_leads, create_lead, upsert_lead, show_lead, update_lead, delete_lead]
