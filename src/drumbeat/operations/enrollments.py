"""What callers do with enrollments: enroll, finish, resume, and see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from drumbeat.domain.access import sees
from drumbeat.domain.account import User
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment, FinishedReason, Plan, State, Subject
from drumbeat.domain.errors import (
    AlreadyExists,
    IncorrectValue,
    Invalid,
    InvalidMany,
    SequencesDisabled,
)
from drumbeat.domain.happening import FinishRequested, Resumed
from drumbeat.domain.machine import decide, start
from drumbeat.domain.person import NOT_MAILABLE, Person, PersonKind, is_mailable
from drumbeat.domain.sequence import Sequence as SequenceSettings
from drumbeat.domain.sequence import SequenceStatus, Version
from drumbeat.domain.variant import Variant, choose_variant
from drumbeat.operations.changes import Change, apply, lane_of, store
from drumbeat.operations.doubts import count_as_sent
from drumbeat.store import accounts, enrollments, events, lanes, people, sequences, unsubscribes
from drumbeat.store.stamps import to_stamp
from drumbeat.store.transaction import Tx

REENROLL_AFTER_V2 = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Run:
    """What somebody enrolled through a sequence runs: the sequence itself, or its variant B."""

    addressed: SequenceSettings
    running: SequenceSettings
    version: Version
    variant: Variant | None


@dataclass(frozen=True, slots=True)
class EnrollRequest:
    """One person to enroll; without an actor it is the caller."""

    sequence_id: int
    resource_type: PersonKind
    resource_id: int
    actor_id: int | None = None


def enroll(
    tx: Tx,
    hash_key: bytes,
    account_id: int,
    caller_id: int,
    request: EnrollRequest,
    *,
    reenroll_after: timedelta | None = REENROLL_AFTER_V2,
    seen_by: int | None = None,
) -> Enrollment:
    """Enroll one person, or raise Invalid on the field that stands in the way.

    Whoever was enrolled in the sequence within `reenroll_after` is refused too, unless somebody finished
    that run by hand; None does not limit re-enrolling.
    """
    if not accounts.get_account(tx, account_id).sequences_enabled:
        raise SequencesDisabled("An admin can switch them on in the account's settings.")
    accounts.lock_ids(tx, account_id, "enrollment")
    sequence, person, actor = _checked(tx, account_id, caller_id, request, seen_by)
    run = _run_of(tx, hash_key, account_id, sequence, person)
    check_person(tx, account_id, person, run.version)
    limit = sequence.reenroll_after if sequence.reenroll_after is not None else reenroll_after
    _check_not_enrolled(tx, account_id, run, person, None if reenroll_after is None else limit)
    id = accounts.take_ids(tx, account_id, "enrollment")
    add(tx, account_id, actor, [(id, run, person)], {"by": caller_id})
    return enrollments.get(tx, account_id, id)


def _checked(
    tx: Tx, account_id: int, caller_id: int, request: EnrollRequest, seen_by: int | None
) -> tuple[SequenceSettings, Person, User]:
    wrong: list[Invalid] = []
    sequence = sequences.find(tx, account_id, request.sequence_id)
    if sequence is None or sequence.status is not SequenceStatus.ACTIVE:
        wrong.append(IncorrectValue("Name an active sequence of this account.", field="sequence_id"))
    elif sequence.steps_total == 0:
        wrong.append(IncorrectValue("The sequence has no steps.", field="sequence_id"))
    person = people.find(tx, account_id, request.resource_type, request.resource_id)
    if person is None or not sees(seen_by, person.owner_id):
        person = None
        detail = f"There is no {request.resource_type} {request.resource_id}."
        wrong.append(IncorrectValue(detail, field="resource_id"))
    actor_id = caller_id if request.actor_id is None else request.actor_id
    actor = accounts.find_user(tx, account_id, actor_id)
    if actor is None or not actor.is_active:
        wrong.append(IncorrectValue("Name an active user of this account.", field="actor_id"))
    elif not sees(seen_by, actor_id):
        wrong.append(IncorrectValue("Only an admin enrolls for another user here.", field="actor_id"))
    if len(wrong) > 1:
        raise InvalidMany(wrong)
    if sequence is None or person is None or actor is None or wrong:
        raise wrong[0]
    return sequence, person, actor


def _run_of(tx: Tx, hash_key: bytes, account_id: int, sequence: SequenceSettings, person: Person) -> Run:
    other = None if sequence.split is None else sequences.find(tx, account_id, sequence.split.variant_b_id)
    if sequence.split is not None and (other is None or not other.takes_enrollments):
        raise IncorrectValue("Its variant B is not active or has no steps.", field="sequence_id")
    if other is None or person.address_hash is None:
        version = sequences.get_version(tx, account_id, sequence.id, sequence.version)
        return Run(sequence, sequence, version, None)
    variants = assign_variants(tx, hash_key, account_id, sequence, [person.address_hash])
    variant = variants[person.address_hash]
    running = other if variant is Variant.B else sequence
    version = sequences.get_version(tx, account_id, running.id, running.version)
    return Run(sequence, running, version, variant)


def assign_variants(
    tx: Tx, hash_key: bytes, account_id: int, sequence: SequenceSettings, hashes: Sequence[str]
) -> dict[str, Variant]:
    """The variant of each address hash in the sequence's A/B test: the one it got before, or a new one, kept."""
    assert sequence.split is not None
    before = sequences.assigned_variants(tx, account_id, sequence.id, hashes)
    variants = {address: Variant(variant) for address, variant in before.items()}
    new = {
        address: choose_variant(hash_key, account_id, sequence.id, address, sequence.split.share)
        for address in hashes
        if address not in variants
    }
    if new:
        assigned = [(address, variant.value) for address, variant in sorted(new.items())]
        sequences.assign_variants(tx, account_id, sequence.id, assigned)
    return variants | new


def check_person(tx: Tx, account_id: int, person: Person, version: Version) -> None:
    """Refuse to enroll whoever cannot be written to, or must not."""
    if person.address_hash is None:
        if version.has_letters:
            detail = f"The {person.kind} has no e-mail address, and the sequence sends e-mails."
            raise IncorrectValue(detail, field="resource_id")
    elif version.has_letters and not is_mailable(person.email or ""):
        raise IncorrectValue(NOT_MAILABLE, field="resource_id")
    elif unsubscribes.is_suppressed(tx, account_id, person.address_hash):
        raise IncorrectValue(f"The {person.kind} unsubscribed or is suppressed.", field="resource_id")


def _check_not_enrolled(tx: Tx, account_id: int, run: Run, person: Person, reenroll_after: timedelta | None) -> None:
    for sequence_id in dict.fromkeys((run.addressed.id, run.running.id)):
        whom = [(person.id, person.address_hash)]
        found = already_enrolled(tx, account_id, sequence_id, person.kind, whom, reenroll_after)
        if found:
            before = found[person.id].enrollment_id
            detail = f"The {person.kind} is enrolled in this sequence: enrollment {before}."
            raise AlreadyExists(detail, field="resource_id")


@dataclass(frozen=True, slots=True)
class Before:
    """The enrollment that makes another one too early, and its variant."""

    enrollment_id: int
    variant: Variant | None


def already_enrolled(
    tx: Tx,
    account_id: int,
    sequence_id: int,
    kind: PersonKind,
    whom: Sequence[tuple[int, str | None]],
    reenroll_after: timedelta | None,
) -> dict[int, Before]:
    """Which of these people (id, address hash) run, or lately ran, this sequence, by person id.

    A run counts that was asked for by this sequence or follows its steps, by person or by address key; a
    finished one for `reenroll_after`, unless it was finished by hand.
    """
    rows = enrollments.latest_in_sequence(tx, account_id, sequence_id, kind, whom)
    since = None if reenroll_after is None else to_stamp(tx.now - reenroll_after)
    found: dict[int, Before] = {}
    for person_id, enrollment_id, variant, state, created_at, reason in rows:
        lately = since is not None and created_at > since and reason != FinishedReason.MANUAL
        if state != State.FINISHED or lately:
            found.setdefault(person_id, Before(enrollment_id, variant and Variant(variant)))
    return found


def add(
    tx: Tx,
    account_id: int,
    actor: User,
    added: Sequence[tuple[int, Run, Person]],
    cause: Mapping[str, object],
) -> list[Enrollment]:
    """Store new enrollments (id, run, person) with their first instants and events, and wake their lanes."""
    account_zone = accounts.get_account(tx, account_id).time_zone
    made, facts = [], []
    plans: dict[tuple[int, str | None], Plan] = {}
    for id, run, person in added:
        zone = run.running.time_zone or actor.time_zone or account_zone
        key = (run.running.id, person.time_zone)
        plan = plans.get(key)
        if plan is None:
            rhythm = run.running.rhythm(zone, person.time_zone)
            task_zone = actor.time_zone or account_zone
            plan = plans[key] = Plan(run.version.steps, rhythm, task_zone=task_zone)
        decision = start(account_id, id, _subject(run, person, actor, zone), plan, tx.now, cause)
        made.append((decision.enrollment, lane_of(decision.enrollment, actor.mailbox_id)))
        facts.append((id, 0, decision.facts))
    with tx.together():
        enrollments.add(tx, made)
        events.add(tx, account_id, facts)
        lanes.wake(tx, account_id, [(lane, e.due_at) for e, lane in made if e.due_at is not None])
    return [enrollment for enrollment, _ in made]


def _subject(run: Run, person: Person, actor: User, zone: str) -> Subject:
    return Subject(
        actor_id=actor.id,
        resource_type=person.kind,
        resource_id=person.id,
        address_hash=person.address_hash,
        sequence_id=run.addressed.id,
        runs_sequence_id=run.running.id,
        version=run.version.number,
        variant=run.variant,
        mailbox_id=None,
        zone=zone,
        recipient_zone=person.time_zone,
    )


def set_state(
    tx: Tx, account_id: int, id: int, state: State, caller_id: int, *, seen_by: int | None = None
) -> Enrollment:
    """Finish or resume an enrollment as a caller asks; asking for the state it has changes nothing."""
    found = enrollments.lock(tx, account_id, [id])
    if not found or not sees(seen_by, found[0].subject.actor_id):
        return enrollments.get(tx, account_id, id, seen_by=seen_by)  # raises NotFound
    enrollment = found[0]
    if state is enrollment.state:
        return enrollment
    if state is State.FINISHED:
        return apply(tx, enrollment, FinishRequested(FinishedReason.MANUAL, caller_id))
    if state is State.ACTIVE and enrollment.state is State.BLOCKED:
        if enrollment.in_doubt:
            return count_as_sent(tx, account_id, id, caller_id)
        if enrollment.failure_reason is FailureReason.RECIPIENT_INVALID and enrollment.subject.address_hash:
            # Somebody with a name says that the address works: the next letter finds out.
            unsubscribes.clear_undeliverable(tx, account_id, enrollment.subject.address_hash)
        return apply(tx, enrollment, Resumed(caller_id))
    raise IncorrectValue(
        "A finished enrollment stays finished; set active or finished on an ongoing one.", field="state"
    )


def finish_ongoing(
    tx: Tx,
    account_id: int,
    kind: PersonKind,
    id: int,
    sequence_ids: Sequence[int],
    caller_id: int,
    *,
    seen_by: int | None = None,
) -> list[Enrollment]:
    """Finish every ongoing enrollment of a person that is seen, in these sequences or (none given) in all."""
    ids = enrollments.ongoing_of_person(tx, account_id, kind, id, sequence_ids)
    if seen_by is not None:
        ids = [each.id for each in enrollments.find_many(tx, account_id, ids) if each.subject.actor_id == seen_by]
    return finish_all(tx, account_id, ids, FinishRequested(FinishedReason.MANUAL, caller_id))


def finish_all(tx: Tx, account_id: int, ids: Sequence[int], request: FinishRequested) -> list[Enrollment]:
    """Finish these enrollments, all in this transaction; returns those that were still ongoing."""
    locked = [e for e in enrollments.lock(tx, account_id, ids) if e.is_ongoing]
    changes = [Change(decide(e, request, tx.now), e.revision) for e in locked]
    store(tx, account_id, changes)
    return [change.enrollment for change in changes]
