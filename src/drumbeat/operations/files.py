"""Sequences as files: what applying them would change, in words; changing it; and writing such a file.

Nothing is removed because a file does not name it. A template's new text reaches a sequence when the
sequence stands in the files too: then it is published again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from drumbeat.domain.account import User
from drumbeat.domain.person import NOT_MAILABLE, Person, address_hash, address_key, is_mailable
from drumbeat.domain.sequence import Sequence as LiveSequence
from drumbeat.domain.sequence import SequenceStatus, Split, Step, Version
from drumbeat.operations import sequences as changing
from drumbeat.operations.calendars import add_calendar, change_calendar, find_calendar
from drumbeat.operations.desired import (
    Desired,
    DesiredCalendar,
    DesiredPerson,
    DesiredSequence,
    DesiredTemplate,
    Reference,
)
from drumbeat.operations.reading import read_files
from drumbeat.operations.records import PersonFields, add_person, change_person, fields_of
from drumbeat.operations.sequences import SequenceSettings, creator_of, settings_of, warnings_of
from drumbeat.operations.writing import export, exported_attachments
from drumbeat.store import accounts, events, people, sequences, templates
from drumbeat.store.templates import StoredTemplate
from drumbeat.store.transaction import Snapshot, Tx

__all__ = ["Change", "apply", "export", "exported_attachments", "plan", "read_files"]

_NEW = 0  # the id of what does not exist yet


@dataclass(frozen=True, slots=True)
class Change:
    """What applying files changes, in words, and what its author should know about it."""

    text: str
    warnings: tuple[str, ...] = ()
    carry_out: Callable[[_Applying], None] = field(compare=False, repr=False, default=lambda _: None)

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class _Standing:
    """What files refer to by name, as it stands, with what the files bring laid over it."""

    calendar_ids: dict[str, int]
    templates: dict[str, StoredTemplate]
    sequences: dict[str, LiveSequence]
    versions: Mapping[tuple[int, int], Version]
    users: dict[str, User]

    def sequence_ids(self) -> dict[str, int]:
        """The sequences' ids by name."""
        return {name: sequence.id for name, sequence in self.sequences.items()}


@dataclass(slots=True)
class _Applying:
    tx: Tx
    account_id: int
    actor_id: int | None
    hash_key: bytes
    contents: Mapping[str, bytes]
    standing: _Standing
    later: list[Callable[[], object]] = field(default_factory=list)


def plan(snapshot: Snapshot, account_id: int, desired: Desired, hash_key: bytes) -> list[Change]:
    """What applying the files would change, in order; empty if everything is so already.

    InFile names the place of a reference to something that is neither in the files nor in the account.
    """
    return _differences(snapshot, account_id, desired, hash_key, _stand(snapshot, account_id))


def apply(tx: Tx, account_id: int, actor_id: int | None, desired: Desired, hash_key: bytes) -> list[Change]:
    """Make everything as the files ask for; returns what changed. Applying again changes nothing."""
    standing = _stand(tx, account_id)
    changes = _differences(tx, account_id, desired, hash_key, standing)
    applying = _Applying(tx, account_id, actor_id, hash_key, desired.contents, standing)
    for change in changes:
        change.carry_out(applying)
    for finish in applying.later:
        finish()
    if changes:
        events.journal(
            tx,
            account_id,
            "files_applied",
            subject="account",
            subject_id=account_id,
            actor_id=actor_id,
            changes=[change.text for change in changes[:100]],
            changes_total=len(changes),
        )
    return changes


def _stand(snapshot: Snapshot, account_id: int) -> _Standing:
    live = sequences.list_all(snapshot, account_id)
    users = sorted(accounts.list_users(snapshot, account_id), key=lambda user: (user.is_active, -user.id))
    return _Standing(
        calendar_ids={each.name: each.id for each in templates.list_calendars(snapshot, account_id)},
        templates={each.name: each for each in templates.list_all(snapshot, account_id)},
        sequences={each.name: each for each in live},
        versions=sequences.find_versions(
            snapshot, account_id, [(each.id, each.version) for each in live if each.version]
        ),
        users={address_key(user.email): user for user in users},
    )


def _differences(
    snapshot: Snapshot, account_id: int, desired: Desired, hash_key: bytes, standing: _Standing
) -> list[Change]:
    changes = [*_calendar_changes(snapshot, account_id, desired, standing)]
    changes += _template_changes(desired, standing)
    created = [each for each in desired.sequences if each.name not in standing.sequences]
    names = standing.sequence_ids() | {each.name: _NEW for each in created}
    for sequence in desired.sequences:
        _settings(sequence, standing, names)  # refuses what it refers to in vain, before anything changes
    changes += [_creation(each, standing) for each in created]
    for sequence in desired.sequences:
        if sequence.name in standing.sequences:
            changes += _sequence_changes(sequence, standing, names)
    for person in desired.people:
        changes += _person_changes(snapshot, account_id, person, hash_key)
    return changes


def _calendar_changes(snapshot: Snapshot, account_id: int, desired: Desired, standing: _Standing) -> Iterator[Change]:
    known = {each.name: each.holidays for each in templates.list_calendars(snapshot, account_id)}
    for calendar in desired.calendars:
        standing.calendar_ids.setdefault(calendar.name, _NEW)
        if known.get(calendar.name) != calendar.holidays:
            verb = "change" if calendar.name in known else "create"
            act = partial(_save_calendar, calendar)
            yield Change(f"{verb} calendar {calendar.name!r}", carry_out=act)


def _save_calendar(calendar: DesiredCalendar, to: _Applying) -> None:
    account_id, known = to.account_id, find_calendar(to.tx, to.account_id, calendar.name)
    if known is None:
        known = add_calendar(to.tx, account_id, calendar.name, calendar.holidays, to.actor_id)
    else:
        change_calendar(to.tx, account_id, known.id, holidays=calendar.holidays, actor_id=to.actor_id)
    to.standing.calendar_ids[calendar.name] = known.id


def _template_changes(desired: Desired, standing: _Standing) -> Iterator[Change]:
    for template in desired.templates:
        before = standing.templates.get(template.name)
        id = _NEW if before is None else before.id
        after = StoredTemplate(id, template.name, template.source, template.attachments)
        standing.templates[template.name] = after
        act = partial(_save_template, template)
        if before is None:
            yield Change(f"create template {template.name!r}", carry_out=act)
        elif before != after:
            parts = [part for part in ("subject", "html", "text") if _part(before, part) != _part(after, part)]
            parts += ["attachments"] if before.attachments != after.attachments else []
            yield Change(f"change template {template.name!r}: {', '.join(parts)}", carry_out=act)


def _part(template: StoredTemplate, part: str) -> object:
    return getattr(template.source, part)


def _save_template(template: DesiredTemplate, to: _Applying) -> None:
    for attachment in template.attachments:
        content = to.contents[attachment.sha256]
        templates.keep_attachment(to.tx, to.account_id, attachment.sha256, content)
    stored = to.standing.templates[template.name]
    if stored.id == _NEW:
        stored = templates.add(to.tx, to.account_id, template.name, template.source, template.attachments)
        to.standing.templates[template.name] = stored
    else:
        templates.save(to.tx, to.account_id, stored)


def _settings(desired: DesiredSequence, standing: _Standing, ids: Mapping[str, int]) -> SequenceSettings:
    """The settings with what they refer to looked up; also looks for the templates of the steps."""
    _steps(desired, standing)
    actor = desired.actor
    user = None if actor is None else standing.users.get(address_key(actor.name))
    if actor is not None and user is None:
        actor.place.refuse(f"There is no user {actor.name!r} in the account.")
    variant = desired.variant
    return SequenceSettings(
        name=desired.name,
        time_zone=desired.time_zone,
        default_actor_id=None if user is None else user.id,
        calendar_id=_found(desired.calendar, standing.calendar_ids, "calendar"),
        windows=desired.windows,
        window_zone=desired.window_zone,
        unsubscribing=desired.unsubscribing,
        split=None if variant is None else Split(_found(variant, ids, "sequence") or _NEW, desired.share),
        reenroll_after=desired.reenroll_after,
    )


def _found(reference: Reference | None, ids: Mapping[str, int], noun: str) -> int | None:
    if reference is None:
        return None
    if reference.name not in ids:
        reference.place.refuse(f"There is no {noun} {reference.name!r} in the files or in the account.")
    return ids[reference.name]


def _steps(desired: DesiredSequence, standing: _Standing) -> tuple[Step, ...]:
    steps = []
    for step in desired.steps:
        plain = Step(step.action_type, step.delay, task_content=step.task_content)
        if step.template is not None:
            template = standing.templates.get(step.template.name)
            if template is None:
                sentence = f"There is no template {step.template.name!r} in the files or in the account."
                step.template.place.refuse(sentence)
            plain = replace(
                plain,
                email_template_id=template.id,
                is_reply=step.is_reply,
                template=template.source,
                attachments=template.attachments,
            )
        steps.append(plain)
    return tuple(steps)


def _creation(desired: DesiredSequence, standing: _Standing) -> Change:
    text = f"create sequence {desired.name!r} ({_counted(desired.steps)})"
    if desired.status is not SequenceStatus.ACTIVE:
        text += f", {desired.status}"
    warnings = _warnings(desired, standing)
    return Change(text, warnings, partial(_create, desired))


def _counted(steps: Sequence[object]) -> str:
    return "1 step" if len(steps) == 1 else f"{len(steps)} steps"


def _warnings(desired: DesiredSequence, standing: _Standing) -> tuple[str, ...]:
    with desired.place.judged():
        return tuple(f"{desired.name!r}: {each}" for each in warnings_of(_steps(desired, standing)))


def _create(desired: DesiredSequence, to: _Applying) -> None:
    # Variant B may come later in the files, so it is named at the end.
    alone = replace(desired, variant=None)
    settings = _settings(alone, to.standing, {})
    with desired.place.judged():
        created = changing.create(to.tx, to.account_id, to.actor_id, settings)
    to.standing.sequences[desired.name] = created
    if desired.steps:
        _publish(desired, to)
    _set_status(desired, to)
    if desired.variant is not None:
        to.later.append(partial(_change, desired, to))


def _sequence_changes(desired: DesiredSequence, standing: _Standing, ids: Mapping[str, int]) -> Iterator[Change]:
    live = standing.sequences[desired.name]
    changed = _changed_settings(settings_of(live), _settings(desired, standing, ids))
    if changed:
        change = lambda to: to.later.append(partial(_change, desired, to))  # noqa: E731
        yield Change(f"change {desired.name!r}: {', '.join(changed)}", carry_out=change)
    version = standing.versions.get((live.id, live.version))
    steps, published = _steps(desired, standing), version.steps if version else ()
    if steps != published:
        if not steps:
            desired.place.refuse("Its published steps cannot be taken away; keep one, or archive it.")
        what = ", ".join(_step_changes(published, steps)) if published else _counted(steps)
        text = f"publish version {live.version + 1} of {desired.name!r}: {what}"
        yield Change(text, _warnings(desired, standing), partial(_publish, desired))
    if live.status is not desired.status:
        if desired.status is SequenceStatus.DRAFT:
            desired.place.refuse(f"It is {live.status}, no draft any more; write 'status: paused'.")
        yield Change(f"{_verb(live.status, desired.status)} {desired.name!r}", (), partial(_set_status, desired))


def _changed_settings(before: SequenceSettings, after: SequenceSettings) -> list[str]:
    return [
        _SETTING_WORDS.get(each.name, each.name.replace("_", " "))
        for each in fields(before)
        if getattr(before, each.name) != getattr(after, each.name)
    ]


_SETTING_WORDS = {
    "default_actor_id": "actor",
    "calendar_id": "calendar",
    "unsubscribing": "unsubscribe",
    "split": "variant",
    "reenroll_after": "re-enrolling",
}


def _step_changes(before: Sequence[Step], after: Sequence[Step]) -> Iterator[str]:
    for position in range(max(len(before), len(after))):
        if position >= len(after):
            yield f"step {position} removed"
        elif position >= len(before):
            yield f"step {position} added"
        elif before[position] != after[position]:
            yield f"step {position} {_step_change(before[position], after[position])} changed"


def _step_change(before: Step, after: Step) -> str:
    names = {
        "action_type": "type",
        "email_template_id": "template",
        "template": "text",
        "task_content": "text",
        "is_reply": "reply",
    }
    changed = [each.name for each in fields(before) if getattr(before, each.name) != getattr(after, each.name)]
    return " and ".join(dict.fromkeys(names.get(name, name) for name in changed))


def _verb(before: SequenceStatus, after: SequenceStatus) -> str:
    if after is SequenceStatus.ACTIVE:
        return "resume" if before is SequenceStatus.PAUSED else "activate"
    return "pause" if after is SequenceStatus.PAUSED else "archive"


def _change(desired: DesiredSequence, to: _Applying) -> None:
    live = to.standing.sequences[desired.name]
    settings = _settings(desired, to.standing, to.standing.sequence_ids())
    with desired.place.judged():
        changing.change_settings(to.tx, to.account_id, live.id, settings, to.actor_id)


def _publish(desired: DesiredSequence, to: _Applying) -> None:
    live = to.standing.sequences[desired.name]
    with desired.place.judged():
        changing.publish(to.tx, live, _steps(desired, to.standing), to.actor_id)


def _set_status(desired: DesiredSequence, to: _Applying) -> None:
    live = to.standing.sequences[desired.name]
    paused = desired.status is SequenceStatus.PAUSED
    through_active = paused and live.status is not SequenceStatus.ACTIVE
    with desired.place.judged():
        if through_active:
            changing.set_status(to.tx, to.account_id, live.id, SequenceStatus.ACTIVE, to.actor_id)
        changing.set_status(to.tx, to.account_id, live.id, desired.status, to.actor_id)


def _person_changes(snapshot: Snapshot, account_id: int, desired: DesiredPerson, hash_key: bytes) -> Iterator[Change]:
    hashed = address_hash(hash_key, account_id, desired.email)
    person = people.find_by_address(snapshot, account_id, desired.kind, hashed)
    if person is None:
        warnings = () if is_mailable(desired.email) else (NOT_MAILABLE,)
        yield Change(f"add {desired.kind} {desired.email}", warnings, partial(_add_person, desired))
        return
    before, after = fields_of(person), _filled(fields_of(person), desired)
    changed = [each.name for each in fields(before) if getattr(before, each.name) != getattr(after, each.name)]
    if changed:
        text = f"change {desired.kind} {desired.email}: {', '.join(changed).replace('_', ' ')}"
        yield Change(text, carry_out=partial(_change_person, desired, person, after))


def _filled(before: PersonFields, desired: DesiredPerson) -> PersonFields:
    custom = {**before.custom, **desired.custom}
    kept = {name: value for name, value in custom.items() if value is not None}
    fields: Mapping[str, Any] = desired.fields
    return replace(before, email=desired.email, custom=kept, **fields)


def _add_person(desired: DesiredPerson, to: _Applying) -> None:
    owner = creator_of(to.tx, to.account_id, to.actor_id)
    filled = _filled(PersonFields(), desired)
    with desired.place.judged():
        add_person(to.tx, to.hash_key, to.account_id, owner, desired.kind, filled)


def _change_person(desired: DesiredPerson, person: Person, filled: PersonFields, to: _Applying) -> None:
    with desired.place.judged():
        change_person(to.tx, to.hash_key, person, filled)
