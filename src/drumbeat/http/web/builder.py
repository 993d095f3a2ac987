"""/sequences/{id}/steps: where a sequence is built, step by step, as a draft that nobody runs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.calendar import LONGEST_DELAY
from drumbeat.domain.errors import ChangedMeanwhile, Invalid, InvalidMany
from drumbeat.domain.sequence import Sequence
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.http.web.planning import letter_of, plan_of
from drumbeat.http.web.step_form import form_of, press, read_steps, rows_of
from drumbeat.http.web.tried import offered_people
from drumbeat.operations.drafting import MOST_STEPS, discard_draft, draft_of, save_draft
from drumbeat.store import sequences, templates

_ASIDE = ("start", "whom")  # what stands beside the steps and is looked at, never kept


@readable("/sequences/{id:str}/steps", opt=opened())
def show_steps(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """The steps as they were drafted, or as they are published."""
    with visiting(request) as visit:
        found = _sequence(visit, id)
        drafted = draft_of(visit.snapshot, found)
        today = visit.snapshot.now.astimezone(ZoneInfo(visit.zone)).date().isoformat()
        aside = {"start": visit.query.get("start") or today, "whom": visit.query.get("whom", "")}
        return _page(visit, found, form_of(drafted.steps, drafted=drafted.mark, **aside))


def _sequence(visit: Visit, id: str) -> Sequence:
    return sequences.get(visit.snapshot, visit.account_id, read_id(id, "sequence"))


def _page(visit: Visit, sequence: Sequence, form: Form, status: int = 200, **more: Any) -> Response[bytes]:
    known = sorted(templates.list_all(visit.snapshot, visit.account_id), key=lambda each: each.name.casefold())
    now = draft_of(visit.snapshot, sequence)
    return visit.page(
        "builder.html",
        status,
        sequence=sequence,
        form=form,
        rows=list(rows_of(form)),
        templates=[(each.id, each.name) for each in known],
        people=offered_people(visit, form.text("whom")),
        plan=plan_of(visit, sequence, form),
        draft=now,
        most=MOST_STEPS,
        longest=LONGEST_DELAY,
        **{"looked_at": "", "letter": None, "is_overtaken": False} | more,
    )


@post("/sequences/{id:str}/steps", status_code=303, sync_to_thread=True, opt=opened())
def save_steps(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Saves the draft, with the change that a button asks for; or goes on to what publishing changes."""
    sent, number = posted(request, body), read_id(id, "sequence")
    if "look" in sent.form.values:
        return _look(sent, id)
    try:
        steps, place = press(sent.form, read_steps(sent.form))
        begun_with = sent.form.text("mine") or sent.form.text("drafted")
        sent.transact(lambda tx: save_draft(tx, sent.account_id, number, steps, begun_with=begun_with))
    except ChangedMeanwhile:
        aside = {name: sent.form.text(name) for name in (*_ASIDE, "drafted")}
        with sent.again() as visit:
            return _page(visit, _sequence(visit, id), form_of(steps, **aside), 409, is_overtaken=True)
    except (Invalid, InvalidMany) as error:
        if error.field and error.field.startswith("step_"):
            sent.form.values = {**sent.form.values, error.field: [""]}  # the step itself is the field
        with sent.again() as visit:
            return _page(visit, _sequence(visit, id), sent.form.complain(error), 422)
    if sent.form.is_on("publish"):
        return sent.to(f"/sequences/{number}/publish")
    said = "" if place is not None else "The draft is saved; nothing of it runs before it is published."
    return sent.to(_back(sent.form, number, place), said)


def _look(sent: Sent, id: str) -> Response[bytes]:
    """The form as it was sent, with its plan and the letter of a step; nothing is kept."""
    chosen = {str(place): template for place, template in enumerate(sent.form.all("template_id"))}
    place = sent.form.text("look")
    with sent.again() as visit:
        letter = letter_of(visit, chosen[place], sent.form.text("whom")) if place in chosen else None
        return _page(visit, _sequence(visit, id), sent.form, looked_at=place, letter=letter)


def _back(form: Form, number: int, place: int | None) -> str:
    """The address of the builder with what stands beside its steps as it was, at the step to look at."""
    aside = urlencode({name: form.text(name) for name in _ASIDE if form.text(name)})
    step = "" if place is None else f"#step-{place + 1}"
    return f"/sequences/{number}/steps{'?' if aside else ''}{aside}{step}"


@post("/sequences/{id:str}/discard", status_code=303, sync_to_thread=True, opt=opened())
def discard_steps(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Forgets the draft; what is published stays."""
    sent, number = posted(request, body), read_id(id, "sequence")
    said = "The draft is gone; these are the published steps."
    return sent.done(f"/sequences/{number}/steps", said, lambda tx: discard_draft(tx, sent.account_id, number))


handlers = [show_steps, save_steps, discard_steps]
