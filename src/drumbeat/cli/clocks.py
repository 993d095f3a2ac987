"""`drumbeat clock`: the test clock, which only ever moves forward."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

import typer

from drumbeat.cli.terminal import current_settings, opened, say, shown
from drumbeat.domain.errors import IncorrectValue, TestClockRefused
from drumbeat.store import installation

app = typer.Typer(no_args_is_help=True, help="The test clock; needs DRUMBEAT_TEST_CLOCK=1.")
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = timedelta(days=3660)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@app.command("advance")
def advance(by: Annotated[str, typer.Argument(metavar="TIME", help="Such as 90m, 3d or 1w.")]) -> None:
    """Move time forward for everything that reads the database's clock."""
    length = read_length(by)
    settings = current_settings()
    if not settings.test_clock:
        raise TestClockRefused("Set DRUMBEAT_TEST_CLOCK=1 for every Drumbeat process of this database.")
    with opened(settings) as world:
        world.database.transact(lambda tx: installation.advance_clock(tx, length // _MICROSECOND))
        with world.database.read() as snapshot:
            say(f"It is now {shown(snapshot.now)}.")


@app.command("show")
def show() -> None:
    """Say what time it is for Drumbeat."""
    with opened() as world, world.database.read() as snapshot:
        kind = "the test clock" if world.settings.test_clock else "the database's clock"
        say(f"It is {shown(snapshot.now)} by {kind}.")


def read_length(text: str) -> timedelta:
    """A length such as 45s, 90m, 12h, 3d or 1w; IncorrectValue with the fix."""
    match = re.fullmatch(r"([0-9]{1,8})([smhdw])", text.strip())
    if match is None:
        raise IncorrectValue(f"Write a whole number and s, m, h, d or w, such as 3d, not {text!r}.", field="time")
    length = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not length:
        raise IncorrectValue("The clock moves forward only: write a number above 0.", field="time")
    if length > _LONGEST:
        raise IncorrectValue(f"It moves by at most {_LONGEST.days} days at a time.", field="time")
    return length
