"""`drumbeat mailbox`: how users send, whether their servers answer, and letting go of a hold."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

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
    whole_or_none,
)
from drumbeat.domain.account import LARGEST_ID, User
from drumbeat.domain.errors import NotFound
from drumbeat.mail.outgoing import check
from drumbeat.mail.session import Provider, Security
from drumbeat.operations.holds import lift_hold
from drumbeat.operations.inboxes import InboxSettings, listen, stop_listening, trouble_of_inbox
from drumbeat.operations.mailboxes import (
    MailboxSettings,
    add_mailbox,
    change_mailbox,
    limit_mailbox,
    remove_mailbox,
    server_of,
    switch_mailbox,
    way_out,
)
from drumbeat.settings import text_in
from drumbeat.store import accounts, inboxes, mailboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx

app = typer.Typer(no_args_is_help=True, help="How users send.")
LINKS_FIX = "Set DRUMBEAT_BASE_URL to the https:// address people reach Drumbeat at."
MailboxId = Annotated[int, typer.Argument(metavar="ID", min=1, max=LARGEST_ID)]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", exists=True, dir_okay=False, help="Instead of being asked.")
]
NeedsIdentity = Annotated[
    bool | None,
    typer.Option("--needs-identity/--no-needs-identity", help="Send only while receivers know the sender."),
]


@app.command("add")
def add_one(
    sender_email: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Letters come from here.")],
    host: Annotated[str | None, typer.Option("--host", help="The outgoing mail server.")] = None,
    provider: Annotated[
        Provider | None, typer.Option("--provider", help="Send through its API; its key is asked for as password.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Default: 587, or a provider's 443.")
    ] = None,
    security: Annotated[
        Security | None, typer.Option("--security", help="How the connection is encrypted; default: starttls.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", help="The password is asked for. Of SES the access key id.")
    ] = None,
    password_file: PasswordFile = None,
    sender_name: Annotated[str | None, typer.Option("--from-name", help="Default: the user's name.")] = None,
    name: Annotated[str, typer.Option("--name", help="What you call it.")] = "",
    connections: Annotated[int, typer.Option("--connections", min=1, max=50, help="At once.")] = 4,
    needs_identity: NeedsIdentity = None,
    user: Annotated[
        int | None, typer.Option("--user", metavar="ID", min=1, max=LARGEST_ID, help="Whose; default: the first admin.")
    ] = None,
    account: AccountOption = None,
) -> None:
    """Connect a mailbox; its user sends with it from now on."""
    password = _password_of(username, provider, password_file)
    with opened() as world:

        def work(tx: Tx) -> int:
            owner = acting_user(tx, pick_account(tx, account), user)
            settings = MailboxSettings(
                name=name,
                sender_name=sender_name or owner.name,
                sender_email=sender_email,
                username=username,
                password=password,
                connections=connections,
                needs_identity=bool(needs_identity),
                **way_out(provider, host, port, security),
            )
            may_jump = world.settings.test_clock
            return add_mailbox(tx, world.vault, owner.account_id, owner.id, settings, test_clock=may_jump).id

        with _named():
            mailbox_id = world.database.transact(work)
        trouble = world.settings.links_trouble
    say(f"Added mailbox {mailbox_id}. See whether it works: drumbeat mailbox test {mailbox_id}")
    if trouble is not None:
        say(f"{trouble} {LINKS_FIX}")


def _named() -> AbstractContextManager[None]:
    same = ("host", "port", "security", "username", "name")
    return options_named(*same, sender_email="--from", sender_name="--from-name", password="--password-file")  # noqa: S106


def _password_of(username: str | None, provider: Provider | None, file: Path | None) -> str | None:
    if username is not None or provider is not None:
        return _ask_password(file)
    if file is not None:
        raise typer.BadParameter("A password needs --username beside it.", param_hint="--password-file")
    return None


def _ask_password(file: Path | None) -> str:
    if file is not None:
        return text_in(file, "--password-file")
    return str(typer.prompt("Password", hide_input=True, err=True))


@app.command("set")
def correct(
    mailbox_id: MailboxId,
    host: Annotated[str | None, typer.Option("--host", help="The outgoing mail server.")] = None,
    sender_email: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="Letters come from here.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535)] = None,
    security: Annotated[Security | None, typer.Option("--security", help="How the connection is encrypted.")] = None,
    username: Annotated[
        str | None, typer.Option("--username", help="The password is asked for; empty: without a login.")
    ] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    password_file: PasswordFile = None,
    sender_name: Annotated[str | None, typer.Option("--from-name", help="As letters show it.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="What you call it.")] = None,
    connections: Annotated[int | None, typer.Option("--connections", min=1, max=50, help="At once.")] = None,
    needs_identity: NeedsIdentity = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Correct what is named and leave the rest; what the mailbox's trouble blocked is tried again."""
    given: dict[str, Any] = {
        "host": host,
        "sender_email": sender_email,
        "port": port,
        "security": security,
        "sender_name": sender_name,
        "name": name,
        "connections": connections,
        "needs_identity": needs_identity,
    }
    changes = {setting: value for setting, value in given.items() if value is not None}
    if username is not None or password or password_file is not None:
        changes |= _changed_login(username, password_file)
    if not changes:
        raise typer.BadParameter("Name at least one setting; see `drumbeat mailbox set --help`.")
    with opened() as world:

        def work(tx: Tx) -> None:
            account_id = pick_account(tx, account)
            by = acting_user(tx, account_id, acting)
            change_mailbox(tx, world.vault, account_id, mailbox_id, changes, actor_id=by.id)

        with _named():
            world.database.transact(work)
    say(f"Changed mailbox {mailbox_id}. See whether it works: drumbeat mailbox test {mailbox_id}")


def _changed_login(username: str | None, password_file: Path | None) -> dict[str, str | None]:
    if username == "":
        return {"username": None, "password": None}
    named = {} if username is None else {"username": username}
    return {**named, "password": _ask_password(password_file)}


@app.command("limit")
def limit(
    mailbox_id: MailboxId,
    per_day: Annotated[
        str | None, typer.Option("--per-day", metavar="LETTERS", help="At most so many a day, where the account is.")
    ] = None,
    per_hour: Annotated[
        str | None, typer.Option("--per-hour", metavar="LETTERS", help="At most so many an hour.")
    ] = None,
    spacing: Annotated[
        int | None, typer.Option("--spacing", metavar="SECONDS", help="Between two letters, about; 0: none.")
    ] = None,
    ramp_from: Annotated[
        str | None, typer.Option("--ramp-from", metavar="LETTERS", help="From now on, and a fifth more each day.")
    ] = None,
    per_domain: Annotated[
        str | None, typer.Option("--per-domain", metavar="LETTERS", help="On their way to one domain at once.")
    ] = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Limit how quickly a mailbox sends; what is named changes, and `none` takes a limit away."""
    texts = {"per_day": per_day, "per_hour": per_hour, "ramp_from": ramp_from, "per_domain": per_domain}
    changes: dict[str, Any] = {
        name: whole_or_none(text, f"--{name.replace('_', '-')}") for name, text in texts.items() if text is not None
    }
    changes |= {} if spacing is None else {"spacing": spacing}
    if not changes:
        raise typer.BadParameter("Name at least one limit; see `drumbeat mailbox limit --help`.")

    def work(tx: Tx, account_id: int, by: User) -> StoredMailbox:
        return limit_mailbox(tx, account_id, mailbox_id, changes, actor_id=by.id)

    with options_named(*changes):
        limited = transacted(account, acting, work)
    say(f"Mailbox {mailbox_id} sends {str(limited.pace('UTC')) or 'as quickly as it can'}.")


@app.command("remove")
def remove(mailbox_id: MailboxId, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Take a mailbox away for good, with its login; running enrollments that sent from it block."""
    left = transacted(
        account, acting, lambda tx, account_id, by: remove_mailbox(tx, account_id, mailbox_id, actor_id=by.id)
    )
    say(f"Removed mailbox {mailbox_id}.")
    for user in left:
        say(f"{shown(user.name)} has no mailbox now: drumbeat mailbox add --user {user.id}")


@app.command("list")
def list_all(account: AccountOption = None) -> None:
    """List the account's mailboxes."""
    with opened() as world, world.database.read() as snapshot:
        account_id = pick_account(snapshot, account)
        found = mailboxes.list_all(snapshot, account_id)
        users = accounts.list_users(snapshot, account_id)
        hearing = inboxes.list_all(snapshot, account_id)
    rows = [
        (
            each.id,
            each.name,
            each.sender_email,
            f"{each.host}:{each.port}",
            each.provider or each.security,
            ", ".join(user.name for user in users if user.mailbox_id == each.id) or None,
            state_of(each),
            heard_of(hearing.get(each.id)),
            str(each.pace("UTC")) or None,
        )
        for each in found
    ]
    show_table("Mailboxes", ("id", "name", "from", "server", "security", "users", "state", "hears", "limits"), rows)


def state_of(mailbox: StoredMailbox) -> str:
    """Whether the mailbox sends, and if not, why."""
    if not mailbox.is_active:
        return "off"
    if mailbox.hold_reason is not None:
        until = f", tested again {shown(mailbox.held_until)}" if mailbox.held_until else ""
        return f"held ({mailbox.hold_reason}): {mailbox.hold_detail}{until}"
    if mailbox.held_until is not None:
        return f"waiting until {shown(mailbox.held_until)}: {mailbox.hold_detail}"
    return "its sender is being looked up" if mailbox.is_unproven else "on"


def heard_of(inbox: Inbox | None) -> str | None:
    """Where what comes back is read, and what is in the way."""
    if inbox is None:
        return None
    place = f"{inbox.host}:{inbox.port}"
    return place if inbox.trouble is None else f"{place}: {inbox.trouble}, tried again {shown(inbox.look_at)}"


@app.command("test")
def try_one(mailbox_id: MailboxId, account: AccountOption = None) -> None:
    """Connect and log in as sending and reading would; no letter is sent, none is read."""
    with opened() as world:
        with world.database.read() as snapshot:
            mailbox = mailboxes.get(snapshot, pick_account(snapshot, account), mailbox_id)
            inbox = inboxes.find(snapshot, mailbox.account_id, mailbox_id)
        if mailbox.is_removed:
            raise NotFound(f"There is no mailbox {mailbox_id}.")
        token = world.tokens.source(mailbox)
        trouble = check(server_of(world.vault, mailbox, token)).trouble
        deaf = trouble_of_inbox(world.vault, mailbox, inbox, token)
    if trouble is not None:
        say(f"Mailbox {mailbox_id} does not work: {shown(trouble)}")
    if deaf is not None:
        say(f"Mailbox {mailbox_id} cannot be read: {shown(deaf)}")
    if trouble is not None or deaf is not None:
        raise typer.Exit(1)
    say(f"Mailbox {mailbox_id} works.")


@app.command("listen")
def let_listen(
    mailbox_id: MailboxId,
    host: Annotated[str, typer.Option("--host", help="The incoming mail server (IMAP).")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 993,
    security: Annotated[Security, typer.Option("--security", help="How the connection is encrypted.")] = Security.TLS,
    username: Annotated[
        str | None, typer.Option("--username", help="The password is asked for; default: the mailbox's own login.")
    ] = None,
    password_file: PasswordFile = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Read what comes back to a mailbox, from its next message on; nothing in it is changed."""
    password = _password_of(username, None, password_file)
    settings = InboxSettings(host, port, security, username, password)
    with opened() as world:

        def work(tx: Tx) -> None:
            account_id = pick_account(tx, account)
            by = acting_user(tx, account_id, acting)
            listen(tx, world.vault, account_id, mailbox_id, settings, actor_id=by.id)

        with _named():
            world.database.transact(work)
    say(f"Mailbox {mailbox_id} hears. See whether it works: drumbeat mailbox test {mailbox_id}")


@app.command("unlisten")
def let_rest(mailbox_id: MailboxId, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Stop reading what comes back to a mailbox, and forget how."""
    did = transacted(
        account, acting, lambda tx, account_id, by: stop_listening(tx, account_id, mailbox_id, actor_id=by.id)
    )
    say(f"Mailbox {mailbox_id} hears no more." if did else f"Mailbox {mailbox_id} does not hear.")


@app.command("off")
def switch_off(mailbox_id: MailboxId, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Stop sending with a mailbox; letters that come due wait until it is on again."""
    _switch(mailbox_id, account, acting, on=False)
    say(f"Mailbox {mailbox_id} is off.")


@app.command("on")
def switch_on(mailbox_id: MailboxId, account: AccountOption = None, acting: ActingOption = None) -> None:
    """Send with a mailbox again; what waited for it goes on."""
    _switch(mailbox_id, account, acting, on=True)
    say(f"Mailbox {mailbox_id} is on.")


def _switch(mailbox_id: int, account: int | None, acting: int | None, *, on: bool) -> None:
    transacted(
        account, acting, lambda tx, account_id, by: switch_mailbox(tx, account_id, mailbox_id, on=on, actor_id=by.id)
    )


@app.command("lift")
def lift(mailbox_id: MailboxId, account: AccountOption = None) -> None:
    """Lift the hold on a mailbox now, without waiting for its next test."""
    with opened() as world:
        released = world.database.transact(lambda tx: lift_hold(tx, pick_account(tx, account), mailbox_id))
    say(f"Mailbox {mailbox_id} sends again; {released} enrollments go on.")
