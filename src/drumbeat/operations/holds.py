"""The hold on a mailbox whose server lets nothing through, or whose sender receivers do not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.errors import NotFound
from drumbeat.mail.identity import Finding, Lookup, Verdict, examine_identity
from drumbeat.mail.session import Security
from drumbeat.operations.healing import release
from drumbeat.store import events, lanes, mailboxes
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx

_LONGEST_WAIT = timedelta(hours=1)
_LONGEST_COUNT = 10


def lift_hold(tx: Tx, account_id: int, mailbox_id: int, *, tested: StoredMailbox | None = None) -> int:
    """Let a mailbox send again, and what its hold blocked go on in original order; returns how many.

    After a test only the hold that was tested is lifted. How often it was held is forgotten at the next
    delivery only, so that a hold which comes back at once lasts longer.
    """
    mailbox = mailboxes.lock(tx, account_id, mailbox_id)
    if tested is not None and mailbox.hold != tested.hold:
        return 0
    if mailbox.is_removed:
        raise NotFound(f"There is no mailbox {mailbox_id}.")
    mailboxes.save_hold(tx, replace(mailbox, held_since=None, held_until=None, hold_reason=None, hold_detail=None))
    released = 0
    if mailbox.hold_reason is not None:
        reason = FailureReason(mailbox.hold_reason)
        events.journal(tx, account_id, "mailbox_hold_lifted", subject="mailbox", subject_id=mailbox_id, reason=reason)
        released = release(tx, account_id, [reason], mailbox_id=mailbox_id)
    lanes.wake(tx, account_id, [(mailbox_id, tx.now)])
    return released


def prolong_hold(tx: Tx, tested: StoredMailbox, detail: str) -> None:
    """The cause of the hold that was tested still stands: test again later, at growing waits up to an hour."""
    mailbox = mailboxes.lock(tx, tested.account_id, tested.id)
    if mailbox.hold == tested.hold:
        mailboxes.save_hold(tx, _held_again(replace(mailbox, hold_detail=detail), tx.now))


def hold_mailbox(tx: Tx, mailbox: StoredMailbox, reason: FailureReason | None, detail: str) -> None:
    """Hold a locked mailbox: with a reason its letters block as they come due, without one they wait."""
    since = tx.now if reason else None
    held = _held_again(replace(mailbox, held_since=since, hold_reason=reason, hold_detail=detail), tx.now)
    mailboxes.save_hold(tx, held)
    lanes.hold(tx, mailbox.account_id, mailbox.id, since or held.held_until)


def hold_unopened(tx: Tx, account_id: int, mailbox_id: int, detail: str) -> None:
    """Hold a mailbox whose password cannot be opened, as one whose login is refused."""
    mailbox = mailboxes.lock(tx, account_id, mailbox_id)
    if mailbox.hold_reason is None:
        hold_mailbox(tx, mailbox, FailureReason.AUTH, detail)


def examine_sender(mailbox: StoredMailbox, lookup: Lookup, *, selector: str | None = None) -> list[Finding]:
    """What receivers look up about a mailbox's sender."""
    host = mailbox.host if mailbox.provider is None else None
    selector = selector or mailbox.dkim_selector
    return list(examine_identity(mailbox.sender_email, host, Security(mailbox.security), lookup, selector=selector))


def note_identity(tx: Tx, examined: StoredMailbox, found: Sequence[Finding]) -> None:
    """Let a mailbox that needs its sender known send or not, by what was found.

    Where nobody could be asked it goes on as before: a sender that was known counts as known.
    """
    mailbox = mailboxes.lock(tx, examined.account_id, examined.id)
    if mailbox.hold != examined.hold or mailbox.known_by != examined.known_by or not mailbox.needs_identity:
        return
    wrong = [f"{each.subject}: {each.sentence} {each.fix}" for each in found if each.verdict is Verdict.WRONG]
    unknown = [each.sentence for each in found if each.verdict is Verdict.UNKNOWN]
    if wrong and mailbox.hold_reason is None:
        mailboxes.save_identity(tx, replace(mailbox, identity_seen_at=None))
        hold_mailbox(tx, mailbox, FailureReason.SENDOUT_DISABLED, " ".join(wrong))
    elif mailbox.hold_reason is not None and (wrong or unknown):
        prolong_hold(tx, examined, " ".join(wrong) or mailbox.hold_detail or unknown[0])
    elif unknown and mailbox.is_unproven:
        hold_mailbox(tx, mailbox, None, unknown[0])
    else:
        mailboxes.save_identity(tx, replace(mailbox, identity_seen_at=tx.now))
        lift_hold(tx, mailbox.account_id, mailbox.id)


def _held_again(mailbox: StoredMailbox, now: datetime) -> StoredMailbox:
    """The mailbox held once more in a row: for a minute at first, and for an hour at most."""
    count = min(mailbox.hold_count, _LONGEST_COUNT)
    wait = min(timedelta(minutes=2**count), _LONGEST_WAIT)
    return replace(mailbox, held_until=now + wait, hold_count=min(count + 1, _LONGEST_COUNT))
