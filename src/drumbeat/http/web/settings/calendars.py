"""/settings/calendars: holidays that sequences in working days go by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.calendar import Holidays
from drumbeat.domain.errors import IncorrectValue, Invalid, InvalidMany
from drumbeat.domain.line import check_line
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id, shortened
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.operations.calendars import add_calendar, change_calendar, delete_calendar
from drumbeat.store import sequences, templates
from drumbeat.store.templates import StoredCalendar

_PAGE = "/settings/calendars"
_MOST_DAYS = 1000
_SHOWN_DAYS = 12
_A_DAY = timedelta(days=1)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@readable(_PAGE, opt=opened())
def show_calendars(request: AnyRequest) -> Response[bytes]:
    """Every calendar, and which sequences go by it."""
    with visiting(request) as visit:
        found = templates.list_calendars(visit.snapshot, visit.account_id)
        return visit.page("settings/calendars.html", calendars=found, used=_used(visit))


def _used(visit: Visit) -> dict[int, list[tuple[int, str]]]:
    """The ids and names of the sequences that go by each calendar."""
    used: dict[int, list[tuple[int, str]]] = {}
    for each in sequences.list_all(visit.snapshot, visit.account_id):
        if each.calendar_id is not None:
            used.setdefault(each.calendar_id, []).append((each.id, each.name))
    return used


@readable(f"{_PAGE}/new", opt=opened())
def show_new_calendar(request: AnyRequest) -> Response[bytes]:
    """An empty form."""
    with visiting(request) as visit:
        return _form_page(visit, Form.of(name=None, country=None, region=None, days=None), None)


def _form_page(visit: Visit, form: Form, found: StoredCalendar | None, status: int = 200) -> Response[bytes]:
    today = visit.snapshot.now.astimezone(ZoneInfo(visit.zone)).date()
    return visit.page(
        "settings/calendar.html",
        status,
        form=form,
        calendar=found,
        used=_used(visit).get(found.id, []) if found else [],
        next_days=list(islice(_days_off(found.holidays, today), _SHOWN_DAYS)) if found else [],
        today=today,
    )


def _days_off(holidays: Holidays, today: date) -> Iterator[date]:
    """The days off of the year from today on."""
    return (day for day in (today + n * _A_DAY for n in range(366)) if holidays.is_holiday(day))


@post(f"{_PAGE}/new", status_code=303, sync_to_thread=True, opt=opened())
def make_calendar(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new calendar, which sequences may go by."""
    sent = posted(request, body)
    try:
        name, holidays = sent.form.text("name"), _holidays(sent.form)
        made = sent.transact(lambda tx: add_calendar(tx, sent.account_id, name, holidays, sent.by))
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _form_page(visit, sent.form.complain(error), None, 422)
    return sent.to(f"{_PAGE}/{made.id}", "The calendar is kept. Choose it in a sequence's settings.")


def _holidays(form: Form) -> Holidays:
    country, region = form.text("country").upper() or None, form.optional("region")
    return Holidays(country, region, frozenset(_days(form.text("days"))))


def _days(text: str) -> list[date]:
    """The days of a text, one a line; IncorrectValue names the line that holds none."""
    days = [_read_day(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(days) > _MOST_DAYS:
        raise IncorrectValue(f"Write at most {_MOST_DAYS:,} days.", field="days")
    return days


def _read_day(number: int, line: str) -> date:
    try:
        if _DAY.fullmatch(line):
            return date.fromisoformat(line)
    except ValueError:
        pass
    raise IncorrectValue(f"Line {number}: write a day such as 2026-12-24, not {shortened(line)!r}.", field="days")


@readable(f"{_PAGE}/{{id:str}}", opt=opened())
def show_calendar(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """A calendar's form, the days off that come next, and who goes by it."""
    with visiting(request) as visit:
        found = _get(visit, read_id(id, "calendar"))
        holidays = found.holidays
        days = "\n".join(day.isoformat() for day in sorted(holidays.days))
        form = Form.of(name=found.name, country=holidays.country, region=holidays.region, days=days)
        return _form_page(visit, form, found)


def _get(visit: Visit, number: int) -> StoredCalendar:
    return templates.get_calendar(visit.snapshot, visit.account_id, number)


@post(f"{_PAGE}/{{id:str}}", status_code=303, sync_to_thread=True, opt=opened())
def update_calendar(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Changes a calendar; steps that wait by it move with it."""
    sent, number = posted(request, body), read_id(id, "calendar")
    try:
        _change(sent, number)
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _form_page(visit, sent.form.complain(error), _get(visit, number), 422)
    return sent.to(f"{_PAGE}/{number}", "The calendar is kept; steps that wait by it move with it.")


def _change(sent: Sent, number: int) -> StoredCalendar:
    name, holidays = check_line(sent.form.text("name"), "name"), _holidays(sent.form)
    return sent.transact(
        lambda tx: change_calendar(tx, sent.account_id, number, name=name, holidays=holidays, actor_id=sent.by)
    )


@post(f"{_PAGE}/{{id:str}}/delete", status_code=303, sync_to_thread=True, opt=opened())
def remove_calendar(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Deletes a calendar that no sequence goes by."""
    sent, number = posted(request, body), read_id(id, "calendar")
    try:
        sent.transact(lambda tx: delete_calendar(tx, sent.account_id, number, sent.by))
    except Invalid as error:
        return sent.to(f"{_PAGE}/{number}", error.detail or error.message, wrong=True)
    return sent.to(_PAGE, "The calendar is deleted.")


handlers = [show_calendars, show_new_calendar, make_calendar, show_calendar, update_calendar, remove_calendar]
