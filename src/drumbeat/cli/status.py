"""`drumbeat status` and `unknown`: what waits, what is stuck and why, and letters nobody knows the fate of."""

from __future__ import annotations

from typing import Annotated

import typer

from drumbeat.cli.mailboxes import state_of
from drumbeat.cli.terminal import (
    AccountOption,
    ActingOption,
    acting_user,
    opened,
    pick_account,
    say,
    show_table,
    shown,
    transacted,
)
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.timeline import Hold, Lifter, Stage
from drumbeat.operations.doubts import count_as_not_sent, count_as_sent, send_again, sha256_rewritten
from drumbeat.operations.status import AccountStatus, Explained, account_status, explained
from drumbeat.store import accounts, doubts, quarantine
from drumbeat.store.transaction import Snapshot, Tx

unknown_app = typer.Typer(no_args_is_help=True, help="Letters of which nobody knows whether they arrived.")
_WHO = {
    Lifter.TIME: "nobody needs to: it ends by itself",
    Lifter.USER: "a user",
    Lifter.ADMIN: "an admin",
    Lifter.SERVER: "the mail server, by answering",
    Lifter.OPERATOR: "whoever runs Drumbeat",
}
EnrollmentId = Annotated[int, typer.Argument(metavar="ENROLLMENT", min=1, max=LARGEST_ID)]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    enrollment_id: Annotated[int | None, typer.Argument(metavar="[ENROLLMENT]", min=1, max=LARGEST_ID)] = None,
    account: AccountOption = None,
) -> None:
    """Show what waits and what is stuck; with an enrollment's id, explain that one."""
    with opened() as world, world.database.read() as snapshot:
        if enrollment_id is not None:
            account_id = pick_account(snapshot, account)
            _show_enrollment(explained(snapshot, account_id, enrollment_id))
            return
        shown_ids = _accounts(snapshot, account)
        say(f"It is {shown(snapshot.now)}.")
        standstill = quarantine.find(snapshot)
        if standstill is not None:
            say(f"{standstill.sentence} It stands since {shown(standstill.since)}.")
        for each in shown_ids:
            _show_account(account_status(snapshot, each))


def _accounts(snapshot: Snapshot, asked: int | None) -> list[int]:
    found = [each.id for each in accounts.list_accounts(snapshot)]
    return found if asked is None and found else [pick_account(snapshot, asked)]


def _show_account(found: AccountStatus) -> None:
    account = found.account
    switched = "" if account.sequences_enabled else " (sequences are switched off)"
    say(f"\nAccount {account.id}, {account.name}{switched}")
    lanes = [(each.name, each.due, each.later, each.in_work, each.held, each.next_at) for each in found.lanes]
    show_table("Lanes", ("lane", "due", "later", "in work", "held", "next"), lanes)
    blocked = [(each.reason, each.count, each.sentence) for each in found.blocked]
    show_table("Blocked", ("reason", "enrollments", "what to do"), blocked)
    say(f"Unknown letters: {found.unknown}")
    held = [(each.id, each.name, each.held_since, state_of(each)) for each in found.held_mailboxes]
    show_table("Held mailboxes", ("id", "name", "since", "why"), held)
    counts = [(s.id, s.name, s.status, s.active, s.blocked, s.finished) for s in found.sequences]
    show_table("Sequences", ("id", "name", "status", "active", "blocked", "finished"), counts)


def _show_enrollment(found: Explained) -> None:
    enrollment, sequence = found.view.enrollment, found.view.sequence
    ended = f", {enrollment.finished_reason}" if enrollment.finished_reason else ""
    say(f"Enrollment {enrollment.id}: {found.person} in {sequence.id} ({shown(sequence.name)})")
    say(f"State: {enrollment.state}{ended}")
    for line in _held(found.hold):
        say(line)
    stages = [_stage(stage) for stage in found.view.stages]
    show_table("Timeline", ("step", "kind", "status", "when", "why"), stages)
    history = [(each.at, each.fact, _cause(each.cause)) for each in found.history]
    show_table("History", ("at", "fact", "cause"), history)
    if found.received:
        messages = [(m.id, m.received_at, m.kind, m.sender, m.subject, m.words, m.why) for m in found.received]
        show_table("Received", ("id", "at", "kind", "from", "subject", "words", "why"), messages)


def _held(hold: Hold | None) -> list[str]:
    if hold is None:
        return ["Held by: nothing"]
    lines = [f"Held by: {shown(hold.sentence)}"]
    if hold.since is not None:
        lines.append(f"  since: {shown(hold.since)}")
    lines.append(f"  until: {shown(hold.until) if hold.until else 'somebody lifts it'}")
    lines.append(f"  who can lift it: {_WHO[hold.lifter]}")
    return lines


def _stage(stage: Stage) -> tuple[object, ...]:
    when = stage.executed_at or stage.estimated_at
    late = " (overdue)" if stage.overdue else ""
    why = stage.failure_reason or (f"task {stage.task_id}" if stage.task_id else None)
    kind = "e-mail" if stage.step.is_letter else "task"
    return stage.position, kind, f"{stage.status}{late}", when, why


def _cause(cause: object) -> str:
    items = cause.items() if isinstance(cause, dict) else ()
    return ", ".join(f"{name}: {value}" for name, value in items if value is not None)


@unknown_app.command("list")
def list_unknown(account: AccountOption = None) -> None:
    """List the letters in doubt."""
    with opened() as world, world.database.read() as snapshot:
        account_id = pick_account(snapshot, account)
        found = doubts.list_unknown(snapshot, account_id)
    rows = [(d.enrollment_id, d.position, d.transmitting_at, d.lease_until, d.reply) for d in found]
    columns = ("enrollment", "step", "sent at", "evidence awaited until", "what is known")
    show_table("Unknown letters", columns, rows)


@unknown_app.command("count-as-sent")
def settle_as_sent(enrollment_id: EnrollmentId, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Count the letter as sent; the enrollment goes on with its next step."""
    transacted(account, acting, lambda tx, account_id, by: count_as_sent(tx, account_id, enrollment_id, by.id))
    say(f"Enrollment {enrollment_id}: the letter counts as sent.")


@unknown_app.command("count-as-not-sent")
def settle_as_not_sent(enrollment_id: EnrollmentId, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Count the letter of a finished enrollment as not sent."""
    transacted(account, acting, lambda tx, account_id, by: count_as_not_sent(tx, account_id, enrollment_id, by.id))
    say(f"Enrollment {enrollment_id}: the letter counts as not sent.")


@unknown_app.command("send-again")
def settle_by_sending(enrollment_id: EnrollmentId, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Send the same letter once more, byte for byte; the person may get it twice."""
    with opened() as world:
        with world.database.read() as snapshot:
            account_id = pick_account(snapshot, account)
            sha256 = sha256_rewritten(snapshot, world.writer, account_id, enrollment_id)

        def work(tx: Tx) -> None:
            actor_id = acting_user(tx, account_id, acting).id
            send_again(tx, account_id, enrollment_id, actor_id, rewritten_sha256=sha256)

        world.database.transact(work)
    say(f"Enrollment {enrollment_id}: the letter is queued once more.")
