"""The program: its commands, and errors as one line each."""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperGroup

import drumbeat
from drumbeat.cli import (
    accounts,
    backups,
    clocks,
    clusters,
    doctor,
    erasing,
    files,
    imports,
    inbound,
    mailboxes,
    running,
    sealing,
    senders,
    status,
    suppressions,
    tasks,
    users,
    verification,
)
from drumbeat.cli.terminal import complain, say
from drumbeat.domain.errors import DrumbeatError


class _Program(TyperGroup):
    """Ends every error of ours, and of the file system, as one line and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DrumbeatError as error:
            complain(error)
        except OSError as error:
            complain(error)
        raise typer.Exit(1)


app = typer.Typer(
    cls=_Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Drumbeat: steady, polite, provable follow-up. Settings come from DRUMBEAT_* variables.",
)


@app.command()
def version() -> None:
    """Say which version this is."""
    say(f"drumbeat {drumbeat.__version__}")


running.register(app)
files.register(app)
imports.register(app)
status.register(app)
doctor.register(app)
verification.register(app)
backups.register(app)
erasing.register(app)
sealing.register(app)
app.add_typer(accounts.app, name="account")
app.add_typer(users.user_app, name="user")
app.add_typer(users.key_app, name="key")
senders.register(mailboxes.app)
app.add_typer(mailboxes.app, name="mailbox")
app.add_typer(inbound.app, name="inbound")
app.add_typer(suppressions.app, name="suppression")
app.add_typer(status.unknown_app, name="unknown")
app.add_typer(tasks.app, name="task")
app.add_typer(clocks.app, name="clock")
app.add_typer(clusters.app, name="db")


def main() -> None:
    """Run the program; what it writes (databases, keys, exported people) is for its owner's eyes."""
    os.umask(0o077)
    app()
