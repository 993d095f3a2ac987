"""/people/import: a file of people, looked at column by column before it is taken in, and how far it is."""

from __future__ import annotations

import io

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.errors import Invalid, InvalidMany, MissingField
from drumbeat.domain.people_table import CUSTOM, FIELDS
from drumbeat.domain.person import PersonKind
from drumbeat.http.app_api.imports import LARGEST_FILE
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.operations.transfer import Upload, cancel_import, load, start_import
from drumbeat.store import imports
from drumbeat.store.imports import Existing, Import, ImportStatus

_SAMPLE = 5
_LISTED = 20
_REJECTED = 20
_OWN = "own"
_MOVING = (ImportStatus.LOADING, ImportStatus.RUNNING)
_STAGES = {
    ImportStatus.LOADING: "Being read",
    ImportStatus.READY: "Waits for you to look at its columns",
    ImportStatus.RUNNING: "Being taken in",
    ImportStatus.FINISHED: "Taken in",
    ImportStatus.CANCELLED: "Cancelled",
}


@readable("/people/import", opt=opened())
def show_imports(request: AnyRequest) -> Response[bytes]:
    """Asks for a file; below it those of before."""
    with visiting(request) as visit:
        return _start_page(visit, Form.of(kind=PersonKind.CONTACT.value, encoding=None))


@post("/people/import", status_code=303, sync_to_thread=True, request_max_body_size=LARGEST_FILE, opt=opened())
def load_file(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Reads a file; nobody is taken in before its columns were looked at."""
    sent = posted(request, body)
    try:
        job = _loaded(sent)
    except (Invalid, InvalidMany) as error:
        sent.form.files = sent.form.files or {"file": []}
        with sent.again() as visit:
            return _start_page(visit, sent.form.complain(error), 422)
    return sent.to(f"/people/import/{job.id}")


def _loaded(sent: Sent) -> Import:
    kind = sent.form.chosen("kind", PersonKind)
    chosen = sent.form.files.get("file")
    if not chosen or not chosen[0].content:
        raise MissingField("Choose a CSV or Excel file with people in it.", field="file")
    upload = Upload(sent.account_id, sent.by, kind, chosen[0].name, sent.form.optional("encoding"), sent.member.seen_by)
    return load(sent.world.database, upload, io.BytesIO(chosen[0].content))


def _start_page(visit: Visit, form: Form, status: int = 200) -> Response[bytes]:
    form.files = form.files or {"file": []}
    jobs = imports.list_latest(visit.snapshot, visit.account_id, _LISTED, seen_by=visit.seen_by)
    return visit.page("imports.html", status, form=form, jobs=jobs, stages=_STAGES)


@readable("/people/import/{id:str}", opt=opened())
def show_import(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """Its columns while it is ready, how far it is while it runs, and what became of its rows."""
    with visiting(request) as visit:
        job = _job(visit, id)
        page = _job_page(visit, job, None)
    if request.headers.get("hx-request") and job.status not in _MOVING:
        page.headers["hx-refresh"] = "true"  # it asked how far it is: now there is another page to see
    return page


def _job(visit: Visit, id: str) -> Import:
    return imports.get(visit.snapshot, visit.account_id, read_id(id, "import"), seen_by=visit.seen_by)


def _job_page(visit: Visit, job: Import, form: Form | None, status: int = 200) -> Response[bytes]:
    part = imports.find_part(visit.snapshot, visit.account_id, job.id, 0) if job.status is ImportStatus.READY else None
    sample = part.rows[:_SAMPLE] if part else []
    columns = [
        (number, header, [row[number] if number < len(row) else "" for row in sample])
        for number, header in enumerate(job.headers)
    ]
    rejected = imports.list_rejected(visit.snapshot, visit.account_id, job.id, 0, _REJECTED) if job.rejected else []
    return visit.page(
        "import.html",
        status,
        job=job,
        form=form or _mapping_form(job),
        columns=columns,
        fields=FIELDS,
        rejected=rejected,
        own=_OWN,
        stages=_STAGES,
        is_moving=job.status in _MOVING,
        tenths=10 * job.rows_done // (job.rows_total or 1),
        told_tenths=visit.query.get("told", ""),
    )


def _mapping_form(job: Import) -> Form:
    """What each column was taken for: a field, a custom one of its own name, or nothing."""
    columns = {
        f"column_{number}": _OWN if field.startswith(CUSTOM) else field for number, field in enumerate(job.mapping)
    }
    names = {f"name_{number}": field.removeprefix(CUSTOM) for number, field in enumerate(job.mapping)}
    return Form.of(existing=job.existing.value, mapping=None, **columns, **names)


@post("/people/import/{id:str}", status_code=303, sync_to_thread=True, opt=opened())
def begin_import(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Lets it run with the columns as they were chosen; a worker carries it out."""
    sent, number = posted(request, body), read_id(id, "import")
    with sent.again() as visit:
        job = _job(visit, id)
    if job.status is not ImportStatus.READY:
        return sent.to(f"/people/import/{number}", f"The import is {job.status} already.", wrong=True)
    mapping = [_field(sent.form, column, header) for column, header in enumerate(job.headers)]
    try:
        existing = sent.form.chosen("existing", Existing)
        sent.transact(lambda tx: start_import(tx, sent.account_id, number, mapping, existing, sent.by))
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _job_page(visit, _job(visit, id), sent.form.complain(error), 422)
    return sent.to(f"/people/import/{number}")


def _field(form: Form, number: int, header: str) -> str:
    chosen = form.text(f"column_{number}")
    return f"{CUSTOM}{form.text(f'name_{number}') or header.strip()}"[:108] if chosen == _OWN else chosen


@post("/people/import/{id:str}/cancel", status_code=303, sync_to_thread=True, opt=opened())
def stop_import(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Ends it; who was taken in stays."""
    sent, number = posted(request, body), read_id(id, "import")
    with sent.again() as visit:
        _job(visit, id)
    ended = sent.transact(lambda tx: cancel_import(tx, sent.account_id, number, sent.by))
    if ended.status is not ImportStatus.CANCELLED:
        return sent.to(f"/people/import/{number}", "All of it had been taken in already.", wrong=True)
    return sent.to(f"/people/import/{number}", "The import is cancelled; who was taken in stays.")


handlers = [show_imports, load_file, show_import, begin_import, stop_import]
