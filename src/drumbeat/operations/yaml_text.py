"""YAML read with its lines, so that every complaint names file, line, field and fix."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, NoReturn

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from drumbeat.domain.errors import InFile, Refused, TemplateSyntax

LARGEST_FILE: Final = 1_000_000
_DEEPEST: Final = 20
_MOST_VALUES: Final = 250_000
_LARGEST_NUMBER: Final = 2**53
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KINDS: Final = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "yes or no",
    "null": "nothing",
    "timestamp": "a date",
    "seq": "a list",
    "map": "a group of fields",
}
_PREFIX: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: file, line (from 1), and the path to it, such as `sequences[0].name`."""

    file: str
    line: int
    path: str

    def refuse(self, sentence: str, *, line: int | None = None) -> NoReturn:
        """Raise InFile for this place with the field and the fix."""
        detail = f"{self.path}: {sentence}" if self.path else sentence
        raise InFile(detail, file=self.file, line=line or self.line)

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Whatever is refused inside is refused at this place."""
        try:
            yield
        except InFile:
            raise
        except Refused as error:
            self.refuse(error.detail or error.message)


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a YAML file and its place."""

    place: Place
    node: Node

    @property
    def kind(self) -> str:
        """Which plain YAML type it is: str, int, float, bool, null, timestamp, seq or map."""
        if not isinstance(self.node, ScalarNode):
            return "seq" if isinstance(self.node, SequenceNode) else "map"
        kind = str(self.node.tag).removeprefix(_PREFIX)
        return "str" if kind in ("seq", "map") else kind

    @property
    def is_nothing(self) -> bool:
        """Whether the field is there without a value."""
        return self.kind == "null"

    def fields(self, known: Collection[str], required: Iterable[str] = ()) -> dict[str, Item]:
        """The fields of a group, which has no others than the known ones."""
        found = self.group()
        for name, item in found.items():
            if name not in known:
                close = get_close_matches(name, known, n=1)
                meant = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}."
                item.place.refuse(f"There is no such field; {meant}")
        for name in required:
            if name not in found or found[name].is_nothing:
                self.place.refuse(f"The field {name!r} is missing; add it.")
        return found

    def group(self) -> dict[str, Item]:
        """The fields of a group, whatever their names."""
        if not isinstance(self.node, MappingNode):
            self._wrong("a group of fields")
        found: dict[str, Item] = {}
        for key, value in self.node.value:
            line = _line(key)
            if not isinstance(key, ScalarNode) or key.tag == _PREFIX + "merge":
                self.place.refuse("A field's name is a word, and fields are not merged.", line=line)
            item = self._inner(f".{key.value}" if self.place.path else key.value, value)
            if key.value in found:
                item.place.refuse("The field is there twice; remove one.", line=line)
            found[item._sound(key.value)] = item
        return found

    def items(self) -> list[Item]:
        """The members of a list."""
        if not isinstance(self.node, SequenceNode):
            self._wrong("a list (each member on a line with a dash)")
        return [self._inner(f"[{number}]", each) for number, each in enumerate(self.node.value)]

    def text(self) -> str:
        """A text that is not blank."""
        text = self.body()
        if not text.strip():
            self.place.refuse("The text is blank; write something.")
        return text

    def body(self) -> str:
        """A text that may be blank."""
        if self.kind != "str":
            self._wrong("text (in quotes if it looks like something else)")
        return self._sound(str(self.node.value))

    def date_text(self) -> str:
        """A date as it is written."""
        if self.kind not in ("timestamp", "str"):
            self._wrong("a date such as 2026-12-24")
        return str(self.node.value)

    def flag(self) -> bool:
        """A yes or no."""
        if self.kind != "bool":
            self._wrong("true or false")
        return bool(self._constructed())

    def number(self) -> int:
        """A whole number."""
        if self.kind != "int":
            self._wrong("a whole number")
        return int(self._constructed())

    def value(self) -> Any:
        """A plain value as it is: text, number, yes or no, nothing, a date as text, or a list of those."""
        if isinstance(self.node, SequenceNode):
            values = [item.value() for item in self.items() if not isinstance(item.node, SequenceNode)]
            if len(values) != len(self.node.value):
                self._wrong("a list of plain values")
            return values
        if self.kind in ("str", "timestamp"):
            return self._sound(str(self.node.value))
        if not isinstance(self.node, ScalarNode):
            self._wrong("a plain value or a list of them")
        value = self._constructed()
        if isinstance(value, int | float) and not abs(value) <= _LARGEST_NUMBER:
            self.place.refuse("The number is too large; write it in quotes.")
        return value

    def line_of(self, line: int | None) -> int:
        """Where a line of the text (from 1) stands in the file."""
        if line is None or self.node.start_mark.line == self.node.end_mark.line:
            return self.place.line
        return self.place.line + line - (0 if getattr(self.node, "style", None) in ("|", ">") else 1)

    @contextmanager
    def compiled(self) -> Iterator[None]:
        """A template that does not parse inside is refused at its line of this text."""
        try:
            yield
        except TemplateSyntax as error:
            self.place.refuse(error.detail, line=self.line_of(error.line))

    def _inner(self, step: str, node: Node) -> Item:
        place = Place(self.place.file, _line(node), self.place.path + step)
        return Item(place, node)

    def _wrong(self, wanted: str) -> NoReturn:
        self.place.refuse(f"This must be {wanted}, and it is {_KINDS[self.kind]}.")

    def _constructed(self) -> Any:
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(self.node)
        except (ValueError, LookupError, OverflowError, yaml.YAMLError):
            self.place.refuse("This cannot be read; write it in quotes.")

    def _sound(self, text: str) -> str:
        if "\0" in text or not _is_unicode(text):
            self.place.refuse("The text has a character that cannot be stored (NUL or half of a pair).")
        return text


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def read_yaml(file: str, text: str) -> Item | None:
    """The file's one document, or None if it is empty; InFile for what is no YAML or would take too much."""
    if len(text.encode(errors="surrogatepass")) > LARGEST_FILE:
        raise InFile("The file is larger than 1 MB; split it.", file=file, line=1)
    try:
        _check_events(file, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise InFile(f"This is no YAML: {said}.", file=file, line=mark.line + 1 if mark else 1) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InFile("This is no YAML: a character is not allowed.", file=file, line=line) from None
    if node is None:
        return None
    root = Item(Place(file, _line(node), ""), node)
    _check_size(root)
    return root


def _check_events(file: str, text: str) -> None:
    """Refuse what is nested deeply or names a type, before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = _line(event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise InFile(f"Values are nested more than {_DEEPEST} deep.", file=file, line=line)
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") and tag.removeprefix(_PREFIX) not in _KINDS:
            raise InFile(f"The type {tag!r} is not allowed here; remove it.", file=file, line=line)


def _check_size(root: Item) -> None:
    """Refuse aliases that stand for more than a file could hold, or for themselves."""
    left, waiting = _MOST_VALUES, [root.node]
    while waiting:
        node = waiting.pop()
        left -= 1
        if left < 0:
            root.place.refuse("The file's aliases stand for too many values; write them out.")
        if isinstance(node, MappingNode):
            waiting += [each for pair in node.value for each in pair]
        elif isinstance(node, SequenceNode):
            waiting += node.value
        elif node.tag.removeprefix(_PREFIX) not in _KINDS and node.tag != _PREFIX + "merge":
            root.place.refuse("The value has a special meaning in YAML; put it in quotes.", line=_line(node))


def _line(marked: Any) -> int:
    return int(marked.start_mark.line) + 1


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and never an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> ScalarNode:
    style = None
    if any(mark in text for mark in ("\x85", "\u2028", "\u2029", "\r", "\ufeff")):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar(_PREFIX + "str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def write_yaml(document: Any) -> str:
    """The document as `read_yaml` reads it: fields in the given order, nothing folded."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31, default_flow_style=False
    )
