"""/api/imports: people from CSV and Excel files, looked at before they are taken in; and all of them as CSV."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from litestar import Response, post, put
from litestar.params import FromPath, RawBody
from litestar.response import Stream
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import Role
from drumbeat.domain.errors import IncorrectValue, MalformedBody, MalformedParameter
from drumbeat.domain.person import PersonKind
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.downloads import CSV, streamed, written
from drumbeat.http.app_api.shapes import Many, One, reply, reply_all, stamp
from drumbeat.http.decoding import BodyReader, Name
from drumbeat.http.openapi import BINARY, Parameter, choice, described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters, text, word
from drumbeat.operations.transfer import (
    Upload,
    cancel_import,
    load,
    people_table,
    rejected_table,
    start_import,
)
from drumbeat.store import imports
from drumbeat.store.imports import Existing, Import, ImportStatus
from drumbeat.store.transaction import Snapshot, Tx

LARGEST_FILE = 100_000_000
_LISTED = 100
_SAMPLE = 5


class ChangingImport(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`running` starts one that is ready, with a field for each column ("" leaves it out); `cancelled` ends one."""

    status: ImportStatus
    mapping: Annotated[list[Name], msgspec.Meta(max_length=200)] | UnsetType = UNSET
    existing: Existing = Existing.UPDATE


class ShownImport(msgspec.Struct, rename="camel", frozen=True):
    """How far an import is, and what became of its rows."""

    id: int
    kind: PersonKind
    file_name: str
    status: ImportStatus
    headers: list[str]
    mapping: list[str]
    existing: Existing
    rows_total: int
    rows_done: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    creator_id: int
    created_at: str | None
    updated_at: str | None


class LoadedImport(msgspec.Struct, frozen=True):
    """The import with what its columns seem to hold, and its first rows to look at."""

    job: ShownImport
    sample: list[list[str]]


_JOB: dict[str, Any] = {
    "id": 4,
    "kind": "contact",
    "fileName": "people.csv",
    "status": "ready",
    "headers": ["First name", "E-mail", "Plan"],
    "mapping": ["first_name", "email", "custom.Plan"],
    "existing": "update",
    "rowsTotal": 1200,
    "rowsDone": 0,
    "created": 0,
    "updated": 0,
    "unchanged": 0,
    "rejected": 0,
    "creatorId": 1,
    "createdAt": "2026-03-03T10:00:00Z",
    "updatedAt": "2026-03-03T10:00:00Z",
}
_EXAMPLE = {"data": _JOB}
_KIND = Parameter("kind", f"{' or '.join(PersonKind)}; needed.", choice(PersonKind), required=True)
_UPLOADING = (
    _KIND,
    Parameter("fileName", "What the file is called; people.csv by default."),
    Parameter("encoding", "Such as cp1252; guessed without."),
)
_read = BodyReader(ChangingImport)


@readable(
    "/imports",
    opt=described("List imports", role=Role.AGENT, answer=Many[ShownImport], answer_example={"data": [_JOB]}),
)
def list_imports(request: AnyRequest) -> Response[bytes]:
    """The latest hundred, the newest first; agents who see their own records alone see their own imports."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = imports.list_latest(snapshot, member.account_id, _LISTED, seen_by=member.seen_by)
    return reply_all([_shown(job) for job in found])


@readable(
    "/imports/{id:str}",
    opt=described("Show an import", role=Role.AGENT, answer=One[ShownImport], answer_example=_EXAMPLE, refusals=(404,)),
)
def show_import(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """How far it is; ask again while it runs."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        number = read_id(id, "import")
        return reply(_shown(imports.get(snapshot, member.account_id, number, seen_by=member.seen_by)))


@post(
    "/imports",
    sync_to_thread=True,
    request_max_body_size=LARGEST_FILE,
    opt=described(
        "Upload a file of people",
        role=Role.AGENT,
        parameters=_UPLOADING,
        body=BINARY,
        answer=One[LoadedImport],
        answer_example={"data": {"job": _JOB, "sample": [["Ada", "ada@example.com", "pro"]]}},
        status=201,
    ),
)
def upload_people(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The body is the CSV or Excel file as it is, 100 MB at most. Nobody is taken in before the import is started."""
    database = parts_of(request).world.database
    member = admit_writing(request)
    sent = read_parameters(request, [parameter.name for parameter in _UPLOADING])
    content = bytes(body)
    if not content:
        raise MalformedBody("The body is empty: send the file as it is.")
    about = (_kind(sent), text(sent, "fileName") or "people.csv", text(sent, "encoding") or None)
    upload = Upload(member.account_id, member.user_id, *about, member.seen_by)
    job = load(database, upload, io.BytesIO(content))
    with database.read() as snapshot:
        part = imports.find_part(snapshot, job.account_id, job.id, 0)
    return reply(LoadedImport(_shown(job), part.rows[:_SAMPLE] if part else []), 201)


def _kind(sent: dict[str, str]) -> PersonKind:
    kind = word(sent, "kind", PersonKind)
    if kind is None:
        raise MalformedParameter("Say what the rows are: kind=lead or kind=contact.")
    return kind


@put(
    "/imports/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Start or cancel an import",
        role=Role.AGENT,
        body=ChangingImport,
        example={"status": "running", "mapping": ["first_name", "email", ""], "existing": "skip"},
        answer=One[ShownImport],
        answer_example=_EXAMPLE,
        refusals=(404,),
    ),
)
def change_import(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """A worker carries it out in small parts; each is taken in once, also after a crash. Who was taken in stays."""
    member = admit_writing(request)
    read_parameters(request)
    number, sent = read_id(id, "import"), _read(request, body)

    def work(tx: Tx) -> Import:
        job = imports.get(tx, member.account_id, number, seen_by=member.seen_by)
        if sent.status is ImportStatus.CANCELLED:
            return cancel_import(tx, member.account_id, number, member.user_id)
        if sent.status is not ImportStatus.RUNNING:
            raise IncorrectValue("Set running or cancelled.", field="status")
        mapping = job.mapping if isinstance(sent.mapping, UnsetType) else sent.mapping
        return start_import(tx, member.account_id, number, mapping, sent.existing, member.user_id)

    return reply(_shown(parts_of(request).world.database.transact(work)))


@readable(
    "/imports/{id:str}/rejected",
    opt=described("Download the rows that were left out", role=Role.AGENT, answer=CSV, refusals=(404,)),
)
def download_rejected(request: AnyRequest, id: FromPath[str]) -> Stream:
    """CSV: which row, why, and the row as it was: mend it there, and upload it."""
    database = parts_of(request).world.database
    with database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        job = imports.get(snapshot, member.account_id, read_id(id, "import"), seen_by=member.seen_by)
    return streamed(written(database, lambda snapshot: rejected_table(snapshot, job)), f"rejected-{job.id}.csv")


@readable(
    "/people.csv",
    opt=described("Export people as CSV", role=Role.AGENT, parameters=(_KIND,), answer=CSV),
)
def export_csv(request: AnyRequest) -> Stream:
    """All people of a kind that one sees, with their custom fields. No cell is taken for a formula by a spreadsheet."""
    database = parts_of(request).world.database
    with database.read() as snapshot:
        member = admit_member(snapshot, request)
        kind = _kind(read_parameters(request, ["kind"]))

    def rows(snapshot: Snapshot) -> Iterator[list[str]]:
        return people_table(snapshot, member.account_id, kind, seen_by=member.seen_by)

    return streamed(written(database, rows), f"{kind}s.csv")


def _shown(job: Import) -> ShownImport:
    return ShownImport(
        id=job.id,
        kind=job.kind,
        file_name=job.file_name,
        status=job.status,
        headers=list(job.headers),
        mapping=list(job.mapping),
        existing=job.existing,
        rows_total=job.rows_total,
        rows_done=job.rows_done,
        created=job.created,
        updated=job.updated,
        unchanged=job.unchanged,
        rejected=job.rejected,
        creator_id=job.creator_id,
        created_at=stamp(job.created_at),
        updated_at=stamp(job.updated_at),
    )


handlers = [list_imports, show_import, upload_people, change_import, download_rejected, export_csv]
