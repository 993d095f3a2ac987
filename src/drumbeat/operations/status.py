"""What `drumbeat status` shows: what waits, what is stuck and why, and one enrollment explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from drumbeat.domain.account import Account
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.timeline import Hold, Quarantine
from drumbeat.operations.views import EnrollmentView, view, why
from drumbeat.store import (
    accounts,
    due,
    enrollments,
    events,
    lanes,
    mailboxes,
    overview,
    people,
    quarantine,
    received,
    sequences,
)
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.received import ReceivedMessage
from drumbeat.store.stamps import from_stamp, instant_or_none
from drumbeat.store.transaction import Snapshot

IN_DOUBT: Final = "in doubt"
_WHAT_TO_DO: Final[Mapping[str, str]] = MappingProxyType(
    {
        FailureReason.AUTH: "The mail server refuses the login. It is tested again by itself; mend the password.",
        FailureReason.RECIPIENT_INVALID: "No letter reaches the address. Change the person's e-mail address.",
        FailureReason.MISSING_MERGE_TAGS: "The letter needs values these people do not have. Fill them in.",
        FailureReason.ATTACHMENT_LIMIT_EXCEEDED: "The letter is too large for the mail server. Attach less.",
        FailureReason.SENDOUT_LIMITED: "The mail server's own sending limit is reached. It is tried again later.",
        FailureReason.SENDOUT_DISABLED: "The mailbox or user is missing or switched off, or the server is gone.",
        FailureReason.QUOTA_EXCEEDED: "The account's allowance is used up. It goes on when that is raised.",
        FailureReason.UNKNOWN: "The mail server refused the letter. A person decides: resume or finish.",
        IN_DOUBT: "Whether the letter arrived is not known. Decide with `drumbeat unknown`.",
    }
)


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane's enrollments: due now, due later, being worked on, held until something happens."""

    name: str
    due: int
    later: int
    in_work: int
    held: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class BlockedStatus:
    """How many enrollments are blocked for a reason, and what to do about it."""

    reason: str
    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class SequenceCounts:
    """A sequence and how many of its enrollments stand where."""

    id: int
    name: str
    status: SequenceStatus
    active: int
    blocked: int
    finished: int


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account at a glance."""

    account: Account
    quarantine: Quarantine | None
    lanes: tuple[LaneStatus, ...]
    blocked: tuple[BlockedStatus, ...]
    unknown: int
    held_mailboxes: tuple[StoredMailbox, ...]
    sequences: tuple[SequenceCounts, ...]


def account_status(snapshot: Snapshot, account_id: int) -> AccountStatus:
    """An account as it stands now; counts all its enrollments, so it is for people and not for polling."""
    held = [m for m in mailboxes.list_all(snapshot, account_id) if m.held_until or m.hold_reason]
    return AccountStatus(
        account=accounts.get_account(snapshot, account_id),
        quarantine=quarantine.find(snapshot),
        lanes=_lanes(snapshot, account_id),
        blocked=_blocked(snapshot, account_id),
        unknown=overview.count_unknown(snapshot, account_id),
        held_mailboxes=tuple(held),
        sequences=_sequences(snapshot, account_id),
    )


def _lanes(snapshot: Snapshot, account_id: int) -> tuple[LaneStatus, ...]:
    names = {mailbox.id: mailbox.name for mailbox in mailboxes.list_all(snapshot, account_id)}
    names[lanes.NO_MAILBOX] = "tasks, and letters without a mailbox"
    return tuple(
        LaneStatus(
            name=names.get(row.lane_id, f"mailbox {row.lane_id}"),
            due=int(row.due or 0),
            later=int(row.later or 0),
            in_work=int(row.in_work or 0),
            held=int(row.held or 0),
            next_at=instant_or_none(row.next_at),
        )
        for row in due.counts(snapshot, account_id)
    )


def _blocked(snapshot: Snapshot, account_id: int) -> tuple[BlockedStatus, ...]:
    found = []
    for reason, in_doubt, total in overview.blocked_by_reason(snapshot, account_id):
        name = IN_DOUBT if in_doubt else str(reason)
        found.append(BlockedStatus(name, int(total), _WHAT_TO_DO.get(name, "A person decides.")))
    return tuple(found)


def _sequences(snapshot: Snapshot, account_id: int) -> tuple[SequenceCounts, ...]:
    counted = {row[0]: row for row in overview.enrollments_by_sequence(snapshot, account_id)}
    shown = []
    for sequence in sequences.list_all(snapshot, account_id):
        _, active, blocked, finished = counted.get(sequence.id, (sequence.id, 0, 0, 0))
        shown.append(
            SequenceCounts(sequence.id, sequence.name, sequence.status, int(active), int(blocked), int(finished))
        )
    return tuple(shown)


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened to an enrollment, and its cause."""

    at: datetime
    fact: str
    cause: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """One enrollment: whom it is for, its timeline, what holds it now (None: nothing), its history, and what came
    back."""

    view: EnrollmentView
    person: str
    hold: Hold | None
    history: tuple[Told, ...]
    received: tuple[ReceivedMessage, ...]


def explained(snapshot: Snapshot, account_id: int, enrollment_id: int) -> Explained:
    """Why an enrollment stands where it stands; NotFound if there is none."""
    enrollment = enrollments.get(snapshot, account_id, enrollment_id)
    subject = enrollment.subject
    person = people.find(snapshot, account_id, subject.resource_type, subject.resource_id)
    named = f" {person.name}" if person is not None and person.name else ""
    history = tuple(
        Told(from_stamp(row.at), row.fact, msgspec.json.decode(row.cause))
        for row in events.list_of_enrollment(snapshot, account_id, enrollment_id)
    )
    return Explained(
        view=view(snapshot, account_id, [enrollment])[0],
        person=f"{subject.resource_type} {subject.resource_id}{named}",
        hold=why(snapshot, account_id, enrollment),
        history=history,
        received=tuple(received.list_of_enrollment(snapshot, account_id, enrollment_id)),
    )
