"""One account with an owner, and what the tests do with its sequences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from drumbeat.domain.calendar import Delay, Unit
from drumbeat.domain.enrollment import Enrollment, Plan, Subject
from drumbeat.domain.machine import start
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import ActionType, Sequence, SequenceStatus, Step
from drumbeat.domain.template import TemplateText
from drumbeat.operations.sequences import SequenceSettings, carry_replan, create, publish, set_status
from drumbeat.store import accounts, enrollments, replans, sequences
from drumbeat.store.database import Database
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx
from drumbeat.testing.clock import FrozenClock

DRAFT, ACTIVE = SequenceStatus.DRAFT, SequenceStatus.ACTIVE
PAUSED, ARCHIVED = SequenceStatus.PAUSED, SequenceStatus.ARCHIVED
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class World:
    """One account with an owner, in one database."""

    database: Database
    clock: FrozenClock
    account_id: int
    owner_id: int


def letter(text: str = "Hello {{ person.first_name | default: 'there' }}", hours: int = 0) -> Step:
    """A step with a letter."""
    return Step(
        ActionType.AUTOMATED_EMAIL,
        Delay(hours, Unit.HOURS),
        email_template_id=1,
        template=TemplateText("Hi", None, text),
    )


def task(amount: int = 0, unit: Unit = Unit.HOURS) -> Step:
    """A step with a task."""
    return Step(ActionType.TASK, Delay(amount, unit), task_content="Call")


def drafted(tx: Tx, world: World, name: str = "Trial", **settings: object) -> Sequence:
    """A new draft."""
    return create(tx, world.account_id, world.owner_id, SequenceSettings(name, **settings))  # type: ignore[arg-type]


def active(tx: Tx, world: World, *steps: Step, name: str = "Trial", **settings: object) -> Sequence:
    """A published, active sequence."""
    sequence = drafted(tx, world, name, **settings)
    publish(tx, sequence, steps or [letter()], world.owner_id)
    return set_status(tx, world.account_id, sequence.id, ACTIVE, world.owner_id)


def enrolled(tx: Tx, world: World, sequence: Sequence) -> int:
    """Someone who runs the sequence from now on."""
    id = accounts.take_ids(tx, world.account_id, "enrollment")
    subject = Subject(
        actor_id=world.owner_id,
        resource_type=PersonKind.CONTACT,
        resource_id=id,
        address_hash=None,
        sequence_id=sequence.id,
        runs_sequence_id=sequence.id,
        version=sequence.version,
        variant=None,
        mailbox_id=None,
        zone="Europe/Berlin",
        recipient_zone=None,
    )
    version = sequences.get_version(tx, world.account_id, sequence.id, sequence.version)
    plan = Plan(version.steps, sequence.rhythm(subject.zone, None), sequence.status is PAUSED)
    enrollments.add(tx, [(start(world.account_id, id, subject, plan, tx.now, {}).enrollment, NO_MAILBOX)])
    return id


def carry_all(world: World, limit: int = 500) -> int:
    """Carry every queued change of the account to the end; returns in how many batches."""
    batches = 0
    while True:
        with world.database.write() as tx:
            replan = replans.find_next(tx)
            if replan is None:
                return batches
            assert carry_replan(tx, replan, limit)
            batches += 1


def fetched(world: World, id: int) -> Enrollment:
    """The enrollment as it stands."""
    with world.database.read() as snapshot:
        return enrollments.get(snapshot, world.account_id, id)


def status(world: World, sequence: Sequence, status: SequenceStatus) -> Sequence:
    """Set the status in a transaction of its own."""
    with world.database.write() as tx:
        return set_status(tx, world.account_id, sequence.id, status, world.owner_id)


def queued(snapshot: Snapshot, sequence: Sequence) -> list[str]:
    """The kinds of the changes queued for the sequence, in order."""
    kinds = Statement("SELECT kind FROM replans WHERE account_id = :account_id AND sequence_id = :id ORDER BY number")
    return [row[0] for row in snapshot.all(kinds, account_id=sequence.account_id, id=sequence.id)]


def journal(snapshot: Snapshot, world: World) -> list[str]:
    """The facts journalled for the account."""
    facts = Statement("SELECT fact FROM journal WHERE account_id = :account_id ORDER BY id")
    return [row[0] for row in snapshot.all(facts, account_id=world.account_id)]
