"""Reading what callers send, strictly: parameters, JSON bodies, attributes; every complaint names its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar.exceptions import HTTPException

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import (
    BlankField,
    IncorrectValue,
    Invalid,
    InvalidMany,
    MalformedBody,
    MalformedParameter,
    MissingField,
    NotFound,
    UnknownField,
    WrongType,
)
from drumbeat.http.parts import AnyRequest

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)
LONGEST_TEXT = 255
LONGEST_BODY = 65_535
_LONGEST_NAME = 100
_LONGEST_LIST = 1000
_LARGEST_NUMBER = 2**53
_FIRST_YEAR = 1000  # so that every offset stays within what a calendar knows
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)\Z", re.ASCII | re.IGNORECASE)
_UNSET_INSTANTS = ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00Z")  # what C# clients send for no instant
_FRACTION = re.compile(r"(\.\d{6})\d+")  # what is finer than a microsecond
_MOST_COMPLAINTS = 20
_MOST_PARAMETERS = 50
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)


def read_id(text: str, noun: str) -> int:
    """The id in a path; NotFound if it can be none."""
    if not _DIGITS.fullmatch(text) or not 0 < int(text) <= LARGEST_ID:
        raise NotFound(f"There is no {noun} {shortened(text)}.")
    return int(text)


def shortened(text: str) -> str:
    """At most 60 characters of what a caller sent, to be told back."""
    return text if len(text) <= 60 else text[:60] + "..."


def read_parameters(
    request: AnyRequest, known: Collection[str] = (), also: Callable[[str], bool] | None = None
) -> dict[str, str]:
    """The query's parameters; one that is repeated, or neither known nor what `also` takes, is MalformedParameter."""
    query = request.scope["query_string"].decode("latin-1")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise MalformedParameter(f"Send at most {_MOST_PARAMETERS} parameters.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known and not (also and also(name)):
            raise MalformedParameter(f"{shortened(name)} is not a parameter here; {_offer(known)}.")
        if name in found:
            raise MalformedParameter(f"{name} is there more than once.")
        found[name] = value
    return found


def _offer(known: Collection[str]) -> str:
    return f"there are {', '.join(known)}" if known else "there are none"


def whole_number(parameters: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A number within the limits, or the default when it is not given."""
    text = parameters.get(name)
    if text is None:
        return default
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        range_ = f"from {least} to {most}" if most < LARGEST_ID else f"from {least}"
        raise MalformedParameter(f"{name} is a whole number {range_}; {shortened(text)!r} is not.")
    return int(text)


def number_list(parameters: Mapping[str, str], name: str) -> list[int] | None:
    """Ids separated by commas; those that no record can have are left out."""
    text = parameters.get(name)
    if text is None:
        return None
    parts = [part.strip(" ") for part in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,20}", part, re.ASCII) for part in parts):
        raise MalformedParameter(f"{name} is a list of ids separated by commas; {shortened(text)!r} is not.")
    return sorted({int(part) for part in parts if 0 < int(part) <= LARGEST_ID})


def word(parameters: Mapping[str, str], name: str, words: type[Word]) -> Word | None:
    """One of the words, or None when it is not given."""
    text = parameters.get(name)
    if text is None:
        return None
    found = _among(words, text)
    if found is None:
        raise MalformedParameter(f"{name} is one of {', '.join(words)}; {shortened(text)!r} is not.")
    return found


def truth(parameters: Mapping[str, str], name: str) -> bool | None:
    """true or false, or None when it is not given."""
    text = parameters.get(name)
    if text not in (None, "true", "false"):
        raise MalformedParameter(f"{name} is true or false; {shortened(text or '')!r} is not.")
    return None if text is None else text == "true"


def text(parameters: Mapping[str, str], name: str) -> str | None:
    """A text that can be stored, or None when it is not given."""
    value = parameters.get(name)
    if value is not None and "\0" in value:
        raise MalformedParameter(f"{name} holds a NUL character; leave it out.")
    return value


def _among(words: type[Word], text: object) -> Word | None:
    return next((each for each in words if each.value == text), None)


def check_is_json(request: AnyRequest) -> None:
    """Refuse a body that says it is something else than JSON."""
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind != "application/json":
        detail = f"Send the body as Content-Type: application/json, not {shortened(kind)}."
        raise HTTPException(detail=detail, status_code=415)


def decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """What the body holds; MalformedBody if it is no JSON. Lets msgspec's ValidationError through."""
    try:
        return decode(body)
    except msgspec.ValidationError:
        raise
    except UnicodeDecodeError:
        raise MalformedBody("It is not JSON: text is to be in UTF-8.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        detail = "The body is empty." if not body.strip() else f"It is not JSON: {error}."
        raise MalformedBody(detail) from None


def read_attributes(request: AnyRequest, body: bytes, known: Collection[str]) -> Attributes:
    """The attributes under `data` of a body {"data": {...}, "meta"?: {...}}."""
    check_is_json(request)
    try:
        sent: Any = decoded(msgspec.json.decode, body)
    except msgspec.ValidationError as error:
        raise MalformedBody(f"{error}.") from None
    if not isinstance(sent, dict) or not isinstance(sent.get("data"), dict):
        raise Invalid('The body must be an object such as {"data": {...}}.')
    for name in sent:
        if name not in ("data", "meta"):
            raise UnknownField(f"{shortened(name)} stands beside data; put it inside.", field=shortened(name))
    return Attributes(sent["data"], known)


class Attributes:
    """Reads attributes one by one and keeps the complaints; null is as good as absent, but for `has`."""

    def __init__(self, sent: Mapping[str, object], known: Collection[str]) -> None:
        self._sent = sent
        self._wrong: list[Invalid] = [
            UnknownField(f"There are {', '.join(known)}.", field=shortened(name)) for name in sent if name not in known
        ]

    def id(self, name: str, *, required: bool = False) -> int:
        """An id, also as digits in a string; 0 when it is absent or wrong."""
        value = self._value(name, required=required)
        return 0 if value is None else self._id(name, value)

    def ids(self, name: str) -> list[int]:
        """A list of ids; empty when it is absent."""
        value = self._value(name, required=False)
        if value is None:
            return []
        if not isinstance(value, list):
            self._wrong.append(WrongType("It is a list of whole numbers.", field=name))
            return []
        return [id for id in (self._id(name, each) for each in value) if id]

    def word(self, name: str, words: type[Word], *, required: bool = False) -> Word | None:
        """One of the words; None when it is absent or wrong."""
        value = self._value(name, required=required)
        found = _among(words, value)
        if found is not None:
            return found
        if value == "":
            self._wrong.append(BlankField(f"It is one of {', '.join(words)}.", field=name))
        elif isinstance(value, str):
            detail = f"{shortened(value)!r} is not one of {', '.join(words)}."
            self._wrong.append(IncorrectValue(detail, field=name))
        elif value is not None:
            self._wrong.append(WrongType(f"It is text: one of {', '.join(words)}.", field=name))
        return None

    def has(self, name: str) -> bool:
        """Whether the attribute was sent, be it as null."""
        return name in self._sent

    def text(self, name: str, longest: int = LONGEST_TEXT) -> str | None:
        """A text without blanks around it; None when it is absent, blank or wrong."""
        return self._text(name, self._value(name, required=False), longest)

    def texts(self, name: str) -> list[str]:
        """A list of texts, each once and none blank; empty when it is absent."""
        value = self._value(name, required=False)
        if value is None:
            return []
        if not isinstance(value, list) or None in value:
            self._wrong.append(WrongType("It is a list of texts.", field=name))
            return []
        found = (self._text(name, each, LONGEST_TEXT) for each in value[:_LONGEST_LIST])
        return list(dict.fromkeys(each for each in found if each is not None))

    def parts(self, name: str, known: Collection[str]) -> dict[str, str | None]:
        """The parts of an object of texts; all of them None when it is absent."""
        value = self._value(name, required=False)
        if value is None:
            return dict.fromkeys(known)
        if not isinstance(value, dict):
            self._wrong.append(WrongType(f"It is an object of {', '.join(known)}.", field=name))
            return {}
        for part in value:
            if part not in known:
                detail = f"{shortened(part)} is no part of it; there are {', '.join(known)}."
                self._wrong.append(UnknownField(detail, field=name))
        return {part: self._text(name, value[part], LONGEST_TEXT) for part in known if part in value}

    def flag(self, name: str) -> bool | None:
        """true or false; None when it is absent or wrong."""
        value = self._value(name, required=False)
        if value is None or isinstance(value, bool):
            return value
        self._wrong.append(WrongType("It is true or false.", field=name))
        return None

    def instant(self, name: str) -> datetime | None:
        """An instant in ISO 8601 with its offset, to the microsecond; None when it is absent or wrong."""
        value = self._value(name, required=False)
        if value is None or value in _UNSET_INSTANTS:
            return None
        if not isinstance(value, str):
            self._wrong.append(WrongType("It is text, such as 2026-03-03T10:00:00Z.", field=name))
            return None
        try:
            found = datetime.fromisoformat(_FRACTION.sub(r"\1", value.upper())).astimezone(UTC)
        except (ValueError, OverflowError):
            found = None
        if found is None or not _INSTANT.match(value) or found.year < _FIRST_YEAR:
            detail = "Write it with its offset, such as 2026-03-03T10:00:00Z or 2026-03-03T11:00:00+01:00."
            self._wrong.append(IncorrectValue(detail, field=name))
            return None
        return found

    def custom(self, name: str) -> dict[str, Any]:
        """Values by names of the caller's choice: texts, numbers, true or false, null, lists or objects of texts."""
        value = self._value(name, required=False)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._wrong.append(WrongType("It is an object of values by their names.", field=name))
            return {}
        self._wrong += _wrong_in_custom(value, name)
        return value

    def refuse(self, error: Invalid) -> None:
        """Keep one more complaint."""
        self._wrong.append(error)

    def check(self) -> None:
        """Raise what was wrong, all at once."""
        if len(self._wrong) == 1:
            raise self._wrong[0]
        if self._wrong:
            raise InvalidMany(self._wrong[:_MOST_COMPLAINTS])

    def _value(self, name: str, *, required: bool) -> object:
        value = self._sent.get(name)
        if value is None and required:
            self._wrong.append(MissingField(f"Send {name}.", field=name))
        return value

    def _text(self, name: str, value: object, longest: int) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            self._wrong.append(WrongType("It is text.", field=name))
        elif "\0" in value:
            self._wrong.append(IncorrectValue("It holds a NUL character; leave it out.", field=name))
        elif len(value) > longest:
            self._wrong.append(IncorrectValue(f"It has at most {longest} characters.", field=name))
        else:
            return value.strip() or None
        return None

    def _id(self, name: str, value: object) -> int:
        if (isinstance(value, str) and _DIGITS.fullmatch(value)) or (isinstance(value, float) and value.is_integer()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong.append(WrongType("It is a whole number.", field=name))
            return 0
        if not 0 < value <= LARGEST_ID:
            self._wrong.append(IncorrectValue(f"It is from 1 to {LARGEST_ID}.", field=name))
            return 0
        return value


def check_custom(values: Mapping[str, Any], field: str) -> None:
    """Refuse custom fields that cannot be kept: the first complaint."""
    for wrong in _wrong_in_custom(values, field):
        raise wrong


def _wrong_in_custom(values: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    for key, each in values.items():
        if not 0 < len(key) <= _LONGEST_NAME or "\0" in key:
            detail = f"A name has 1 to {_LONGEST_NAME} characters; {shortened(key)!r} does not fit."
            yield IncorrectValue(detail, field=field)
        elif not _is_plain(each):
            detail = f"{shortened(key)} is text, a number, true, false, null, or a list or an object of texts."
            yield WrongType(detail, field=field)


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, dict)):
        inner = value if isinstance(value, list) else [*value, *value.values()]
        return len(inner) <= _LONGEST_LIST and all(each is None or _is_sound(each) for each in inner)
    if isinstance(value, (int, float)):
        return abs(value) <= _LARGEST_NUMBER
    return value is None or _is_sound(value)


def _is_sound(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and len(value) <= LONGEST_BODY
