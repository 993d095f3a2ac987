"""Mailboxes that log in by OAuth 2: granting, and the access tokens that come of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import structlog

from drumbeat.domain.errors import GrantRefused, IncorrectValue, MasterKeyWrong, NotFound, Unavailable
from drumbeat.domain.line import check_line
from drumbeat.mail.oauth import Grant, Renewal, check_grant, renew
from drumbeat.mail.session import Security, TokenSource
from drumbeat.operations.mailboxes import resettle, standing
from drumbeat.store import mailboxes
from drumbeat.store.database import Database
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx

_log = structlog.get_logger()


def grant_mailbox(
    tx: Tx,
    vault: Vault,
    account_id: int,
    mailbox_id: int,
    username: str,
    grant: Grant,
    *,
    actor_id: int | None = None,
) -> StoredMailbox:
    """Let a mailbox log in by OAuth 2 as this user, to send and to read; a password it had is forgotten.

    What its trouble blocked is tried again.
    """
    before = standing(tx, account_id, mailbox_id)
    if before.is_catcher:
        raise IncorrectValue("This is the built-in catcher; add a mailbox of your own.", field="mailbox")
    if before.provider is not None:
        raise IncorrectValue("Its provider takes an API key.", field="mailbox")
    if before.security == Security.NONE:
        raise IncorrectValue("A login needs encryption: set the mailbox to starttls or tls first.", field="security")
    check_line(username, "username")
    sealed = vault.seal(msgspec.json.encode(check_grant(grant)).decode())
    after = replace(before, username=username, sealed_password=None, sealed_grant=sealed)
    mailboxes.save_settings(tx, after)
    resettle(tx, before, after, ["username", "oauth_grant"], actor_id)
    return mailboxes.get(tx, account_id, mailbox_id)


@dataclass(frozen=True, slots=True)
class _Known:
    renewal: Renewal
    renewed_from: Grant
    ends_at: float  # by the monotonic clock


class Tokens:
    """Access tokens of mailboxes, each asked for once while it lasts, whoever needs it.

    A grant that a provider puts in the place of the one before is stored.
    """

    def __init__(self, database: Database, vault: Vault, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._vault = vault
        self._monotonic = monotonic
        self._known: dict[tuple[int, int], _Known] = {}
        self._locks: dict[tuple[int, int], threading.Lock] = {}

    def source(self, mailbox: StoredMailbox) -> TokenSource | None:
        """Gives the mailbox's access token each time it is asked; None if it logs in with a password.

        What it raises is GrantRefused or OSError, as whoever opens a connection expects.
        """
        if mailbox.sealed_grant is None:
            return None
        key = mailbox.account_id, mailbox.id
        return lambda fresh: self._token(key, fresh=fresh)

    def _token(self, key: tuple[int, int], *, fresh: bool) -> str:
        with self._locks.setdefault(key, threading.Lock()):
            grant, known = self._grant(key), self._known.get(key)
            # The stored grant may still be the one before, if it could not be replaced.
            is_its = known is not None and grant in (known.renewed_from, known.renewal.grant)
            if known is None or not is_its or fresh or known.ends_at <= self._monotonic():
                renewal = renew(known.renewal.grant if known is not None and is_its else grant)
                known = self._known[key] = _Known(renewal, grant, self._monotonic() + renewal.lasts)
            if known.renewal.grant != grant:
                self._keep(key, known.renewal.grant)
            return known.renewal.token

    def _grant(self, key: tuple[int, int]) -> Grant:
        """The grant as it is stored now: it may have been given anew."""
        try:
            with self._database.read() as snapshot:
                sealed = mailboxes.get(snapshot, *key).sealed_grant
            if sealed is None:
                raise GrantRefused("The mailbox was given a password instead.")
            return msgspec.json.decode(self._vault.open(sealed), type=Grant)
        except MasterKeyWrong as error:
            raise GrantRefused(str(error)) from error
        except (Unavailable, NotFound) as error:
            raise OSError(str(error)) from error

    def _keep(self, key: tuple[int, int], replaced: Grant) -> None:
        sealed = self._vault.seal(msgspec.json.encode(replaced).decode())
        try:
            self._database.transact(lambda tx: mailboxes.save_grant(tx, *key, sealed))
        except Unavailable as error:
            # It is known here, and stored the next time somebody asks.
            _log.warning("grant not stored yet", account_id=key[0], mailbox_id=key[1], error=str(error))
