"""What happens to sequences: settings, publication and status change, and running enrollments hear of it.

A change that concerns running enrollments (pause, its end, new windows or holidays) is queued in the
transaction that makes it, and `carry_replan` carries it to them in bounded batches, strictly in order.
"""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta

from msgspec import structs

from drumbeat.domain.account import Role
from drumbeat.domain.calendar import LONGEST_DELAY, Delay, Window, zone_named
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.errors import (
    ActorUnavailable,
    AlreadyExists,
    BlankField,
    IncorrectValue,
    MissingField,
    SequenceEmpty,
)
from drumbeat.domain.happening import Decision, Frozen, RhythmChanged, Thawed
from drumbeat.domain.line import check_line
from drumbeat.domain.machine import decide
from drumbeat.domain.merge import is_known
from drumbeat.domain.sequence import (
    ActionType,
    Sequence,
    SequenceStatus,
    Split,
    Step,
    Unsubscribing,
    Version,
    WindowZone,
)
from drumbeat.domain.template import compile_template, compile_text
from drumbeat.operations.changes import Change, store
from drumbeat.operations.healing import release
from drumbeat.store import accounts, due, enrollments, events, replans, sequences, templates
from drumbeat.store.replans import Replan, ReplanKind
from drumbeat.store.transaction import Snapshot, Tx

# Tags that have a value in every letter.
_ALWAYS_THERE = frozenset(
    {"unsubscribe_url", "sender.name", "sender.email", "account.name", "person.email", "lead.email"} | {"contact.email"}
)


@dataclass(frozen=True, slots=True)
class SequenceSettings:
    """What a sequence is set to, beside its steps and its status."""

    name: str
    time_zone: str | None = None
    default_actor_id: int | None = None
    calendar_id: int | None = None
    windows: tuple[Window, ...] = ()
    window_zone: WindowZone = WindowZone.SEQUENCE
    unsubscribing: Unsubscribing = field(default_factory=Unsubscribing)
    split: Split | None = None
    reenroll_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A new version, and what its author should know about it."""

    version: Version
    warnings: tuple[str, ...]


def settings_of(sequence: Sequence) -> SequenceSettings:
    """What a sequence is set to, its windows in order."""
    values = {each.name: getattr(sequence, each.name) for each in fields(SequenceSettings)}
    return SequenceSettings(**values | {"windows": tuple(sorted(set(sequence.windows)))})


def create(tx: Tx, account_id: int, actor_id: int | None, draft: SequenceSettings) -> Sequence:
    """A new draft without steps; Invalid names the setting that is not acceptable."""
    sequence = Sequence(
        account_id=account_id,
        id=0,
        name=draft.name,
        status=SequenceStatus.DRAFT,
        creator_id=creator_of(tx, account_id, actor_id),
        version=0,
        steps_total=0,
    )
    _check(tx, sequence, draft)
    added = sequences.add(tx, _with(sequence, draft))
    _journal(tx, added, "sequence_created", actor_id)
    return sequences.get(tx, account_id, added.id)


def creator_of(snapshot: Snapshot, account_id: int, actor_id: int | None) -> int:
    """Who made what `actor_id` makes; if nobody, as on the command line, the account's first active admin."""
    if actor_id is not None:
        return actor_id
    for user in accounts.list_users(snapshot, account_id):
        if user.is_active and user.role is Role.ADMIN:
            return user.id
    raise ActorUnavailable("The account has no active admin.")


def change_settings(tx: Tx, account_id: int, id: int, settings: SequenceSettings, actor_id: int | None) -> Sequence:
    """Set a sequence anew; a change of windows or calendar also moves the steps that wait."""
    sequence = sequences.lock(tx, account_id, id)
    before, after = settings_of(sequence), settings_of(_with(sequence, settings))
    if before == after:
        return sequence
    _check(tx, sequence, after)
    sequences.save(tx, _with(sequence, after))
    if sequence.version and _rhythm_of(before) != _rhythm_of(after):
        replans.add(tx, account_id, id, ReplanKind.RHYTHM)
    if before.unsubscribing.enabled and not after.unsubscribing.enabled:
        release(tx, account_id, [FailureReason.SENDOUT_DISABLED])  # what lacked a postal address needs none now
    changed = [f.name for f in fields(after) if getattr(before, f.name) != getattr(after, f.name)]
    _journal(tx, sequence, "sequence_changed", actor_id, changed=changed)
    return sequences.get(tx, account_id, id)


def _with(sequence: Sequence, settings: SequenceSettings) -> Sequence:
    return replace(sequence, **{each.name: getattr(settings, each.name) for each in fields(settings)})


def _rhythm_of(settings: SequenceSettings) -> tuple[object, ...]:
    return settings.windows, settings.window_zone, settings.calendar_id


def _check(tx: Tx, sequence: Sequence, settings: SequenceSettings) -> None:
    others = [each for each in sequences.list_all(tx, sequence.account_id) if each.id != sequence.id]
    check_line(settings.name, "name")
    if any(other.name == settings.name for other in others):
        raise AlreadyExists(f"Another sequence has the name {settings.name!r}.", field="name")
    if settings.time_zone is not None:
        zone_named(settings.time_zone)
    if settings.reenroll_after is not None and settings.reenroll_after < timedelta(0):
        raise IncorrectValue("Re-enrolling cannot be limited to a time below zero.", field="reenroll_after")
    _check_references(tx, sequence.account_id, settings)
    if settings.split is not None:
        _check_split(settings.split, [other.id for other in others])


def _check_references(tx: Tx, account_id: int, settings: SequenceSettings) -> None:
    actor_id, calendar_id = settings.default_actor_id, settings.calendar_id
    if actor_id is not None and accounts.find_user(tx, account_id, actor_id) is None:
        raise IncorrectValue("There is no such user.", field="default_actor_id")
    calendars = {each.id for each in templates.list_calendars(tx, account_id)}
    if calendar_id is not None and calendar_id not in calendars:
        raise IncorrectValue("There is no such calendar.", field="calendar_id")


def _check_split(split: Split, other_ids: Several[int]) -> None:
    if split.variant_b_id not in other_ids:
        raise IncorrectValue("Variant B is another sequence of the account.", field="split")
    if not 1 <= split.share <= 99:
        raise IncorrectValue("Variant B's share is a percentage from 1 to 99.", field="split")


@dataclass(frozen=True, slots=True)
class WantedStep:
    """A step to be published; a letter's names the template that it is made from."""

    action_type: ActionType
    delay: Delay
    email_template_id: int | None = None
    is_reply: bool = False
    task_content: str | None = None


def steps_wanted(snapshot: Snapshot, account_id: int, wanted: Several[WantedStep]) -> list[Step]:
    """The steps with the texts that their templates have now; IncorrectValue names the place of what is wrong."""
    known = {template.id: template for template in templates.list_all(snapshot, account_id)}
    steps = []
    for number, step in enumerate(wanted):
        template = known.get(step.email_template_id or 0)
        at = f"steps[{number}]"
        if step.action_type is ActionType.TASK and (step.email_template_id is not None or step.is_reply):
            raise IncorrectValue("A task has no template and is no reply.", field=f"{at}.email_template_id")
        if step.action_type is ActionType.AUTOMATED_EMAIL and step.task_content is not None:
            raise IncorrectValue("A letter has no task's words.", field=f"{at}.task_content")
        if step.email_template_id is not None and template is None:
            raise IncorrectValue(f"There is no template {step.email_template_id}.", field=f"{at}.email_template_id")
        plain = Step(step.action_type, step.delay, step.email_template_id, step.is_reply)
        if template is None:
            steps.append(replace(plain, task_content=step.task_content))
        else:
            steps.append(replace(plain, template=template.source, attachments=template.attachments))
    return steps


def publish(tx: Tx, sequence: Sequence, steps: Several[Step], actor_id: int | None = None) -> Published:
    """Make the next version; SequenceEmpty without steps, TemplateSyntax if one of their texts fails."""
    if not steps:
        raise SequenceEmpty("Add a step before you publish.")
    for step in steps:
        check_step(step)
    if sum(step.delay.amount for step in steps) > LONGEST_DELAY:
        raise IncorrectValue(f"All delays together may be at most {LONGEST_DELAY} hours or weekdays.", field="steps")
    current = sequences.lock(tx, sequence.account_id, sequence.id)
    version = sequences.publish(tx, current, steps)
    _journal(tx, current, "sequence_published", actor_id, version=version.number)
    return Published(version, warnings_of(steps))


def check_step(step: Step) -> None:
    """Refuse a step that cannot be published: TemplateSyntax, or Invalid on what it lacks."""
    if not step.is_letter:
        if not (step.task_content or "").strip():
            raise BlankField("A task step needs words.", field="task_content")
        if "unsubscribe_url" in compile_text(step.task_content or "").tags:
            raise IncorrectValue("A task goes to a user, who has nothing to unsubscribe from.", field="task_content")
    elif step.template is None:
        raise MissingField("An e-mail step needs a template.", field="email_template_id")
    else:
        compile_template(step.template)


def warnings_of(steps: Several[Step]) -> tuple[str, ...]:
    """What its author should look at: why step 0 could block, tags of no known field, a thread without a subject."""
    told: list[str] = []
    for position, step in enumerate(steps):
        if step.template is None:
            tags = compile_text(step.task_content or "").tags
        else:
            template = compile_template(step.template)
            tags = template.tags
            shown = [tag for tag in template.undefaulted if tag not in _ALWAYS_THERE and position == 0]
            told += [f"step 0 can block: {{{{ {tag} }}}} has no default" for tag in shown]
            continues = step.is_reply and any(before.is_letter for before in steps[:position])
            if not continues and not step.template.subject.strip():
                told.append(f"step {position} has no subject")
        told += [f"step {position}: there is no field {{{{ {tag} }}}}" for tag in sorted(tags) if not is_known(tag)]
    return tuple(told)


def set_status(tx: Tx, account_id: int, id: int, status: SequenceStatus, actor_id: int | None) -> Sequence:
    """Activate, pause, resume or archive; setting the status it has changes nothing.

    IncorrectValue if it cannot become that, SequenceEmpty if there is no version to activate.
    """
    sequence = sequences.lock(tx, account_id, id)
    if status is sequence.status:
        return sequence
    if status not in _NEXT_STATUS[sequence.status]:
        raise IncorrectValue(f"A sequence that is {sequence.status} cannot become {status}.", field="status")
    if status is SequenceStatus.ACTIVE and not sequence.version:
        raise SequenceEmpty("Publish its steps before you activate it.")
    if sequence.status is SequenceStatus.PAUSED:
        replans.add(tx, account_id, id, ReplanKind.THAW, sequence.paused_at)
    if status is SequenceStatus.PAUSED:
        replans.add(tx, account_id, id, ReplanKind.FREEZE)
    sequences.set_status(tx, sequence, status)
    _journal(tx, sequence, _STATUS_FACTS[status], actor_id, was=sequence.status)
    return sequences.get(tx, account_id, id)


_NEXT_STATUS = {
    SequenceStatus.DRAFT: {SequenceStatus.ACTIVE, SequenceStatus.ARCHIVED},
    SequenceStatus.ACTIVE: {SequenceStatus.PAUSED, SequenceStatus.ARCHIVED},
    SequenceStatus.PAUSED: {SequenceStatus.ACTIVE, SequenceStatus.ARCHIVED},
    SequenceStatus.ARCHIVED: {SequenceStatus.ACTIVE},
}
_STATUS_FACTS = {
    SequenceStatus.ACTIVE: "sequence_activated",
    SequenceStatus.PAUSED: "sequence_paused",
    SequenceStatus.ARCHIVED: "sequence_archived",
}


def _journal(tx: Tx, sequence: Sequence, fact: str, actor_id: int | None, **cause: object) -> None:
    events.journal(
        tx,
        sequence.account_id,
        fact,
        subject="sequence",
        subject_id=sequence.id,
        actor_id=actor_id,
        **cause,
    )


def carry_replan(tx: Tx, replan: Replan, limit: int = 500) -> bool:
    """Carry a queued change to the next `limit` enrollments; False if another worker is at it.

    A freeze reaches leased letters too and ends their lease: with no instant nobody claims them again,
    and the point of no return refuses the letter in the works. A change of rhythm leaves leased ones
    alone: the next claim looks at the windows anyway.
    """
    if not replans.lock(tx, replan):
        return False
    account_id = replan.account_id
    listed = enrollments.list_waiting(tx, account_id, replan.sequence_id, replan.after_enrollment_id, limit)
    ids = [each.id for each in listed]
    locked = enrollments.lock(tx, account_id, ids)
    tries = due.get_attempt(tx, account_id, ids)
    leased = _left_alone(tx, replan, ids)
    paused_after = replans.is_paused_after(tx, replan)
    changes = []
    for enrollment in locked:
        if enrollment.id in tries and enrollment.id not in leased:
            _, attempt, first_tried_at = tries[enrollment.id]
            decision = _replanned(tx, replan, enrollment, paused_after=paused_after)
            changes.append(Change(decision, enrollment.revision, attempt, first_tried_at))
    store(tx, account_id, changes)
    replans.carry(tx, replan, ids[-1] if len(ids) == limit else None)
    return True


def _left_alone(tx: Tx, replan: Replan, ids: Several[int]) -> frozenset[int]:
    if replan.kind is not ReplanKind.RHYTHM:
        return frozenset()
    return replans.leased_among(tx, replan.account_id, ids)


def _replanned(tx: Tx, replan: Replan, enrollment: Enrollment, *, paused_after: bool) -> Decision:
    if paused_after:
        # Nothing may leave between this change and the pause, or the end of one, that is queued behind it.
        enrollment = structs.replace(enrollment, plan=replace(enrollment.plan, paused=True))
    if replan.kind is ReplanKind.FREEZE:
        return decide(enrollment, Frozen(), tx.now)
    if replan.kind is ReplanKind.RHYTHM:
        return decide(enrollment, RhythmChanged(), tx.now)
    if enrollment.due_at is not None:
        return Decision(enrollment)  # planned since the sequence goes on
    if enrollment.anchor_at >= replan.at or replan.frozen_at is None:
        return decide(enrollment, RhythmChanged(), tx.now)
    decision = decide(enrollment, Thawed(replan.frozen_at), replan.at)
    if decision.enrollment is enrollment:
        return decision
    return replace(decision, enrollment=structs.replace(decision.enrollment, updated_at=tx.now))
