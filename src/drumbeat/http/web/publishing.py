"""/sequences/{id}/publish: what publishing changes, looked at before; just that is then published, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence as Several

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.errors import DrumbeatError, IncorrectValue, Refused, SequenceEmpty
from drumbeat.domain.sequence import Step
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import read_number
from drumbeat.http.web.frame import opened, posted, visiting
from drumbeat.operations.drafting import Difference, differences, publish_draft, published_steps, review
from drumbeat.operations.sequence_counts import MOST_COUNTED, count_running
from drumbeat.operations.sequences import check_step, warnings_of
from drumbeat.store import sequences, templates
from drumbeat.store.transaction import Tx

_STEP = re.compile(r"^step (\d+)")


@readable("/sequences/{id:str}/publish", opt=opened())
def show_publication(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """What publishing changes, what its author should look at, and how many keep what they run."""
    with visiting(request) as visit:
        found = sequences.get(visit.snapshot, visit.account_id, read_id(id, "sequence"))
        trouble, reviewed, changes, warnings = "", "", list[Difference](), tuple[str, ...]()
        try:
            looked_at = review(visit.snapshot, found)
            _check_each(looked_at.steps)
            reviewed = looked_at.mark
            changes = differences(published_steps(visit.snapshot, found), looked_at.steps)
            told = warnings_of(looked_at.steps)
            warnings = tuple(_STEP.sub(lambda found: f"Step {int(found[1]) + 1}", each) for each in told)
        except DrumbeatError as error:
            trouble = _words(error)
        return visit.page(
            "publish.html",
            sequence=found,
            reviewed=reviewed,
            differences=changes,
            warnings=warnings,
            trouble=trouble,
            running=count_running(visit.snapshot, found),
            most_counted=MOST_COUNTED,
            names={each.id: each.name for each in templates.list_all(visit.snapshot, visit.account_id)},
        )


def _check_each(steps: Several[Step]) -> None:
    """Refuse the first step that cannot be published, with its number."""
    if not steps:
        raise SequenceEmpty("Add a step before you publish.")
    for number, step in enumerate(steps, 1):
        try:
            check_step(step)
        except Refused as error:
            raise IncorrectValue(f"Step {number}: {error.detail or error.message}", field="steps") from None


def _words(error: DrumbeatError) -> str:
    """The complaint with the number of its step."""
    field = error.field or ""
    place = read_number(field.partition("[")[2].partition("]")[0]) if "[" in field else None
    step = "" if place is None else f"Step {place + 1}: "
    return f"{step}{error.detail or error.message}"


@post("/sequences/{id:str}/publish", status_code=303, sync_to_thread=True, opt=opened())
def publish_steps(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Makes what was looked at the version that whoever is enrolled from now on runs."""
    sent, number = posted(request, body), read_id(id, "sequence")

    def work(tx: Tx) -> int:
        _check_each(review(tx, sequences.lock(tx, sent.account_id, number)).steps)
        return publish_draft(tx, sent.account_id, number, sent.by, sent.form.text("reviewed")).number

    try:
        version = sent.transact(work)
    except DrumbeatError as error:
        return sent.to(f"/sequences/{number}/publish", _words(error), wrong=True)
    return sent.to(f"/sequences/{number}", f"Version {version} is published. Running enrollments keep theirs.")


handlers = [show_publication, publish_steps]
