"""`drumbeat user` and `drumbeat key`: who works here, and what programs may do on their behalf."""

from __future__ import annotations

from datetime import timedelta
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
    show_table,
    shown,
    transacted,
)
from drumbeat.domain.access import GRANTABLE, CredentialKind, check_scopes
from drumbeat.domain.account import LARGEST_ID, Role, User
from drumbeat.domain.person import address_key
from drumbeat.operations.accounts import (
    NewUser,
    activate_user,
    add_user,
    create_account,
    deactivate_user,
    hash_password,
    mint,
    new_secret,
    revoke,
)
from drumbeat.operations.passwords import set_password
from drumbeat.settings import text_in
from drumbeat.store import accounts, credentials
from drumbeat.store.stamps import instant_or_none
from drumbeat.store.transaction import Tx

user_app = typer.Typer(no_args_is_help=True, help="Who works here.")
key_app = typer.Typer(no_args_is_help=True, help="Tokens and API keys.")
IdArgument = Annotated[int, typer.Argument(metavar="ID", min=1, max=LARGEST_ID)]
_SCOPES = ", ".join(GRANTABLE)


@user_app.command("add")
def add_one(
    email: Annotated[str, typer.Option("--email", help="The address they sign in with.")],
    name: Annotated[str, typer.Option("--name", help="As letters show it.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="An admin; else an agent.")] = False,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="Such as Europe/Berlin.")] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", exists=True, dir_okay=False, help="Holds their password.")
    ] = None,
    account_name: Annotated[
        str | None, typer.Option("--account-name", help="Make a new account of this name, with its first admin.")
    ] = None,
    postal_address: Annotated[
        str | None, typer.Option("--postal-address", help="The new account's, for the foot of letters.")
    ] = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Add a user; without --password-file they get a password, which is shown once."""
    if account_name is not None and not admin:
        raise typer.BadParameter("A new account begins with an admin: add --admin.", param_hint="--account-name")
    if postal_address is not None and account_name is None:
        raise typer.BadParameter(
            "It is the new account's: add --account-name, or use `drumbeat account set`.", param_hint="--postal-address"
        )
    password = new_secret() if password_file is None else text_in(password_file, "--password-file")
    with options_named(password="--password-file"):  # noqa: S106 - an option's name
        password_hash = hash_password(password)
    new = NewUser(name, email, Role.ADMIN if admin else Role.AGENT, time_zone, password_hash)
    with opened(create=account_name is not None) as world:

        def work(tx: Tx) -> tuple[int, int, bool]:
            if account_name is not None:
                account_id, actor_id = create_account(tx, account_name, postal_address=postal_address).id, None
            else:
                account_id = pick_account(tx, account)
                actor_id = acting_user(tx, account_id, acting).id
            is_known = accounts.find_login(tx, address_key(email)) is not None
            return account_id, add_user(tx, account_id, new, actor_id).id, is_known

        with options_named("email", "name", "time_zone", "account_name", "postal_address"):
            account_id, user_id, is_known = world.database.transact(work)
    say(f"Added user {user_id} to account {account_id}.")
    if is_known:
        say("They sign in with the password they have already.")
    elif password_file is None:
        say(f"Password, shown this once: {password}")


@user_app.command("list")
def list_all(account: AccountOption = None) -> None:
    """List the account's users."""
    with opened() as world, world.database.read() as snapshot:
        users = accounts.list_users(snapshot, pick_account(snapshot, account))
    rows = [(u.id, u.name, u.email, u.role, u.status, u.time_zone, u.mailbox_id) for u in users]
    show_table("Users", ("id", "name", "e-mail", "role", "status", "time zone", "mailbox"), rows)


@user_app.command("password")
def set_one(
    user_id: IdArgument,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", exists=True, dir_okay=False, help="Holds the password.")
    ] = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Give a user another password and sign them out everywhere; without --password-file it is shown once."""
    password = new_secret() if password_file is None else text_in(password_file, "--password-file")
    with options_named(password="--password-file"):  # noqa: S106 - an option's name
        password_hash = hash_password(password)
    user = transacted(
        account, acting, lambda tx, account_id, by: set_password(tx, account_id, user_id, password_hash, by.id)
    )
    say(f"{shown(user.name)} signs in as {user.email} with the new password.")
    if password_file is None:
        say(f"Password, shown this once: {password}")


@user_app.command("deactivate")
def deactivate_one(
    user_id: IdArgument,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """End a user's signing in, sending, tokens and keys."""
    transacted(account, acting, lambda tx, account_id, by: deactivate_user(tx, account_id, user_id, by.id))
    say(f"User {user_id} is inactive.")


@user_app.command("activate")
def activate_one(
    user_id: IdArgument,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Let a user sign in and send again; what waited for that goes on."""
    transacted(account, acting, lambda tx, account_id, by: activate_user(tx, account_id, user_id, by.id))
    say(f"User {user_id} is active.")


@key_app.command("add")
def add_key(
    scopes: Annotated[list[str], typer.Option("--scope", help=f"What it may do, repeatable: {_SCOPES}.")],
    kind: Annotated[
        CredentialKind | None, typer.Option("--kind", help="dbt, a token for /v2, or dbk, an API key.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "Command line",
    user: Annotated[
        int | None, typer.Option("--user", metavar="ID", min=1, max=LARGEST_ID, help="Whose; default: the first admin.")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="How long it holds.")] = None,
    account: AccountOption = None,
) -> None:
    """Make a token or an API key; it is shown once. Scopes of sequences make a key, others a token."""
    with options_named(scopes="--scope"):
        check_scopes(scopes)
    only_sequences = all(scope.startswith("sequences:") for scope in scopes)
    chosen = kind or (CredentialKind.KEY if only_sequences else CredentialKind.TOKEN)
    secret = new_secret()

    def work(tx: Tx, account_id: int, owner: User) -> str:
        until = None if days is None else tx.now + timedelta(days=days)
        return mint(tx, account_id, chosen, owner.id, scopes, name=name, secret=secret, expires_at=until)

    with options_named("name", scopes="--scope", user="--user"):
        say(transacted(account, user, work))


@key_app.command("list")
def list_keys(account: AccountOption = None) -> None:
    """List tokens and keys; what they are is not stored."""
    with opened() as world, world.database.read() as snapshot:
        found = credentials.list_all(snapshot, pick_account(snapshot, account))
    times = ("created_at", "expires_at", "last_used_at", "revoked_at")
    rows = [
        [row[name] for name in ("id", "kind", "user_id", "name", "scopes")]
        + [instant_or_none(row[name]) for name in times]  # type: ignore[arg-type]
        for row in found
    ]
    columns = ("id", "kind", "user", "name", "scopes", "made", "expires", "last used", "revoked")
    show_table("Tokens and keys", columns, rows)


@key_app.command("revoke")
def revoke_key(
    key_id: IdArgument,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """End a token or key at once."""
    transacted(account, acting, lambda tx, account_id, by: revoke(tx, account_id, key_id, by.id))
    say(f"{key_id} is revoked.")
