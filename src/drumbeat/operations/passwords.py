"""Choosing a password: invitations, forgotten passwords, and changing one; the links go by mail only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from drumbeat.domain.access import SecretKind, fingerprint, matches, read_secret, write_credential
from drumbeat.domain.access import Session as SignedIn
from drumbeat.domain.account import User
from drumbeat.domain.errors import IncorrectValue, LinkUsedUp
from drumbeat.domain.person import address_key
from drumbeat.operations.accounts import NewUser, add_user
from drumbeat.operations.notices import Words, queue_notice
from drumbeat.operations.sign_in import end_sessions
from drumbeat.store import accounts, events, sessions
from drumbeat.store.installation import Vault
from drumbeat.store.transaction import Snapshot, Tx

INVITATION_LASTS: Final = timedelta(days=7)
FORGOTTEN_LASTS: Final = timedelta(hours=1)
PASSWORD_PATH: Final = "/password"  # noqa: S105 - a path
_NOBODYS = "0" * 64


def invite(tx: Tx, vault: Vault, base_url: str, account_id: int, new: NewUser, *, secret: str, actor_id: int) -> User:
    """A new user, who gets a letter: with a link to choose a password, or the word that they may sign in."""
    user = add_user(tx, account_id, new, actor_id)
    send_invitation(tx, vault, base_url, user, secret=secret, actor_id=actor_id)
    return user


def send_invitation(tx: Tx, vault: Vault, base_url: str, user: User, *, secret: str, actor_id: int) -> None:
    """Write to a user who cannot sign in yet; a link that was sent before opens nothing any more."""
    if not user.is_active:
        raise IncorrectValue("An inactive user cannot be invited; activate them first.", field="user")
    account, host = accounts.get_account(tx, user.account_id), accounts.get_user(tx, user.account_id, actor_id)
    invited = f"{host.name} invited you to {account.name} on Drumbeat."
    ends_at = tx.now + INVITATION_LASTS
    if accounts.login_of(tx, user.account_id, user.id) is not None:
        words = Words(f"You may work in {account.name}", [invited, "Sign in with the password you have:", base_url])
    else:
        words = Words(
            f"Your invitation to {account.name}",
            [
                invited,
                "Choose a password here, within seven days:",
                *_link(tx, base_url, user, secret, ends_at),
                "If you do not know them, ignore this letter.",
            ],
        )
    queue_notice(tx, vault, user.account_id, user.email, words, ends_at)
    events.journal(tx, user.account_id, "user_invited", subject="user", subject_id=user.id, actor_id=actor_id)


def _link(tx: Tx, base_url: str, user: User, secret: str, ends_at: datetime) -> list[str]:
    """The lines with the link; what opens stands behind the #, which browsers send to no server."""
    text = write_credential(SecretKind.PASSWORD_LINK, user.account_id, user.id, secret)
    sessions.keep_link(tx, user.account_id, user.id, fingerprint(text), ends_at)
    return [f"{base_url}{PASSWORD_PATH}#{text}", f"(If your mail program cuts the link, the code is: {text})"]


def forgot(tx: Tx, vault: Vault, base_url: str, email: str, *, secret: str) -> None:
    """Send a link to choose another password to whoever signs in with this address; to nobody, nothing."""
    found = accounts.find_login(tx, address_key(email))
    users = [] if found is None else [u for u in accounts.users_of_login(tx, int(found[0])) if u.is_active]
    if not users:
        return
    user, ends_at = users[0], tx.now + FORGOTTEN_LASTS
    words = Words(
        "Your password for Drumbeat",
        [
            "Somebody, you we hope, asked for another password. Choose it here, within an hour:",
            *_link(tx, base_url, user, secret, ends_at),
            "If it was not you, ignore this letter: your password stays as it is.",
        ],
    )
    queue_notice(tx, vault, user.account_id, user.email, words, ends_at)
    events.journal(tx, user.account_id, "password_forgotten", subject="user", subject_id=user.id)


def linked_user(snapshot: Snapshot, text: str) -> User:
    """The user whom a link lets choose a password, or LinkUsedUp."""
    named = read_secret(SecretKind.PASSWORD_LINK, text)
    stored = None if named is None else sessions.find_link(snapshot, *named)
    genuine = matches(text, stored or _NOBODYS)
    user = accounts.find_user(snapshot, *named) if named is not None and genuine else None
    if user is None or not user.is_active:
        raise LinkUsedUp("Ask for a new one, or for a new invitation.")
    return user


def choose_password(tx: Tx, text: str, password_hash: str) -> User:
    """Set the password of the user a link was sent to, and end all sessions; the link opens nothing any more."""
    user = linked_user(tx, text)
    login_id = accounts.login_of(tx, user.account_id, user.id)
    if login_id is None:
        login_id = _login(tx, user, password_hash)
    accounts.save_password(tx, login_id, password_hash)
    end_sessions(tx, login_id)
    sessions.delete_link(tx, user.account_id, user.id)
    events.journal(tx, user.account_id, "password_chosen", subject="user", subject_id=user.id, actor_id=user.id)
    return user


def _login(tx: Tx, user: User, password_hash: str) -> int:
    """The login of somebody who was invited: a new one, unless another account made it in the meantime."""
    key = address_key(user.email)
    known = accounts.find_login(tx, key)
    login_id = accounts.add_login(tx, user.email, key, password_hash) if known is None else int(known[0])
    accounts.set_login(tx, user.account_id, user.id, login_id)
    return login_id


def set_password(tx: Tx, account_id: int, user_id: int, password_hash: str, actor_id: int | None = None) -> User:
    """Set a user's password as the operator, in every account they work in, and end all their sessions."""
    user = accounts.get_user(tx, account_id, user_id)
    login_id = accounts.login_of(tx, account_id, user_id)
    if login_id is None:
        login_id = _login(tx, user, password_hash)
    accounts.save_password(tx, login_id, password_hash)
    end_sessions(tx, login_id)
    events.journal(tx, account_id, "password_set", subject="user", subject_id=user_id, actor_id=actor_id)
    return user


def change_password(tx: Tx, session: SignedIn, password_hash: str) -> None:
    """Store another password of whoever is signed in, and end their other sessions; the caller checked the old."""
    accounts.save_password(tx, session.login_id, password_hash)
    end_sessions(tx, session.login_id, but=session)
    events.journal(
        tx,
        session.account_id,
        "password_changed",
        subject="user",
        subject_id=session.user_id,
        actor_id=session.user_id,
    )
