"""`drumbeat doctor`: a line for everything that must be right, with the fix where it is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import typer

from drumbeat.cli.mailboxes import LINKS_FIX
from drumbeat.cli.terminal import current_settings, in_one_line, say
from drumbeat.domain.errors import DatabaseUnsafe, DrumbeatError, MasterKeyWrong, Misconfigured, NotFound
from drumbeat.mail.identity import Lookup, Verdict
from drumbeat.mail.notice import read_sender
from drumbeat.mail.outgoing import check
from drumbeat.mail.resolver import Resolver
from drumbeat.mail.session import TokenSource, is_loopback
from drumbeat.operations.grants import Tokens
from drumbeat.operations.holds import examine_sender
from drumbeat.operations.inboxes import trouble_of_inbox
from drumbeat.operations.mailboxes import server_of
from drumbeat.settings import Settings
from drumbeat.store import accounts, inboxes, installation, mailboxes, migrate, quarantine
from drumbeat.store.database import Database
from drumbeat.store.inboxes import Inbox
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.promises import check_promises
from drumbeat.wiring import nothing_there, read_master_keys

Sending = Callable[[Vault, StoredMailbox, TokenSource | None], str | None]
Hearing = Callable[[Vault, StoredMailbox, Inbox, TokenSource | None], str | None]
_LEAST_FREE = 50 * 10**6  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: fine if there is no trouble."""

    subject: str
    trouble: str | None = None
    fix: str | None = None

    def __str__(self) -> str:
        if self.trouble is None:
            return f"ok     {self.subject}"
        return f"wrong  {self.subject}: {self.trouble}" + (f" Fix: {self.fix}" if self.fix else "")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor() -> None:
    """Look at settings, keys, database and mail servers; changes nothing, and exits with 1 if something is wrong."""
    is_well = True
    for finding in examine(trouble_of_mailbox=_trouble, trouble_of_inbox=trouble_of_inbox):
        say(str(finding))
        is_well = is_well and finding.trouble is None
    if not is_well:
        raise typer.Exit(1)


def _trouble(vault: Vault, mailbox: StoredMailbox, token: TokenSource | None) -> str | None:
    return check(server_of(vault, mailbox, token)).trouble


def examine(*, trouble_of_mailbox: Sending, trouble_of_inbox: Hearing) -> Iterator[Finding]:
    """Everything looked at, in order; what cannot be looked at because of an earlier trouble is left out."""
    try:
        settings = current_settings()
    except DrumbeatError as error:
        yield Finding("configuration", in_one_line(error), "Correct the variable.")
        return
    yield Finding("configuration")
    yield _folder_kept(settings)
    yield _letters_to_users(settings)
    yield from _examine_database(settings, trouble_of_mailbox, trouble_of_inbox)


def _letters_to_users(settings: Settings) -> Finding:
    """Invitations and letters about passwords need a server, unless this is only being tried on this machine."""
    subject = "letters to users"
    if not settings.mail_url:
        if is_loopback(urlsplit(settings.base_url).hostname or ""):
            return Finding(subject)
        return Finding(subject, "Invitations and password letters go to the catcher only.", "Set DRUMBEAT_MAIL_URL.")
    try:
        trouble = check(read_sender(settings.mail_url, settings.mail_from).server).trouble
    except Misconfigured as error:
        return Finding(subject, in_one_line(error))
    return Finding(subject, trouble, trouble and "Correct DRUMBEAT_MAIL_URL.")


def _folder_kept(settings: Settings) -> Finding:
    if not settings.data.is_dir():
        return Finding(
            "data folder", f"{settings.data} does not exist.", "Start `drumbeat serve`, or set DRUMBEAT_DATA."
        )
    if settings.data.stat().st_mode & 0o077:
        return Finding("data folder", "Others may look into it.", f"chmod 700 {settings.data}")
    if not os.access(settings.data, os.W_OK | os.X_OK):
        return Finding("data folder", f"{settings.data} cannot be written to.", "Let Drumbeat's user write there.")
    free = shutil.disk_usage(settings.data).free
    if free < _LEAST_FREE:
        return Finding("data folder", f"Only {free // 10**6} MB are free on its disk.", "Make room.")
    return Finding("data folder")


def _examine_database(settings: Settings, trouble_of_mailbox: Sending, trouble_of_inbox: Hearing) -> Iterator[Finding]:
    try:
        is_there = migrate.exists(settings.database_url)
        is_behind = is_there and migrate.pending(settings.database_url)
    except DrumbeatError as error:
        yield Finding("database", in_one_line(error))
        return
    if not is_there:
        yield Finding("database", nothing_there(settings))
        return
    yield Finding("database")
    if is_behind:
        yield Finding("migrations", "The database is behind this version.", "Run `drumbeat migrate`.")
        return
    yield Finding("migrations")
    database = Database(settings.database_url, test_clock=settings.test_clock)
    try:
        yield _promises(settings, database)
        yield _quarantine(database)
        yield from _examine_keys(settings, database, trouble_of_mailbox, trouble_of_inbox)
    finally:
        database.close()


def _promises(settings: Settings, database: Database) -> Finding:
    try:
        told = check_promises(database, overridden=settings.unsafe)
    except DatabaseUnsafe as error:
        return Finding("database promises", error.detail)
    except DrumbeatError as error:
        fix = "Make room on its disk, and let Drumbeat's user write there."
        return Finding("database promises", in_one_line(error), fix)
    return Finding(f"database promises ({', '.join(told)})")


def _quarantine(database: Database) -> Finding:
    with database.read() as snapshot:
        found = quarantine.find(snapshot)
    if found is None:
        return Finding("no quarantine")
    return Finding("quarantine", f"Nothing is sent: {found.cause}", "Run `drumbeat reconcile`.")


def _examine_keys(
    settings: Settings,
    database: Database,
    trouble_of_mailbox: Sending,
    trouble_of_inbox: Hearing,
) -> Iterator[Finding]:
    with database.read() as snapshot:
        is_new = not installation.is_installed(snapshot)
    if is_new:
        yield Finding("master key (made at the first start)")
        return
    try:
        vault = Vault(read_master_keys(settings, is_installed=True))
        with database.read() as snapshot:
            installation.hash_key(snapshot, vault)
    except Misconfigured as error:
        yield Finding("master key", in_one_line(error))
        return
    yield Finding("master key")
    tokens = Tokens(database, vault)
    yield from _examine_mailboxes(settings, database, lambda m: trouble_of_mailbox(vault, m, tokens.source(m)))
    yield from _examine_inboxes(database, lambda m, inbox: trouble_of_inbox(vault, m, inbox, tokens.source(m)))
    yield from _examine_senders(database, Resolver(settings.dns))


def _examine_mailboxes(
    settings: Settings, database: Database, trouble_of_mailbox: Callable[[StoredMailbox], str | None]
) -> Iterator[Finding]:
    with database.read() as snapshot:
        listed = [account.id for account in accounts.list_accounts(snapshot)]
        found = [mailbox for id in listed for mailbox in mailboxes.list_all(snapshot, id)]
        used = {(id, user.mailbox_id) for id in listed for user in accounts.list_users(snapshot, id) if user.is_active}
    if not found:
        yield Finding("mailboxes (none yet)")
    if settings.test_clock and any(not mailbox.is_catcher for mailbox in found):
        yield Finding("test clock", "A real mailbox is configured.", "Unset DRUMBEAT_TEST_CLOCK.")
    if settings.links_trouble and any(mailbox.is_active and not mailbox.is_catcher for mailbox in found):
        yield Finding("links", settings.links_trouble, LINKS_FIX)
    for mailbox in found:
        subject = f"mailbox {mailbox.id} of account {mailbox.account_id} ({mailbox.host}:{mailbox.port})"
        if not mailbox.is_active:
            yield Finding(f"{subject}, switched off")
            continue
        if (mailbox.account_id, mailbox.id) not in used and mailbox.is_free:
            yield Finding(f"{subject}, which nobody sends with")
            continue
        try:
            trouble = trouble_of_mailbox(mailbox)
        except (MasterKeyWrong, NotFound) as error:
            trouble = in_one_line(error)
        fix = f"Correct it with `drumbeat mailbox set {mailbox.id}`, or switch it off."
        if mailbox.is_catcher:
            fix = "Start `drumbeat serve`."
        yield Finding(subject, trouble, fix if trouble else None)


def _examine_inboxes(
    database: Database, trouble_of_inbox: Callable[[StoredMailbox, Inbox], str | None]
) -> Iterator[Finding]:
    with database.read() as snapshot:
        found = [
            (mailboxes.get(snapshot, account.id, id), inbox)
            for account in accounts.list_accounts(snapshot)
            for id, inbox in sorted(inboxes.list_all(snapshot, account.id).items())
        ]
    for mailbox, inbox in found:
        subject = f"what comes back to mailbox {mailbox.id} of account {mailbox.account_id} ({inbox.host}:{inbox.port})"
        try:
            trouble = trouble_of_inbox(mailbox, inbox)
        except MasterKeyWrong as error:
            trouble = in_one_line(error)
        yield Finding(subject, trouble, f"Correct it with `drumbeat mailbox listen {mailbox.id}`." if trouble else None)


def _examine_senders(database: Database, lookup: Lookup) -> Iterator[Finding]:
    """What receivers look up about the senders of mailboxes in use; what may be right is told beside the subject."""
    with database.read() as snapshot:
        found = [m for account in accounts.list_accounts(snapshot) for m in mailboxes.list_all(snapshot, account.id)]
    senders = {m.known_by: m for m in found if m.is_active and not m.is_catcher}
    for mailbox in sorted(senders.values(), key=lambda each: (each.sender_email, each.account_id, each.id)):
        for each in examine_sender(mailbox, lookup):
            subject = f"{each.subject} of {mailbox.sender_email}"
            if each.verdict in (Verdict.DOUBTFUL, Verdict.UNKNOWN):
                subject += f" ({each.sentence} {each.fix})"
            is_wrong = each.verdict is Verdict.WRONG
            yield Finding(subject, each.sentence if is_wrong else None, each.fix if is_wrong else None)
