"""Writing an account's sequences, and what they need, as a file that `read_files` reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from drumbeat.domain.calendar import format_delay, format_windows
from drumbeat.domain.person import Person, PersonKind, address_key
from drumbeat.domain.sequence import Sequence, SequenceStatus, Step, Unsubscribing, WindowZone
from drumbeat.domain.template import Attachment, TemplateText
from drumbeat.operations.reading import PERSON_TEXTS, UNITS, content_type_of
from drumbeat.operations.yaml_text import write_yaml
from drumbeat.store import accounts, people, sequences, templates
from drumbeat.store.templates import StoredCalendar
from drumbeat.store.transaction import Snapshot

_PAGE = 1000
Written = dict[str, Any]


def export(snapshot: Snapshot, account_id: int) -> str:
    """The account's calendars, templates, sequences and people as one file; applying it changes nothing.

    A step whose template was edited since it was published, or is gone, is written with what would be
    published now, or with a template of its own. People without an address are left out. The attachments'
    contents are those of `exported_attachments`.
    """
    names, written = _templates(snapshot, account_id)
    live = sequences.list_all(snapshot, account_id)
    calendars = templates.list_calendars(snapshot, account_id)
    calendar_names = {each.id: each.name for each in calendars}
    emails = {user.id: user.email for user in accounts.list_users(snapshot, account_id)}
    sequence_names = {each.id: each.name for each in live}
    versions = sequences.find_versions(snapshot, account_id, [(s.id, s.version) for s in live if s.version])
    described = []
    for sequence in live:
        version = versions.get((sequence.id, sequence.version))
        steps = [
            _step(f"{sequence.name}, step {position}", step, names, written)
            for position, step in enumerate(version.steps if version else ())
        ]
        about = _sequence(sequence, calendar_names, emails, sequence_names)
        described.append({**about, "steps": steps})
    document = {
        "calendars": [_calendar(each) for each in calendars],
        "templates": written,
        "sequences": described,
        "people": [_person(each) for each in _addressed(snapshot, account_id)],
    }
    return write_yaml({name: members for name, members in document.items() if members})


def _templates(snapshot: Snapshot, account_id: int) -> tuple[dict[int, str], list[Written]]:
    stored = templates.list_all(snapshot, account_id)
    written = [_template(each.name, each.source, each.attachments) for each in stored]
    return {each.id: each.name for each in stored}, written


def _template(name: str, source: TemplateText, attachments: Iterable[Attachment]) -> Written:
    texts = {"subject": source.subject, "html": source.html, "text": source.text}
    told = {part: text for part, text in texts.items() if text is not None}
    files = [_attachment(each) for each in attachments]
    return {"name": name, **told, **({"attachments": files} if files else {})}


def _attachment(attachment: Attachment) -> str | Written:
    path = attachment_path(attachment)
    plain_name = path.rpartition("/")[2] == attachment.name
    if plain_name and attachment.content_type == content_type_of(attachment.name):
        return path
    return {"file": path, "name": attachment.name, "type": attachment.content_type}


def attachment_path(attachment: Attachment) -> str:
    """Where an attachment's content stands beside the exported file; two of the same name do not meet."""
    sound = "".join(c if c.isalnum() or c in " ._-()" else "_" for c in attachment.name).strip(" .")
    return f"attachments/{attachment.sha256[:16]}/{sound or 'file'}"


def exported_attachments(snapshot: Snapshot, account_id: int) -> Iterator[tuple[str, bytes]]:
    """The path, beside the exported file, and the content of every attachment the file names."""
    found = [each for template in templates.list_all(snapshot, account_id) for each in template.attachments]
    live = sequences.list_all(snapshot, account_id)
    keys = [(each.id, each.version) for each in live if each.version]
    for version in sequences.find_versions(snapshot, account_id, keys).values():
        found += [each for step in version.steps for each in step.attachments]
    for path, digest in sorted({(attachment_path(each), each.sha256) for each in found}):
        yield path, templates.attachment_content(snapshot, account_id, digest)


def _calendar(calendar: StoredCalendar) -> Written:
    holidays = calendar.holidays
    told = {"country": holidays.country, "region": holidays.region, "days": sorted(holidays.days)}
    return {"name": calendar.name, **{name: value for name, value in told.items() if value}}


def _step(described: str, step: Step, names: dict[int, str], written: list[Written]) -> Written:
    after = format_delay(step.delay)
    if not step.is_letter:
        return {"task": step.task_content, "after": after}
    assert step.email_template_id is not None
    assert step.template is not None
    if step.email_template_id not in names:
        names[step.email_template_id] = described
        written.append(_template(described, step.template, step.attachments))
    letter = {"email": names[step.email_template_id], "after": after}
    return {**letter, "reply": True} if step.is_reply else letter


def _sequence(
    sequence: Sequence, calendars: Mapping[int, str], emails: Mapping[int, str], names: Mapping[int, str]
) -> Written:
    told: Written = {"name": sequence.name}
    if sequence.status is not SequenceStatus.ACTIVE:
        told["status"] = sequence.status.value
    if sequence.time_zone is not None:
        told["time_zone"] = sequence.time_zone
    if sequence.calendar_id is not None:
        told["calendar"] = calendars[sequence.calendar_id]
    if sequence.default_actor_id is not None:
        told["actor"] = emails[sequence.default_actor_id]
    if sequence.windows:
        told["windows"] = list(format_windows(sequence.windows))
    if sequence.window_zone is not WindowZone.SEQUENCE:
        told["window_zone"] = sequence.window_zone.value
    if sequence.unsubscribing != Unsubscribing():
        unsubscribing = sequence.unsubscribing
        told["unsubscribe"] = {"enabled": unsubscribing.enabled, "locale": unsubscribing.locale}
    if sequence.reenroll_after is not None:
        told["reenroll_after"] = _duration(sequence.reenroll_after)
    if sequence.split is not None:
        told["variant"] = {"sequence": names[sequence.split.variant_b_id], "share": sequence.split.share}
    return told


def _duration(length: timedelta) -> str:
    unit, one = next((unit, one) for unit, one in UNITS.items() if not length % one)
    return f"{length // one} {unit}"


def _addressed(snapshot: Snapshot, account_id: int) -> Iterator[Person]:
    """Everybody with an address; of several with the same one, the person it means: the oldest."""
    for kind in PersonKind:
        after, met = 0, set[str]()
        while page := people.list_all(snapshot, account_id, kind, after, _PAGE):
            for person in page:
                if person.email is not None and address_key(person.email) not in met:
                    met.add(address_key(person.email))
                    yield person
            after = page[-1].id


def _person(person: Person) -> Written:
    told: Written = {"kind": person.kind.value, "email": person.email}
    texts = {"organization": person.organization_name} | {n: getattr(person, n) for n in PERSON_TEXTS}
    told |= {name: text for name, text in texts.items() if text}
    custom = {name: value for name, value in person.custom.items() if _is_plain(value)}
    return {**told, "custom": custom} if custom else told


def _is_plain(value: object) -> bool:
    members = value if isinstance(value, list) else [value]
    return not any(isinstance(member, dict | list) for member in members)
