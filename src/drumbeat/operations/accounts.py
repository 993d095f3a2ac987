"""Accounts and their settings, the people who work there, their tokens and keys."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from drumbeat.domain.access import Credential, CredentialKind, fingerprint, write_credential
from drumbeat.domain.account import LARGEST_ID, LONGEST_KEPT, Account, Role, User, UserStatus
from drumbeat.domain.calendar import zone_named
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.errors import AlreadyExists, IncorrectValue, NotFound
from drumbeat.domain.line import check_line
from drumbeat.domain.locale import locale_named, tag_of
from drumbeat.domain.person import address_key, normalize_email
from drumbeat.operations.healing import release
from drumbeat.store import accounts, credentials, events, mailboxes, sessions
from drumbeat.store.transaction import Snapshot, Tx

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 255
_MOST_ADDRESS_LINES = 10


def new_secret() -> str:
    """43 characters of URL-safe base64, 256 bits: a credential's secret, or a password nobody has to remember."""
    return secrets.token_urlsafe(32)


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    return PasswordHasher()


def hash_password(password: str) -> str:
    """What is stored of a password (Argon2id). It takes a while on purpose: call it outside transactions."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise IncorrectValue(f"Take {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.", field="password")
    return _hasher().hash(password)


def password_matches(password: str, stored: str) -> bool:
    """Whether it is the password that was stored."""
    try:
        return _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def checked_password(password: str, stored: str | None) -> bool:
    """Whether it is the password that was stored; where none was, it takes as long and is not."""
    return password_matches(password, stored or _nobodys()) and stored is not None


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher().hash(new_secret())


def create_account(tx: Tx, name: str, *, time_zone: str = "UTC", postal_address: str | None = None) -> Account:
    """A new tenant; IncorrectValue names the field that is not acceptable."""
    name = check_line(name, "account_name")
    zone_named(time_zone)
    account = accounts.add_account(tx, name, time_zone, _checked_address(postal_address))
    _journal(tx, account.id, "account_created", account.id, None, subject="account")
    return account


def _checked_address(postal_address: str | None) -> str | None:
    """The lines of a postal address, or None."""
    lines = [check_line(line, "postal_address", blank=True) for line in (postal_address or "").splitlines()]
    if len(lines) > _MOST_ADDRESS_LINES:
        raise IncorrectValue(f"Write at most {_MOST_ADDRESS_LINES} lines.", field="postal_address")
    return "\n".join(filter(None, lines)) or None


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
        name=check_line(new.name, "name", blank=True) or email,
        email=email,
        role=new.role,
        time_zone=new.time_zone,
        login_id=_login(tx, email, new.password_hash),
    )
    _journal(tx, account_id, "user_added", user.id, actor_id, role=user.role)
    return user


def _login(tx: Tx, email: str, password_hash: str | None) -> int | None:
    known = accounts.find_login(tx, address_key(email))
    if known is not None:
        return int(known[0])
    return None if password_hash is None else accounts.add_login(tx, email, address_key(email), password_hash)


def change_account(tx: Tx, account: Account, actor_id: int | None = None) -> Account:
    """Store an account's settings; what waited for sequences to be switched on, or for values, goes on."""
    before = accounts.get_account(tx, account.id)
    name, address = check_line(account.name, "name"), _checked_address(account.postal_address)
    account = replace(account, name=name, postal_address=address)
    if account == before:
        return before
    zone_named(account.time_zone)
    account = replace(account, locale=tag_of(locale_named(account.locale)))
    if account.keep_days is not None and not 1 <= account.keep_days <= LONGEST_KEPT:
        detail = f"Write a number of days from 1 to {LONGEST_KEPT:,}, or none to keep content for ever."
        raise IncorrectValue(detail, field="keep_days")
    if account.monthly_allowance is not None and not 0 <= account.monthly_allowance <= LARGEST_ID:
        detail = f"It is a number of letters from 0 to {LARGEST_ID:,}; leave it out for any number."
        raise IncorrectValue(detail, field="monthly_allowance")
    accounts.save_account(tx, account)
    changed = [each.name for each in fields(account) if getattr(account, each.name) != getattr(before, each.name)]
    _journal(tx, account.id, "account_changed", account.id, actor_id, subject="account", changed=changed)
    if account.sequences_enabled and not before.sequences_enabled:
        release(tx, account.id, [FailureReason.SENDOUT_DISABLED])
    if account.monthly_allowance != before.monthly_allowance:
        release(tx, account.id, [FailureReason.QUOTA_EXCEEDED])
    if (account.name, account.postal_address) != (before.name, before.postal_address):
        release(tx, account.id, [FailureReason.MISSING_MERGE_TAGS, FailureReason.SENDOUT_DISABLED])
    return accounts.get_account(tx, account.id)


def change_user(tx: Tx, account_id: int, user_id: int, changes: Mapping[str, Any], actor_id: int | None = None) -> User:
    """Change a user: name, role, status, time_zone, locale and mailbox_id; the rest stays, what waited goes on.

    IncorrectValue names the field; the account's last active admin stays one.
    """
    before = accounts.lock_user(tx, account_id, user_id)
    after = _checked_user(tx, before, replace(before, **changes))
    if after == before:
        return before
    _check_admin_stays(tx, before, after)
    accounts.save_user(tx, after)
    changed = [each.name for each in fields(after) if getattr(after, each.name) != getattr(before, each.name)]
    _journal(tx, account_id, "user_changed", user_id, actor_id, changed=changed)
    if not after.is_active:
        sessions.delete_of_user(tx, account_id, user_id)
        sessions.delete_link(tx, account_id, user_id)
    has_mailbox = after.mailbox_id is not None and after.mailbox_id != before.mailbox_id
    if has_mailbox or (after.is_active and not before.is_active):
        release(tx, account_id, [FailureReason.SENDOUT_DISABLED], actor_id=user_id)
    return accounts.get_user(tx, account_id, user_id)


def _checked_user(tx: Tx, before: User, after: User) -> User:
    if after.time_zone is not None and after.time_zone != before.time_zone:
        zone_named(after.time_zone)
    if after.locale is not None:
        after = replace(after, locale=tag_of(locale_named(after.locale)))
    known = {before.mailbox_id, None, *(mailbox.id for mailbox in mailboxes.list_all(tx, before.account_id))}
    if after.mailbox_id not in known:
        raise IncorrectValue(f"There is no mailbox {after.mailbox_id}.", field="mailbox_id")
    return replace(after, name=check_line(after.name, "name"))


def _check_admin_stays(tx: Tx, before: User, after: User) -> None:
    was_admin, is_admin = (user.is_active and user.role is Role.ADMIN for user in (before, after))
    if was_admin and not is_admin:
        accounts.lock_ids(tx, before.account_id, "user")  # two admins who demote each other at once
        users = accounts.list_users(tx, before.account_id)
        if not any(user.is_active and user.role is Role.ADMIN for user in users if user.id != before.id):
            field = "role" if after.is_active else "status"
            raise IncorrectValue("This is the last active admin; make another one first.", field=field)


def deactivate_user(tx: Tx, account_id: int, user_id: int, actor_id: int | None = None) -> User:
    """End a user's signing in, sending and credentials; the account's last active admin stays."""
    return change_user(tx, account_id, user_id, {"status": UserStatus.INACTIVE}, actor_id)


def activate_user(tx: Tx, account_id: int, user_id: int, actor_id: int | None = None) -> User:
    """Let a user sign in and send again; what waited for that goes on."""
    return change_user(tx, account_id, user_id, {"status": UserStatus.ACTIVE}, actor_id)


def _journal(
    tx: Tx, account_id: int, fact: str, id: int, actor_id: int | None, *, subject: str = "user", **cause: object
) -> None:
    events.journal(tx, account_id, fact, subject=subject, subject_id=id, actor_id=actor_id, **cause)


def active_user(snapshot: Snapshot, account_id: int, user_id: int, field: str = "user") -> User:
    """The active user that a field names, or IncorrectValue on it."""
    user = accounts.find_user(snapshot, account_id, user_id)
    if user is None or not user.is_active:
        raise IncorrectValue("Name an active user of this account.", field=field)
    return user


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
    active_user(tx, account_id, user_id)
    if not scopes:
        raise IncorrectValue("Give it at least one scope.", field="scopes")
    name = check_line(name, "name")
    id = credentials.reserve_id(tx, account_id)
    text = write_credential(kind, account_id, id, secret)
    credential = Credential(account_id, id, kind, user_id, frozenset(scopes), expires_at)
    credentials.add(tx, credential, name, fingerprint(text))
    made = {"kind": kind, "user_id": user_id, "scopes": sorted(scopes)}
    _journal(tx, account_id, "credential_made", id, actor_id, subject="credential", **made)
    return text


def revoke(tx: Tx, account_id: int, credential_id: int, actor_id: int | None = None) -> None:
    """End a token or key at once; NotFound if there is none."""
    if not credentials.revoke(tx, account_id, credential_id):
        raise NotFound(f"There is no token or key {credential_id}.")
    _journal(tx, account_id, "credential_revoked", credential_id, actor_id, subject="credential")
