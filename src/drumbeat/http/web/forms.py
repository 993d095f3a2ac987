"""What a page's form sends, and the same form shown again with what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from multipart import MultipartError, MultipartParser, parse_options_header

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import DrumbeatError, IncorrectValue, InvalidMany, MalformedBody, MissingField
from drumbeat.http.parts import AnyRequest

T = TypeVar("T")
_MOST_FIELDS = 3000
_ANYWHERE = ""
_WAS = "was"


@dataclass(frozen=True, slots=True)
class File:
    """A file that was chosen in a form."""

    name: str
    content_type: str
    content: bytes


@dataclass(slots=True)
class Form:
    """The texts of a form by their field, as sent or as they stand, and the complaint about each."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, Sequence[File]] = field(default_factory=dict)
    complaints: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, **values: Any) -> Form:
        """A form to begin with; None is a blank field, a list several values of one field."""
        texts = {name: _texts(value) for name, value in values.items()}
        return cls(texts | {_WAS: [msgspec.json.encode(texts).decode()]})

    def text(self, name: str) -> str:
        """A text without blanks around it; empty where there is none."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """A text as it was sent."""
        found = self.values.get(name)
        return found[0] if found else ""

    def optional(self, name: str) -> str | None:
        """A text, or None where the field was left blank."""
        return self.text(name) or None

    def all(self, name: str) -> list[str]:
        """Every value of a field, blanks around them left out."""
        return [each.strip() for each in self.values.get(name, ())]

    def is_on(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.text(name))

    def number(self, name: str, least: int = 0, most: int = LARGEST_ID) -> int | None:
        """A whole number within the limits, or None where the field was left blank; IncorrectValue on it."""
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
            range_ = f"from {least:,} to {most:,}" if most < LARGEST_ID else f"from {least:,} on"
            raise IncorrectValue(f"Write a whole number {range_}.", field=name)
        return int(text)

    def needed(self, name: str, least: int = 1, most: int = LARGEST_ID) -> int:
        """A whole number; MissingField where the field was left blank."""
        number = self.number(name, least, most)
        if number is None:
            raise MissingField("Fill this in.", field=name)
        return number

    def chosen(self, name: str, words: Any) -> Any:
        """One of an enumeration's words; IncorrectValue on the field."""
        found = next((each for each in words if each.value == self.text(name)), None)
        if found is None:
            raise IncorrectValue("Choose one of those offered.", field=name)
        return found

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Every text by its field, but for the token that its page knew."""
        return [(name, text) for name, texts in self.values.items() if name != "csrf" for text in texts]

    @property
    def is_filled(self) -> bool:
        """Whether anything is written in it."""
        return any(text for name, text in self.texts if name != _WAS)

    @property
    def was(self) -> str:
        """What the form was filled with when it was first shown, for a hidden field of this name."""
        return self.raw(_WAS)

    def touched(self, changes: Mapping[str, T]) -> dict[str, T]:
        """Those of the changes, by field, that the sender made: an old tab takes nothing back that others did since."""
        before = self.before
        return {name: value for name, value in changes.items() if list(self.values.get(name, [""])) != before.get(name)}

    @property
    def before(self) -> dict[str, list[str]]:
        """The texts it was filled with when it was first shown; none where a form does not say so."""
        try:
            return msgspec.json.decode(self.was, type=dict[str, list[str]])
        except msgspec.DecodeError:
            return {}

    def complain(self, error: DrumbeatError) -> Form:
        """Keep what is wrong beside its field, or above the form where it has none here."""
        for each in error.errors if isinstance(error, InvalidMany) else (error,):
            name = each.field if each.field in self.values or each.field in self.files else _ANYWHERE
            self.complaints.setdefault(name or _ANYWHERE, each.detail or each.message)
        return self


def _texts(value: Any) -> list[str]:
    if value is None or value is False:
        return [""]
    if value is True:
        return ["on"]
    return [str(each) for each in value] if isinstance(value, (list, tuple)) else [str(value)]


def read_number(text: str) -> int:
    """The id that a text is, or 0."""
    is_id = text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= LARGEST_ID
    return int(text) if is_id else 0


def read_form(request: AnyRequest, body: bytes) -> Form:
    """What a form sent, its files too where it has some; MalformedBody if it cannot be read."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == "multipart/form-data":
        return _read_parts(body, options.get("boundary", ""))
    try:
        values = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise MalformedBody("The form cannot be read, or has too many fields.") from None
    return Form({name: [_plain(each) for each in sent] for name, sent in values.items()})


def _read_parts(body: bytes, boundary: str) -> Form:
    values: dict[str, list[str]] = {}
    files: dict[str, list[File]] = {}
    try:
        whole = len(body) + 1  # its length was limited before: all of it stays in memory
        for part in MultipartParser(BytesIO(body), boundary, spool_limit=whole, memory_limit=whole):
            if part.filename is None:
                values.setdefault(part.name, []).append(_plain(part.value))
            elif part.filename:
                name = _plain(part.filename).replace("%22", '"')  # as browsers write a quotation mark
                kept = File(name, part.content_type or "application/octet-stream", part.raw)
                files.setdefault(part.name, []).append(kept)
    except (MultipartError, ValueError, LookupError):
        raise MalformedBody("The form cannot be read.") from None
    return Form(values, files)


def _plain(text: str) -> str:
    """A text with the line ends that we keep, and without what no field may hold."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
