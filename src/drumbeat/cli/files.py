"""`drumbeat apply`, `export` and `enroll`: an account as files, and people into its sequences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from drumbeat.cli.imports import export_people
from drumbeat.cli.terminal import (
    AccountOption,
    ActingOption,
    acting_user,
    opened,
    options_named,
    pick_account,
    say,
    shown,
)
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import IncorrectValue, NotFound
from drumbeat.domain.person import PersonKind, address_hash, normalize_email
from drumbeat.domain.sequence import Sequence
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.files import Change, apply, export, exported_attachments, plan, read_files
from drumbeat.operations.records import PersonFields, add_person
from drumbeat.store import people, sequences
from drumbeat.store.transaction import Snapshot, Tx


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("apply")(apply_files)
    app.command("export")(export_account)
    app.command("enroll")(enroll_person)


def apply_files(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Make templates, sequences, calendars and people as the files say; again changes nothing."""
    folders = [path.resolve().parent for path in paths]
    desired = read_files([(str(path), _text(path)) for path in paths], lambda path: _attachment(folders, Path(path)))
    with opened() as world:
        with world.database.read() as snapshot:
            account_id = pick_account(snapshot, account)
            actor_id = acting_user(snapshot, account_id, acting).id
            if dry_run:
                changes = plan(snapshot, account_id, desired, world.hash_key)
        if not dry_run:
            changes = world.database.transact(lambda tx: apply(tx, account_id, actor_id, desired, world.hash_key))
    _report(changes, dry_run=dry_run)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise IncorrectValue("The file is not UTF-8 text.", field=str(path)) from error


def _attachment(folders: list[Path], path: Path) -> bytes:
    """What an attachment holds; a link must not lead out of the folders, nor anything be read that never ends."""
    where = path.resolve(strict=True)
    if not any(where.is_relative_to(folder) for folder in folders):
        raise IncorrectValue("An attachment lies in the file's folder or below; this link leads out of it.")
    if not where.is_file():
        raise IncorrectValue("An attachment is a regular file; this is none.")
    return where.read_bytes()


def _report(changes: list[Change], *, dry_run: bool) -> None:
    for change in changes:
        say(shown(change))
        for warning in change.warnings:
            say(f"  warning: {shown(warning)}")
    if not changes:
        say("Nothing to change.")
    elif dry_run:
        say(f"{len(changes)} to change; nothing was written.")


def export_account(
    folder: Annotated[
        Path | None,
        typer.Option("--to", metavar="FOLDER", help="Write account.yaml and the attachments there; or the CSV file."),
    ] = None,
    kind: Annotated[
        PersonKind | None, typer.Option("--people", help="Write people of this kind as CSV instead.")
    ] = None,
    account: AccountOption = None,
) -> None:
    """Write the account as a file that `apply` reads, or its people as CSV; to standard output without --to."""
    if kind is not None:
        export_people(kind, folder, account)
        return
    with opened() as world, world.database.read() as snapshot:
        account_id = pick_account(snapshot, account)
        text = export(snapshot, account_id)
        attachments = list(exported_attachments(snapshot, account_id)) if folder else []
    if folder is None:
        typer.echo(text, nl=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "account.yaml").write_text(text, "utf-8")
    for path, content in attachments:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    say(f"Wrote {folder / 'account.yaml'} and {len(attachments)} attachments.")


def enroll_person(
    sequence: Annotated[str, typer.Option("--sequence", metavar="NAME_OR_ID", help="The sequence.")],
    email: Annotated[str | None, typer.Option("--email", help="A contact's address; made if there is none.")] = None,
    person: Annotated[
        str | None, typer.Option("--person", metavar="KIND:ID", help="Such as lead:7 or contact:12.")
    ] = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Enroll one person, as often as you like."""
    if (email is None) == (person is None):
        raise typer.BadParameter("Give either --email or --person.")
    named = None if person is None else _person_key(person)
    with opened() as world:

        def work(tx: Tx) -> int:
            account_id = pick_account(tx, account)
            actor_id = acting_user(tx, account_id, acting).id
            found = _find_sequence(tx, account_id, sequence)
            whom = named or _find_or_add_contact(tx, world.hash_key, account_id, actor_id, email or "")
            request = EnrollRequest(found.id, *whom)
            return enroll(tx, world.hash_key, account_id, actor_id, request, reenroll_after=None).id

        whom_given = "--email" if person is None else "--person"
        with options_named("email", resource_id=whom_given, sequence_id="--sequence", actor_id="--as"):
            enrollment_id = world.database.transact(work)
    say(f"Enrolled: enrollment {enrollment_id}.")


def _find_sequence(snapshot: Snapshot, account_id: int, name_or_id: str) -> Sequence:
    found = sequences.list_all(snapshot, account_id)
    for sequence in found:
        if sequence.name == name_or_id:
            return sequence
    for sequence in found:
        if str(sequence.id) == name_or_id:
            return sequence
    listed = ", ".join(f"{each.id} ({each.name})" for each in found) or "none"
    raise NotFound(f"There is no sequence {name_or_id!r}; there is: {listed}.")


def _find_or_add_contact(tx: Tx, hash_key: bytes, account_id: int, actor_id: int, email: str) -> tuple[PersonKind, int]:
    hashed = address_hash(hash_key, account_id, normalize_email(email))
    for kind in (PersonKind.CONTACT, PersonKind.LEAD):
        known = people.find_by_address(tx, account_id, kind, hashed)
        if known is not None:
            return kind, known.id
    made = add_person(tx, hash_key, account_id, actor_id, PersonKind.CONTACT, PersonFields(email=email))
    return PersonKind.CONTACT, made.id


def _person_key(text: str) -> tuple[PersonKind, int]:
    kind, _, id = text.partition(":")
    if kind not in list(PersonKind) or not re.fullmatch(r"[0-9]{1,10}", id) or not 0 < int(id) <= LARGEST_ID:
        raise typer.BadParameter("Write KIND:ID, such as lead:7 or contact:12.", param_hint="--person")
    return PersonKind(kind), int(id)
