"""/v2/lead_conversions: leads become contacts, and which ones did."""

from __future__ import annotations

import msgspec
from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import Scope
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import IncorrectValue
from drumbeat.http.auth import admit
from drumbeat.http.openapi import IDS, Parameter, described, number
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable
from drumbeat.http.reading import number_list, read_attributes, read_id, read_parameters, whole_number
from drumbeat.http.sell_v2 import examples
from drumbeat.http.sell_v2.envelope import Meta, Page, Record, whole_seconds
from drumbeat.http.sell_v2.listing import AFTER, PAGING, long_order, read_paging, read_place
from drumbeat.http.sell_v2.person_reading import Id
from drumbeat.http.sell_v2.writing import admit_writer
from drumbeat.operations.conversions import convert
from drumbeat.store import conversions
from drumbeat.store.conversions import Conversion
from drumbeat.store.pages import Order
from drumbeat.store.transaction import Tx

Answer = Response[bytes]


class NewConversion(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which lead to convert, and who is to own the contacts; there are no deals to create."""

    lead_id: Id
    owner_id: Id | None = None
    create_deal: bool | None = None


class ShownConversion(msgspec.Struct, frozen=True):
    """The contacts a lead became; there is never a deal."""

    id: int
    creator_id: int
    lead_id: int
    individual_id: int | None
    organization_id: int | None
    deal_id: int | None
    created_at: str
    updated_at: str


_CONVERSION = Meta("lead_conversion")
_ORDERS = (Order.ID,)
_COLUMNS = ("lead_id", "individual_id", "organization_id", "creator_id")
_PARAMETERS = (
    *PAGING,
    Parameter("ids", "Only these conversions: ids separated by commas.", IDS),
    Parameter("lead_id", "Only the conversion of this lead.", number()),
    Parameter("individual_id", "Only the conversion that made this person.", number()),
    Parameter("organization_id", "Only the conversion that made this organization.", number()),
    Parameter("creator_id", "Only conversions by this user.", number()),
    Parameter("deal_id", "Finds none: conversions create no deals.", number()),
    long_order(_ORDERS),
    AFTER,
)


@readable(
    "/lead_conversions",
    opt=described(
        "List lead conversions",
        scope=Scope.READ,
        parameters=_PARAMETERS,
        answer=Page[Record[ShownConversion]],
        answer_example=examples.page(examples.LEAD_CONVERSION, "lead_conversions"),
    ),
)
def list_conversions(request: AnyRequest) -> Answer:
    """A page of the account's lead conversions."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        sent = read_parameters(request, [parameter.name for parameter in _PARAMETERS])
        paging = read_paging(sent)
        place = read_place(sent, paging, _ORDERS)
        columns = {name: whole_number(sent, name, 0, 1, LARGEST_ID) for name in _COLUMNS if name in sent}
        whole_number(sent, "deal_id", 0, 1, LARGEST_ID)
        ids = [] if "deal_id" in sent else number_list(sent, "ids")
        found = conversions.list_page(snapshot, caller.account_id, ids, columns, place, seen_by=caller.seen_by)
    shown, has_next = found[: paging.per_page], len(found) > paging.per_page
    last_id = shown[-1].id if has_next else 0
    return paging.answer(request, [_record(each) for each in shown], has_next=has_next, last_id=last_id)


@post(
    "/lead_conversions",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Convert a lead",
        scope=Scope.WRITE,
        body=NewConversion,
        example={"data": {"lead_id": 1, "create_deal": False}},
        answer=Record[ShownConversion],
        answer_example=examples.LEAD_CONVERSION,
    ),
)
def create_conversion(request: AnyRequest, body: RawBody) -> Answer:
    """Make a lead a contact, and its organization another; the lead is gone.

    Its enrollments finish as resource_deleted, its tasks become the contact's.
    """
    world = parts_of(request).world
    caller = admit_writer(request)
    sent = read_attributes(request, body, NewConversion.__struct_fields__)
    lead_id, owner_id = sent.id("lead_id", required=True), sent.id("owner_id") or None
    if sent.flag("create_deal"):
        sent.refuse(IncorrectValue("There are no deals here; send false.", field="create_deal"))
    sent.check()

    def work(tx: Tx) -> Conversion:
        account_id, by = caller.account_id, caller.user_id
        return convert(tx, world.hash_key, account_id, by, lead_id, owner_id, seen_by=caller.seen_by)

    return json_reply(_record(world.database.transact(work)))


@readable(
    "/lead_conversions/{id:str}",
    opt=described(
        "Show a lead conversion",
        scope=Scope.READ,
        answer=Record[ShownConversion],
        answer_example=examples.LEAD_CONVERSION,
        refusals=(404,),
    ),
)
def show_conversion(request: AnyRequest, id: FromPath[str]) -> Answer:
    """One lead conversion."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        read_parameters(request)
        number = read_id(id, "lead conversion")
        return json_reply(_record(conversions.get(snapshot, caller.account_id, number, seen_by=caller.seen_by)))


def _record(made: Conversion) -> Record[ShownConversion]:
    at = whole_seconds(made.created_at)
    shown = ShownConversion(
        id=made.id,
        creator_id=made.creator_id,
        lead_id=made.lead_id,
        individual_id=made.individual_id,
        organization_id=made.organization_id,
        deal_id=None,
        created_at=at,
        updated_at=at,
    )
    return Record(shown, _CONVERSION)


handlers = [list_conversions, create_conversion, show_conversion]
