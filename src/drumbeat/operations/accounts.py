"""Accounts, the people who work there, their tokens and keys, and how they send."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from drumbeat.domain.access import Credential, CredentialKind, fingerprint, write_credential
from drumbeat.domain.account import Account, Role, User, UserStatus
from drumbeat.domain.calendar import zone_named
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.errors import AlreadyExists, IncorrectValue, NotFound, TestClockRefused
from drumbeat.domain.happening import Resumed
from drumbeat.domain.machine import decide
from drumbeat.domain.person import address_key, normalize_email
from drumbeat.mail.session import Security
from drumbeat.operations.changes import Change, store
from drumbeat.operations.mailboxes import HEALS_FOR, lift_hold
from drumbeat.store import accounts, credentials, enrollments, events, lanes, mailboxes
from drumbeat.store.database import Tx
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox

SHORTEST_PASSWORD = 10
_BATCH = 1000


def new_secret() -> str:
    """43 characters of URL-safe base64, 256 bits: a credential's secret, or a password nobody has to remember."""
    return secrets.token_urlsafe(32)


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    return PasswordHasher()


def hash_password(password: str) -> str:
    """What is stored of a password (Argon2id). It takes a while on purpose: call it outside transactions."""
    if len(password) < SHORTEST_PASSWORD:
        raise IncorrectValue(f"Take at least {SHORTEST_PASSWORD} characters.", field="password")
    return _hasher().hash(password)


def password_matches(password: str, stored: str) -> bool:
    """Whether it is the password that was stored."""
    try:
        return _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def create_account(tx: Tx, name: str, *, time_zone: str = "UTC", postal_address: str | None = None) -> Account:
    """A new tenant; IncorrectValue names the field that is not acceptable."""
    if not name.strip():
        raise IncorrectValue("Give the account a name.", field="account_name")
    zone_named(time_zone)
    account = accounts.add_account(tx, name.strip(), time_zone, postal_address)
    events.journal(tx, account.id, "account_created", subject="account", subject_id=account.id)
    return account


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who is to work in an account; with a password hash they can sign in."""

    name: str
    email: str
    role: Role = Role.AGENT
    time_zone: str | None = None
    password_hash: str | None = None


def add_user(tx: Tx, account_id: int, new: NewUser, actor_id: int | None = None) -> User:
    """A new user. Who has a login already, in another account, keeps it with its password."""
    email = normalize_email(new.email)
    if new.time_zone is not None:
        zone_named(new.time_zone)
    for user in accounts.list_users(tx, account_id):
        if address_key(user.email) == address_key(email):
            raise AlreadyExists(f"User {user.id} has this address.", field="email")
    user = accounts.add_user(
        tx,
        account_id,
        name=new.name.strip() or email,
        email=email,
        role=new.role,
        time_zone=new.time_zone,
        login_id=_login(tx, email, new.password_hash),
    )
    events.journal(tx, account_id, "user_added", subject="user", subject_id=user.id, actor_id=actor_id, role=user.role)
    return user


def _login(tx: Tx, email: str, password_hash: str | None) -> int | None:
    known = accounts.find_login(tx, address_key(email))
    if known is not None:
        return int(known[0])
    return None if password_hash is None else accounts.add_login(tx, email, address_key(email), password_hash)


def deactivate_user(tx: Tx, account_id: int, user_id: int, actor_id: int | None = None) -> User:
    """End a user's signing in, sending and credentials; the account's last active admin stays."""
    user = accounts.get_user(tx, account_id, user_id)
    if not user.is_active:
        return user
    admins = [u for u in accounts.list_users(tx, account_id) if u.is_active and u.role is Role.ADMIN]
    if admins == [user]:
        raise IncorrectValue("This is the last active admin; make another one first.", field="user")
    accounts.save_user(tx, replace(user, status=UserStatus.INACTIVE))
    events.journal(tx, account_id, "user_deactivated", subject="user", subject_id=user_id, actor_id=actor_id)
    return accounts.get_user(tx, account_id, user_id)


def mint(
    tx: Tx,
    account_id: int,
    kind: CredentialKind,
    user_id: int,
    scopes: Collection[str],
    *,
    name: str,
    secret: str,
    expires_at: datetime | None = None,
    actor_id: int | None = None,
) -> str:
    """A new token or key as its 64 characters, which are not stored: show them once."""
    if not accounts.get_user(tx, account_id, user_id).is_active:
        raise IncorrectValue("Name an active user.", field="user")
    if not scopes:
        raise IncorrectValue("Give it at least one scope.", field="scope")
    id = credentials.reserve_id(tx, account_id)
    text = write_credential(kind, account_id, id, secret)
    credential = Credential(account_id, id, kind, user_id, frozenset(scopes), expires_at)
    credentials.add(tx, credential, name, fingerprint(text))
    events.journal(
        tx,
        account_id,
        "credential_made",
        subject="credential",
        subject_id=id,
        actor_id=actor_id,
        kind=kind,
        user_id=user_id,
        scopes=sorted(scopes),
    )
    return text


def revoke(tx: Tx, account_id: int, credential_id: int, actor_id: int | None = None) -> None:
    """End a token or key at once; NotFound if there is none."""
    if not credentials.revoke(tx, account_id, credential_id):
        raise NotFound(f"There is no token or key {credential_id}.")
    events.journal(
        tx,
        account_id,
        "credential_revoked",
        subject="credential",
        subject_id=credential_id,
        actor_id=actor_id,
    )


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

    A real mailbox is refused while the test clock may run.
    """
    user = accounts.get_user(tx, account_id, user_id)
    if test_clock and not settings.is_catcher:
        raise TestClockRefused("Unset DRUMBEAT_TEST_CLOCK before you add a real mailbox.")
    mailbox_id = mailboxes.add(tx, _checked(vault, account_id, settings))
    accounts.save_user(tx, replace(user, mailbox_id=mailbox_id))
    _note_mailbox(tx, account_id, mailbox_id, "mailbox_added", actor_id)
    _release(tx, account_id, mailbox_id)
    return mailboxes.get(tx, account_id, mailbox_id)


def _checked(vault: Vault, account_id: int, settings: MailboxSettings) -> StoredMailbox:
    if not 1 <= settings.port <= 65535:
        raise IncorrectValue("A port is a number from 1 to 65535.", field="port")
    if settings.username is not None and settings.security is Security.NONE:
        raise IncorrectValue("A login needs encryption: take starttls or tls.", field="security")
    if settings.username is not None and not settings.password:
        raise IncorrectValue("A login needs a password.", field="password")
    return StoredMailbox(
        account_id=account_id,
        id=0,
        name=settings.name.strip() or settings.sender_email,
        sender_name=settings.sender_name,
        sender_email=normalize_email(settings.sender_email),
        host=settings.host,
        port=settings.port,
        security=settings.security.value,
        username=settings.username,
        sealed_password=vault.seal(settings.password) if settings.password else None,
        connections=settings.connections,
        is_catcher=settings.is_catcher,
        is_active=True,
    )


def switch_mailbox(tx: Tx, account_id: int, mailbox_id: int, *, on: bool, actor_id: int | None = None) -> StoredMailbox:
    """Let a mailbox send, or not; switching it on lets what waited for that go on."""
    mailbox = mailboxes.get(tx, account_id, mailbox_id)
    if mailbox.is_active is not on:
        mailboxes.save(tx, replace(mailbox, is_active=on))
        fact = "mailbox_switched_on" if on else "mailbox_switched_off"
        _note_mailbox(tx, account_id, mailbox_id, fact, actor_id)
        if on:
            _release(tx, account_id, mailbox_id)
    return mailboxes.get(tx, account_id, mailbox_id)


def move_catchers(tx: Tx, host: str, port: int) -> int:
    """Let every catcher's mailbox send to where the catcher listens now; returns how many there are."""
    moved = 0
    for account in accounts.list_accounts(tx):
        for mailbox in mailboxes.list_all(tx, account.id):
            if mailbox.is_catcher:
                mailboxes.save(tx, replace(mailbox, host=host, port=port))
                if mailbox.held_until is not None or mailbox.hold_reason is not None:
                    lift_hold(tx, account.id, mailbox.id)
                moved += 1
    return moved


def _note_mailbox(tx: Tx, account_id: int, mailbox_id: int, fact: str, actor_id: int | None) -> None:
    events.journal(tx, account_id, fact, subject="mailbox", subject_id=mailbox_id, actor_id=actor_id)


def _release(tx: Tx, account_id: int, mailbox_id: int) -> None:
    """Let go on what was blocked because this mailbox, or any, was missing or off."""
    since, after = tx.now - HEALS_FOR, 0
    reason = FailureReason.SENDOUT_DISABLED
    while ids := enrollments.blocked_by_mailbox(tx, account_id, mailbox_id, reason, since, after=after, limit=_BATCH):
        locked = enrollments.lock(tx, account_id, ids)
        store(tx, account_id, [Change(decide(e, Resumed(), tx.now), e.revision) for e in locked])
        after = ids[-1]
    lanes.wake(tx, account_id, [(mailbox_id, tx.now)])
