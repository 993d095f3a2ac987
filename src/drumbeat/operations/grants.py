"""Mailboxes that log in by OAuth 2: granting, and the access tokens that come of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from drumbeat.domain.errors import GrantRefused, IncorrectValue
from drumbeat.domain.line import check_line
from drumbeat.mail.oauth import Grant, access_token, check_grant
from drumbeat.mail.session import Security, TokenSource
from drumbeat.operations.mailboxes import resettle, standing
from drumbeat.store import mailboxes
from drumbeat.store.database import Database
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx


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
    if before.security == Security.NONE:
        raise IncorrectValue("A login needs encryption: set the mailbox to starttls or tls first.", field="security")
    check_line(username, "username")
    sealed = vault.seal(msgspec.json.encode(check_grant(grant)).decode())
    after = replace(before, username=username, sealed_password=None, sealed_grant=sealed)
    mailboxes.save_settings(tx, after)
    resettle(tx, before, after, ["username", "oauth_grant"], actor_id)
    return mailboxes.get(tx, account_id, mailbox_id)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Where mailboxes get their access tokens; a grant that a provider replaces is stored in its place."""

    database: Database
    vault: Vault

    def source(self, mailbox: StoredMailbox) -> TokenSource | None:
        """Gives the mailbox's access token each time it is asked; None if it logs in with a password."""
        if mailbox.sealed_grant is None:
            return None
        account_id, id = mailbox.account_id, mailbox.id

        def keep(replaced: Grant) -> None:
            sealed = self.vault.seal(msgspec.json.encode(replaced).decode())
            self.database.transact(lambda tx: mailboxes.save_grant(tx, account_id, id, sealed))

        return lambda fresh: access_token(self._grant(account_id, id), keep, fresh=fresh)

    def _grant(self, account_id: int, id: int) -> Grant:
        """The grant as it is now: it may have been given anew."""
        with self.database.read() as snapshot:
            sealed = mailboxes.get(snapshot, account_id, id).sealed_grant
        if sealed is None:
            raise GrantRefused("The mailbox was given a password instead.")
        return msgspec.json.decode(self.vault.open(sealed), type=Grant)
