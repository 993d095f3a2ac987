"""`drumbeat account`: what an account is set to."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from drumbeat.cli.terminal import (
    AccountOption,
    ActingOption,
    opened,
    options_named,
    pick_account,
    say,
    shown,
    transacted,
    whole_or_none,
)
from drumbeat.domain.account import Account, AgentsSee, UnknownMeans, User
from drumbeat.operations.accounts import change_account
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx

app = typer.Typer(no_args_is_help=True, help="What an account is set to.")


@app.command("show")
def show(account: AccountOption = None) -> None:
    """Say what the account is set to."""
    with opened() as world, world.database.read() as snapshot:
        _say(accounts.get_account(snapshot, pick_account(snapshot, account)))


@app.command("set")
def change(
    name: Annotated[str | None, typer.Option("--name", help="As letters may show it.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="Such as Europe/Berlin.")] = None,
    locale: Annotated[str | None, typer.Option("--locale", help="Such as en-GB: how the app writes.")] = None,
    postal_address: Annotated[str | None, typer.Option("--postal-address", help="For the foot of letters.")] = None,
    sequences: Annotated[
        bool | None, typer.Option("--sequences/--no-sequences", help="Whether letters leave and people are enrolled.")
    ] = None,
    unknown_means: Annotated[
        UnknownMeans | None, typer.Option("--unknown-means", help="What becomes of a doubt that nothing settles.")
    ] = None,
    agents_see: Annotated[
        AgentsSee | None, typer.Option("--agents-see", help="All people, tasks and enrollments, or their own alone.")
    ] = None,
    keep_days: Annotated[
        str | None,
        typer.Option(help="How many days the content of letters and answers is kept after the end; none: for ever."),
    ] = None,
    monthly_allowance: Annotated[
        str | None, typer.Option("--monthly-allowance", metavar="LETTERS", help="At most so many a month; none: any.")
    ] = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Change what is named and leave the rest as it is."""
    wanted: dict[str, Any] = {
        "name": name,
        "time_zone": time_zone,
        "locale": locale,
        "postal_address": postal_address,
        "sequences_enabled": sequences,
        "unknown_means": unknown_means,
        "agents_see": agents_see,
    }
    told = {setting: value for setting, value in wanted.items() if value is not None}
    if keep_days is not None:
        told["keep_days"] = whole_or_none(keep_days, "--keep-days")
    if monthly_allowance is not None:
        told["monthly_allowance"] = whole_or_none(monthly_allowance, "--monthly-allowance")
    if not told:
        raise typer.BadParameter("Name at least one setting; see `drumbeat account set --help`.")

    def work(tx: Tx, account_id: int, by: User) -> Account:
        return change_account(tx, replace(accounts.lock_account(tx, account_id), **told), by.id)

    with options_named("name", "time_zone", "locale", "postal_address", "keep_days", "monthly_allowance"):
        _say(transacted(account, acting, work))


def _say(account: Account) -> None:
    say(f"Account {account.id}: {shown(account.name)}")
    say(f"Time zone: {account.time_zone}")
    say(f"Locale: {account.locale}")
    say(f"Postal address: {shown(account.postal_address)}")
    say(f"Sequences: {'on' if account.sequences_enabled else 'off'}")
    say(f"Agents see: {account.agents_see}")
    say(f"Content is kept: {'for ever' if account.keep_days is None else f'{account.keep_days} days after the end'}")
    say(f"Letters a month: {account.monthly_allowance if account.monthly_allowance is not None else 'any number'}")
    say(f"A doubt that nothing settles: {account.unknown_means}")
