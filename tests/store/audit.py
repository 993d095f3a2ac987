"""What must hold between the tables after every transaction, whatever happened before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drumbeat.domain.sequence import Sequence, SequenceStatus
from drumbeat.store import sequences
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot

OUT = ("transmitting", "unknown")


@dataclass(frozen=True)
class Ledger:
    """An account's rows, read in one transaction."""

    enrollments: dict[int, Any]
    due: dict[int, Any]
    deliveries: list[Any]
    actions: list[Any]
    events: list[Any]
    lanes: dict[int, Any]
    mailboxes: dict[int, Any]
    replanned: frozenset[int]
    sequences: dict[int, Sequence]
    now: int

    def at(self, id: int, *statuses: str) -> list[Any]:
        """The deliveries of an enrollment's current step that have one of these statuses."""
        position = self.enrollments[id].position
        return [d for d in self.deliveries if d.enrollment_id == id and d.position == position and d.status in statuses]

    def doubtful(self) -> list[int]:
        """Enrollments with a letter nobody knows the fate of."""
        return [d.enrollment_id for d in self.deliveries if d.status == "unknown"]

    def claimable(self) -> set[int]:
        """The lanes in which something is due and nobody works on it."""
        rows = self.due.values()
        return {row.lane_id for row in rows if row.lease_until is None and (row.due_at or self.now + 1) <= self.now}

    def next_instant(self) -> int | None:
        """When something will be due or run out next."""
        instants = [row.due_at for row in self.due.values()] + [d.lease_until for d in self.deliveries]
        instants += [mailbox.held_until for mailbox in self.mailboxes.values()]
        return min((each for each in instants if each is not None and each >= self.now), default=None)

    def is_letter(self, enrollment: Any) -> bool:
        """Whether the current step is a letter: sequence 2's step 1 is a task."""
        return (enrollment.runs_sequence_id, enrollment.position) != (2, 1)

    def is_paused(self, enrollment: Any) -> bool:
        """Whether its sequence stands still."""
        return self.sequences[enrollment.runs_sequence_id].status is SequenceStatus.PAUSED


def read(snapshot: Snapshot, account_id: int, now: datetime) -> Ledger:
    """Every row of the account that the rules are about."""

    def rows(table: str, order: str) -> list[Any]:
        statement = Statement(f"SELECT * FROM {table} WHERE account_id = :account_id ORDER BY {order}")
        return list(snapshot.all(statement, account_id=account_id))

    return Ledger(
        enrollments={row.id: row for row in rows("enrollments", "id")},
        due={row.enrollment_id: row for row in rows("due", "enrollment_id")},
        deliveries=rows("deliveries", "enrollment_id, position, attempt"),
        actions=rows("actions", "enrollment_id, position"),
        events=rows("events", "enrollment_id, revision, number"),
        lanes={row.id: row for row in rows("lanes", "id")},
        mailboxes={row.id: row for row in rows("mailboxes", "id")},
        replanned=frozenset(row.sequence_id for row in rows("replans", "sequence_id")),
        sequences={each.id: each for each in sequences.list_all(snapshot, account_id)},
        now=to_stamp(now),
    )


def check(ledger: Ledger) -> None:
    """Every rule."""
    for enrollment in ledger.enrollments.values():
        _due_row_fits(ledger, enrollment)
        _letter_fits(ledger, enrollment)
        _actions_fit(ledger, enrollment)
        _events_fit(ledger, enrollment)
    for row in ledger.due.values():
        _lease_will_end(ledger, row)
        _lane_wakes(ledger, row)
    _nobody_runs_twice(ledger)


def _due_row_fits(ledger: Ledger, enrollment: Any) -> None:
    row = ledger.due.get(enrollment.id)
    if enrollment.state == "finished":
        assert row is None, "a finished enrollment is still due"
        return
    assert row is not None, "an ongoing enrollment that nobody will look at"
    is_being_sent = enrollment.status == "in_progress" and ledger.is_letter(enrollment) and not enrollment.in_doubt
    if is_being_sent:
        assert row.lease_until is not None or row.due_at is None, "a letter is out and may be claimed"
    elif enrollment.status != "scheduled":
        assert row.due_at is None, f"due while {enrollment.state}, {enrollment.status}"
    elif row.lease_until is None and enrollment.runs_sequence_id not in ledger.replanned:
        is_paused = ledger.is_paused(enrollment)
        assert (row.due_at is None) or not is_paused, "due while its sequence is paused"
        assert (row.due_at is not None) or is_paused, "it waits for nothing"


def _letter_fits(ledger: Ledger, enrollment: Any) -> None:
    id, is_letter = enrollment.id, ledger.is_letter(enrollment)
    out = ledger.at(id, *OUT)
    if enrollment.status == "in_progress" and is_letter:
        assert len(out) == 1, "in progress without a letter that is out"
    if enrollment.in_doubt:
        assert [d.status for d in out] == ["unknown"], "in doubt about no letter"
    else:
        assert "unknown" not in [d.status for d in out], "a doubt nobody is told of"
    if out and out[0].status == "transmitting":
        assert enrollment.status == "in_progress", "a letter is out while its step waits"
    assert len(ledger.at(id, "queued")) <= 1, "two letters queued for one step"
    assert len(ledger.at(id, "claimed", "queued", *OUT)) <= 1, "two letters for one step"
    done = {a.position for a in ledger.actions if a.enrollment_id == id}
    accepted = {d.position for d in ledger.deliveries if d.enrollment_id == id and d.status == "accepted"}
    assert accepted <= done, "a letter was accepted and its step is not completed"
    letters = {0, 1, 2} if enrollment.runs_sequence_id == 1 else {0, 2}
    assert done & letters <= accepted, "a step is completed whose letter was not accepted"


def _actions_fit(ledger: Ledger, enrollment: Any) -> None:
    done = [a for a in ledger.actions if a.enrollment_id == enrollment.id]
    completed = enrollment.position + (enrollment.status == "completed")
    assert [a.position for a in done] == list(range(completed)), "steps were completed out of order"
    assert [a.executed_at for a in done] == sorted(a.executed_at for a in done)


def _events_fit(ledger: Ledger, enrollment: Any) -> None:
    told = [e for e in ledger.events if e.enrollment_id == enrollment.id]
    facts = Counter(e.fact for e in told)
    assert told[0].fact == "enrolled"
    assert facts["enrolled"] == 1
    assert facts["finished"] == (enrollment.state == "finished"), facts
    assert told[-1].revision <= enrollment.revision, "an event of a revision that never was"


def _lease_will_end(ledger: Ledger, row: Any) -> None:
    if row.lease_until is not None:
        holding = [
            d
            for d in ledger.at(row.enrollment_id, "claimed", "transmitting")
            if d.lease_token == row.lease_token and d.lease_until is not None
        ]
        assert holding, "a lease that no reaper will end"


def _lane_wakes(ledger: Ledger, row: Any) -> None:
    if row.due_at is None or row.lease_until is not None:
        return
    lane = ledger.lanes[row.lane_id]
    mailbox = ledger.mailboxes.get(row.lane_id)
    waits = mailbox is not None and mailbox.hold_reason is None and mailbox.held_until
    latest = max(row.due_at, waits or 0, ledger.now)
    assert lane.wake_at is not None, "its lane sleeps for ever"
    assert lane.wake_at <= latest, f"its lane sleeps {(lane.wake_at - latest) / 1e6} s too long"


def _nobody_runs_twice(ledger: Ledger) -> None:
    ongoing = [e for e in ledger.enrollments.values() if e.state != "finished"]
    people = Counter((e.runs_sequence_id, e.resource_type, e.resource_id) for e in ongoing)
    addresses = Counter((e.runs_sequence_id, e.address_hash) for e in ongoing if e.address_hash)
    assert max(people.values(), default=1) == 1
    assert max(addresses.values(), default=1) == 1
