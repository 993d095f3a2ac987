"""`drumbeat suppression`: addresses that nothing is sent to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drumbeat.cli.terminal import (
    AccountOption,
    ActingOption,
    acting_user,
    opened,
    options_named,
    pick_account,
    say,
    shown,
    transacted,
)
from drumbeat.domain.person import address_hash, normalize_email
from drumbeat.operations.spreadsheets import read_table, write_csv
from drumbeat.operations.suppressions import (
    MOST_AT_ONCE,
    addresses_in,
    lift_suppression,
    suppress_many,
    suppression_table,
)
from drumbeat.store import unsubscribes

app = typer.Typer(no_args_is_help=True, help="Addresses that nothing is sent to.")
Address = Annotated[str, typer.Argument(metavar="ADDRESS")]
_TOLD = 20


@app.command("add")
def add(address: Address, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Send nothing to an address any more, and finish what runs for it."""
    normalize_email(address)
    _suppress([address], "by hand", account, acting)


@app.command("import")
def take_in(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV or Excel (.xlsx).")],
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Send nothing to the addresses of a file any more: of its column named email, else of the first one."""
    with file.open("rb") as content, options_named(file="FILE"):
        addresses = list(addresses_in(read_table(content)))
    _suppress(addresses, f"from {file.name}", account, acting)


def _suppress(addresses: list[str], evidence: str, account: int | None, acting: int | None) -> None:
    added = already = finished = 0
    invalid: list[str] = []
    with opened() as world:
        with world.database.read() as snapshot:
            account_id = pick_account(snapshot, account)
            by = acting_user(snapshot, account_id, acting).id
        for start in range(0, len(addresses), MOST_AT_ONCE):
            part = addresses[start : start + MOST_AT_ONCE]
            told = world.database.transact(
                lambda tx, part=part: suppress_many(  # type: ignore[misc]
                    tx, world.hash_key, account_id, part, evidence=evidence, actor_id=by
                )
            )
            added, already, finished = added + told.added, already + told.already, finished + told.finished
            invalid += told.invalid
    say(f"Suppressed {added} addresses, {already} were before; {finished} enrollments finished.")
    for text in invalid[:_TOLD]:
        say(f"No address, left out: {shown(text)}")
    if len(invalid) > _TOLD:
        say(f"and {len(invalid) - _TOLD} more.")


@app.command("lift")
def lift(address: Address, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Let an address be written to again, as its owner wishes."""
    with opened() as world:
        hash_key = world.hash_key
    lifted = transacted(
        account,
        acting,
        lambda tx, account_id, by: lift_suppression(tx, hash_key, account_id, address, actor_id=by.id),
    )
    say(f"{shown(address)} may be written to again." if lifted else f"{shown(address)} was not suppressed.")


@app.command("check")
def check(address: Address, account: AccountOption = None) -> None:
    """Say whether an address is suppressed."""
    with opened() as world, world.database.read() as snapshot:
        account_id = pick_account(snapshot, account)
        hashed = address_hash(world.hash_key, account_id, normalize_email(address))
        is_suppressed = unsubscribes.is_suppressed(snapshot, account_id, hashed)
    say(f"{shown(address)} is suppressed." if is_suppressed else f"{shown(address)} is not suppressed.")


@app.command("export")
def export(
    to: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: standard output.")] = None,
    account: AccountOption = None,
) -> None:
    """Write every suppressed address as CSV; of people who were erased only the keyed hash is left."""
    with opened() as world, world.database.read() as snapshot:
        written = write_csv(suppression_table(snapshot, pick_account(snapshot, account)))
        if to is None:
            for chunk in written:
                typer.echo(chunk, nl=False)
            return
        with to.open("wb") as file:
            file.writelines(written)
    say(f"Wrote the suppressed addresses to {to}.")
