"""`drumbeat inbound`: what a received message is taken for, and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from drumbeat.cli.terminal import AccountOption, ActingOption, in_one_line, say, transacted
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.inbound import Reading, classify
from drumbeat.mail.parse import LARGEST, parse
from drumbeat.operations.mistaken_replies import undo_reply

app = typer.Typer(no_args_is_help=True, help="Mail that comes back.")


@app.callback()
def _inbound() -> None:
    """Mail that comes back."""


@app.command("classify")
def classify_messages(
    batch: Annotated[
        bool, typer.Option("--batch", help="Read paths of raw messages from standard input, one a line.")
    ] = False,
) -> None:
    """Read a raw message on standard input, and print what it is as a line of JSON; nothing is changed.

    Whether a reply answers a letter of this installation is not asked: its Message-IDs tell that to the engine.
    """
    if not batch:
        say(_line(classify(parse(sys.stdin.buffer.read(LARGEST)))))
        return
    failed = False
    for line in sys.stdin:
        path = line.rstrip("\r\n")
        if not path:
            continue
        try:
            with Path(path).open("rb") as file:
                raw = file.read(LARGEST)
        except OSError as error:
            failed = True
            say(json.dumps({"error": in_one_line(error)}, ensure_ascii=False))
            continue
        say(_line(classify(parse(raw))))
    if failed:
        raise typer.Exit(1)


@app.command("not-a-reply")
def undo(
    enrollment_id: Annotated[int, typer.Argument(metavar="ENROLLMENT", min=1, max=LARGEST_ID)],
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Go on where a reply that was none has ended an enrollment: a new one, with the steps done and the delay left."""
    made = transacted(account, acting, lambda tx, account_id, by: undo_reply(tx, account_id, enrollment_id, by.id))
    say(f"Enrollment {made.id} goes on where {enrollment_id} was ended.")


def _line(reading: Reading) -> str:
    told = {
        "kind": reading.kind.value,
        "permanent": reading.permanent,
        "recipient": reading.recipient,
        "message_id": next(iter(reading.message_ids), None),
        "until": reading.until.isoformat() if reading.until else None,
        "why": reading.why,
    }
    return json.dumps(told, ensure_ascii=False)
