"""Reading a JSON body into a struct, strictly: the decoder's complaints become ours, with the field's place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import IncorrectValue, MissingField, UnknownField, WrongType
from drumbeat.http.parts import AnyRequest
from drumbeat.http.reading import check_is_json, decoded, shortened

T = TypeVar("T")
Id = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
Name = Annotated[str, msgspec.Meta(max_length=255, pattern="^[^\\x00]*$")]
Email = Annotated[str, msgspec.Meta(max_length=1000, pattern="^[^\\x00]*$")]
LongText = Annotated[str, msgspec.Meta(max_length=65_535, pattern="^[^\\x00]*$")]


class BodyReader(Generic[T]):
    """Reads bodies of one kind; `lists` says by place what a list that is too short or too long should be."""

    def __init__(self, kind: type[T], lists: Mapping[str, str] | None = None) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._lists = lists or {}

    def __call__(self, request: AnyRequest, body: bytes) -> T:
        """What the body holds; the complaint names the first field that is wrong."""
        check_is_json(request)
        try:
            return decoded(self._decode, body)
        except msgspec.ValidationError as error:
            raise self._named(str(error)) from None

    def _named(self, complaint: str) -> IncorrectValue | MissingField | UnknownField | WrongType:
        """The decoder's complaint as ours, with the field's place such as contacts[0].email."""
        match = _PLACE.fullmatch(complaint)
        what, where = (match["what"], match["where"] or "") if match else (complaint, "")
        named = _NAMED.fullmatch(what)
        if named is None:
            kind = IncorrectValue if _IS_VALUE.search(what) else WrongType
            return kind(self._plain(what, where), field=where or "body")
        field = shortened(".".join(part for part in (where, named["name"]) if part))
        if named["kind"] == "missing required":
            return MissingField(f"Send {field}.", field=field)
        return UnknownField(f"There is no field {field}.", field=field)

    def _plain(self, what: str, where: str) -> str:
        """What is wrong with a field's value, in words that need no knowledge of the decoder."""
        if where in self._lists and "length" in what:
            return self._lists[where]
        if "matching" in what:
            return "Text must not hold the character NUL."
        if "length <=" in what:
            of = "entries" if "`array`" in what else "characters"
            return f"Send at most {what.rpartition(' ')[2]} {of}."
        if "length >=" in what:
            return f"Send at least {what.rpartition(' ')[2]}."
        if "enum value" in what:
            return f"There is no such choice: {what.removeprefix('Invalid enum value ')}."
        kinds = re.sub(r"`([^`]*)`", lambda found: " or ".join(_word(kind) for kind in found[1].split(" | ")), what)
        return f"{kinds}."


_PLACE = re.compile(r"(?P<what>.*?)(?: - at `(?:\$|key in \$)\.?(?P<where>[\w.\[\]]*)`)?", re.DOTALL)
_NAMED = re.compile(r"Object (?P<kind>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_IS_VALUE = re.compile(r"length|matching|enum value|[<>]=? \d")
_WORDS: dict[str, str] = {
    "array": "a list",
    "object": "an object",
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "date": "a date such as 2026-12-24",
}


def _word(kind: str) -> str:
    return _WORDS.get(kind, kind)


def struct_changes(sent: msgspec.Struct) -> dict[str, Any]:
    """The fields that were sent, by their names here: what was left out is UNSET."""
    values = {name: getattr(sent, name) for name in sent.__struct_fields__}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}
