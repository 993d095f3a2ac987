"""What becomes of the steps in the builder, kept or not: their plan on a calendar, and their letters for somebody."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.errors import IncorrectValue, NotFound, Refused
from drumbeat.domain.sequence import ActionType, Sequence
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form, read_number
from drumbeat.http.web.frame import Visit, opened, posted, visiting
from drumbeat.http.web.month import moment_of, months_of
from drumbeat.http.web.step_form import read_steps
from drumbeat.http.web.tried import Tried, find_whom, tried_for
from drumbeat.operations.drafting import planned
from drumbeat.store import sequences, templates

_MOST_YEARS = 10  # between now and a start


@post("/sequences/{id:str}/plan", status_code=200, sync_to_thread=True, opt=opened())
def show_plan(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """The calendar of the steps in the form, for somebody enrolled at the start chosen; nothing is kept."""
    sent = posted(request, body)
    with sent.again() as visit:
        found = sequences.get(visit.snapshot, visit.account_id, read_id(id, "sequence"))
        return visit.part("plan.html", plan=plan_of(visit, found, sent.form), is_part=True)


def plan_of(visit: Visit, sequence: Sequence, form: Form) -> dict[str, Any]:
    """What the plan of the steps in a form shows, on the sequence's own clock; or what keeps it from being made."""
    zone, now = sequence.time_zone or visit.zone, visit.snapshot.now
    try:
        steps = read_steps(form)
        instants = planned(sequence, visit.account, visit.user, steps, _start(form.text("start"), zone, now) or now)
    except Refused as error:
        return _nothing(zone, error.detail or error.message, is_trouble=True)
    if not steps:
        return _nothing(zone, "Steps are shown here on a calendar.", is_trouble=False)
    letters = [step.action_type is ActionType.AUTOMATED_EMAIL for step in steps]
    moments = [moment_of(instant, zone, visit.manner, now) for instant in instants]
    return {
        "zone": zone,
        "trouble": False,
        "words": f"{visit.manner.plural(len(steps), 'step')}, the last on {moments[-1].words}.",
        "months": months_of(instants, letters, zone, sequence.holidays, visit.manner),
        "steps": list(zip(steps, moments, strict=True)),
        "names": {each.id: each.name for each in templates.list_all(visit.snapshot, visit.account_id)},
    }


def _nothing(zone: str, words: str, *, is_trouble: bool) -> dict[str, Any]:
    return {"zone": zone, "trouble": is_trouble, "words": words, "months": [], "steps": []}


def _start(text: str, zone: str, now: datetime) -> datetime | None:
    """The beginning of a day, at nine, or an instant of it; None for what is neither."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    if abs(local.year - now.year) > _MOST_YEARS:
        raise IncorrectValue(f"Choose a start within {_MOST_YEARS} years from now.", field="start")
    if len(text) <= 10:
        local = datetime.combine(local.date(), time(9))
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@readable("/sequences/{id:str}/letter", opt=opened())
def show_letter(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """A step's letter as a person would get it; tags without a value are marked."""
    with visiting(request) as visit:
        sequences.get(visit.snapshot, visit.account_id, read_id(id, "sequence"))
        tried = letter_of(visit, visit.query.get("template_id", ""), visit.query.get("whom", ""))
        return visit.part("template_preview.html", tried=tried)


def letter_of(visit: Visit, template: str, whom: str) -> Tried:
    """A template's letter for somebody, or what is in the way of it."""
    template_id = read_number(template)
    if not template_id:
        return Tried(None, trouble="Choose a template first.")
    try:
        source = templates.get(visit.snapshot, visit.account_id, template_id).source
    except NotFound as error:
        return Tried(None, trouble=error.detail)
    return tried_for(visit, source, find_whom(visit, whom), parts_of(visit.request).world.settings.base_url)


handlers = [show_plan, show_letter]
