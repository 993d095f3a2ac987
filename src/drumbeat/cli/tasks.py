"""`drumbeat task`: the open tasks of sequences, and completing or deleting one."""

from __future__ import annotations

from typing import Annotated

import typer

from drumbeat.cli.terminal import AccountOption, opened, pick_account, say, show_table
from drumbeat.domain.account import LARGEST_ID
from drumbeat.operations import tasks as operations
from drumbeat.store import tasks

app = typer.Typer(no_args_is_help=True, help="Tasks that sequences opened.")
_PAGE = 500
TaskId = Annotated[int, typer.Argument(metavar="TASK", min=1, max=LARGEST_ID, help="The task's id.")]


@app.command("list")
def list_open(account: AccountOption = None) -> None:
    """List the open tasks."""
    with opened() as world, world.database.read() as snapshot:
        found = tasks.list_open(snapshot, pick_account(snapshot, account), 0, _PAGE)
    rows = [(t.id, t.content, t.resource_type, t.resource_id, t.due_at, t.enrollment_id) for t in found]
    show_table("Open tasks", ("id", "what", "for", "id of that", "due", "enrollment"), rows)


@app.command("complete")
def complete(task_id: TaskId, account: AccountOption = None) -> None:
    """Complete a task; the step that opened it is completed with it."""
    with opened() as world:
        world.database.transact(lambda tx: operations.complete(tx, pick_account(tx, account), task_id))
    say(f"Task {task_id} is completed.")


@app.command("delete")
def delete(task_id: TaskId, account: AccountOption = None) -> None:
    """Delete a task; the open task of a running step finishes its enrollment."""
    with opened() as world:
        world.database.transact(lambda tx: operations.delete(tx, pick_account(tx, account), task_id))
    say(f"Task {task_id} is deleted.")
