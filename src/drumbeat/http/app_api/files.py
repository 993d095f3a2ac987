"""/api/files: an account as YAML files, as `drumbeat apply` and `drumbeat export` know them."""

from __future__ import annotations

from typing import Annotated, NoReturn

import msgspec
from litestar import Response, post
from litestar.params import RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.errors import IncorrectValue
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import One, reply
from drumbeat.http.decoding import BodyReader, Name
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_parameters
from drumbeat.operations.files import apply, export, plan, read_files

_Text = Annotated[str, msgspec.Meta(max_length=900_000)]


class SentFile(msgspec.Struct, forbid_unknown_fields=True):
    """A YAML file; its name is told where something in it is wrong."""

    name: Name
    content: _Text


class ApplyingFiles(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Files that may refer to one another; with dryRun nothing is written."""

    files: Annotated[list[SentFile], msgspec.Meta(min_length=1, max_length=100)]
    dry_run: bool = False


class ChangeShown(msgspec.Struct, frozen=True):
    """A change in words, and what its author should know about it."""

    text: str
    warnings: list[str]


class AppliedFiles(msgspec.Struct, rename="camel", frozen=True):
    """What changed, or would; nothing if everything was so already."""

    changes: list[ChangeShown]
    dry_run: bool


_read = BodyReader(ApplyingFiles, {"files": "Send 1 to 100 files."})


@readable("/files", opt=described("Export the account as YAML", role=Role.ADMIN, answer="application/yaml"))
def export_file(request: AnyRequest) -> Response[bytes]:
    """Calendars, templates, sequences and people as one file that can be applied anywhere; attachments are named."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request, Role.ADMIN)
        read_parameters(request)
        text = export(snapshot, member.account_id)
    headers = {"content-disposition": 'attachment; filename="account.yaml"'}
    return Response(text.encode(), media_type="application/yaml", headers=headers)


@post(
    "/files",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Apply YAML files",
        role=Role.ADMIN,
        body=ApplyingFiles,
        example={"files": [{"name": "holidays.yaml", "content": "calendars:\n- name: Ours\n  country: DE\n"}]},
        answer=One[AppliedFiles],
        answer_example={"data": {"changes": [{"text": "create calendar 'Ours'", "warnings": []}], "dryRun": False}},
        refusals=(409,),
    ),
)
def apply_files(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Make everything as the files ask for, all or nothing; applying them again changes nothing."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    sent = _read(request, body)
    desired = read_files([(each.name, each.content) for each in sent.files], without_attachments)
    account_id, hash_key = member.account_id, world.hash_key
    if sent.dry_run:
        with world.database.read() as snapshot:
            changes = plan(snapshot, account_id, desired, hash_key)
    else:
        changes = world.database.transact(lambda tx: apply(tx, account_id, member.user_id, desired, hash_key))
    shown = [ChangeShown(each.text, list(each.warnings)) for each in changes]
    return reply(AppliedFiles(shown, sent.dry_run))


def without_attachments(path: str) -> NoReturn:
    """Refuse a file that names another one."""
    raise IncorrectValue("A file sent here cannot name attachments: upload them, and name them in the template.")


handlers = [export_file, apply_files]
