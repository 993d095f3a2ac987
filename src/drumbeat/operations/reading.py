"""Reading files: every field is checked as far as it can be without an account."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final, TypeVar

from drumbeat.domain.calendar import Holidays, Window, parse_delay, parse_window, zone_named
from drumbeat.domain.errors import Refused
from drumbeat.domain.line import check_line
from drumbeat.domain.person import PersonKind, address_key, normalize_email, normalize_phone
from drumbeat.domain.sequence import ActionType, SequenceStatus, Unsubscribing, WindowZone
from drumbeat.domain.template import CONTENT_TYPE, Attachment, TemplateText, compile_template, compile_text
from drumbeat.domain.unsubscribe import check_locale
from drumbeat.operations.desired import (
    Desired,
    DesiredCalendar,
    DesiredPerson,
    DesiredSequence,
    DesiredStep,
    DesiredTemplate,
    Reference,
)
from drumbeat.operations.templates import LARGEST_ATTACHMENT, LONGEST_SUBJECT
from drumbeat.operations.yaml_text import Item, Place, read_yaml

UNITS: Final = {
    "days": timedelta(days=1),
    "hours": timedelta(hours=1),
    "minutes": timedelta(minutes=1),
    "seconds": timedelta(seconds=1),
    "microseconds": timedelta(microseconds=1),
}
PERSON_TEXTS: Final = ("first_name", "last_name", "title", "phone", "time_zone")
_DURATION = re.compile(r"(\d{1,15}) ?([a-z]+?)s?", re.ASCII)
_ANY_TYPE = "application/octet-stream"
_CONTENT_TYPES: Final = {
    ".csv": "text/csv",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".gif": "image/gif",
    ".htm": "text/html",
    ".html": "text/html",
    ".ics": "text/calendar",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}
T = TypeVar("T")


def read_files(paths_and_texts: Sequence[tuple[str, str]], attachments: Callable[[str], bytes]) -> Desired:
    """What the files ask for together; InFile with file, line, field and fix for whatever is wrong.

    `attachments` reads a file by its path, which is relative as that of the YAML file that names it.
    """
    reader = _Reader(attachments)
    for path, text in paths_and_texts:
        root = read_yaml(path, text)
        if root is not None and not root.is_nothing:
            reader.read(root)
    return Desired(
        calendars=_once(reader.calendars, lambda each: each.name, "calendar"),
        templates=_once(reader.templates, lambda each: each.name, "template"),
        sequences=_once(reader.sequences, lambda each: each.name, "sequence"),
        people=_once(reader.people, lambda each: (each.kind, address_key(each.email)), "person"),
        contents=reader.contents,
    )


Placed = TypeVar("Placed", DesiredCalendar, DesiredTemplate, DesiredSequence, DesiredPerson)


def _once(found: Iterable[Placed], key: Callable[[Placed], object], noun: str) -> tuple[Placed, ...]:
    first: dict[object, Placed] = {}
    for each in found:
        other = first.setdefault(key(each), each)
        if other is not each:
            where = f"{other.place.file}:{other.place.line}"
            each.place.refuse(f"This {noun} stands in {where} too; remove one.")
    return tuple(first.values())


class _Reader:
    """Gathers what several files ask for."""

    def __init__(self, attachments: Callable[[str], bytes]) -> None:
        self.attachments = attachments
        self.contents: dict[str, bytes] = {}
        self.calendars: list[DesiredCalendar] = []
        self.templates: list[DesiredTemplate] = []
        self.sequences: list[DesiredSequence] = []
        self.people: list[DesiredPerson] = []

    def read(self, root: Item) -> None:
        """Add one file's document."""
        fields = root.fields(("calendars", "templates", "sequences", "people"))
        self.calendars += _each(fields, "calendars", _calendar)
        self.templates += _each(fields, "templates", self.template)
        self.sequences += _each(fields, "sequences", _sequence)
        self.people += _each(fields, "people", _person)

    def template(self, item: Item) -> DesiredTemplate:
        """A template with its attachments' contents."""
        fields = item.fields(("name", "subject", "html", "text", "attachments"), ("name",))
        subject = _optional(fields, "subject", _subject) or ""
        html, text = _optional(fields, "html", Item.body), _optional(fields, "text", Item.body)
        if not (html or "").strip() and not (text or "").strip():
            item.place.refuse("The template has no body; add the field 'html', 'text' or both.")
        for part, body in (("subject", subject), ("html", html), ("text", text)):
            if body and not body.isspace():
                with fields[part].compiled():
                    compile_template(_alone(part, body))
        return DesiredTemplate(
            name=_name(fields["name"]),
            source=TemplateText(subject, html, text),
            attachments=tuple(_each(fields, "attachments", self.attachment)),
            place=item.place,
        )

    def attachment(self, item: Item) -> Attachment:
        """An attachment: its path, or a group of path, name and content type."""
        grouped = item.kind == "map"
        fields = item.fields(("file", "name", "type"), ("file",)) if grouped else {"file": item}
        path = fields["file"].text()
        content = self._content(fields["file"].place, path)
        name = _optional(fields, "name", _name) or PurePosixPath(path).name
        content_type = _optional(fields, "type", _content_type) or content_type_of(name)
        digest = sha256(content).hexdigest()
        self.contents[digest] = content
        return Attachment(name, content_type, digest, len(content))

    def _content(self, place: Place, path: str) -> bytes:
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts or "\\" in path:
            place.refuse("An attachment lies in the file's folder or below; write its path from there.")
        try:
            content = self.attachments(str(PurePosixPath(place.file).parent / relative))
        except OSError as error:
            place.refuse(f"The attachment {path!r} cannot be read: {error.strerror or error}.")
        except Refused as error:
            place.refuse(error.detail or error.message)
        if len(content) > LARGEST_ATTACHMENT:
            place.refuse(f"The attachment {path!r} has {len(content)} bytes; at most 10 MB are sent.")
        return content


def content_type_of(name: str) -> str:
    """The content type that a file's name tells."""
    return _CONTENT_TYPES.get(PurePosixPath(name).suffix.lower(), _ANY_TYPE)


def _content_type(item: Item) -> str:
    text = item.text().strip()
    if not CONTENT_TYPE.fullmatch(text.lower()):
        item.place.refuse("Write a content type such as application/pdf; message and multipart are none here.")
    return text


def _name(item: Item) -> str:
    return _parsed(item, lambda text: check_line(text, item.place.path))


def _subject(item: Item) -> str:
    text = item.body()
    with item.place.judged():
        return check_line(text, item.place.path, at_most=LONGEST_SUBJECT, blank=True)


def _alone(part: str, body: str) -> TemplateText:
    """A template of one part, so that what is wrong is known to be wrong there."""
    return TemplateText(
        subject=body if part == "subject" else "",
        html=body if part == "html" else None,
        text={"subject": "-", "text": body}.get(part),
    )


def _calendar(item: Item) -> DesiredCalendar:
    fields = item.fields(("name", "country", "region", "days"), ("name",))
    country, region = _optional(fields, "country", Item.text), _optional(fields, "region", Item.text)
    days = frozenset(_each(fields, "days", _day))
    culprit = fields.get("region" if region is not None else "country", item)
    with culprit.place.judged():
        holidays = Holidays(country, region, days)
    return DesiredCalendar(_name(fields["name"]), holidays, item.place)


def _day(item: Item) -> date:
    try:
        return date.fromisoformat(item.date_text())
    except ValueError:
        item.place.refuse("Write a date that exists, such as 2026-12-24.")


def _sequence(item: Item) -> DesiredSequence:
    fields = item.fields(_SEQUENCE_FIELDS, ("name",))
    status = _word(fields, "status", SequenceStatus, SequenceStatus.ACTIVE)
    steps = tuple(_each(fields, "steps", _step))
    if not steps and status is not SequenceStatus.DRAFT:
        item.place.refuse("The sequence has no steps; add some, or write 'status: draft'.")
    variant = fields.get("variant")
    b, share = (None, 0) if variant is None or variant.is_nothing else _variant(variant)
    name = _name(fields["name"])
    if b is not None and b.name == name:
        b.place.refuse("Variant B is another sequence.")
    return DesiredSequence(
        name=name,
        status=status,
        time_zone=_optional(fields, "time_zone", _zone),
        calendar=_optional(fields, "calendar", _reference),
        actor=_optional(fields, "actor", _reference),
        windows=tuple(sorted({window for line in _each(fields, "windows", _window) for window in line})),
        window_zone=_word(fields, "window_zone", WindowZone, WindowZone.SEQUENCE),
        unsubscribing=_optional(fields, "unsubscribe", _unsubscribing) or Unsubscribing(),
        reenroll_after=_optional(fields, "reenroll_after", _duration),
        variant=b,
        share=share,
        steps=steps,
        place=item.place,
    )


_SEQUENCE_FIELDS = (
    "name",
    "status",
    "time_zone",
    "calendar",
    "actor",
    "windows",
    "window_zone",
    "unsubscribe",
    "reenroll_after",
    "variant",
    "steps",
)


def _step(item: Item) -> DesiredStep:
    fields = item.fields(("email", "task", "after", "reply"), ("after",))
    template, content = _optional(fields, "email", _reference), _optional(fields, "task", _task)
    if (template is None) == (content is None):
        item.place.refuse("A step has either the field 'email' (a template's name) or 'task'.")
    reply = _optional(fields, "reply", Item.flag)
    if reply is not None and template is None:
        fields["reply"].place.refuse("Only an e-mail is a reply; remove this.")
    return DesiredStep(
        action_type=ActionType.TASK if template is None else ActionType.AUTOMATED_EMAIL,
        delay=_parsed(fields["after"], parse_delay),
        template=template,
        is_reply=bool(reply),
        task_content=content,
    )


def _task(item: Item) -> str:
    content = item.text()
    with item.compiled():
        compile_text(content)
    return content


def _variant(item: Item) -> tuple[Reference, int]:
    fields = item.fields(("sequence", "share"), ("sequence", "share"))
    share = fields["share"].number()
    if not 1 <= share <= 99:
        fields["share"].place.refuse("Variant B's share is a percentage from 1 to 99.")
    return _reference(fields["sequence"]), share


def _unsubscribing(item: Item) -> Unsubscribing:
    fields = item.fields(("enabled", "locale"))
    enabled = _optional(fields, "enabled", Item.flag)
    locale = _optional(fields, "locale", Item.text)
    if locale is not None:
        with fields["locale"].place.judged():
            check_locale(locale)
    plain = Unsubscribing()
    return Unsubscribing(plain.enabled if enabled is None else enabled, locale or plain.locale)


def _duration(item: Item) -> timedelta:
    match = _DURATION.fullmatch(" ".join(item.text().split()))
    unit = UNITS.get(f"{match[2]}s") if match else None
    if match is None or unit is None:
        item.place.refuse("Write a number and a unit, such as 24 hours or 7 days.")
    try:
        return int(match[1]) * unit
    except OverflowError:
        item.place.refuse("This is too long.")


def _person(item: Item) -> DesiredPerson:
    fields = item.fields(("kind", "email", "organization", *PERSON_TEXTS, "custom"), required=("kind", "email"))
    values: dict[str, str | None] = {}
    for name in ("organization", *PERSON_TEXTS):
        if name in fields:
            read = _PERSON_READERS.get(name, Item.body)
            told = "organization_name" if name == "organization" else name
            values[told] = _optional(fields, name, read) or None
    custom = _optional(fields, "custom", Item.group) or {}
    return DesiredPerson(
        kind=_word(fields, "kind", PersonKind, PersonKind.CONTACT),
        email=_parsed(fields["email"], normalize_email),
        fields=values,
        custom={name: each.value() for name, each in custom.items()},
        place=item.place,
    )


def _zone(item: Item) -> str:
    return _parsed(item, lambda name: zone_named(name).key)


def _window(item: Item) -> tuple[Window, ...]:
    return _parsed(item, parse_window)


def _phone(item: Item) -> str:
    return _parsed(item, normalize_phone)


_PERSON_READERS: Final = {"time_zone": _zone, "phone": _phone}


def _reference(item: Item) -> Reference:
    return Reference(item.text().strip(), item.place)


def _parsed(item: Item, parse: Callable[[str], T]) -> T:
    text = item.text()
    with item.place.judged():
        return parse(text)


W = TypeVar("W", SequenceStatus, WindowZone, PersonKind)


def _word(fields: Mapping[str, Item], name: str, words: type[W], default: W) -> W:
    text = _optional(fields, name, Item.text)
    if text is None:
        return default
    if text not in list(words):
        fields[name].place.refuse(f"Write one of: {', '.join(words)}.")
    return words(text)


def _optional(fields: Mapping[str, Item], name: str, read: Callable[[Item], T]) -> T | None:
    item = fields.get(name)
    return None if item is None or item.is_nothing else read(item)


def _each(fields: Mapping[str, Item], name: str, read: Callable[[Item], T]) -> list[T]:
    return [read(item) for item in _optional(fields, name, Item.items) or []]
