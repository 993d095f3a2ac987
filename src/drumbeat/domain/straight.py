"""Templates of text and tags with defaults alone, as most are: rendered without walking Liquid's tree.

What comes out is what Liquid would make of them; where that is not certain, Liquid is left to do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from liquid import BoundTemplate
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.output import OutputNode
from markupsafe import escape

from drumbeat.domain.merge import ROOTS, WORK_LIMIT, join_tag, tag_path


@dataclass(frozen=True, slots=True)
class _Tag:
    path: tuple[str, ...]
    name: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Straight:
    """One part of a template: its pieces of text, with an empty one for every tag, and the tags by their places."""

    pieces: tuple[str, ...]
    tags: tuple[tuple[int, _Tag], ...]
    escapes: bool

    def render(self, values: Mapping[str, object], missing: dict[str, None]) -> str | None:
        """The part, with the tags it lacks noted; None, with nothing noted, if a value is no text."""
        parts = list(self.pieces)
        gaps: dict[str, None] = {}
        for place, tag in self.tags:
            value = _value(values, tag.path)
            if type(value) is str and value and not value.isspace():
                parts[place] = escape(value) if self.escapes else value
            elif value is not None and type(value) is not str:
                return None
            elif tag.default is None:
                gaps[tag.name] = None
            else:
                parts[place] = tag.default
        text = "".join(parts)
        if len(text) > WORK_LIMIT:
            return None
        missing.update(gaps)
        return text


def _value(values: Mapping[str, object], path: tuple[str, ...]) -> object:
    """What stands at a path; None for nothing."""
    value = values.get(path[0])
    for name in path[1:]:
        if type(value) is not dict:
            return None if value is None else _NO_TEXT
        value = value.get(name)
    return value


_NO_TEXT = object()


def straight(bound: BoundTemplate) -> Straight | None:
    """The pieces of a parsed part, or None if it holds anything but text and tags with written defaults."""
    pieces = [_piece(node) for node in bound.nodes]
    if None in pieces:
        return None
    texts = tuple(piece if isinstance(piece, str) else "" for piece in pieces)
    tags = tuple((place, piece) for place, piece in enumerate(pieces) if isinstance(piece, _Tag))
    return Straight(texts, tags, bound.env.autoescape)


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
