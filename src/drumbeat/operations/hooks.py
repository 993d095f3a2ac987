"""A mailbox's event webhook: what its provider proves itself with, and what it tells."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from drumbeat.domain.delivery import read_message_id
from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.inbound import Received
from drumbeat.domain.told import Told, ToldKind, read_told
from drumbeat.mail.provider_proofs import check_hook_secret
from drumbeat.mail.session import Provider
from drumbeat.operations.doubts import settle_by_evidence
from drumbeat.operations.inbound import Heard, take_in
from drumbeat.operations.mailboxes import standing
from drumbeat.store import events, mailboxes
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx


def set_hook(
    tx: Tx, vault: Vault, account_id: int, mailbox_id: int, secret: str | None, *, actor_id: int | None
) -> str | None:
    """Let a mailbox's provider tell what became of letters; the secret is sealed.

    Postmark has none of its own: without one it is made, and returned, once. Raises IncorrectValue.
    """
    mailbox = standing(tx, account_id, mailbox_id)
    if mailbox.provider is None:
        raise IncorrectValue("Only a mailbox that sends through a provider is told anything.", field="mailbox")
    provider = Provider(mailbox.provider)
    made = secrets.token_urlsafe(24) if secret is None and provider is Provider.POSTMARK else None
    checked = check_hook_secret(provider, made or secret or "")
    mailboxes.save_hook(tx, replace(mailbox, sealed_hook=vault.seal(checked)))
    _journal(tx, mailbox, "mailbox_hook_set", actor_id)
    return made


def remove_hook(tx: Tx, account_id: int, mailbox_id: int, *, actor_id: int | None) -> bool:
    """Let a mailbox's provider tell no more; False if it was not told anything."""
    mailbox = standing(tx, account_id, mailbox_id)
    if mailbox.sealed_hook is None:
        return False
    mailboxes.save_hook(tx, replace(mailbox, sealed_hook=None))
    _journal(tx, mailbox, "mailbox_hook_removed", actor_id)
    return True


def _journal(tx: Tx, mailbox: StoredMailbox, fact: str, actor_id: int | None) -> None:
    events.journal(tx, mailbox.account_id, fact, subject="mailbox", subject_id=mailbox.id, actor_id=actor_id)


def hook_path(account_id: int, mailbox_id: int) -> str:
    """Where a mailbox's provider is to post its events."""
    return f"/hooks/{account_id}/{mailbox_id}"


def take_in_told(tx: Tx, hash_key: bytes, mailbox: StoredMailbox, told: Sequence[Told]) -> int:
    """Let what a provider told have its effect, once each; returns how many of it had one.

    Only what names a letter of the account counts, as with received messages; the evidence is kept with those.
    """
    return sum(_take_in(tx, hash_key, mailbox, each) for each in told)


def _take_in(tx: Tx, hash_key: bytes, mailbox: StoredMailbox, told: Told) -> bool:
    ours = None if told.message_id is None else read_message_id(hash_key, told.message_id)
    if ours is None or ours[0] != mailbox.account_id:
        return False
    if told.kind is ToldKind.DELIVERED:
        return settle_by_evidence(tx, mailbox.account_id, ours[1:], f"{mailbox.provider} delivered it")
    reading = read_told(told)
    if reading is None:
        return False
    digest = sha256(f"{mailbox.provider} {told.kind} {told.id} {told.message_id}".encode()).hexdigest()
    return take_in(tx, hash_key, mailbox.account_id, mailbox.id, Heard(digest, Received({}), reading)) is not None
