"""What a start says: on the first one everything one needs to try Drumbeat, later where things are."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from rich.text import Text

from drumbeat.cli.terminal import console, say
from drumbeat.operations.first_run import FirstRun
from drumbeat.settings import Settings

FIRST_RUN = "first-run.json"


def caught_url(settings: Settings) -> str:
    """Where the letters that the catcher took in are shown."""
    return f"{settings.base_url}/caught"


def write_first_run(settings: Settings, made: FirstRun) -> None:
    """Keep what was made in the data folder, for programs and whoever missed it; its owner's eyes only."""
    kept: dict[str, object] = {
        "base_url": settings.base_url,
        "email": made.email,
        "password": made.password,
        "token": made.token,
        "api_key": made.api_key,
        "sequence_ids": made.sequence_ids,
        "caught_url": caught_url(settings),
    }
    _write(settings.data / FIRST_RUN, kept)


def _write(path: Path, content: dict[str, object]) -> None:
    """Written beside it and renamed, readable by nobody else from its first byte on."""
    beside = path.with_suffix(".new")
    with suppress(FileNotFoundError):
        beside.unlink()
    made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def refresh_first_run(settings: Settings) -> None:
    """Let the file name the address of this start; without the file, or with one of another make, nothing."""
    path = settings.data / FIRST_RUN
    try:
        content = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return
    now = {"base_url": settings.base_url, "caught_url": caught_url(settings)}
    if isinstance(content, dict) and content | now != content:
        _write(path, content | now)


def forget_first_run(settings: Settings) -> None:
    """Take the file away: what it names was not made after all."""
    with suppress(FileNotFoundError):
        (settings.data / FIRST_RUN).unlink()


def greet(settings: Settings, made: FirstRun) -> None:
    """Everything one needs to try Drumbeat; the secrets are shown this once."""
    screen = console()
    screen.print()
    screen.print(Text("Drumbeat is ready.", style="bold green"), Text("A sample account was made for you.\n"))
    rows = [
        ("Address", settings.base_url),
        ("Sign-in", f"{made.email}   {made.password}"),
        ("Token (/v2)", made.token),
        ("API key (/api)", made.api_key),
        ("Sequences", ", ".join(f"{id} {name}" for name, id in made.sequence_ids.items())),
        ("Letters", f"{caught_url(settings)}   none leaves this machine"),
        ("Kept in", str(settings.data / FIRST_RUN)),
    ]
    for name, value in rows:
        screen.print(Text(f"  {name:<16}", style="dim"), Text(value), sep="", soft_wrap=True)
    screen.print()
    for title, command in _examples(settings.base_url, made):
        screen.print(Text(title, style="bold"))
        say(f"  {command}\n")


def _examples(address: str, made: FirstRun) -> list[tuple[str, str]]:
    first, *_, last = made.sequence_ids.values()
    contacts = json.dumps({"contacts": [{"email": "grace@example.com", "firstName": "Grace"}]})
    lead = json.dumps({"data": {"sequence_id": last, "resource_type": "lead", "resource_id": 1}})
    json_type = "-H 'Content-Type: application/json'"
    return [
        (
            "Enroll somebody by e-mail:",
            f"curl -X POST {address}/api/v1/sequences/{first}/execute -H 'X-API-Key: {made.api_key}'"
            f" {json_type} -d '{contacts}'",
        ),
        (
            "Enroll the sample's first lead:",
            f"curl -X POST {address}/v2/sequence_enrollments -H 'Authorization: Bearer {made.token}'"
            f" -H 'Accept: application/json' {json_type} -d '{lead}'",
        ),
    ]


def greet_again(settings: Settings, *, is_empty: bool, catches: bool) -> None:
    """Where things are."""
    say(f"Drumbeat listens at {settings.base_url} and keeps its files in {settings.data}.")
    if catches:
        say(f"Letters that were caught: {caught_url(settings)}")
    if is_empty:
        say(
            "There is no account yet. Make the first one: drumbeat user add --admin --account-name NAME --email ADDRESS"
        )
