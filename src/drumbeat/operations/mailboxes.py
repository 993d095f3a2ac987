"""Mailboxes: connecting them, correcting them, switching them off and on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from drumbeat.domain.account import User
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.errors import IncorrectValue, MissingField, NotFound, TestClockRefused
from drumbeat.domain.line import check_line
from drumbeat.domain.person import normalize_email
from drumbeat.mail.compose import ascii_address
from drumbeat.mail.providers import usual_host
from drumbeat.mail.session import Provider, Security, Server, TokenSource, is_loopback
from drumbeat.operations.healing import release
from drumbeat.operations.holds import lift_hold
from drumbeat.operations.pacing import give_anew
from drumbeat.store import accounts, events, inboxes, installation, lanes, mailboxes
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx

_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+")
_CHANGEABLE = (
    "name",
    "sender_name",
    "sender_email",
    "host",
    "port",
    "security",
    "username",
    "sealed_password",
    "connections",
    "needs_identity",
)
_KNOWN_BY = frozenset({"sender_email", "host", "security", "needs_identity"})  # what receivers look up hangs on these
USUAL_SPACING = 3  # seconds: providers take some thirty letters a minute
LONGEST_SPACING = 86_400
MOST_LETTERS = 1_000_000
_NO_HOLD: dict[str, Any] = {"held_since": None, "held_until": None, "hold_reason": None, "hold_detail": None}
# What another mailbox may cure: none was there or it was off, or the one before was held.
_CURED_BY_A_MAILBOX = (FailureReason.SENDOUT_DISABLED, FailureReason.AUTH, FailureReason.SENDOUT_LIMITED)


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """How somebody sends; the password is sealed before it is stored."""

    name: str
    sender_name: str
    sender_email: str
    host: str
    port: int
    security: Security = Security.STARTTLS
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connections: int = 4
    is_catcher: bool = False
    provider: Provider | None = None
    needs_identity: bool = False


def way_out(provider: Provider | None, host: str | None, port: int | None, security: Security | None) -> dict[str, Any]:
    """Where letters leave by, with what is usual there, as fields of MailboxSettings; IncorrectValue without a host."""
    if provider is None:
        if host is None:
            raise IncorrectValue("Name the outgoing mail server, or a provider.", field="host")
        return {"host": host, "port": port or 587, "security": security or Security.STARTTLS}
    named = host or usual_host(provider)
    if named is None:
        raise IncorrectValue("Name your region's host, such as email.eu-west-1.amazonaws.com.", field="host")
    return {"provider": provider, "host": named, "port": port or 443, "security": security or Security.TLS}


def add_mailbox(
    tx: Tx,
    vault: Vault,
    account_id: int,
    user_id: int,
    settings: MailboxSettings,
    *,
    test_clock: bool = False,
    actor_id: int | None = None,
) -> StoredMailbox:
    """A new mailbox, which this user sends with from now on; what waited for one goes on.

    A real mailbox is refused while the test clock may run, and for ever where it was moved: a process that
    still follows it would write to people at the wrong time.
    """
    accounts.get_user(tx, account_id, user_id)
    checked = _checked(vault, account_id, settings)
    if test_clock and not settings.is_catcher:
        raise TestClockRefused("Unset DRUMBEAT_TEST_CLOCK before you add a real mailbox.")
    if installation.is_clock_moved(tx) and not settings.is_catcher:
        raise TestClockRefused("The test clock of this database was moved; add a real mailbox to a new data folder.")
    mailbox_id = mailboxes.add(tx, checked)
    accounts.set_mailbox(tx, account_id, user_id, mailbox_id)
    _journal(tx, account_id, mailbox_id, "mailbox_added", actor_id)
    release(tx, account_id, _CURED_BY_A_MAILBOX, mailbox_id=mailbox_id)
    return mailboxes.get(tx, account_id, mailbox_id)


def _checked(vault: Vault, account_id: int, settings: MailboxSettings) -> StoredMailbox:
    port = check_port(settings.port)
    _check_login(settings)
    sender_email = _checked_sender(settings.sender_email)
    return StoredMailbox(
        account_id=account_id,
        id=0,
        name=check_line(settings.name, "name", blank=True) or sender_email,
        sender_name=check_line(settings.sender_name, "sender_name"),
        sender_email=sender_email,
        host=check_host(settings.host),
        port=port,
        security=settings.security.value,
        username=settings.username or _usual_username(settings.provider, sender_email),
        sealed_password=vault.seal(settings.password) if settings.password else None,
        connections=settings.connections,
        is_catcher=settings.is_catcher,
        is_active=True,
        spacing=0 if settings.is_catcher else USUAL_SPACING,
        provider=settings.provider and settings.provider.value,
        needs_identity=settings.needs_identity,
    )


def _usual_username(provider: Provider | None, sender_email: str) -> str | None:
    """Mailgun sends from a domain, which is the sender's unless another one is named."""
    return ascii_address(sender_email, "sender_email").rpartition("@")[2] if provider is Provider.MAILGUN else None


def _check_login(settings: MailboxSettings) -> None:
    username, password = settings.username, settings.password
    if settings.provider is not None:
        _check_key(settings)
        return
    if username is None:
        if password:
            raise IncorrectValue("A password needs a user name beside it.", field="username")
        return
    check_line(username, "username")
    if settings.security is Security.NONE:
        raise IncorrectValue("A login needs encryption: take starttls or tls.", field="security")
    check_password(password)


def _check_key(settings: MailboxSettings) -> None:
    """Refuse what cannot be a provider's key, or would show it to whoever listens."""
    if settings.security is not Security.TLS and not is_loopback(settings.host):
        raise IncorrectValue("A provider's API is asked with tls.", field="security")
    if settings.username is not None:
        check_line(settings.username, "username")
    elif settings.provider is Provider.SES:
        raise IncorrectValue("SES takes an access key id, and the secret access key as password.", field="username")
    if not settings.password:
        raise IncorrectValue("A provider needs its API key as password.", field="password")
    check_password(settings.password)


def check_password(password: str | None) -> None:
    """Refuse what cannot be a mail server's password."""
    if not password:
        raise IncorrectValue("A login needs a password.", field="password")
    if not password.isprintable():
        raise IncorrectValue("Write it in one line, without control characters.", field="password")


def _checked_sender(email: str) -> str:
    try:
        sender = normalize_email(email)
        ascii_address(sender, "sender_email")
    except IncorrectValue as error:
        raise IncorrectValue(error.detail, field="sender_email") from error
    return sender


def check_port(port: int) -> int:
    """The port, if it is one."""
    if not 1 <= port <= 65535:
        raise IncorrectValue("A port is a number from 1 to 65535.", field="port")
    return port


def check_host(text: str) -> str:
    """The mail server's name or address, if it can be one."""
    host = check_line(text, "host")
    if not _HOST.fullmatch(host):
        raise IncorrectValue("Write a server's name or address alone, such as smtp.example.com.", field="host")
    return host


def change_mailbox(
    tx: Tx,
    vault: Vault,
    account_id: int,
    mailbox_id: int,
    changes: Mapping[str, Any],
    *,
    actor_id: int | None = None,
) -> StoredMailbox:
    """Correct a mailbox: `changes` are fields of MailboxSettings, the rest stays as it is.

    Another server, login or sender address is tried at once: what the hold or the lack of an answer kept
    goes on. Enrollments that send from the mailbox go on sending from it.
    """
    before = standing(tx, account_id, mailbox_id)
    if before.is_catcher:
        raise IncorrectValue("This is the built-in catcher; add a mailbox of your own.", field="mailbox")
    _check_kept_login(before, changes)
    settings = replace(_settings_of(vault, before, changes), **changes)
    after = replace(_checked(vault, account_id, settings), id=mailbox_id, is_active=before.is_active)
    if before.sealed_grant is not None and "password" not in changes:
        after = replace(after, sealed_password=None, sealed_grant=before.sealed_grant)
    elif not {"username", "password"} & changes.keys():
        after = replace(after, sealed_password=before.sealed_password)  # sealing anew would look like a change
    changed = [name for name in _CHANGEABLE if getattr(after, name) != getattr(before, name)]
    if changed:
        mailboxes.save_settings(tx, after)
        resettle(tx, before, after, changed, actor_id)
    return mailboxes.get(tx, account_id, mailbox_id)


def _check_kept_login(before: StoredMailbox, changes: Mapping[str, Any]) -> None:
    """A login that is kept goes to the server it was given for, and to no other."""
    has_login = before.sealed_password is not None or before.sealed_grant is not None
    is_kept = has_login and "password" not in changes and changes.get("username", "") is not None
    if is_kept and str(changes.get("host", before.host)).strip().casefold() != before.host.casefold():
        raise MissingField("This is another server: write the password for it, too.", field="password")


def resettle(tx: Tx, before: StoredMailbox, after: StoredMailbox, changed: Sequence[str], actor_id: int | None) -> None:
    """Journal what changed of a mailbox; another server, login or sender is tried at once."""
    account_id, mailbox_id = before.account_id, before.id
    told = ["password" if name == "sealed_password" else name for name in changed]
    events.journal(
        tx, account_id, "mailbox_changed", subject="mailbox", subject_id=mailbox_id, actor_id=actor_id, changed=told
    )
    if _KNOWN_BY & set(changed):
        mailboxes.save_identity(tx, replace(after, identity_seen_at=None))
    if set(changed) - {"name", "sender_name", "connections"}:
        mailboxes.save_hold(tx, replace(after, hold_count=before.hold_count, **_NO_HOLD))
        release(tx, account_id, _CURED_BY_A_MAILBOX, mailbox_id=mailbox_id)
        lanes.wake(tx, account_id, [(mailbox_id, tx.now)])
        inboxes.look_again(tx, account_id, mailbox_id)


def _settings_of(vault: Vault, mailbox: StoredMailbox, changes: Mapping[str, Any]) -> MailboxSettings:
    """The mailbox as it is; its password is opened only if that is not replaced: the key may have been lost."""
    kept = mailbox.sealed_password is not None and "password" not in changes
    by_grant = "by grant" if mailbox.sealed_grant is not None and "password" not in changes else None
    return MailboxSettings(
        name=mailbox.name,
        sender_name=mailbox.sender_name,
        sender_email=mailbox.sender_email,
        host=mailbox.host,
        port=mailbox.port,
        security=Security(mailbox.security),
        username=mailbox.username,
        password=vault.open(mailbox.sealed_password) if kept and mailbox.sealed_password else by_grant,
        connections=mailbox.connections,
        provider=None if mailbox.provider is None else Provider(mailbox.provider),
        needs_identity=mailbox.needs_identity,
    )


def limit_mailbox(
    tx: Tx, account_id: int, mailbox_id: int, changes: Mapping[str, int | None], *, actor_id: int | None = None
) -> StoredMailbox:
    """Limit how quickly a mailbox sends; whoever waits for a turn at it is given a new one.

    `changes` are per_day, per_hour, ramp_from, per_domain (letters, None for no limit) and spacing (seconds). With
    ramp_from so many letters leave today, and a fifth more each day; per_domain are on their way to one domain at once.
    """
    for name in changes.keys() & {"per_day", "per_hour", "per_domain", "ramp_from"}:
        letters = changes[name]
        if letters is not None and not 1 <= letters <= MOST_LETTERS:
            raise IncorrectValue(f"It is a number of letters from 1 to {MOST_LETTERS:,}, or none.", field=name)
    if not 0 <= (changes.get("spacing") or 0) <= LONGEST_SPACING:
        raise IncorrectValue(f"It is a number of seconds from 0 to {LONGEST_SPACING:,}.", field="spacing")
    before = standing(tx, account_id, mailbox_id)
    after = replace(before, **changes)  # type: ignore[arg-type]
    if after.ramp_from != before.ramp_from:
        after = replace(after, ramp_since=tx.now if after.ramp_from else None)
    if after != before:
        mailboxes.save_limits(tx, after)
        told = sorted(name for name in changes if getattr(after, name) != getattr(before, name))
        events.journal(
            tx, account_id, "mailbox_limited", subject="mailbox", subject_id=mailbox_id, actor_id=actor_id, changed=told
        )
        give_anew(tx, account_id, mailbox_id)
    return mailboxes.get(tx, account_id, mailbox_id)


def remove_mailbox(tx: Tx, account_id: int, mailbox_id: int, *, actor_id: int | None = None) -> list[User]:
    """Take a mailbox away for good, with its login; returns the users who have none now.

    The row stays, because letters that left are known by it. Enrollments that sent from it block at their
    next letter: all letters of a thread leave from one mailbox.
    """
    mailbox = standing(tx, account_id, mailbox_id)
    if mailbox.is_catcher:
        raise IncorrectValue("This is the built-in catcher; switch it off instead.", field="mailbox")
    mailboxes.remove(tx, account_id, mailbox_id)
    inboxes.remove(tx, account_id, mailbox_id)
    left = [user for user in accounts.list_users(tx, account_id) if user.mailbox_id == mailbox_id]
    for user in left:
        accounts.set_mailbox(tx, account_id, user.id, None)
    _journal(tx, account_id, mailbox_id, "mailbox_removed", actor_id)
    return left


def standing(tx: Tx, account_id: int, mailbox_id: int) -> StoredMailbox:
    """The mailbox with its row locked; NotFound also when it was removed."""
    mailbox = mailboxes.lock(tx, account_id, mailbox_id)
    if mailbox.is_removed:
        raise NotFound(f"There is no mailbox {mailbox_id}.")
    return mailbox


def switch_mailbox(tx: Tx, account_id: int, mailbox_id: int, *, on: bool, actor_id: int | None = None) -> StoredMailbox:
    """Let a mailbox send, or not; switching it on lets what waited for that go on."""
    mailbox = standing(tx, account_id, mailbox_id)
    if mailbox.is_active is not on:
        mailboxes.switch(tx, account_id, mailbox_id, on=on)
        fact = "mailbox_switched_on" if on else "mailbox_switched_off"
        _journal(tx, account_id, mailbox_id, fact, actor_id)
        if on:
            release(tx, account_id, [FailureReason.SENDOUT_DISABLED], mailbox_id=mailbox_id)
    return mailboxes.get(tx, account_id, mailbox_id)


def _journal(tx: Tx, account_id: int, mailbox_id: int, fact: str, actor_id: int | None) -> None:
    events.journal(tx, account_id, fact, subject="mailbox", subject_id=mailbox_id, actor_id=actor_id)


def move_catchers(tx: Tx, host: str, port: int) -> int:
    """Let every catcher's mailbox send to where the catcher listens now; returns how many there are."""
    moved = 0
    for account in accounts.list_accounts(tx):
        for mailbox in mailboxes.list_all(tx, account.id):
            if mailbox.is_catcher:
                mailboxes.move(tx, account.id, mailbox.id, host, port)
                if mailbox.held_until is not None or mailbox.hold_reason is not None:
                    lift_hold(tx, account.id, mailbox.id)
                moved += 1
    return moved


def server_of(vault: Vault, mailbox: StoredMailbox, token: TokenSource | None = None) -> Server:
    """How to reach and enter a mailbox's outgoing server; `token` gives access tokens if it logs in by OAuth 2."""
    sealed = mailbox.sealed_password
    return Server(
        host=mailbox.host,
        port=mailbox.port,
        security=Security(mailbox.security),
        username=mailbox.username,
        password=None if sealed is None else vault.open(sealed),
        connections=mailbox.connections,
        token=token,
        provider=None if mailbox.provider is None else Provider(mailbox.provider),
    )
