"""/today: what needs whoever is signed in, and the tasks they can complete there."""

from __future__ import annotations

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.errors import IncorrectValue, Refused
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.frame import opened, own_path, posted, visiting
from drumbeat.http.web.people import read_key
from drumbeat.http.wording import NEXT_STEPS
from drumbeat.operations import tasks as operations
from drumbeat.operations.today import MOST_COUNTED, MOST_SHOWN, today_of
from drumbeat.store import sequences, task_pages
from drumbeat.store.pages import Place
from drumbeat.store.task_pages import SoughtTasks
from drumbeat.store.transaction import Tx


@readable("/today", opt=opened())
def show_today(request: AnyRequest) -> Response[bytes]:
    """Tasks, replies, what is blocked and what heals it, and what leaves today."""
    with visiting(request) as visit:
        found = today_of(visit.snapshot, visit.account, visit.user.id, visit.zone, seen_by=visit.seen_by)
        names = {each.id: each.name for each in sequences.list_all(visit.snapshot, visit.account_id)}
        return visit.page(
            "today.html",
            today=found,
            most=MOST_COUNTED,
            tasks=found.tasks[:MOST_SHOWN],
            has_more_tasks=len(found.tasks) > MOST_SHOWN,
            names=names,
            next_steps=NEXT_STEPS,
            sees_all=visit.seen_by is None,
        )


@readable("/tasks", opt=opened())
def show_tasks(request: AnyRequest) -> Response[bytes]:
    """Every open task one sees, those without a date too."""
    with visiting(request) as visit:
        mine = visit.query.get("whose") != "all"
        sought = SoughtTasks(owner_id=visit.user.id if mine else None, completed=False)
        place = Place(limit=51, after=visit.number("after"))
        found = task_pages.list_page(visit.snapshot, visit.account_id, sought, place, seen_by=visit.seen_by)
        return visit.page("tasks.html", tasks=found[:50], after=found[49].id if len(found) > 50 else 0, mine=mine)


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

    def work(tx: Tx) -> str:
        account_id, seen_by = sent.account_id, sent.member.seen_by
        return operations.change(tx, account_id, number, {}, completed=completed, seen_by=seen_by).content

    try:
        content = sent.transact(work)
    except Refused as error:
        return sent.to(back, error.detail or error.message, wrong=True)
    return sent.to(back, f"{'Done' if completed else 'Open again'}: {content[:200]}")


@post("/tasks", status_code=303, sync_to_thread=True, opt=opened())
def make_task(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new task of one's own, about a person if it is made on their page."""
    sent = posted(request, body)
    form, back = sent.form, own_path(sent.form.text("back"), "/today")
    about = read_key(form.text("kind"), form.text("person")) if form.text("kind") else (None, None)
    try:
        due_at = sent.instant("due_at")
    except IncorrectValue as error:
        return sent.to(back, error.detail, wrong=True)
    kind, person_id = about
    fields = {
        "content": form.text("content"),
        "due_at": due_at,
        "resource_type": kind and kind.value,
        "resource_id": person_id,
    }

    def work(tx: Tx) -> object:
        return operations.add(tx, sent.account_id, sent.by, fields, completed=None, seen_by=sent.member.seen_by)

    return sent.done(back, "The task is made.", work)


handlers = [show_today, show_tasks, complete_task, reopen_task, make_task]
