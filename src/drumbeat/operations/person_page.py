"""All that concerns one person: what runs and ran for them, their letters, tasks, replies and consent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drumbeat.domain.access import sees
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.errors import MissingTags, Refused
from drumbeat.domain.person import Person
from drumbeat.domain.sequence import Sequence as SequenceSettings
from drumbeat.domain.task import Task
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.letters import read_frozen, rendered_letter
from drumbeat.store import deliveries, enrollment_pages, received, sequences, task_pages, unsubscribes
from drumbeat.store.deliveries import Delivery, Key
from drumbeat.store.pages import Place
from drumbeat.store.received import ReceivedMessage
from drumbeat.store.task_pages import SoughtTasks
from drumbeat.store.transaction import Snapshot

MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether the address may be written to: why not and since when, what is in the way, until when it is away."""

    suppressed: Suppression | None = None
    suppressed_since: datetime | None = None
    evidence: str = ""
    undeliverable: str | None = None
    away_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PersonPage:
    """The newest of each kind first, MOST_SHOWN at most; `subjects` are of letters whose content is kept."""

    enrollments: Sequence[Enrollment]
    sequences: dict[int, SequenceSettings]
    letters: Sequence[Delivery]
    subjects: dict[Key, str]
    received: Sequence[ReceivedMessage]
    tasks: Sequence[Task]
    consent: Consent


def person_page(snapshot: Snapshot, person: Person, *, seen_by: int | None = None) -> PersonPage:
    """What a person's page shows; of enrollments and tasks only those that are seen."""
    account_id = person.account_id
    listed = enrollment_pages.list_page(
        snapshot,
        account_id,
        resource_type=person.kind,
        resource_ids=[person.id],
        descending=True,
        limit=MOST_SHOWN,
    )
    runs = [each for each in listed if sees(seen_by, each.subject.actor_id)]
    ids = [each.id for each in runs]
    sought = SoughtTasks(resource_type=person.kind.value, resource_id=person.id)
    place = Place(limit=MOST_SHOWN, descending=True)
    letters = deliveries.list_of_enrollments(snapshot, account_id, ids, MOST_SHOWN) if ids else []
    return PersonPage(
        enrollments=runs,
        sequences=sequences.find_many(snapshot, account_id, sorted({e.subject.sequence_id for e in runs})),
        letters=letters,
        subjects=_subjects(runs, letters),
        received=received.list_of_enrollments(snapshot, account_id, ids, MOST_SHOWN) if ids else [],
        tasks=task_pages.list_page(snapshot, account_id, sought, place, seen_by=seen_by),
        consent=_consent(snapshot, person),
    )


def _subjects(runs: Sequence[Enrollment], letters: Sequence[Delivery]) -> dict[Key, str]:
    by_id = {each.id: each for each in runs}
    subjects = {}
    for letter in letters:
        step = by_id[letter.enrollment_id].plan.steps[letter.position]
        with suppress(MissingTags, Refused):
            subjects[letter.key] = rendered_letter(step, read_frozen(letter.frozen)).subject
    return subjects


def _consent(snapshot: Snapshot, person: Person) -> Consent:
    address = person.address_hash
    if address is None:
        return Consent()
    account_id = person.account_id
    suppressed = unsubscribes.find_suppressed(snapshot, account_id, address)
    away = received.away_among(snapshot, account_id, [address], snapshot.now).get(address)
    return Consent(
        suppressed=suppressed.cause if suppressed else None,
        suppressed_since=suppressed.created_at if suppressed else None,
        evidence=suppressed.evidence if suppressed else "",
        undeliverable=unsubscribes.undeliverable_among(snapshot, account_id, [address]).get(address),
        away_until=away.until if away else None,
    )
