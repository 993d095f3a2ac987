"""What one claim looks at: the enrollments it took, and everything that decides what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from drumbeat.domain.account import Account, User
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.limits import Allowance, Diary
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import Sequence as SequenceSettings
from drumbeat.domain.timeline import MailboxState
from drumbeat.operations.changes import Change
from drumbeat.operations.letters import Frozen as FrozenLetter
from drumbeat.operations.pacing import allowance_of, open_diary
from drumbeat.store import (
    accounts,
    deliveries,
    enrollments,
    inboxes,
    people,
    quarantine,
    received,
    sequences,
    unsubscribes,
)
from drumbeat.store.deliveries import Delivery, Settled
from drumbeat.store.due import Due, Waiting
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.received import Absence
from drumbeat.store.transaction import Tx


@dataclass(slots=True)
class Round:
    """What a claim works with: the rows it needs, read once for the whole batch."""

    tx: Tx
    account: Account
    locked: dict[int, Enrollment]
    mailbox: StoredMailbox | None
    mailbox_state: MailboxState | None
    token: str
    users: dict[int, User | None]
    people: dict[tuple[PersonKind, int], Person]
    sequences: dict[int, SequenceSettings]
    suppressed: frozenset[str]
    undeliverable: dict[str, str]
    earlier: dict[int, list[Delivery]]
    threads: dict[int, Delivery]
    away: dict[str, Absence]
    hears: bool
    diary: Diary | None
    allowance: Allowance | None
    lost_until: datetime | None
    lost: dict[int, datetime] = field(default_factory=dict)
    turns: dict[int, datetime] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    replanned: list[Waiting] = field(default_factory=list)
    moved: list[Waiting] = field(default_factory=list)
    new: list[tuple[Delivery, Due, Enrollment, FrozenLetter]] = field(default_factory=list)
    requeued: list[tuple[Delivery, Due, Enrollment]] = field(default_factory=list)
    discarded: list[Settled] = field(default_factory=list)


def gather(tx: Tx, account_id: int, mailbox: StoredMailbox | None, token: str, locked: dict[int, Enrollment]) -> Round:
    """Read everything that decides about these locked enrollments."""
    loaded = list(locked.values())
    subjects = [e.subject for e in loaded]
    found = people.find_many(tx, account_id, sorted({(s.resource_type, s.resource_id) for s in subjects}))
    addresses = {s.address_hash for s in subjects} | {person.address_hash for person in found.values()}
    hashes = sorted(address for address in addresses if address is not None)
    letters = [e for e in loaded if e.step.is_letter]
    earlier: dict[int, list[Delivery]] = {}
    for delivery in deliveries.list_of_steps(tx, account_id, [(e.id, e.position) for e in letters]):
        earlier.setdefault(delivery.enrollment_id, []).append(delivery)
    account = accounts.get_account(tx, account_id)
    return Round(
        tx=tx,
        account=account,
        locked=locked,
        mailbox=mailbox,
        mailbox_state=state_of(mailbox),
        token=token,
        users={id: accounts.find_user(tx, account_id, id) for id in {s.actor_id for s in subjects}},
        people=found,
        sequences=sequences.find_many(tx, account_id, sorted({s.runs_sequence_id for s in subjects})),
        suppressed=unsubscribes.suppressed_among(tx, account_id, hashes),
        undeliverable=unsubscribes.undeliverable_among(tx, account_id, hashes),
        earlier=earlier,
        threads=_threads(tx, account_id, [e for e in letters if e.step.is_reply]),
        away=received.away_among(tx, account_id, hashes, tx.now),
        hears=mailbox is not None and inboxes.find(tx, account_id, mailbox.id) is not None,
        diary=None if mailbox is None else open_diary(tx, mailbox, account),
        allowance=allowance_of(tx, account),
        lost_until=quarantine.lost_until(tx),
    )


def state_of(mailbox: StoredMailbox | None) -> MailboxState | None:
    """What the rules need to know of a mailbox."""
    if mailbox is None:
        return None
    return MailboxState(
        id=mailbox.id,
        is_active=mailbox.is_active,
        held_since=mailbox.held_since,
        held_until=mailbox.held_until,
        hold_reason=None if mailbox.hold_reason is None else FailureReason(mailbox.hold_reason),
        hold_detail=mailbox.hold_detail,
        is_removed=mailbox.is_removed,
        is_catcher=mailbox.is_catcher,
        is_unproven=mailbox.is_unproven,
        pace=str(mailbox.pace("UTC")) if mailbox.is_paced else "",
    )


def _threads(tx: Tx, account_id: int, replying: Sequence[Enrollment]) -> dict[int, Delivery]:
    """The letter each of these replies to: its own last one, or the last of what it goes on with."""
    found: dict[int, Delivery] = {}
    looking = {each.id: each for each in replying}
    while looking:
        letters = deliveries.last_accepted(tx, account_id, [each.id for each in looking.values()])
        found |= {id: letters[each.id] for id, each in looking.items() if each.id in letters}
        before = {id: each.continues_id for id, each in looking.items() if id not in found and each.continues_id}
        earlier = {e.id: e for e in enrollments.find_many(tx, account_id, sorted(before.values()))} if before else {}
        looking = {id: earlier[other] for id, other in before.items()}
    return found
