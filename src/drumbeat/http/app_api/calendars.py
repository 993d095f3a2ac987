"""/api/calendars: holidays that sequences in working days go by."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, post, put
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import Role
from drumbeat.domain.calendar import Holidays
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import Many, One, nothing, reply, reply_all
from drumbeat.http.decoding import BodyReader, Name, struct_changes
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.operations.calendars import add_calendar, change_calendar, delete_calendar
from drumbeat.store import templates
from drumbeat.store.templates import StoredCalendar
from drumbeat.store.transaction import Tx

_Days = Annotated[list[date], msgspec.Meta(max_length=1000)]


class NewCalendar(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The public holidays of a country (DE) and perhaps a region (BY), and days of one's own."""

    name: Name
    country: Name | None = None
    region: Name | None = None
    days: _Days = []


class ChangedCalendar(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is left out stays; null takes the country or the region away."""

    name: Name | UnsetType = UNSET
    country: Name | UnsetType | None = UNSET
    region: Name | UnsetType | None = UNSET
    days: _Days | UnsetType = UNSET


class ShownCalendar(msgspec.Struct, frozen=True):
    """A calendar; its own days in order."""

    id: int
    name: str
    country: str | None
    region: str | None
    days: list[date]


_CALENDAR = {"id": 1, "name": "Bavaria", "country": "DE", "region": "BY", "days": ["2026-12-24"]}
_EXAMPLE = {"data": _CALENDAR}
_read_new = BodyReader(NewCalendar)
_read_changes = BodyReader(ChangedCalendar)


@readable(
    "/calendars",
    opt=described("List calendars", role=Role.AGENT, answer=Many[ShownCalendar], answer_example={"data": [_CALENDAR]}),
)
def list_calendars(request: AnyRequest) -> Response[bytes]:
    """Every calendar of the account by id."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = templates.list_calendars(snapshot, member.account_id)
    return reply_all([_shown(each) for each in found])


@readable(
    "/calendars/{id:str}",
    opt=described(
        "Show a calendar", role=Role.AGENT, answer=One[ShownCalendar], answer_example=_EXAMPLE, refusals=(404,)
    ),
)
def show_calendar(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One calendar."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        return reply(_shown(templates.get_calendar(snapshot, member.account_id, read_id(id, "calendar"))))


@post(
    "/calendars",
    sync_to_thread=True,
    opt=described(
        "Make a calendar",
        role=Role.AGENT,
        body=NewCalendar,
        example={"name": "Bavaria", "country": "DE", "region": "BY", "days": ["2026-12-24"]},
        answer=One[ShownCalendar],
        answer_example=_EXAMPLE,
        status=201,
        refusals=(409,),
    ),
)
def make_calendar(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new calendar, which sequences may go by."""
    member = admit_writing(request)
    read_parameters(request)
    sent = _read_new(request, body)
    holidays = Holidays(sent.country or None, sent.region or None, frozenset(sent.days))

    def work(tx: Tx) -> StoredCalendar:
        return add_calendar(tx, member.account_id, sent.name, holidays, member.user_id)

    return reply(_shown(parts_of(request).world.database.transact(work)), 201)


@put(
    "/calendars/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change a calendar",
        role=Role.AGENT,
        body=ChangedCalendar,
        example={"days": ["2026-12-24", "2026-12-31"]},
        answer=One[ShownCalendar],
        answer_example=_EXAMPLE,
        refusals=(404, 409),
    ),
)
def update_calendar(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change the fields sent; steps that wait by the calendar move with it, in batches."""
    member = admit_writing(request)
    read_parameters(request)
    number, changes = read_id(id, "calendar"), struct_changes(_read_changes(request, body))

    def work(tx: Tx) -> StoredCalendar:
        account_id = member.account_id
        before = templates.lock_calendar(tx, account_id, number).holidays
        holidays = _changed(before, changes)
        name = changes.get("name")
        return change_calendar(tx, account_id, number, name=name, holidays=holidays, actor_id=member.user_id)

    return reply(_shown(parts_of(request).world.database.transact(work)))


def _changed(before: Holidays, changes: dict[str, Any]) -> Holidays:
    country = changes.get("country", before.country) or None
    region = changes.get("region", before.region if country == before.country else None) or None
    return Holidays(country, region, frozenset(changes.get("days", before.days)))


@delete(
    "/calendars/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Delete a calendar", role=Role.AGENT, status=204, refusals=(404,)),
)
def remove_calendar(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """Refused while a sequence goes by it."""
    member = admit_writing(request)
    read_parameters(request)
    number = read_id(id, "calendar")
    parts_of(request).world.database.transact(lambda tx: delete_calendar(tx, member.account_id, number, member.user_id))
    return nothing()


def _shown(calendar: StoredCalendar) -> ShownCalendar:
    holidays = calendar.holidays
    return ShownCalendar(calendar.id, calendar.name, holidays.country, holidays.region, sorted(holidays.days))


handlers = [list_calendars, show_calendar, make_calendar, update_calendar, remove_calendar]
