"""`drumbeat verify`: whether everything the database holds fits together."""

from __future__ import annotations

from collections import Counter

import typer

from drumbeat.cli.terminal import opened, say
from drumbeat.operations.verification import verify_account
from drumbeat.store import accounts
from drumbeat.store.verification import RULES, missing_indexes

_NAMED = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify() -> None:
    """Check that nothing was sent twice, lost or left behind; may run while Drumbeat works, and changes nothing."""
    with opened() as world:
        with world.database.read() as snapshot:
            ids = [account.id for account in accounts.list_accounts(snapshot)]
        missing = missing_indexes(world.database)
        broken, named, looked_at = Counter[tuple[int, str]](), dict[tuple[int, str], list[int]](), 0
        for id in ids:
            for part in verify_account(world.database, id):
                looked_at += part.enrollments
                for breach in part.breaches:
                    key = breach.account_id, breach.rule
                    broken[key] += len(breach.enrollment_ids)
                    named.setdefault(key, []).extend(breach.enrollment_ids[:_NAMED])
    for name in missing:
        say(f"wrong  The database lacks the index {name}: restore it, or nothing but the program keeps its promise.")
    for (account_id, rule), count in broken.items():
        examples = ", ".join(str(each) for each in named[account_id, rule][:_NAMED])
        what = "An enrollment" if count == 1 else f"{count} enrollments (or more)"
        say(f"wrong  {what} of account {account_id}: {rule}. Such as {examples}.")
    if missing or broken:
        raise typer.Exit(1)
    say(f"Everything fits. Enrollments: {looked_at}, accounts: {len(ids)}, rules: {len(RULES)}.")
