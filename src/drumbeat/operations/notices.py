"""Letters to users, such as invitations: kept sealed until the installation's own mail server has taken them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from drumbeat.mail.notice import SystemSender, write_notice
from drumbeat.store import notices
from drumbeat.store.installation import Vault
from drumbeat.store.notices import Notice
from drumbeat.store.transaction import Tx

_FIRST_WAIT: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Words:
    """What a notice says: a subject, and paragraphs of plain text."""

    subject: str
    paragraphs: Sequence[str]


def queue_notice(tx: Tx, vault: Vault, account_id: int, recipient: str, words: Words, ends_at: datetime) -> None:
    """Let a notice go at once; after `ends_at` it is of no use."""
    notices.add(tx, account_id, recipient, vault.seal(msgspec.json.encode(words).decode()), ends_at)


def claim_notice(tx: Tx, notice: Notice) -> bool:
    """Whether the notice is ours to carry now; whoever fails leaves it for another try, at growing waits.

    One that is of no use any more is forgotten. A worker that dies between the server's answer and
    `forget_notice` lets it go twice: it tells nothing new the second time.
    """
    if tx.now >= notice.ends_at:
        notices.delete(tx, notice.account_id, notice.id)
        return False
    wait = min(_FIRST_WAIT * 2 ** min(notice.tries, 10), _LONGEST_WAIT)
    return notices.claim(tx, notice, tx.now + wait)


def written(vault: Vault, notice: Notice, sender: SystemSender, at: datetime) -> bytes:
    """The whole letter as bytes."""
    words = msgspec.json.decode(vault.open(notice.sealed), type=Words)
    return write_notice(sender, notice.recipient, words.subject, "\n\n".join(words.paragraphs), at)


def forget_notice(tx: Tx, notice: Notice) -> None:
    """The server took it, or refused it for good."""
    notices.delete(tx, notice.account_id, notice.id)
