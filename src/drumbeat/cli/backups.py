"""`drumbeat backup`, `restore`, `quarantine` and `reconcile`: copies of the database, and what left meanwhile."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from drumbeat.cli.running import alone_with_file
from drumbeat.cli.terminal import current_settings, opened, say, shown
from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.timeline import Quarantine
from drumbeat.operations.quarantine import reconcile as end_quarantine
from drumbeat.settings import Settings
from drumbeat.store import quarantine as standstill
from drumbeat.store.backup import copy_database, put_back
from drumbeat.store.transaction import Tx
from drumbeat.wiring import make_folder

_FILE = typer.Argument(metavar="FILE", help="A file to make, or made, by `drumbeat backup`.", dir_okay=False)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("quarantine")(quarantine)
    app.command("reconcile")(reconcile)


def backup(file: Annotated[Path, _FILE]) -> None:
    """Copy the whole database to a new file while Drumbeat works; the master key is not in it."""
    with opened() as world:
        begun = copy_database(world.database, file)
    size = file.stat().st_size
    say(f"Copied the database as of {shown(begun)} to {file} ({size / 1e6:.1f} MB). Keep the master key elsewhere.")


def restore(
    file: Annotated[Path, _FILE],
    replace: Annotated[bool, typer.Option("--replace", help="Move a SQLite database that is there aside.")] = False,
) -> None:
    """Make the database of a copy. Nothing is sent from it until `drumbeat reconcile`."""
    settings = current_settings()
    make_folder(settings)
    with alone_with_file(settings):
        aside = put_back(settings.database_url, file, replace=replace)
    if aside is not None:
        say(f"The database that was there is {aside} now.")
    _tell_restored(settings)


def _tell_restored(settings: Settings) -> None:
    with opened(settings) as world, world.database.read() as snapshot:
        found, lost = standstill.find(snapshot), standstill.count_due(snapshot, None)
    if found is not None:
        say(f"Restored. {found.sentence}")
        say(f"Letters due until now, which may have left since {shown(found.since)}: {lost}.")


def quarantine(
    since: Annotated[
        datetime | None, typer.Option(help="Since when letters may have left without a trace here, in UTC.")
    ] = None,
) -> None:
    """Let nothing be sent, as after a clone or a failover that lost something, until `drumbeat reconcile`."""
    with opened() as world:

        def work(tx: Tx) -> bool:
            begun = tx.now if since is None else since.replace(tzinfo=tx.now.tzinfo)
            if begun > tx.now:
                raise IncorrectValue("It has not been yet.", field="--since")
            return standstill.begin(tx, Quarantine(begun, "An operator put it in quarantine."))

        is_new = world.database.transact(work)
    say("Nothing is sent until `drumbeat reconcile`." if is_new else "It was in quarantine already.")


def reconcile(
    nothing_was_sent: Annotated[
        bool,
        typer.Option("--nothing-was-sent", help="No letter has left since: send what is due as if nothing had been."),
    ] = False,
) -> None:
    """End the quarantine: each letter that was due until now is in doubt, until evidence or a person settles it."""
    with opened() as world:
        lost = world.database.transact(lambda tx: end_quarantine(tx, nothing_was_sent=nothing_was_sent))
    if nothing_was_sent:
        say(f"Letters are sent again. Due now: {lost}.")
    else:
        say("Letters that come due from now on are sent again.")
        say(f"Due before, and in doubt from now on (`drumbeat unknown list`): {lost}.")
