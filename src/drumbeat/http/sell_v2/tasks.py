"""/v2/tasks: list, create, show, change, complete and delete; a sequence's tasks move its enrollment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, post, put
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import Scope
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import BlankField
from drumbeat.domain.person import PersonKind
from drumbeat.domain.task import Task
from drumbeat.http.auth import admit
from drumbeat.http.openapi import FLAG, IDS, Parameter, choice, described, number
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable
from drumbeat.http.reading import (
    LONGEST_BODY,
    Attributes,
    number_list,
    read_attributes,
    read_id,
    read_parameters,
    text,
    truth,
    whole_number,
    word,
)
from drumbeat.http.sell_v2 import examples
from drumbeat.http.sell_v2.envelope import Meta, Page, Record, whole_seconds
from drumbeat.http.sell_v2.listing import AFTER, PAGING, long_order, read_paging, read_place
from drumbeat.http.sell_v2.person_reading import Id, Ignored, LongText, ReadOnly
from drumbeat.http.sell_v2.writing import admit_writer, no_content
from drumbeat.operations import tasks as operations
from drumbeat.store import task_pages, tasks
from drumbeat.store.pages import Order
from drumbeat.store.stamps import to_stamp
from drumbeat.store.task_pages import SoughtTasks
from drumbeat.store.transaction import Tx

Answer = Response[bytes]
Instant = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class TaskType(StrEnum):
    """Whether a task is about somebody."""

    FLOATING = "floating"
    RELATED = "related"


class TaskAttributes(ReadOnly, forbid_unknown_fields=True, omit_defaults=True):
    """A task's attributes: it needs content, and names a lead or a contact or nobody."""

    content: LongText | None = None
    owner_id: Id | None = None
    resource_type: PersonKind | None = None
    resource_id: Id | None = None
    due_date: Instant | None = None
    remind_at: Instant | None = None
    completed: bool | None = None
    completed_at: Ignored = None
    overdue: Ignored = None


class ShownTask(msgspec.Struct, frozen=True):
    """A task; it is overdue while it is open and its due date has passed."""

    id: int
    creator_id: int
    owner_id: int
    resource_type: str | None
    resource_id: int | None
    content: str
    due_date: str | None
    remind_at: str | None
    completed: bool
    completed_at: str | None
    overdue: bool
    created_at: str
    updated_at: str


_TASK = Meta("task")
_ORDERS = (Order.ID, Order.UPDATED)
_PARAMETERS = (
    *PAGING,
    Parameter("ids", "Only these tasks: ids separated by commas.", IDS),
    Parameter("creator_id", "Only tasks this user made.", number()),
    Parameter("owner_id", "Only tasks this user owns.", number()),
    Parameter("resource_type", "Only tasks about leads or about contacts: lead or contact.", choice(PersonKind)),
    Parameter("resource_id", "Only tasks about the lead or contact with this id.", number()),
    Parameter("type", "floating: only tasks about nobody; related: only tasks about somebody.", choice(TaskType)),
    Parameter("completed", "true: only completed tasks; false: only open ones.", FLAG),
    Parameter("overdue", "true: only open tasks whose due date has passed; false: only the others.", FLAG),
    Parameter("remind", "true: only tasks with a reminder; false: only those without.", FLAG),
    Parameter("q", "Only tasks whose content holds this text."),
    long_order(_ORDERS),
    AFTER,
)
_NAMES = tuple(parameter.name for parameter in _PARAMETERS)
_EXAMPLE = {
    "data": {"content": "Call Lena", "resource_type": "lead", "resource_id": 1, "due_date": "2026-03-05T16:00:00Z"}
}


@readable(
    "/tasks",
    opt=described(
        "List tasks",
        scope=Scope.READ,
        parameters=_PARAMETERS,
        answer=Page[Record[ShownTask]],
        answer_example=examples.page(examples.TASK, "tasks"),
    ),
)
def list_tasks(request: AnyRequest) -> Answer:
    """A page of the account's tasks, those of sequences among them; all filters must fit."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        sent = read_parameters(request, _NAMES)
        paging = read_paging(sent)
        place = read_place(sent, paging, _ORDERS)
        found = task_pages.list_page(snapshot, caller.account_id, _read_sought(sent), place, seen_by=caller.seen_by)
    shown, has_next = found[: paging.per_page], len(found) > paging.per_page
    records = [_record(task, snapshot.now) for task in shown]
    if not has_next:
        return paging.answer(request, records, has_next=False)
    last_at = to_stamp(shown[-1].updated_at) if place.order is Order.UPDATED else None
    return paging.answer(request, records, has_next=True, last_id=shown[-1].id, last_at=last_at)


def _read_sought(sent: dict[str, str]) -> SoughtTasks:
    kind, is_related = word(sent, "resource_type", PersonKind), word(sent, "type", TaskType)
    return SoughtTasks(
        ids=number_list(sent, "ids"),
        creator_id=_number(sent, "creator_id"),
        owner_id=_number(sent, "owner_id"),
        resource_type=kind and kind.value,
        resource_id=_number(sent, "resource_id"),
        related=None if is_related is None else is_related is TaskType.RELATED,
        completed=truth(sent, "completed"),
        overdue=truth(sent, "overdue"),
        reminding=truth(sent, "remind"),
        text=text(sent, "q"),
    )


def _number(sent: dict[str, str], name: str) -> int | None:
    return whole_number(sent, name, 0, 1, LARGEST_ID) or None


@post(
    "/tasks",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Create a task",
        scope=Scope.WRITE,
        body=TaskAttributes,
        example=_EXAMPLE,
        answer=Record[ShownTask],
        answer_example=examples.TASK,
    ),
)
def create_task(request: AnyRequest, body: RawBody) -> Answer:
    """A new task, the token's owner's unless owner_id names another user."""
    caller = admit_writer(request)
    fields, completed = _read(request, body)

    def work(tx: Tx) -> Task:
        account_id, by = caller.account_id, caller.user_id
        return operations.add(tx, account_id, by, fields, completed=completed, seen_by=caller.seen_by)

    return _answer(request, work)


@readable(
    "/tasks/{id:str}",
    opt=described(
        "Show a task", scope=Scope.READ, answer=Record[ShownTask], answer_example=examples.TASK, refusals=(404,)
    ),
)
def show_task(request: AnyRequest, id: FromPath[str]) -> Answer:
    """One task."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        read_parameters(request)
        found = tasks.get(snapshot, caller.account_id, read_id(id, "task"), seen_by=caller.seen_by)
    return json_reply(_record(found, snapshot.now))


@put(
    "/tasks/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change or complete a task",
        scope=Scope.WRITE,
        body=TaskAttributes,
        example={"data": {"completed": True}},
        answer=Record[ShownTask],
        answer_example=examples.TASK,
        refusals=(404,),
    ),
)
def update_task(request: AnyRequest, id: FromPath[str], body: RawBody) -> Answer:
    """Change the attributes sent; null takes one away. What cannot be changed (id, overdue, ...) is ignored.

    Completing the task of a sequence completes its step; opening it again leaves the step completed.
    """
    caller = admit_writer(request)
    number = read_id(id, "task")
    fields, completed = _read(request, body)

    def work(tx: Tx) -> Task:
        account_id, seen_by = caller.account_id, caller.seen_by
        return operations.change(tx, account_id, number, fields, completed=completed, seen_by=seen_by)

    return _answer(request, work)


@delete(
    "/tasks/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Delete a task", scope=Scope.WRITE, status=204, refusals=(404,)),
)
def delete_task(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """Delete a task; the enrollment of a sequence's open task finishes as task_deleted."""
    caller = admit_writer(request)
    number = read_id(id, "task")
    parts_of(request).world.database.transact(
        lambda tx: operations.delete(tx, caller.account_id, number, seen_by=caller.seen_by)
    )
    return no_content()


def _read(request: AnyRequest, body: bytes) -> tuple[dict[str, Any], bool | None]:
    """Fields of Task by name, and whether it is to be completed."""
    sent = read_attributes(request, body, TaskAttributes.__struct_fields__)
    fields: dict[str, Any] = {}
    if sent.has("content"):
        fields["content"] = _content(sent)
    if sent.has("resource_type"):
        kind = sent.word("resource_type", PersonKind)
        fields["resource_type"] = kind and kind.value
    if sent.has("resource_id"):
        fields["resource_id"] = sent.id("resource_id") or None
    for name, field in (("due_date", "due_at"), ("remind_at", "remind_at")):
        if sent.has(name):
            instant = sent.instant(name)
            fields[field] = instant and instant.replace(microsecond=0)  # kept as it is shown
    owner_id, completed = sent.id("owner_id"), sent.flag("completed")
    sent.check()
    return fields | ({"owner_id": owner_id} if owner_id else {}), completed


def _content(sent: Attributes) -> str:
    content = sent.text("content", LONGEST_BODY)
    if content is None:
        sent.refuse(BlankField("Say what is to be done.", field="content"))
    return content or ""


def _answer(request: AnyRequest, work: Callable[[Tx], Task]) -> Answer:
    def shown(tx: Tx) -> Record[ShownTask]:
        return _record(work(tx), tx.now)

    return json_reply(parts_of(request).world.database.transact(shown))


def _record(task: Task, now: datetime) -> Record[ShownTask]:
    shown = ShownTask(
        id=task.id,
        creator_id=task.creator_id,
        owner_id=task.owner_id,
        resource_type=task.resource_type,
        resource_id=task.resource_id,
        content=task.content,
        due_date=_stamp(task.due_at),
        remind_at=_stamp(task.remind_at),
        completed=task.completed,
        completed_at=_stamp(task.completed_at),
        overdue=task.is_overdue(now),
        created_at=whole_seconds(task.created_at),
        updated_at=whole_seconds(task.updated_at),
    )
    return Record(shown, _TASK)


def _stamp(instant: datetime | None) -> str | None:
    return None if instant is None else whole_seconds(instant)


handlers = [list_tasks, create_task, show_task, update_task, delete_task]
