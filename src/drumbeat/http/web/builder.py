"""/sequences/{id}/steps: where a sequence is built, planned on a calendar, compared with what runs, and published."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.calendar import LONGEST_DELAY, Unit
from drumbeat.domain.errors import DrumbeatError, IncorrectValue, Invalid, InvalidMany, Refused
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import ActionType, Sequence, Step
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.finding import read_number
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Visit, opened, posted, visiting
from drumbeat.http.web.month import months_of
from drumbeat.http.web.tried import offered_people, tried_for
from drumbeat.operations.drafting import (
    MOST_STEPS,
    Difference,
    DraftStep,
    differences,
    discard_draft,
    draft_of,
    planned,
    publish_draft,
    published_steps,
    save_draft,
)
from drumbeat.operations.sequence_counts import tally_of
from drumbeat.operations.sequences import check_step, steps_wanted, warnings_of
from drumbeat.store import people, sequences, templates
from drumbeat.store.transaction import Tx

_STEP = re.compile(r"^step (\d+)")
_COLUMNS = ("action", "amount", "unit", "template_id", "thread", "task")


@readable("/sequences/{id:str}/steps", opt=opened())
def show_steps(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """The steps as they were drafted, or as they are published."""
    with visiting(request) as visit:
        found = _sequence(visit, id)
        drafted = draft_of(visit.snapshot, found)
        return _page(visit, found, _form_of(drafted.steps), is_saved=drafted.is_saved)


def _sequence(visit: Visit, id: str) -> Sequence:
    return sequences.get(visit.snapshot, visit.account_id, read_id(id, "sequence"))


def _form_of(steps: list[DraftStep]) -> Form:
    return Form.of(
        action=[step.action_type.value for step in steps],
        amount=[step.amount for step in steps],
        unit=[step.unit.value for step in steps],
        template_id=[step.template_id or "" for step in steps],
        thread=["yes" if step.is_reply else "no" for step in steps],
        task=[step.task for step in steps],
    )


def _page(visit: Visit, sequence: Sequence, form: Form, status: int = 200, *, is_saved: bool) -> Response[bytes]:
    rows = list(zip(*(form.values.get(name, ()) for name in _COLUMNS), strict=False))
    known = sorted(templates.list_all(visit.snapshot, visit.account_id), key=lambda each: each.name.casefold())
    return visit.page(
        "builder.html",
        status,
        sequence=sequence,
        form=form,
        rows=rows,
        templates=[(each.id, each.name) for each in known],
        people=offered_people(visit),
        is_saved=is_saved,
        most=MOST_STEPS,
        longest=LONGEST_DELAY,
    )


@post("/sequences/{id:str}/steps", status_code=303, sync_to_thread=True, opt=opened())
def save_steps(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Saves the draft, with the change that a button asks for; or goes on to what publishing changes."""
    sent, number = posted(request, body), read_id(id, "sequence")
    page = f"/sequences/{number}/steps"
    try:
        steps = _changed(sent.form, _read_steps(sent.form))
        sent.transact(lambda tx: save_draft(tx, sent.account_id, number, steps))
    except (Invalid, InvalidMany) as error:
        if error.field and error.field.startswith("step_"):
            sent.form.values = {**sent.form.values, error.field: [""]}  # the step itself is the field
        with sent.again() as visit:
            return _page(visit, _sequence(visit, id), sent.form.complain(error), 422, is_saved=False)
    if sent.form.is_on("publish"):
        return sent.to(f"/sequences/{number}/publish")
    is_change = any(name in sent.form.values for name in ("add", "remove", "up", "down"))
    return sent.to(page, "" if is_change else "The draft is saved; nothing of it runs before it is published.")


def _read_steps(form: Form) -> list[DraftStep]:
    columns = [form.all(name) for name in _COLUMNS]
    if len({len(column) for column in columns}) > 1:
        raise IncorrectValue("The form is broken; load the page again.", field="steps")
    return [_step(number, *cells) for number, cells in enumerate(zip(*columns, strict=True))]


def _step(number: int, action: str, amount: str, unit: str, template: str, thread: str, task: str) -> DraftStep:
    place = f"step_{number}"
    if action not in list(ActionType) or unit not in list(Unit):
        raise IncorrectValue("Choose one of those offered.", field=place)
    if not (amount.isascii() and amount.isdigit() and int(amount[:6]) <= LONGEST_DELAY and len(amount) < 6):
        raise IncorrectValue(f"Step {number + 1}: a delay is a whole number from 0 to {LONGEST_DELAY:,}.", field=place)
    return DraftStep(
        ActionType(action),
        int(amount),
        Unit(unit),
        read_number({"": template}, "") or None,
        thread == "yes",
        task[:65_535],
    )


def _changed(form: Form, steps: list[DraftStep]) -> list[DraftStep]:
    """The steps after the button that was pressed: one more, one less, or one moved."""
    added = form.text("add")
    if added in list(ActionType):
        first = not steps
        delay = (0, Unit.HOURS) if first else (2, Unit.WEEKDAYS)
        return [*steps, DraftStep(ActionType(added), *delay)]
    for button, way in (("remove", 0), ("up", -1), ("down", 1)):
        text = form.text(button)
        if text.isascii() and text.isdigit() and len(text) < 4 and int(text) < len(steps):
            place = int(text)
            moved = steps.pop(place)
            if way:
                steps.insert(max(place + way, 0), moved)
    return steps


@post("/sequences/{id:str}/discard", status_code=303, sync_to_thread=True, opt=opened())
def discard_steps(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Forgets the draft; what is published stays."""
    sent, number = posted(request, body), read_id(id, "sequence")
    said = "The draft is gone; these are the published steps."
    return sent.done(f"/sequences/{number}/steps", said, lambda tx: discard_draft(tx, sent.account_id, number))


@post("/sequences/{id:str}/plan", status_code=200, sync_to_thread=True, opt=opened())
def show_plan(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """The calendar of the steps in the form, for somebody enrolled at the start chosen; nothing is kept."""
    sent = posted(request, body)
    with sent.again() as visit:
        found = _sequence(visit, id)
        try:
            steps = _read_steps(sent.form)
            trouble = ""
        except Refused as error:
            steps, trouble = [], error.detail
        return visit.part("plan.html", **_plan(visit, found, steps, sent.form.text("start")), trouble=trouble)


@readable("/sequences/{id:str}/plan", opt=opened())
def show_draft_plan(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """The same of the steps as they are drafted or published."""
    with visiting(request) as visit:
        found = _sequence(visit, id)
        steps = draft_of(visit.snapshot, found).steps
        return visit.part("plan.html", **_plan(visit, found, steps, visit.query.get("start", "")), trouble="")


def _plan(visit: Visit, sequence: Sequence, steps: list[DraftStep], start: str) -> dict[str, object]:
    zone = sequence.time_zone or visit.zone
    begins = _start(start, zone) or visit.snapshot.now
    try:
        instants = planned(sequence, visit.account, visit.user, steps, begins)
    except OverflowError:  # beyond the year 9999
        steps, instants = [], ()
    letters = [step.action_type is ActionType.AUTOMATED_EMAIL for step in steps]
    return {
        "months": months_of(instants, letters, zone, sequence.holidays, visit.manner),
        "planned": list(zip(steps, instants, strict=True)),
        "plan_zone": zone,
        "names": {each.id: each.name for each in templates.list_all(visit.snapshot, visit.account_id)},
    }


def _start(text: str, zone: str) -> datetime | None:
    """The beginning of a day, at nine, or an instant of it; None for what is neither."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= 10:
        local = datetime.combine(local.date(), time(9))
    try:
        return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        return None


@readable("/sequences/{id:str}/letter", opt=opened())
def show_letter(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """A step's letter as a person would get it; tags without a value are marked."""
    with visiting(request) as visit:
        _sequence(visit, id)
        kind, _, person_id = visit.query.get("whom", "").partition(":")
        person = None
        if kind in list(PersonKind):
            number = read_number({"": person_id}, "")
            person = people.get(visit.snapshot, visit.account_id, PersonKind(kind), number, seen_by=visit.seen_by)
        template_id = visit.number("template_id")
        if not template_id:
            raise IncorrectValue("Choose a template first.", field="template_id")
        source = templates.get(visit.snapshot, visit.account_id, template_id).source
        base_url = parts_of(request).world.settings.base_url
        return visit.part("template_preview.html", tried=tried_for(visit, source, person, base_url))


@readable("/sequences/{id:str}/publish", opt=opened())
def show_publication(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """What publishing changes, what its author should look at, and how many keep what they run."""
    with visiting(request) as visit:
        return _publication(visit, _sequence(visit, id))


def _publication(visit: Visit, found: Sequence) -> Response[bytes]:
    drafted = [step.wanted() for step in draft_of(visit.snapshot, found).steps]
    trouble, changes, warnings = "", list[Difference](), tuple[str, ...]()
    try:
        steps = steps_wanted(visit.snapshot, visit.account_id, drafted)
        _check_each(steps)
        changes = differences(published_steps(visit.snapshot, found), steps)
        warnings = tuple(_STEP.sub(lambda found: f"Step {int(found[1]) + 1}", each) for each in warnings_of(steps))
    except DrumbeatError as error:
        trouble = _words(error)
    return visit.page(
        "publish.html",
        sequence=found,
        differences=changes,
        warnings=warnings,
        trouble=trouble,
        ongoing=tally_of(visit.snapshot, found).ongoing,
        names={each.id: each.name for each in templates.list_all(visit.snapshot, visit.account_id)},
    )


def _check_each(steps: Iterable[Step]) -> None:
    """Refuse the first step that cannot be published, with its number."""
    for number, step in enumerate(steps, 1):
        try:
            check_step(step)
        except Refused as error:
            raise IncorrectValue(f"Step {number}: {error.detail or error.message}", field="steps") from None


def _words(error: DrumbeatError) -> str:
    """The complaint with the number of its step."""
    field = error.field or ""
    place = read_number({"": field.partition("[")[2].partition("]")[0]}, "") if "[" in field else None
    step = "" if place is None else f"Step {place + 1}: "
    return f"{step}{error.detail or error.message}"


@post("/sequences/{id:str}/publish", status_code=303, sync_to_thread=True, opt=opened())
def publish_steps(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Makes the draft the version that whoever is enrolled from now on runs."""
    sent, number = posted(request, body), read_id(id, "sequence")

    def work(tx: Tx) -> int:
        drafted = draft_of(tx, sequences.lock(tx, sent.account_id, number)).steps
        _check_each(steps_wanted(tx, sent.account_id, [step.wanted() for step in drafted]))
        return publish_draft(tx, sent.account_id, number, sent.by).version.number

    try:
        version = sent.transact(work)
    except DrumbeatError as error:
        return sent.to(f"/sequences/{number}/publish", _words(error), wrong=True)
    return sent.to(f"/sequences/{number}", f"Version {version} is published. Running enrollments keep theirs.")


handlers = [
    show_steps,
    save_steps,
    discard_steps,
    show_plan,
    show_draft_plan,
    show_letter,
    show_publication,
    publish_steps,
]
