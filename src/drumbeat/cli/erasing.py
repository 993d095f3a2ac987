"""`drumbeat erase`: taking everything about a person out of the database."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from drumbeat.cli.terminal import AccountOption, ActingOption, acting_user, opened, pick_account, say, shown
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import PersonKind, normalize_email
from drumbeat.operations.erasure import erase_address, erase_person

_RECORD = re.compile(r"(lead|contact)/([1-9][0-9]{0,9})")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("erase")(erase)


def erase(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="An e-mail address, lead/ID or contact/ID.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Erase a person: records, letters, tasks and answers lose their content, and the address gets no more letters."""
    record = _RECORD.fullmatch(person)
    email = "" if record else normalize_email(person)
    if record and int(record[2]) > LARGEST_ID:
        raise NotFound(f"There is no {record[1]} {record[2]}.")
    if not yes:
        typer.confirm(f"Erase {shown(person)} for good?", abort=True, err=True)
    with opened() as world:
        with world.database.read() as snapshot:
            account_id = pick_account(snapshot, account)
            by = acting_user(snapshot, account_id, acting).id
        key = world.hash_key
        if record:
            kind, id = PersonKind(record[1]), int(record[2])
            erased = erase_person(world.database, key, account_id, kind, id, actor_id=by)
        else:
            erased = erase_address(world.database, key, account_id, email, actor_id=by)
    say(f"Erased {erased.people} records and the content of {erased.enrollments} enrollments.")
    if erased.letters_out:
        say(f"{erased.letters_out} letters were on their way: erase again in a minute, when their answers are in.")
