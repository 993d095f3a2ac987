"""/tasks: what is to be done by hand: found by its due date, done, opened again, made, changed and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.errors import Invalid, InvalidMany, Refused
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.task import Task
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Undo, Visit, opened, own_path, posted, visiting
from drumbeat.http.web.people import read_key
from drumbeat.operations import tasks as operations
from drumbeat.store import accounts, people, tasks
from drumbeat.store.transaction import Tx

_SHOWN = 50
_MOST_DONE = 20
_LATELY = timedelta(days=1)
_LONGEST_SAID = 200


@readable("/tasks", opt=opened())
def show_tasks(request: AnyRequest) -> Response[bytes]:
    """Every open task one sees, the longest due first and those without a date last, and what one did lately."""
    with visiting(request) as visit:
        snapshot, account_id, mine = visit.snapshot, visit.account_id, visit.query.get("whose") != "all"
        owner_id = visit.user.id if mine else visit.seen_by
        after = tasks.find_many(snapshot, account_id, [visit.number("after")]).get(visit.number("after"))
        listed = tasks.list_open_by_due(snapshot, account_id, _SHOWN + 1, owner_id=owner_id, after=after)
        shown = listed[:_SHOWN]
        here = "/tasks" if mine else "/tasks?whose=all"
        following = f"/tasks?after={shown[-1].id}{'' if mine else '&whose=all'}" if len(listed) > _SHOWN else ""
        return visit.page(
            "tasks.html",
            tasks=shown,
            whom=_whom(visit, shown),
            done=tasks.list_done(snapshot, account_id, visit.user.id, snapshot.now - _LATELY, _MOST_DONE),
            pages={"first": here if after else "", "next": following},
            mine=mine,
            back=here,
        )


def _whom(visit: Visit, shown: Iterable[Task]) -> Mapping[tuple[PersonKind, int], Person]:
    about = {(PersonKind(t.resource_type), t.resource_id) for t in shown if t.resource_type and t.resource_id}
    return people.find_many(visit.snapshot, visit.account_id, sorted(about))


@post("/tasks", status_code=303, sync_to_thread=True, opt=opened())
def make_task(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new task of one's own, about a person if it is made on their page."""
    sent = posted(request, body)
    form = sent.form

    def work(tx: Tx, fields: Mapping[str, Any]) -> object:
        return operations.add(tx, sent.account_id, sent.by, fields, completed=None, seen_by=sent.member.seen_by)

    try:
        kind, person_id = read_key(form.text("kind"), form.text("person")) if form.text("kind") else (None, None)
        about = {"resource_type": kind and kind.value, "resource_id": person_id}
        fields = {"content": form.text("content"), "due_at": sent.instant("due_at"), **about}
        sent.transact(lambda tx: work(tx, fields))
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _form_page(visit, form.complain(error), None, 422)
    return sent.to(own_path(form.text("back"), "/today"), "The task is made.")


@readable("/tasks/{id:str}", opt=opened())
def show_task(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One task, to be changed, done or deleted."""
    with visiting(request) as visit:
        task = _task(visit, id)
        due_at = task.due_at and task.due_at.astimezone(ZoneInfo(visit.zone)).strftime("%Y-%m-%dT%H:%M")
        return _form_page(visit, Form.of(content=task.content, due_at=due_at, owner_id=task.owner_id), task)


def _task(visit: Visit, id: str) -> Task:
    return tasks.get(visit.snapshot, visit.account_id, read_id(id, "task"), seen_by=visit.seen_by)


def _form_page(visit: Visit, form: Form, task: Task | None, status: int = 200) -> Response[bytes]:
    users = accounts.list_users(visit.snapshot, visit.account_id)
    owner_id = visit.user.id if task is None else task.owner_id
    return visit.page(
        "task.html",
        status,
        form=form,
        task=task,
        whom=_whom(visit, [] if task is None else [task]),
        owners=[(user.id, user.name or user.email) for user in users if user.is_active or user.id == owner_id],
        may_hand_over=task is not None and visit.seen_by is None,
    )


@post("/tasks/{id:str}", status_code=303, sync_to_thread=True, opt=opened())
def change_task(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Words it anew, gives it another date, or hands it over."""
    sent, number = posted(request, body), read_id(id, "task")
    form, seen_by = sent.form, sent.member.seen_by

    def work(tx: Tx, fields: Mapping[str, Any]) -> object:
        return operations.change(tx, sent.account_id, number, fields, completed=None, seen_by=seen_by)

    try:
        fields: dict[str, Any] = {"content": form.text("content"), "due_at": sent.instant("due_at")}
        if seen_by is None and form.text("owner_id"):
            fields["owner_id"] = form.needed("owner_id")
        changes = form.touched(fields)
        sent.transact(lambda tx: work(tx, changes))
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _form_page(visit, form.complain(error), _task(visit, id), 422)
    return sent.to("/tasks", "The task is changed.")


@post("/tasks/{id:str}/delete", status_code=303, sync_to_thread=True, opt=opened())
def delete_task(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Deletes it for good; the open task of a running step finishes its enrollment."""
    sent, number = posted(request, body), read_id(id, "task")

    def work(tx: Tx) -> None:
        operations.delete(tx, sent.account_id, number, seen_by=sent.member.seen_by)

    return sent.done("/tasks", "The task is deleted.", work)


@post("/tasks/{id:str}/complete", status_code=303, sync_to_thread=True, opt=opened())
def complete_task(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Completes a task and its step; the next step follows."""
    return _set(request, id, body, completed=True)


@post("/tasks/{id:str}/reopen", status_code=303, sync_to_thread=True, opt=opened())
def reopen_task(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Opens a task again; its step stays done."""
    return _set(request, id, body, completed=False)


def _set(request: AnyRequest, id: str, body: bytes, *, completed: bool) -> Response[bytes]:
    sent, number = posted(request, body), read_id(id, "task")
    back = own_path(sent.form.text("back"), "/today")

    def work(tx: Tx) -> Task:
        account_id, seen_by = sent.account_id, sent.member.seen_by
        return operations.change(tx, account_id, number, {}, completed=completed, seen_by=seen_by)

    try:
        task = sent.transact(work)
    except Refused as error:
        return sent.to(back, error.detail or error.message, wrong=True)
    content = task.content[:_LONGEST_SAID]
    if not completed:
        return sent.to(back, f"Open again: {content}{'. Its step stays done.' if task.enrollment_id else ''}")
    # What the sequence went on with meanwhile is not taken back.
    label = "Open it again; its step stays done" if task.enrollment_id else "Undo"
    return sent.to(back, f"Done: {content}", undo=Undo(f"/tasks/{number}/reopen", label, {"back": back}))


handlers = [
    show_tasks,
    make_task,
    show_task,
    change_task,
    delete_task,
    complete_task,
    reopen_task,
]
