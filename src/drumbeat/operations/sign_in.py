"""Signing in and out: counting attempts, opening a session for one of a login's accounts, ending it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Final

from drumbeat.domain.access import SecretKind, fingerprint, matches, read_secret, write_credential
from drumbeat.domain.access import Session as SignedIn
from drumbeat.domain.account import Account, User
from drumbeat.domain.errors import NotFound, NotSignedIn, TooManyAttempts, WrongPassword
from drumbeat.domain.mac import mac
from drumbeat.domain.person import address_key
from drumbeat.store import accounts, events, sessions, sign_in_attempts
from drumbeat.store.transaction import Snapshot, Tx

ATTEMPTS_COUNT_FOR: Final = timedelta(minutes=15)
# How many attempts there may be in that time for one address from one network, for one address, from one network:
# nobody guesses a password, and nobody keeps its owner out from elsewhere.
_MOST: Final = (10, 100, 100)
_NOBODYS = "0" * 64  # compared when there is no such session, so that both take the same time


def count_attempt(tx: Tx, hash_key: bytes, purpose: str, email: str, host: str) -> None:
    """Count an attempt for the address from the caller's network, or raise TooManyAttempts.

    An address that nobody has is counted like any other, so that the answer does not tell.
    """
    keys = _keys(hash_key, purpose, email, host)
    counted = sign_in_attempts.count(tx, keys, ATTEMPTS_COUNT_FOR)
    over = [counted[key][1] for key, most in zip(keys, _MOST, strict=True) if counted[key][0] > most]
    if over:
        raise TooManyAttempts(max(over))


def _keys(hash_key: bytes, purpose: str, email: str, host: str) -> tuple[str, str, str]:
    address, network = address_key(email), _network(host)
    parts = ((address, network), (address,), ("from", network))
    first, second, third = (mac(hash_key, f"attempt:{purpose}", *each).hex() for each in parts)
    return first, second, third


def _network(host: str) -> str:
    """What one caller can be taken for: an IPv4 address, or the 64 bits an IPv6 customer is given."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


@dataclass(frozen=True, slots=True)
class Opened:
    """A session, its text for the cookie (shown this once), the user, and the accounts the login may pick."""

    text: str = field(repr=False)
    session: SignedIn
    user: User
    account: Account
    others: tuple[Account, ...]


def open_session(tx: Tx, login_id: int, secret: str, account_id: int | None = None) -> Opened:
    """A new session in the account asked for, or in the login's first; WrongPassword if it may enter none.

    The caller has checked the password; `secret` is 43 characters of URL-safe base64.
    """
    users = _users(tx, login_id)
    if not users:
        raise WrongPassword("Check both.")
    chosen = next((user for user in users if account_id in (None, user.account_id)), None)
    if chosen is None:
        raise NotFound(f"There is no account {account_id}.")
    id = sessions.reserve_id(tx, chosen.account_id)
    text = write_credential(SecretKind.SESSION, chosen.account_id, id, secret)
    sessions.add(tx, chosen, id, fingerprint(text))
    events.journal(tx, chosen.account_id, "signed_in", subject="user", subject_id=chosen.id, actor_id=chosen.id)
    session = SignedIn(chosen.account_id, id, chosen.id, login_id, chosen.role, tx.now, tx.now)
    return Opened(text, session, chosen, accounts.get_account(tx, chosen.account_id), accounts_of(tx, login_id))


def _users(snapshot: Snapshot, login_id: int) -> list[User]:
    return [user for user in accounts.users_of_login(snapshot, login_id) if user.is_active]


def accounts_of(snapshot: Snapshot, login_id: int) -> tuple[Account, ...]:
    """The accounts in which somebody who signs in with this login may work."""
    return tuple(accounts.get_account(snapshot, user.account_id) for user in _users(snapshot, login_id))


def forget_attempts(tx: Tx, hash_key: bytes, purpose: str, email: str, host: str) -> None:
    """Somebody knew the password: what the address was tried for from there counts no more."""
    pair, _, _ = _keys(hash_key, purpose, email, host)
    sign_in_attempts.forget(tx, [pair])


def checked_session(snapshot: Snapshot, text: str) -> tuple[SignedIn, str]:
    """The session whose text a cookie holds, and its fingerprint; NotSignedIn if there is none or it is over."""
    named = read_secret(SecretKind.SESSION, text)
    found = None if named is None else sessions.find(snapshot, *named)
    genuine = matches(text, found[1] if found else _NOBODYS)
    if found is None or not genuine or snapshot.now >= found[0].ends_at:
        raise NotSignedIn("The session is over; sign in again.")
    return found


def end_sessions(tx: Tx, login_id: int, *, but: SignedIn | None = None) -> None:
    """End every session of a login, in every account, but this one."""
    users: Sequence[User] = accounts.users_of_login(tx, login_id)
    for user in users:
        for id in sessions.list_ids(tx, user.account_id, user.id):
            if but is None or (but.account_id, but.id) != (user.account_id, id):
                sessions.delete(tx, user.account_id, id)
