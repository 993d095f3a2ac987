"""Signing a mailbox's letters with a key of one's own, and the record that publishes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from drumbeat.domain.errors import IncorrectValue
from drumbeat.mail.compose import ascii_address
from drumbeat.mail.dkim import SigningKey, read_key, record
from drumbeat.operations.mailboxes import standing
from drumbeat.store import events, mailboxes
from drumbeat.store.database import Database
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
USUAL_SELECTOR = "drumbeat"


@dataclass(frozen=True, slots=True)
class Published:
    """A TXT record: its name, and the text that belongs there."""

    name: str
    text: str


def sign_with(
    tx: Tx, vault: Vault, account_id: int, mailbox_id: int, selector: str, pem: str, *, actor_id: int | None
) -> Published:
    """Sign the mailbox's letters from now on with this private key (PEM); returns what to publish.

    Publish it first, or receivers find a signature they cannot check.
    """
    if len(selector) > 63 or not _SELECTOR.fullmatch(selector):
        raise IncorrectValue("A selector is letters, digits, hyphens and dots, such as drumbeat.", field="selector")
    mailbox = standing(tx, account_id, mailbox_id)
    if mailbox.provider is not None:
        raise IncorrectValue("Its provider puts letters together and signs them; set DKIM up there.", field="mailbox")
    key = read_key(pem)
    mailboxes.save_signing(tx, replace(mailbox, dkim_selector=selector, sealed_dkim_key=vault.seal(pem)))
    mailboxes.save_identity(tx, replace(mailbox, identity_seen_at=None))  # only now can it be looked up
    _journal(tx, mailbox, "mailbox_signs", actor_id)
    return Published(f"{selector}._domainkey.{domain_of(mailbox)}", record(key))


def stop_signing(tx: Tx, account_id: int, mailbox_id: int, *, actor_id: int | None) -> bool:
    """Sign the mailbox's letters no more, and forget the key; False if none were."""
    mailbox = standing(tx, account_id, mailbox_id)
    if mailbox.dkim_selector is None:
        return False
    mailboxes.save_signing(tx, replace(mailbox, dkim_selector=None, sealed_dkim_key=None))
    _journal(tx, mailbox, "mailbox_signs_no_more", actor_id)
    return True


def _journal(tx: Tx, mailbox: StoredMailbox, fact: str, actor_id: int | None) -> None:
    events.journal(tx, mailbox.account_id, fact, subject="mailbox", subject_id=mailbox.id, actor_id=actor_id)


def domain_of(mailbox: StoredMailbox) -> str:
    """The domain its letters are from, as the DNS has it."""
    return ascii_address(mailbox.sender_email, "sender").rpartition("@")[2].lower()


def signing_keys(database: Database, vault: Vault) -> Callable[[int, int], SigningKey | None]:
    """Finds the key that a mailbox's letters are signed with; each is opened once."""
    opened = lru_cache(maxsize=256)(lambda sealed: read_key(vault.open(sealed)))

    def key_of(account_id: int, mailbox_id: int) -> SigningKey | None:
        with database.read() as snapshot:
            sealed = mailboxes.get(snapshot, account_id, mailbox_id).sealed_dkim_key
        return None if sealed is None else opened(sealed)

    return key_of
