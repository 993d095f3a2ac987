"""Working at a sequence's steps: a draft is kept, compared with what is published, planned for a day, and published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from enum import StrEnum
from hashlib import sha256

import msgspec

from drumbeat.domain.account import Account, User
from drumbeat.domain.calendar import Delay, Unit
from drumbeat.domain.enrollment import Plan
from drumbeat.domain.errors import ChangedMeanwhile, IncorrectValue
from drumbeat.domain.sequence import ActionType, Step, Version
from drumbeat.domain.sequence import Sequence as SequenceSettings
from drumbeat.domain.timeline import forecast
from drumbeat.operations.sequences import WantedStep, publish, steps_wanted
from drumbeat.store import drafts, sequences
from drumbeat.store.transaction import Snapshot, Tx

MOST_STEPS = 100


class DraftStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step as it is worked at; a letter may still lack its template, a task its words."""

    action_type: ActionType
    amount: int = 0
    unit: Unit = Unit.HOURS
    template_id: int | None = None
    is_reply: bool = False
    task: str = ""

    def wanted(self) -> WantedStep:
        """The step as it is to be published."""
        delay = Delay(self.amount, self.unit)
        if self.action_type is ActionType.TASK:
            return WantedStep(ActionType.TASK, delay, task_content=self.task)
        return WantedStep(ActionType.AUTOMATED_EMAIL, delay, self.template_id, self.is_reply)


@dataclass(frozen=True, slots=True)
class Drafted:
    """The steps somebody works at, and whether they are saved or only those that are published."""

    steps: list[DraftStep]
    is_saved: bool

    @property
    def mark(self) -> str:
        """What changes whenever the steps do: who fills a form with them tells by it whether others drafted since."""
        return _mark_of(self.steps)


def _mark_of(value: object) -> str:
    return sha256(msgspec.json.encode(value)).hexdigest()[:32]


def draft_of(snapshot: Snapshot, sequence: SequenceSettings) -> Drafted:
    """The draft as it was saved, or the published steps to begin with."""
    saved = drafts.find(snapshot, sequence.account_id, sequence.id)
    if saved is not None:
        return Drafted(msgspec.json.decode(saved, type=list[DraftStep]), is_saved=True)
    return Drafted([_drafted(step) for step in published_steps(snapshot, sequence)], is_saved=False)


def published_steps(snapshot: Snapshot, sequence: SequenceSettings) -> tuple[Step, ...]:
    """The steps that whoever is enrolled now runs; none before the first publication."""
    if not sequence.version:
        return ()
    return sequences.get_version(snapshot, sequence.account_id, sequence.id, sequence.version).steps


def _drafted(step: Step) -> DraftStep:
    return DraftStep(
        step.action_type,
        step.delay.amount,
        step.delay.unit,
        step.email_template_id,
        step.is_reply,
        step.task_content or "",
    )


def save_draft(tx: Tx, account_id: int, sequence_id: int, steps: Sequence[DraftStep], *, begun_with: str = "") -> None:
    """Keep the steps; those that are as published are no draft any more.

    ChangedMeanwhile where the draft is no longer the one with the mark `begun_with`, and not what is to be kept.
    """
    sequence = sequences.lock(tx, account_id, sequence_id)
    if len(steps) > MOST_STEPS:
        raise IncorrectValue(f"A sequence has at most {MOST_STEPS} steps.", field="steps")
    now = draft_of(tx, sequence)
    if begun_with not in ("", now.mark) and list(steps) != now.steps:
        raise ChangedMeanwhile("Somebody else kept another draft.")
    if sequence.version and list(steps) == [_drafted(step) for step in published_steps(tx, sequence)]:
        drafts.delete(tx, account_id, sequence.id)
        return
    drafts.save(tx, account_id, sequence.id, msgspec.json.encode(list(steps)).decode())


def discard_draft(tx: Tx, account_id: int, sequence_id: int) -> None:
    """Begin again with what is published."""
    sequences.lock(tx, account_id, sequence_id)
    drafts.delete(tx, account_id, sequence_id)


@dataclass(frozen=True, slots=True)
class Review:
    """What publishing would make now: the version's number, and its steps with the texts their templates have."""

    number: int
    steps: list[Step]

    @property
    def mark(self) -> str:
        """What changes whenever any of it does."""
        return _mark_of((self.number, self.steps))


def review(snapshot: Snapshot, sequence: SequenceSettings) -> Review:
    """What publishing the draft would make; IncorrectValue names the place of what is wrong."""
    wanted = [step.wanted() for step in draft_of(snapshot, sequence).steps]
    return Review(sequence.version + 1, steps_wanted(snapshot, sequence.account_id, wanted))


def publish_draft(tx: Tx, account_id: int, sequence_id: int, actor_id: int, reviewed: str) -> Version:
    """Make the draft the next version, as it was looked at: `reviewed` is the mark of its review.

    Running enrollments keep their version. ChangedMeanwhile if it would not be what was looked at; what was published
    just so already is not published again.
    """
    sequence = sequences.lock(tx, account_id, sequence_id)
    if reviewed == Review(sequence.version, list(published_steps(tx, sequence))).mark:
        return sequences.get_version(tx, account_id, sequence_id, sequence.version)
    found = review(tx, sequence)
    if reviewed != found.mark:
        raise ChangedMeanwhile("It changed meanwhile, and nothing is published: this is what would be now.")
    published = publish(tx, sequence, found.steps, actor_id)
    drafts.delete(tx, account_id, sequence_id)
    return published.version


class Kind(StrEnum):
    """What becomes of a step by publishing."""

    SAME = "same"
    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """A step before and after, and in words what changes in it."""

    kind: Kind
    before: Step | None
    after: Step | None
    changes: tuple[str, ...] = ()


def differences(before: Sequence[Step], after: Sequence[Step]) -> list[Difference]:
    """What publishing changes, in order; a step that was moved is gone in one place and new in another."""
    found: list[Difference] = []
    old_keys, new_keys = [_key(step) for step in before], [_key(step) for step in after]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old_keys, new_keys, autojunk=False).get_opcodes():
        old, new = list(before[i1:i2]), list(after[j1:j2])
        if tag == "equal":
            found += [Difference(Kind.SAME, a, b) for a, b in zip(old, new, strict=True)]
            continue
        paired = min(len(old), len(new))
        for a, b in zip(old[:paired], new[:paired], strict=True):
            found.append(Difference(Kind.CHANGED, a, b, _changes(a, b)))
        found += [Difference(Kind.GONE, step, None) for step in old[paired:]]
        found += [Difference(Kind.NEW, None, step) for step in new[paired:]]
    return found


def _key(step: Step) -> tuple[object, ...]:
    return (step.action_type, step.delay, step.is_reply, step.template, step.attachments, step.task_content)


def _changes(before: Step, after: Step) -> tuple[str, ...]:
    told = []
    if before.action_type is not after.action_type:
        return ("It becomes a letter." if after.is_letter else "It becomes a task.",)
    if before.delay != after.delay:
        told.append("another delay")
    if before.is_reply != after.is_reply:
        told.append("goes on in the thread" if after.is_reply else "begins a thread of its own")
    if before.email_template_id != after.email_template_id:
        told.append("another template")
    elif before.template != after.template:
        told.append("another text")
    if before.attachments != after.attachments:
        told.append("other attachments")
    if before.task_content != after.task_content:
        told.append("other words")
    return tuple(told)


def planned(
    sequence: SequenceSettings, account: Account, actor: User, steps: Sequence[DraftStep], start: datetime
) -> tuple[datetime, ...]:
    """When each step would run for somebody this user enrolls at `start`."""
    zone = sequence.time_zone or actor.time_zone or account.time_zone
    plain = tuple(Step(step.action_type, Delay(step.amount, step.unit)) for step in steps)
    return forecast(Plan(plain, sequence.rhythm(zone, None)), start)
