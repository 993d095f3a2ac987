"""Enrolling many known people at once, and rehearsing it: what would become of each, with nothing of it kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from drumbeat.domain.errors import AlreadyExists, Invalid, NoEligibleContacts
from drumbeat.domain.person import PersonKind
from drumbeat.domain.variant import Variant
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.execute import REENROLL_AFTER, ContactStatus, execute_for
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx

AT_ONCE: Final = 500
"""People in one transaction."""
MOST_AT_ONCE: Final = 10_000
"""People in one go."""


@dataclass(frozen=True, slots=True)
class Whom:
    """People of a kind to enroll in a sequence, by whom, and whose records that user sees (None: everybody's)."""

    account_id: int
    sequence_id: int
    kind: PersonKind
    ids: Sequence[int]
    by: int
    seen_by: int | None = None


@dataclass(slots=True)
class Tally:
    """How many people fared how, in which variants, and why those were left out who were."""

    statuses: Counter[ContactStatus] = field(default_factory=Counter)
    variants: Counter[Variant] = field(default_factory=Counter)
    left_out: list[tuple[int, str]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Everybody who was asked for."""
        return sum(self.statuses.values())

    @property
    def queued(self) -> int:
        """How many were, or would be, enrolled."""
        return self.statuses[ContactStatus.QUEUED]


class _Rehearsed(Exception):
    """What would have been done; raised so that nothing of it is kept."""

    def __init__(self, outcomes: list[_Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


def rehearse_many(database: Database, hash_key: bytes, whom: Whom) -> Tally:
    """What `enroll_many` would do now."""
    return _in_parts(whom, lambda part: _rehearsed(database, lambda tx: _enroll_part(tx, hash_key, part)))


def enroll_many(database: Database, hash_key: bytes, whom: Whom) -> Tally:
    """Enroll whoever may be, AT_ONCE in one transaction; repeating it enrolls nobody twice."""
    return _in_parts(whom, lambda part: database.transact(lambda tx: _enroll_part(tx, hash_key, part)))


def _in_parts(whom: Whom, enroll_part: Callable[[Whom], list[_Outcome]]) -> Tally:
    tally = Tally()
    for part in _parts(whom):
        for outcome in enroll_part(part):
            tally.statuses[outcome.status] += 1
            if outcome.variant is not None and outcome.status is ContactStatus.QUEUED:
                tally.variants[outcome.variant] += 1
            if outcome.status is not ContactStatus.QUEUED:
                tally.left_out.append((outcome.id, outcome.reason or _WORDS.get(outcome.status, "")))
    return tally


def _parts(whom: Whom) -> Iterator[Whom]:
    for begin in range(0, min(len(whom.ids), MOST_AT_ONCE), AT_ONCE):
        ids = whom.ids[begin : min(begin + AT_ONCE, MOST_AT_ONCE)]
        yield Whom(whom.account_id, whom.sequence_id, whom.kind, ids, whom.by, whom.seen_by)


@dataclass(frozen=True, slots=True)
class _Outcome:
    id: int
    status: ContactStatus
    variant: Variant | None = None
    reason: str | None = None


def _enroll_part(tx: Tx, hash_key: bytes, whom: Whom) -> list[_Outcome]:
    if whom.kind is PersonKind.LEAD:
        return [_enroll_lead(tx, hash_key, whom, id) for id in whom.ids]
    try:
        done = execute_for(tx, hash_key, whom.account_id, whom.by, whom.sequence_id, whom.ids, seen_by=whom.seen_by)
    except NoEligibleContacts as error:
        told = zip(whom.ids, error.results, strict=True)
        return [_Outcome(id, ContactStatus(each["status"]), reason=each.get("reason")) for id, each in told]
    results = zip(whom.ids, done.results, strict=True)
    return [_Outcome(id, each.status, each.variant, each.reason) for id, each in results]


def _enroll_lead(tx: Tx, hash_key: bytes, whom: Whom, id: int) -> _Outcome:
    """A lead is enrolled as over the API; what is refused is refused before anything is written."""
    request = EnrollRequest(whom.sequence_id, PersonKind.LEAD, id)
    try:
        made = enroll(
            tx,
            hash_key,
            whom.account_id,
            whom.by,
            request,
            reenroll_after=REENROLL_AFTER,
            seen_by=whom.seen_by,
        )
    except AlreadyExists:
        return _Outcome(id, ContactStatus.ALREADY_ENROLLED)
    except Invalid as error:
        if error.field != "resource_id":
            raise
        return _Outcome(id, ContactStatus.INVALID, reason=error.detail)
    return _Outcome(id, ContactStatus.QUEUED, made.subject.variant)


def _rehearsed(database: Database, work: Callable[[Tx], list[_Outcome]]) -> list[_Outcome]:
    def rehearse(tx: Tx) -> None:
        raise _Rehearsed(work(tx))

    try:
        database.transact(rehearse)
    except _Rehearsed as done:
        return done.outcomes
    raise AssertionError  # it always ends so


_WORDS = {
    ContactStatus.ALREADY_ENROLLED: "Runs this sequence, or ran it a short while ago.",
    ContactStatus.UNSUBSCRIBED: "Unsubscribed or is suppressed.",
    ContactStatus.DUPLICATE: "Has the same address as somebody before.",
}
