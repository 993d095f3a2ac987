"""Enrolling many known people at once, and rehearsing it: what would become of each, with nothing of it kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from drumbeat.domain.errors import AlreadyExists, DrumbeatError, Invalid, NoEligibleContacts
from drumbeat.domain.person import PersonKind, address_key
from drumbeat.domain.variant import Variant
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.execute import REENROLL_AFTER, ContactStatus, execute_for
from drumbeat.store import people, unsubscribes
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx

AT_ONCE: Final = 500
"""People in one transaction."""
MOST_AT_ONCE: Final = 10_000
"""People in one go."""


@dataclass(frozen=True, slots=True)
class Whom:
    """People of a kind to enroll in a sequence, by whom, who is their actor too, whatever default the sequence names;
    and whose records that user sees (None: everybody's)."""

    account_id: int
    sequence_id: int
    kind: PersonKind
    ids: Sequence[int]
    by: int
    seen_by: int | None = None


@dataclass(slots=True)
class Tally:
    """How many people fared how, in which variants, and why those were left out who were; `stopped_by` is what kept
    the others from being come to."""

    statuses: Counter[ContactStatus] = field(default_factory=Counter)
    variants: Counter[Variant] = field(default_factory=Counter)
    left_out: list[tuple[int, str]] = field(default_factory=list)
    stopped_by: DrumbeatError | None = None

    @property
    def total(self) -> int:
        """Everybody who was come to."""
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
    parts = (_rehearsed(database, lambda tx, part=part: _enroll_part(tx, hash_key, part)) for part in _parts(whom))  # type: ignore[misc]
    tally = Tally()
    for part in _once_each(parts):
        _count(tally, part)
    return tally


def enroll_many(database: Database, hash_key: bytes, whom: Whom) -> Tally:
    """Enroll whoever may be, AT_ONCE in one transaction; repeating it enrolls nobody twice.

    What stands in the way of the first part is raised; of a later one, it is told with what was done until then.
    """
    tally = Tally()
    for part in _parts(whom):
        try:
            _count(tally, database.transact(lambda tx, part=part: _enroll_part(tx, hash_key, part)))  # type: ignore[misc]
        except DrumbeatError as error:
            if not tally.total:
                raise
            tally.stopped_by = error
            break
    return tally


def _once_each(parts: Iterable[list[_Outcome]]) -> Iterator[list[_Outcome]]:
    """The same where nothing of an earlier part was kept: an address that was queued there is enrolled by then."""
    queued: set[str] = set()
    for part in parts:
        before = frozenset(queued)
        yield [
            replace(each, status=ContactStatus.ALREADY_ENROLLED) if each.is_queued and each.email in before else each
            for each in part
        ]
        queued |= {each.email for each in part if each.is_queued and each.email}


def _count(tally: Tally, part: Iterable[_Outcome]) -> None:
    for outcome in part:
        tally.statuses[outcome.status] += 1
        if outcome.variant is not None and outcome.status is ContactStatus.QUEUED:
            tally.variants[outcome.variant] += 1
        if outcome.status is not ContactStatus.QUEUED:
            tally.left_out.append((outcome.id, outcome.reason or _WORDS.get(outcome.status, "")))


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
    email: str = ""

    @property
    def is_queued(self) -> bool:
        """Whether they were, or would be, enrolled."""
        return self.status is ContactStatus.QUEUED


def _enroll_part(tx: Tx, hash_key: bytes, whom: Whom) -> list[_Outcome]:
    if whom.kind is PersonKind.LEAD:
        return [_enroll_lead(tx, hash_key, whom, id) for id in whom.ids]
    ids = (whom.account_id, whom.by, whom.sequence_id, whom.ids)
    try:
        done = execute_for(tx, hash_key, *ids, actor_id=whom.by, seen_by=whom.seen_by)
    except NoEligibleContacts as error:
        told = zip(whom.ids, error.results, strict=True)
        return [_Outcome(id, ContactStatus(each["status"]), reason=each.get("reason")) for id, each in told]
    results = zip(whom.ids, done.results, strict=True)
    return [_Outcome(id, e.status, e.variant, e.reason, address_key(e.email)) for id, e in results]


def _enroll_lead(tx: Tx, hash_key: bytes, whom: Whom, id: int) -> _Outcome:
    """A lead is enrolled as over the API; whoever asked out is left alone before anything is written."""
    lead = people.find(tx, whom.account_id, PersonKind.LEAD, id)
    if lead is not None and lead.address_hash and unsubscribes.is_suppressed(tx, whom.account_id, lead.address_hash):
        return _Outcome(id, ContactStatus.UNSUBSCRIBED)
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
    email = address_key(lead.email or "") if lead is not None else ""
    return _Outcome(id, ContactStatus.QUEUED, made.subject.variant, email=email)


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
