"""What a merge tag's value is, and the work one render may do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final, cast

from liquid import RenderContext, Token
from liquid.builtin.tags.for_tag import ForLoop
from liquid.builtin.tags.tablerow_tag import TableRow
from liquid.exceptions import LoopIterationLimitError, OutputStreamLimitError
from liquid.undefined import UNDEFINED, Undefined

ROOTS: Final = frozenset({"person", "lead", "contact", "sender", "account", "unsubscribe_url"})
_PEOPLE: Final = frozenset({"person", "lead", "contact"})
_OF_PERSON: Final = frozenset(
    {"first_name", "last_name", "name", "organization_name", "title", "email", "phone", "custom"}
)
_FIELDS: Final = {
    **dict.fromkeys(_PEOPLE, _OF_PERSON),
    "sender": frozenset({"name", "email"}),
    "account": frozenset({"name", "postal_address"}),
}

# Work is counted in characters walked, made or copied, so that a render ends without looking at a clock.
WORK_LIMIT: Final = 4_000_000
LOOP_LIMIT: Final = 100_000
_FILTER_WORK: Final = 10
_NOW: Final = ("now", "today")


def tag_path(segments: Sequence[object]) -> tuple[str, ...] | None:
    """The names from the root to the field, less what is asked of its value (`.size`); None if too short."""
    depth = 1 if segments[0] == "unsubscribe_url" else 2
    if segments[0] in _PEOPLE and segments[1:2] == ["custom"]:
        depth = 3
    named = list(segments[:depth])
    for segment in segments[depth:]:
        if isinstance(segment, int) or segment in ("size", "first", "last"):
            break
        named.append(segment)
    if len(named) < depth or not all(isinstance(name, str) for name in named):
        return None
    return tuple(cast(list[str], named))


def join_tag(names: Iterable[str]) -> str:
    """The dotted tag of the names; a dot inside a name is written `\\.`."""
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)


@lru_cache(maxsize=4096)
def split_tag(tag: str) -> tuple[str, ...]:
    """The names of a dotted tag."""
    return tuple(re.sub(r"\\(.)", r"\1", name) for name in re.findall(r"(?:[^.\\]|\\.)+", tag, re.DOTALL))


def is_known(tag: str) -> bool:
    """Whether anything ever has a field of this name; what is under `custom` may."""
    root, field = (*split_tag(tag), "", "")[:2]
    return root not in _FIELDS or field in _FIELDS[root]


def is_nothing(value: object) -> bool:
    """Whether there is nothing to show: undefined, None, blank, an empty list, or a whole group of fields."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or isinstance(value, dict | Undefined) or (isinstance(value, list | tuple) and not value)


class Nothing(Undefined):
    """The value of tags that have none; it survives every filter but `default`."""

    __slots__ = ("tags",)

    def __init__(
        self, name: str, *, token: Token | None = None, obj: object = UNDEFINED, hint: str | None = None
    ) -> None:
        super().__init__(name, token=token, obj=obj, hint=hint)
        self.tags: tuple[str, ...] = (name,)


def lacking(tags: Iterable[str]) -> Nothing:
    """The value of what cannot be shown for want of these tags."""
    together = Nothing("value")
    together.tags = tuple(dict.fromkeys(tags))
    return together


class MergeContext(RenderContext):
    """One render of one part: collects the missing tags it met and stops when the work is too much."""

    __slots__ = ("at", "body_size", "iterations", "missing", "work")

    def __init__(
        self, template: Any, values: Mapping[str, object], missing: dict[str, None], at: datetime | None = None
    ) -> None:
        super().__init__(template, globals=values)
        self.at = at
        # The library's own chain would offer `now` and `today`, which read the clock.
        self.scope = type(self.scope)(self.locals)
        self.missing = missing
        self.work = 0
        self.iterations = 0
        self.body_size = 0

    def charge(self, work: int) -> None:
        """Count work, or raise OutputStreamLimitError when the render has done too much."""
        self.work += work
        if self.work > WORK_LIMIT:
            raise OutputStreamLimitError("the template does too much work", token=None)

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        """The value of a path; a tag without a usable value is Nothing."""
        if path[0] not in ROOTS:
            return super().get(path, token=token, default=default)
        value: object = self.globals
        for key in path:
            if isinstance(value, dict):
                value = value.get(key)
            elif value is None:
                break
            else:
                value = self._inside(value, key)
        return Nothing(join_tag(tag_path(path) or ())) if is_nothing(value) else value

    def _inside(self, value: object, key: object) -> object:
        try:
            return self.get_item(value, key)
        except (KeyError, TypeError, IndexError):
            return None

    def filter(self, name: str, token: Token | None) -> Any:
        """The filter, made to pass Nothing on and to count its work."""
        return partial(self._filtered, name, super().filter(name, token))

    def _filtered(self, name: str, function: Any, left: object, *args: object, **named: object) -> object:
        if name != "default":
            gaps = [value for value in (left, *args, *named.values()) if isinstance(value, Nothing)]
            if gaps:
                return lacking(tag for gap in gaps for tag in gap.tags)
        if name == "date" and left in _NOW and self.at is not None:
            left = self.at
        self.charge(_FILTER_WORK + size(left) + sum(map(size, args)) + _growth(name, left, args))
        value = function(left, *args, **named)
        self.charge(size(value))
        return value

    def loop(self, namespace: Mapping[str, object], forloop: ForLoop | TableRow) -> Any:
        """Enter a loop, whose whole length and body are counted at once."""
        self.iterations += forloop.length
        if self.iterations > LOOP_LIMIT:
            raise LoopIterationLimitError("too many loop iterations", token=None)
        self.charge(forloop.length * self.body_size)
        return super().loop(namespace, forloop)


def size(value: object) -> int:
    """How much work it is to walk through the value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list | tuple):
        return len(value) + sum(map(size, value))
    if isinstance(value, range):
        return len(value)
    return value.bit_length() if isinstance(value, int) else 1


def _growth(name: str, left: object, args: tuple[object, ...]) -> int:
    """The work a filter does beyond reading its input, where that can be far more."""
    if name == "replace" and len(args) > 1:
        return str(left).count(str(args[0])) * size(args[1])
    if name == "join" and isinstance(left, list | tuple | range):
        return len(left) * (size(args[0]) if args else 1)
    if name == "uniq" and isinstance(left, list | tuple | range):
        return len(left) ** 2
    return 0
