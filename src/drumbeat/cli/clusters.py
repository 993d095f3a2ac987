"""`drumbeat db`: a database beyond one machine."""

from __future__ import annotations

import typer

from drumbeat.cli.terminal import current_settings, say
from drumbeat.store.distribution import distribute as spread

app = typer.Typer(no_args_is_help=True, help="A database of several machines.")


@app.callback()
def db() -> None:
    """A database of several machines."""


@app.command("distribute")
def distribute() -> None:
    """Spread the tables over a Citus cluster, each account's rows on one node. Stop the workers meanwhile."""
    tables = spread(current_settings().database_url)
    say(f"Distributed {len(tables)} tables." if tables else "Every table is distributed already; nothing to do.")
