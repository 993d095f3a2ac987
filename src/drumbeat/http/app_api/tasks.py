"""/api/tasks: work to be done by hand, that of sequences included."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, post, put
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import LARGEST_ID, Role
from drumbeat.domain.person import PersonKind
from drumbeat.domain.task import Task
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.paging import AFTER, PER_PAGE, read_place, reply_page
from drumbeat.http.app_api.shapes import One, PageOf, fields_named, nothing, reply, stamp, utc_second
from drumbeat.http.decoding import BodyReader, Id, LongText, struct_changes
from drumbeat.http.openapi import FLAG, Parameter, choice, described, number
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters, truth, whole_number, word
from drumbeat.operations import tasks as operations
from drumbeat.store import task_pages, tasks
from drumbeat.store.task_pages import SoughtTasks
from drumbeat.store.transaction import Tx

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class AppTaskFields(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What is left out stays; null takes it away. A task is about a person, whose kind and id both are sent, or nobody.

    Completing the task of a sequence completes its step; opening it again leaves the step done.
    """

    content: LongText | UnsetType = UNSET
    owner_id: Id | UnsetType = UNSET
    person_kind: PersonKind | UnsetType | None = UNSET
    person_id: Id | UnsetType | None = UNSET
    due_at: Instant | UnsetType | None = UNSET
    remind_at: Instant | UnsetType | None = UNSET
    completed: bool | UnsetType = UNSET


class AppTask(msgspec.Struct, rename="camel", frozen=True):
    """A task; one that a sequence opened names its enrollment."""

    id: int
    content: str
    owner_id: int
    creator_id: int
    person_kind: str | None
    person_id: int | None
    enrollment_id: int | None
    due_at: str | None
    remind_at: str | None
    completed: bool
    completed_at: str | None
    overdue: bool
    created_at: str | None
    updated_at: str | None


_PARAMETERS = (
    Parameter("completed", "true: only completed tasks; false: only open ones.", FLAG),
    Parameter("overdue", "true: only open tasks whose due date has passed; false: only the others.", FLAG),
    Parameter("ownerId", "Only tasks of this user.", number()),
    Parameter("personKind", "Only tasks about leads or about contacts: lead or contact.", choice(PersonKind)),
    Parameter("personId", "Only tasks about the person with this id.", number()),
    PER_PAGE,
    AFTER,
)
_TASK: dict[str, Any] = {
    "id": 3,
    "content": "Call Ada",
    "ownerId": 2,
    "creatorId": 2,
    "personKind": "contact",
    "personId": 7,
    "enrollmentId": 9,
    "dueAt": "2026-03-05T22:59:59Z",
    "remindAt": None,
    "completed": False,
    "completedAt": None,
    "overdue": False,
    "createdAt": "2026-03-05T10:00:00Z",
    "updatedAt": "2026-03-05T10:00:00Z",
}
_EXAMPLE = {"data": _TASK}
_COLUMNS = {"person_kind": "resource_type", "person_id": "resource_id"}
_NAMES = {column: name for name, column in _COLUMNS.items()}
_read = BodyReader(AppTaskFields)


@readable(
    "/tasks",
    opt=described(
        "List tasks",
        role=Role.AGENT,
        parameters=_PARAMETERS,
        answer=PageOf[AppTask],
        answer_example={"data": [_TASK], "meta": {"perPage": 25, "after": "3"}},
    ),
)
def list_app_tasks(request: AnyRequest) -> Response[bytes]:
    """A page of tasks by id; all filters must fit."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        sent = read_parameters(request, [parameter.name for parameter in _PARAMETERS])
        place, kind = read_place(sent), word(sent, "personKind", PersonKind)
        sought = SoughtTasks(
            owner_id=_number(sent, "ownerId"),
            resource_type=kind and kind.value,
            resource_id=_number(sent, "personId"),
            completed=truth(sent, "completed"),
            overdue=truth(sent, "overdue"),
        )
        found = task_pages.list_page(snapshot, member.account_id, sought, place, seen_by=member.seen_by)
    return reply_page([_shown(task, snapshot.now) for task in found], place)


def _number(sent: dict[str, str], name: str) -> int | None:
    return whole_number(sent, name, 0, 1, LARGEST_ID) or None


@readable(
    "/tasks/{id:str}",
    opt=described("Show a task", role=Role.AGENT, answer=One[AppTask], answer_example=_EXAMPLE, refusals=(404,)),
)
def show_app_task(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One task."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = tasks.get(snapshot, member.account_id, read_id(id, "task"), seen_by=member.seen_by)
    return reply(_shown(found, snapshot.now))


@post(
    "/tasks",
    sync_to_thread=True,
    opt=described(
        "Make a task",
        role=Role.AGENT,
        body=AppTaskFields,
        example={"content": "Call Ada", "personKind": "contact", "personId": 7},
        answer=One[AppTask],
        answer_example=_EXAMPLE,
        status=201,
    ),
)
def make_app_task(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new task, of whoever makes it unless ownerId names another user; it needs content."""
    member = admit_writing(request)
    read_parameters(request)
    fields, completed = _fields(request, body)

    def work(tx: Tx) -> AppTask:
        account_id, by = member.account_id, member.user_id
        made = operations.add(tx, account_id, by, fields, completed=completed, seen_by=member.seen_by)
        return _shown(made, tx.now)

    with fields_named(**_NAMES):
        return reply(parts_of(request).world.database.transact(work), 201)


@put(
    "/tasks/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change or complete a task",
        role=Role.AGENT,
        body=AppTaskFields,
        example={"completed": True},
        answer=One[AppTask],
        answer_example=_EXAMPLE,
        refusals=(404,),
    ),
)
def update_app_task(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change the fields sent."""
    member = admit_writing(request)
    read_parameters(request)
    number = read_id(id, "task")
    fields, completed = _fields(request, body)

    def work(tx: Tx) -> AppTask:
        account_id, seen_by = member.account_id, member.seen_by
        changed = operations.change(tx, account_id, number, fields, completed=completed, seen_by=seen_by)
        return _shown(changed, tx.now)

    with fields_named(**_NAMES):
        return reply(parts_of(request).world.database.transact(work))


@delete(
    "/tasks/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Delete a task", role=Role.AGENT, status=204, refusals=(404,)),
)
def remove_app_task(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """The enrollment of a sequence's open task finishes as task_deleted."""
    member = admit_writing(request)
    read_parameters(request)
    number = read_id(id, "task")
    parts_of(request).world.database.transact(
        lambda tx: operations.delete(tx, member.account_id, number, seen_by=member.seen_by)
    )
    return nothing()


def _fields(request: AnyRequest, body: bytes) -> tuple[dict[str, Any], bool | None]:
    """Fields of Task by name, instants to the second as they are shown; and whether it is to be completed."""
    sent = struct_changes(_read(request, body))
    completed: bool | None = sent.pop("completed", None)
    fields = {_COLUMNS.get(name, name): value for name, value in sent.items()}
    for name in ("due_at", "remind_at"):
        if fields.get(name) is not None:
            fields[name] = utc_second(fields[name])
    if fields.get("resource_type") is not None:
        fields["resource_type"] = fields["resource_type"].value
    return fields, completed


def _shown(task: Task, now: datetime) -> AppTask:
    return AppTask(
        id=task.id,
        content=task.content,
        owner_id=task.owner_id,
        creator_id=task.creator_id,
        person_kind=task.resource_type,
        person_id=task.resource_id,
        enrollment_id=task.enrollment_id,
        due_at=stamp(task.due_at),
        remind_at=stamp(task.remind_at),
        completed=task.completed,
        completed_at=stamp(task.completed_at),
        overdue=task.is_overdue(now),
        created_at=stamp(task.created_at),
        updated_at=stamp(task.updated_at),
    )


handlers = [list_app_tasks, show_app_task, make_app_task, update_app_task, remove_app_task]
