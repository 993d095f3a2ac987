"""Enroll many contacts in one transaction: one operation behind the execute doors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from drumbeat.domain.access import sees
from drumbeat.domain.account import User
from drumbeat.domain.errors import (
    ActorUnavailable,
    IncorrectValue,
    NoEligibleContacts,
    NotFound,
    SequenceEmpty,
    SequenceNotActive,
    SequencesDisabled,
    VariantUnavailable,
)
from drumbeat.domain.person import (
    NOT_MAILABLE,
    Person,
    PersonKind,
    address_hash,
    is_mailable,
    normalize_email,
    normalize_phone,
)
from drumbeat.domain.sequence import Sequence as SequenceSettings
from drumbeat.domain.sequence import SequenceStatus, Version
from drumbeat.domain.variant import Variant
from drumbeat.operations.enrollments import Run, add, already_enrolled, assign_variants
from drumbeat.operations.records import resume_filled
from drumbeat.store import accounts, people, sequences, unsubscribes
from drumbeat.store.transaction import Tx

REENROLL_AFTER = timedelta(hours=24)


class ContactStatus(StrEnum):
    """What execute did for one submitted contact."""

    QUEUED = "queued"
    ALREADY_ENROLLED = "already_enrolled"
    INVALID = "invalid"
    UNSUBSCRIBED = "unsubscribed"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class ContactInput:
    """One submitted contact, as the caller wrote it."""

    email: str
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None


@dataclass(slots=True)
class ContactResult:
    """The answer for one submitted contact."""

    email: str
    status: ContactStatus
    contact_id: int | None = None
    enrollment_id: int | None = None
    variant: Variant | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """What one call did: a result per submitted contact, in order."""

    sequence: SequenceSettings
    results: Sequence[ContactResult]

    @property
    def queued(self) -> int:
        """How many were enrolled."""
        return sum(result.status is ContactStatus.QUEUED for result in self.results)


@dataclass(slots=True)
class _Candidate:
    result: ContactResult
    email: str
    address_hash: str | None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    person: Person | None = None
    fills: bool = False
    run: Run | None = None


def execute(
    tx: Tx,
    hash_key: bytes,
    account_id: int,
    caller_id: int,
    sequence_id: int,
    contacts: Sequence[ContactInput],
    *,
    seen_by: int | None = None,
) -> Execution:
    """Find or make the contacts and enroll those who may be; all in this transaction, or nothing."""
    runs = _Runs(tx, hash_key, account_id, sequence_id)
    actor = _actor(tx, account_id, (runs.sequence.default_actor_id, caller_id))
    results, candidates = _read(hash_key, account_id, contacts)
    accounts.lock_ids(tx, account_id, "enrollment")
    eligible = _match(tx, account_id, candidates, seen_by)
    _check_any(eligible, results)
    with tx.together():
        _find_or_make(tx, account_id, caller_id, eligible)
        _enroll_fresh(tx, account_id, caller_id, actor, runs, eligible)
    return Execution(runs.sequence, results)


def execute_for(
    tx: Tx,
    hash_key: bytes,
    account_id: int,
    caller_id: int,
    sequence_id: int,
    contact_ids: Sequence[int],
    *,
    actor_id: int | None = None,
    seen_by: int | None = None,
) -> Execution:
    """The same for contacts that are known, by their ids; an actor who is named sends, whatever the sequence says."""
    runs = _Runs(tx, hash_key, account_id, sequence_id)
    actor = _actor(tx, account_id, (actor_id,) if actor_id else (runs.sequence.default_actor_id, caller_id))
    accounts.lock_ids(tx, account_id, "enrollment")
    results, candidates = _look_up(tx, account_id, contact_ids, seen_by, needs_address=runs.have_letters)
    eligible = _writable(tx, account_id, candidates)
    _check_any(eligible, results)
    with tx.together():
        _enroll_fresh(tx, account_id, caller_id, actor, runs, eligible)
    return Execution(runs.sequence, results)


def _check_any(eligible: Sequence[_Candidate], results: Sequence[ContactResult]) -> None:
    """Refuse the whole where nobody may be enrolled: a duplicate of somebody who may not is none either."""
    if not eligible:
        raise NoEligibleContacts([_told(result) for result in results])


class _Runs:
    """What people run who are enrolled through the sequence, A/B test included; refuses what cannot run."""

    def __init__(self, tx: Tx, hash_key: bytes, account_id: int, sequence_id: int) -> None:
        if not accounts.get_account(tx, account_id).sequences_enabled:
            raise SequencesDisabled("An admin can switch them on in the account's settings.")
        sequence = sequences.find(tx, account_id, sequence_id)
        if sequence is None:
            raise NotFound(f"There is no sequence {sequence_id}.")
        if sequence.status is not SequenceStatus.ACTIVE:
            raise SequenceNotActive(f"Its status is {sequence.status}; activate it first.")
        if sequence.steps_total == 0:
            raise SequenceEmpty("Publish at least one step first.")
        self.sequence = sequence
        self._tx, self._hash_key, self._account_id = tx, hash_key, account_id
        self.a = Run(sequence, sequence, self._version(sequence), Variant.A if sequence.split else None)
        self.b = None if sequence.split is None else self._variant_b(sequence.split.variant_b_id)

    def _variant_b(self, id: int) -> Run:
        other = sequences.find(self._tx, self._account_id, id)
        if other is None or not other.takes_enrollments:
            raise VariantUnavailable("Activate variant B with at least one step, or end the A/B test.")
        return Run(self.sequence, other, self._version(other), Variant.B)

    def _version(self, sequence: SequenceSettings) -> Version:
        return sequences.get_version(self._tx, self._account_id, sequence.id, sequence.version)

    @property
    def have_letters(self) -> bool:
        """Whether anybody who is enrolled may get a letter."""
        return self.a.version.has_letters or (self.b is not None and self.b.version.has_letters)

    def assign(self, candidates: Sequence[_Candidate]) -> None:
        """Give each candidate the run of its variant; who has no address runs the sequence itself."""
        assigned: dict[str, Variant] = {}
        hashes = [candidate.address_hash for candidate in candidates if candidate.address_hash is not None]
        if self.b is not None and hashes:
            assigned = assign_variants(self._tx, self._hash_key, self._account_id, self.sequence, hashes)
        for candidate in candidates:
            candidate.run = self.a if candidate.address_hash is not None else replace(self.a, variant=None)
            if self.b is not None and assigned.get(candidate.address_hash or "") is Variant.B:
                candidate.run = self.b
            candidate.result.variant = candidate.run.variant


def _actor(tx: Tx, account_id: int, ids: Sequence[int | None]) -> User:
    """The first of them who is active."""
    for id in ids:
        user = None if id is None else accounts.find_user(tx, account_id, id)
        if user is not None and user.is_active:
            return user
    raise ActorUnavailable("Name an active default actor in the sequence's settings.")


def _read(
    hash_key: bytes, account_id: int, contacts: Sequence[ContactInput]
) -> tuple[list[ContactResult], list[_Candidate]]:
    """A result per contact, and a candidate for each valid address, once."""
    results: list[ContactResult] = []
    candidates: dict[str, _Candidate] = {}
    for contact in contacts:
        result = ContactResult(contact.email, ContactStatus.QUEUED)
        results.append(result)
        try:
            email = normalize_email(contact.email)
            if not is_mailable(email):
                raise IncorrectValue(NOT_MAILABLE, field="email")
            phone = normalize_phone(contact.phone) if contact.phone and contact.phone.strip() else None
        except IncorrectValue as error:
            result.status, result.reason = ContactStatus.INVALID, f"{error.field}: {error.detail}"
            continue
        address = address_hash(hash_key, account_id, email)
        if address in candidates:
            result.status = ContactStatus.DUPLICATE
            continue
        first_name, last_name = _filled(contact.first_name), _filled(contact.last_name)
        candidates[address] = _Candidate(result, email, address, first_name, last_name, phone)
    return results, list(candidates.values())


def _look_up(
    tx: Tx, account_id: int, ids: Sequence[int], seen_by: int | None, *, needs_address: bool
) -> tuple[list[ContactResult], list[_Candidate]]:
    """A result per id, and a candidate for each contact that can be enrolled, once for each address."""
    found = people.find_many(tx, account_id, [(PersonKind.CONTACT, id) for id in dict.fromkeys(ids)])
    results: list[ContactResult] = []
    candidates: dict[object, _Candidate] = {}
    for id in ids:
        person = found.get((PersonKind.CONTACT, id))
        if person is not None and not sees(seen_by, person.owner_id):
            person = None
        result = ContactResult("" if person is None else person.email or "", ContactStatus.QUEUED)
        results.append(result)
        result.reason = _unfit(person, id, needs_address=needs_address)
        if person is None or result.reason is not None:
            result.status = ContactStatus.INVALID
            continue
        result.contact_id = id
        if (person.address_hash or id) in candidates:
            result.status = ContactStatus.DUPLICATE
            continue
        made = _Candidate(result, person.email or "", person.address_hash, person=person)
        candidates[person.address_hash or id] = made
    return results, list(candidates.values())


def _unfit(person: Person | None, id: int, *, needs_address: bool) -> str | None:
    """Why a contact cannot be enrolled, or None."""
    if person is None:
        return f"contactIds: There is no contact {id}."
    if not person.email:
        return "email: The contact has no address, and the sequence sends e-mails." if needs_address else None
    return f"email: {NOT_MAILABLE}" if needs_address and not is_mailable(person.email) else None


def _writable(tx: Tx, account_id: int, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Those who did not unsubscribe; suppression refuses also where no letter is sent."""
    hashes = [candidate.address_hash for candidate in candidates if candidate.address_hash is not None]
    suppressed = unsubscribes.suppressed_among(tx, account_id, hashes)
    for candidate in candidates:
        if candidate.address_hash in suppressed:
            candidate.result.status = ContactStatus.UNSUBSCRIBED
    return _queued(candidates)


def _filled(text: str | None) -> str | None:
    return text.strip() or None if text else None


def _match(tx: Tx, account_id: int, candidates: Sequence[_Candidate], seen_by: int | None) -> list[_Candidate]:
    """Those who may be written to; who is known already carries the contact."""
    by_hash = {candidate.address_hash: candidate for candidate in candidates if candidate.address_hash}
    for row in people.contacts_by_address(tx, account_id, list(by_hash)):
        candidate = by_hash[row[0]]
        if row[1] is not None and not sees(seen_by, row[7]):
            candidate.result.status = ContactStatus.INVALID
            candidate.result.reason = "email: A contact with this address belongs to another user."
            continue
        if row[1] is not None:
            candidate.result.contact_id = row[1]
            empty = (not row[2], not row[3], not row[4])
            given = (candidate.first_name, candidate.last_name, candidate.phone)
            candidate.fills = any(is_empty and value for is_empty, value in zip(empty, given, strict=True))
            candidate.person = _person(tx, account_id, candidate, row[1], 0, row[5])
        if row[6] is not None:
            candidate.result.status = ContactStatus.UNSUBSCRIBED
    return _queued(candidates)


def _person(
    tx: Tx, account_id: int, candidate: _Candidate, id: int, owner_id: int, time_zone: str | None = None
) -> Person:
    return Person(
        account_id=account_id,
        kind=PersonKind.CONTACT,
        id=id,
        first_name=candidate.first_name,
        last_name=candidate.last_name,
        organization_name=None,
        title=None,
        email=candidate.email,
        address_hash=candidate.address_hash,
        phone=candidate.phone,
        time_zone=time_zone,
        owner_id=owner_id,
        creator_id=owner_id,
        created_at=tx.now,
        updated_at=tx.now,
    )


def _find_or_make(tx: Tx, account_id: int, caller_id: int, candidates: Sequence[_Candidate]) -> None:
    new = [candidate for candidate in candidates if candidate.person is None]
    if new:
        first = accounts.take_ids(tx, account_id, PersonKind.CONTACT, len(new))
        for id, candidate in enumerate(new, first):
            candidate.person = _person(tx, account_id, candidate, id, caller_id)
            candidate.result.contact_id = id
        people.add(tx, [candidate.person for candidate in new if candidate.person])
        named = [(c.address_hash, c.person.id) for c in new if c.person and c.address_hash]
        people.name_new_contacts(tx, account_id, named)
    filled = [c for c in candidates if c.fills and c.result.contact_id is not None]
    if filled:
        rows = [(c.result.contact_id or 0, c.first_name, c.last_name, c.phone) for c in filled]
        people.fill(tx, account_id, rows)
        for id, *_ in rows:
            resume_filled(tx, account_id, PersonKind.CONTACT, id)


def _enroll_fresh(
    tx: Tx, account_id: int, caller_id: int, actor: User, runs: _Runs, candidates: Sequence[_Candidate]
) -> None:
    fresh = _not_enrolled(tx, account_id, runs, candidates)
    if fresh:
        _enroll(tx, account_id, caller_id, actor, fresh)


def _not_enrolled(tx: Tx, account_id: int, runs: _Runs, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Those to be enrolled, each with its run: nobody else gets a variant."""
    limit = runs.sequence.reenroll_after
    after = REENROLL_AFTER if limit is None else limit
    _find_enrolled(tx, account_id, runs.sequence.id, candidates, after)
    fresh = _queued(candidates)
    runs.assign(fresh)
    in_b = [candidate for candidate in fresh if candidate.run is runs.b]
    if runs.b is not None and in_b:
        _find_enrolled(tx, account_id, runs.b.running.id, in_b, after)
    return _queued(fresh)


def _find_enrolled(
    tx: Tx, account_id: int, sequence_id: int, candidates: Sequence[_Candidate], after: timedelta
) -> None:
    """Tell those who run, or lately ran, the sequence what they run."""
    whom = [(candidate.person.id, candidate.address_hash) for candidate in candidates if candidate.person]
    found = already_enrolled(tx, account_id, sequence_id, PersonKind.CONTACT, whom, after)
    for candidate in candidates:
        before = found.get(candidate.result.contact_id or 0)
        if before is not None:
            result = candidate.result
            result.status = ContactStatus.ALREADY_ENROLLED
            result.enrollment_id, result.variant = before.enrollment_id, before.variant


def _queued(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    return [candidate for candidate in candidates if candidate.result.status is ContactStatus.QUEUED]


def _enroll(tx: Tx, account_id: int, caller_id: int, actor: User, candidates: Sequence[_Candidate]) -> None:
    first = accounts.take_ids(tx, account_id, "enrollment", len(candidates))
    added = []
    for id, candidate in enumerate(candidates, first):
        candidate.result.enrollment_id = id
        if candidate.run and candidate.person:
            added.append((id, candidate.run, candidate.person))
    add(tx, account_id, actor, added, {"by": caller_id})


def _told(result: ContactResult) -> dict[str, object]:
    told: dict[str, object] = {
        "email": result.email,
        "contactId": result.contact_id,
        "enrollmentId": result.enrollment_id,
        "variant": result.variant,
        "status": result.status,
    }
    return told if result.reason is None else told | {"reason": result.reason}
