"""`drumbeat import`: people from CSV and Excel files; and all of them as CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from drumbeat.cli.terminal import (
    AccountOption,
    ActingOption,
    acting_user,
    console,
    opened,
    options_named,
    pick_account,
    say,
    show_table,
    shown,
)
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import IncorrectValue, Invalid
from drumbeat.domain.people_table import check_mapping, propose, read_row
from drumbeat.domain.person import PersonKind
from drumbeat.operations.spreadsheets import read_table, write_csv
from drumbeat.operations.transfer import (
    Upload,
    cancel_import,
    carry_import,
    load,
    people_table,
    rejected_table,
    start_import,
)
from drumbeat.store import imports
from drumbeat.store.imports import Existing, Import, ImportStatus
from drumbeat.wiring import World

_TRIED = 1000  # rows that a dry run looks at
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_people)


def import_people(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV or Excel (.xlsx).")
    ] = None,
    kind: Annotated[PersonKind, typer.Option("--kind", help="What the rows are.")] = PersonKind.CONTACT,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help="What a column holds, repeatable; nothing leaves it out."),
    ] = None,
    existing: Annotated[Existing, typer.Option("--existing", help="What happens to whom one knows.")] = Existing.UPDATE,
    encoding: Annotated[str | None, typer.Option("--encoding", help="Such as cp1252; guessed without.")] = None,
    rejected: Annotated[
        Path | None, typer.Option("--rejected", metavar="FILE", help="Write rows that were left out there.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what columns mean, and what would be left out.")
    ] = False,
    resume: Annotated[
        int | None, typer.Option("--resume", metavar="ID", min=1, max=LARGEST_ID, help="Go on with an import.")
    ] = None,
    cancel: Annotated[
        int | None, typer.Option("--cancel", metavar="ID", min=1, max=LARGEST_ID, help="End an import.")
    ] = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Take people in from a file: known ones are changed, the others made; interrupted, it can be resumed."""
    if [file, resume, cancel].count(None) != 2:
        raise typer.BadParameter("Name a file, or --resume or --cancel with an import's id.", param_hint="FILE")
    if file is not None and dry_run:
        with file.open("rb") as content:
            _try(content, mapped or [], encoding)
        return
    with opened() as world, options_named("encoding", file="FILE", mapping="--map", status="--resume"):
        with world.database.read() as snapshot:
            account_id = pick_account(snapshot, account)
            actor_id = acting_user(snapshot, account_id, acting).id
        if cancel is not None:
            world.database.transact(lambda tx: cancel_import(tx, account_id, cancel, actor_id))
            say(f"Import {cancel} is over; whom it took in stays.")
        elif file is not None:
            upload = Upload(account_id, actor_id, kind, file.name, encoding)
            _finish(world, _started(world, upload, file, mapped or [], existing), rejected)
        else:
            with world.database.read() as snapshot:
                job = imports.get(snapshot, account_id, resume or 0)
            _finish(world, job, rejected)


def _started(world: World, upload: Upload, file: Path, mapped: list[str], existing: Existing) -> Import:
    """The file as a job that runs; what is wrong with its columns is told before it is loaded."""
    with file.open("rb") as content:
        headers = next(read_table(content, upload.encoding))
        mapping = _mapping(headers, mapped)
        check_mapping(mapping, len(headers))
        job = load(world.database, upload, content)
    ids = (job.account_id, job.id)
    return world.database.transact(lambda tx: start_import(tx, *ids, mapping, existing, upload.creator_id))


def _mapping(headers: Iterable[str], mapped: list[str]) -> list[str]:
    """What the columns hold: as they are called, but for those that were told."""
    listed = list(headers)
    fields = propose(listed)
    for told in mapped:
        column, equals, field = told.partition("=")
        if not equals or column.strip() not in listed:
            columns = ", ".join(listed)
            raise IncorrectValue(f"Write COLUMN=FIELD; the columns are: {columns}.", field="--map")
        fields = ["" if each == field.strip() else each for each in fields]
        fields[listed.index(column.strip())] = field.strip()
    return fields


def _try(content: BinaryIO, mapped: list[str], encoding: str | None) -> None:
    """Say what the columns mean, and what is wrong with the first rows; nothing is written."""
    with options_named("encoding", file="FILE", mapping="--map"):
        rows = read_table(content, encoding)
        headers = next(rows)
        mapping = _mapping(headers, mapped)
        check_mapping(mapping, len(headers))
        show_table(
            "Columns", ("column", "field"), list(zip(headers, (f or "(left out)" for f in mapping), strict=True))
        )
        looked, wrong = 0, []
        for row, cells in enumerate(islice(rows, _TRIED), 2):
            looked += 1
            try:
                read_row(mapping, cells)
            except Invalid as error:
                wrong.append((row, f"{error.field}: {error.detail}"))
    show_table("Would be left out", ("row", "why"), wrong[:_SHOWN])
    say(f"Looked at {looked} rows; {len(wrong)} would be left out, and nothing was written.")


def _finish(world: World, job: Import, rejected: Path | None) -> None:
    """Carry a job to its end; interrupted, it says how to go on."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console()
    )
    shown_bar: AbstractContextManager[object] = bar if sys.stdout.isatty() else nullcontext()
    try:
        with shown_bar:
            rows = bar.add_task(f"Import {job.id}", total=job.rows_total, completed=job.rows_done)
            while job.status is ImportStatus.RUNNING:
                ids = (job.account_id, job.id)
                job = world.database.transact(lambda tx, ids=ids: carry_import(tx, world.hash_key, *ids))  # type: ignore[misc]
                bar.update(rows, completed=job.rows_done)
    except KeyboardInterrupt:
        say(f"Interrupted after {job.rows_done} of {job.rows_total} rows. A worker goes on with it, or you do:")
        say(f"drumbeat import --resume {job.id}")
        raise typer.Exit(1) from None
    say(
        f"Import {job.id} is {job.status}: {job.rows_total} rows, {job.created} made, {job.updated} changed,"
        f" {job.unchanged} as they were, {job.rejected} left out."
    )
    if job.rejected:
        _tell_rejected(world, job, rejected)


def _tell_rejected(world: World, job: Import, to: Path | None) -> None:
    with world.database.read() as snapshot:
        if to is not None:
            with to.open("wb") as file:
                file.writelines(write_csv(rejected_table(snapshot, job)))
            say(f"Wrote them to {to}: mend them there, and import that file.")
            return
        found = imports.list_rejected(snapshot, job.account_id, job.id, 0, _SHOWN)
    show_table("Left out", ("row", "why"), [(each.row, shown(each.reason)) for each in found])
    if job.rejected > _SHOWN:
        say(f"and {job.rejected - _SHOWN} more: drumbeat import --resume {job.id} --rejected FILE")


def export_people(kind: PersonKind, to: Path | None, account: int | None) -> None:
    """Write all people of a kind as CSV, to a file or to standard output."""
    with opened() as world, world.database.read() as snapshot:
        account_id = pick_account(snapshot, account)
        written = write_csv(people_table(snapshot, account_id, kind))
        if to is None:
            for chunk in written:
                typer.echo(chunk, nl=False)
            return
        with to.open("wb") as file:
            file.writelines(written)
    say(f"Wrote the {kind}s to {to}.")
