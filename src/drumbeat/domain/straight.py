"""Templates of text and tags with defaults alone, as most are: rendered without walking Liquid's tree.

What comes out is what Liquid would make of them; where that is not certain, Liquid is left to do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from liquid import BoundTemplate
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.output import OutputNode
from markupsafe import escape

from drumbeat.domain.merge import ROOTS, WORK_LIMIT, is_nothing, join_tag, tag_path


@dataclass(frozen=True, slots=True)
class _Tag:
    path: tuple[str, ...]
    name: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Straight:
    """One part of a template, piece by piece."""

    pieces: tuple[str | _Tag, ...]
    escapes: bool

    def write(self, values: Mapping[str, object], missing: dict[str, None], buffer: TextIO) -> bool:
        """Write the part and note the tags it lacks; False, with nothing written, if a value is no text."""
        parts: list[str] = []
        gaps: dict[str, None] = {}
        for piece in self.pieces:
            if isinstance(piece, str):
                parts.append(piece)
                continue
            value = _value(values, piece.path)
            if value is None or (type(value) is str and is_nothing(value)):
                if piece.default is None:
                    gaps[piece.name] = None
                else:
                    parts.append(piece.default)
            elif type(value) is str:
                parts.append(escape(value) if self.escapes else value)
            else:
                return False
        if sum(map(len, parts)) > WORK_LIMIT:
            return False
        buffer.write("".join(parts))
        missing.update(gaps)
        return True


def _value(values: Mapping[str, object], path: tuple[str, ...]) -> object:
    """What stands at a path; None for nothing."""
    value: object = values
    for key in path:
        if value is None:
            break
        if not isinstance(value, dict):
            return _NO_TEXT
        value = value.get(key)
    return value


_NO_TEXT = object()


def straight(bound: BoundTemplate) -> Straight | None:
    """The pieces of a parsed part, or None if it holds anything but text and tags with written defaults."""
    pieces = [_piece(node) for node in bound.nodes]
    found = tuple(piece for piece in pieces if piece is not None)
    return Straight(found, bound.env.autoescape) if len(found) == len(pieces) else None


def _piece(node: Node) -> str | _Tag | None:
    if isinstance(node, ContentNode):
        return node.text
    expression = node.expression if isinstance(node, OutputNode) else None
    if not isinstance(expression, FilteredExpression) or not isinstance(expression.left, Path):
        return None
    path = tuple(name for name in expression.left.path if isinstance(name, str))
    if path[0] not in ROOTS or tag_path(path) != tuple(expression.left.path):
        return None
    filters = expression.filters or []
    default = _default(filters[0]) if len(filters) == 1 else None
    return None if filters and default is None else _Tag(path, join_tag(path), default)


def _default(used: Filter) -> str | None:
    if used.name != "default" or len(used.args) != 1:
        return None
    value = used.args[0].value
    return value.value if isinstance(value, StringLiteral) and not hasattr(used.args[0], "name") else None
