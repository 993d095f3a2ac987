"""`drumbeat reseal`: another master key for what is stored sealed."""

from __future__ import annotations

from typing import Annotated

import typer

from drumbeat.cli.terminal import opened, say
from drumbeat.store import accounts
from drumbeat.store.installation import new_master_key
from drumbeat.store.sealed import Resealed, reseal_account, reseal_installation
from drumbeat.store.transaction import Tx


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reseal")(reseal)


def reseal(
    new_key: Annotated[bool, typer.Option("--new-key", help="Print a new master key, and change nothing.")] = False,
) -> None:
    """Seal every stored secret with the newest master key, so that the older ones may go."""
    if new_key:
        typer.echo(new_master_key())
        return
    with opened() as world:

        def work(tx: Tx) -> Resealed:
            reseal_installation(tx, world.vault)
            found = [account.id for account in accounts.list_accounts(tx)]
            return sum((reseal_account(tx, world.vault, id) for id in found), Resealed())

        done = world.database.transact(work)
    say(f"Sealed the installation's key and {done.anew} secrets with the newest master key. Older ones may go.")
    if done.lost:
        say(f"No key opens {done.lost} others: `drumbeat doctor` names what has to be given anew.")
        raise typer.Exit(1)
