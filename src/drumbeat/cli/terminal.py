"""What commands share: the settings, the open world, whose account it is, and plain lines on the screen."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final, TypeVar

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from drumbeat.domain.account import LARGEST_ID, Role, User
from drumbeat.domain.errors import (
    DrumbeatError,
    IncorrectValue,
    Invalid,
    InvalidMany,
    Misconfigured,
    NotFound,
    Refused,
)
from drumbeat.settings import Settings, trouble_with
from drumbeat.store import accounts
from drumbeat.store.transaction import Snapshot, Tx
from drumbeat.wiring import World, open_world

T = TypeVar("T")
AccountOption = Annotated[
    int | None,
    typer.Option("--account", metavar="ID", min=1, max=LARGEST_ID, help="The account; needed where there are several."),
]
ActingOption = Annotated[
    int | None,
    typer.Option(
        "--as", metavar="USER", min=1, max=LARGEST_ID, help="Who does it; default: the account's first admin."
    ),
]
_WIDE: Final = 200  # columns where nobody looks: a pipe gets every row on one line


def console() -> Console:
    """Standard output, as wide as the terminal, without colours in a pipe."""
    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else _WIDE)


def say(line: str) -> None:
    """One line, as it is."""
    typer.echo(line)


def complain(error: Exception) -> None:
    """What went wrong and the fix, in one line on standard error."""
    typer.echo(f"drumbeat: {in_one_line(error)}", err=True)


def in_one_line(error: Exception) -> str:
    """The error as a person should read it."""
    if isinstance(error, InvalidMany):
        return "; ".join(in_one_line(each) for each in error.errors)
    text = str(error)
    if isinstance(error, Refused) and error.detail and text != str(error.field):
        named = isinstance(error, Invalid) and error.field
        text = f"{error.field}: {error.detail}" if named else _detail(error)
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, DrumbeatError):
        text = str(error)
    return " ".join(text.split())


def _detail(error: Refused) -> str:
    # InFile says the place itself, and it is the place that one wants to click on.
    return str(error) if ":" in (error.field or "") else error.detail


def current_settings() -> Settings:
    """The settings as the environment has them; Misconfigured names the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise Misconfigured(trouble_with(error.errors()[0])) from None


@contextmanager
def opened(settings: Settings | None = None, *, create: bool = False) -> Iterator[World]:
    """The world, open until the block ends; only with `create` is one made where there is none."""
    world = open_world(settings or current_settings(), create=create)
    try:
        yield world
    finally:
        world.close()


@contextmanager
def options_named(*same: str, **others: str) -> Iterator[None]:
    """Complaints about these fields name the option that gave them: `time_zone` is --time-zone, others as told."""
    names = {field: f"--{field.replace('_', '-')}" for field in same} | others
    try:
        yield
    except Invalid as error:
        error.field = names.get(error.field or "", error.field)
        raise
    except InvalidMany as error:
        for each in error.errors:
            each.field = names.get(each.field or "", each.field)
        raise


def whole_or_none(text: str, option: str) -> int | None:
    """The whole number an option was given, or None for `none`."""
    if text.strip().lower() == "none":
        return None
    if not text.strip().isascii() or not text.strip().isdigit() or len(text.strip()) > _LONGEST_NUMBER:
        raise typer.BadParameter("Write a whole number, or none for no limit.", param_hint=option)
    return int(text)


_LONGEST_NUMBER = 9


def pick_account(snapshot: Snapshot, asked: int | None) -> int:
    """The account asked for, or the only one there is."""
    if asked is not None:
        return accounts.get_account(snapshot, asked).id
    found = accounts.list_accounts(snapshot)
    if not found:
        raise NotFound("There is no account yet. Make one: `drumbeat user add --admin --account-name NAME`.")
    if len(found) > 1:
        listed = ", ".join(f"{account.id} ({account.name})" for account in found)
        raise IncorrectValue(f"Name one of the accounts: {listed}.", field="--account")
    return found[0].id


def acting_user(snapshot: Snapshot, account_id: int, asked: int | None) -> User:
    """The user asked for, or the account's first active admin: who is noted as having done it."""
    if asked is not None:
        return accounts.get_user(snapshot, account_id, asked)
    for user in accounts.list_users(snapshot, account_id):
        if user.is_active and user.role is Role.ADMIN:
            return user
    raise NotFound("The account has no active admin; name a user with --as.")


def transacted(account: int | None, acting: int | None, work: Callable[[Tx, int, User], T]) -> T:
    """Do `work` in one transaction: it gets the account's id and the user who is noted as having done it."""
    with opened() as world:

        def in_account(tx: Tx) -> T:
            account_id = pick_account(tx, account)
            return work(tx, account_id, acting_user(tx, account_id, acting))

        return world.database.transact(in_account)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table, or a line that says there is nothing; what rows hold is never read as markup."""
    if not rows:
        say(f"{title}: none")
        return
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(Text(name, style="dim"), overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console().print(table)


def shown(value: object) -> str:
    """A value as a cell shows it; instants in UTC to the second."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(letter if letter.isprintable() else " " for letter in str(value))


def start_logging(level: str) -> None:
    """Logs go to standard error: JSON lines, or something readable in a terminal."""
    readable = sys.stderr.isatty()
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if readable:
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if readable else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # The catcher's library writes every command down, addresses included.
    logging.getLogger("mail").setLevel(logging.CRITICAL)
