"""Subject, body, merge tags, attachments: render them, or say which tags are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from inspect import signature
from io import StringIO
from typing import Any, Final, cast

from liquid import BoundTemplate
from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.primitive import IntegerLiteral, RangeLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode
from liquid.exceptions import LiquidError, LiquidSyntaxError
from liquid.expression import Expression

from drumbeat.domain.dialect import HTML, TEXT, MergeLanguage, check_marks
from drumbeat.domain.errors import MissingTags, TemplateFails, TemplateSyntax
from drumbeat.domain.line import one_line
from drumbeat.domain.merge import (
    LOOP_LIMIT,
    ROOTS,
    MergeContext,
    is_nothing,
    join_tag,
    split_tag,
    tag_path,
)
from drumbeat.domain.plaintext import plain_text
from drumbeat.domain.straight import Straight, straight

OUTPUT_LIMIT: Final = 1_000_000
SOURCE_LIMIT: Final = 200_000

Scalar = str | int | float | bool
Frozen = dict[str, Scalar | list[Scalar]]


# What an attachment may be, in lower case; messages and multiparts may not travel as base64.
CONTENT_TYPE: Final = re.compile(r"(?!message/|multipart/)([a-z0-9][a-z0-9.+-]*)/([a-z0-9][a-z0-9.+-]*)")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file sent with a letter; its bytes live elsewhere under their SHA-256 in hex, `size` counts them."""

    name: str
    content_type: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A template as its author wrote it, in Liquid; at least one of the bodies is there."""

    subject: str
    html: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one person gets: a subject of one line, and the bodies."""

    subject: str
    html: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template ready to render, by several threads at a time.

    `tags` are all tags it mentions; `undefaulted` those it may show without a `default`, in their order.
    """

    tags: frozenset[str]
    undefaulted: tuple[str, ...]
    _subject: _Part
    _html: _Part | None
    _text: _Part | None

    def render(self, values: Mapping[str, Any], at: datetime | None = None) -> Rendered:
        """The letter for nested values; raises MissingTags with every tag it lacks, or TemplateFails.

        `at` is what the template calls `now`.
        """
        missing: dict[str, None] = {}
        subject = self._subject.render(values, missing, at)
        html = self._html.render(values, missing, at) if self._html else None
        text = self._text.render(values, missing, at) if self._text else None
        if missing:
            raise MissingTags(tuple(missing))
        return Rendered(one_line(subject), html, plain_text(html or "") if text is None else text)


@dataclass(frozen=True, slots=True)
class LineTemplate:
    """One line of text with tags, as in a task; a missing tag shows as nothing."""

    tags: frozenset[str]
    _line: _Part

    def render(self, values: Mapping[str, Any], at: datetime | None = None) -> str:
        """The line for nested values, as far as it can be written; `at` is what it calls `now`."""
        buffer = StringIO()
        with suppress(TemplateFails):
            self._line.write(values, {}, at, buffer)
        return one_line(buffer.getvalue())


@lru_cache(maxsize=256)
def compile_template(source: TemplateText) -> Template:
    """The template of a source, from a cache; TemplateSyntax names the part and line that do not parse."""
    html_source, text_source = (body if (body or "").strip() else None for body in (source.html, source.text))
    if html_source is None and text_source is None:
        raise TemplateSyntax("the template has neither an HTML nor a text body", part="text")
    subject = _compile("subject", source.subject, TEXT)
    html = None if html_source is None else _compile("html", html_source, HTML)
    text = None if text_source is None else _compile("text", text_source, TEXT)
    parts = [part for part in (subject, html, text) if part]
    return Template(
        tags=frozenset(tag for part in parts for tag in part.tags),
        undefaulted=tuple(dict.fromkeys(tag for part in parts for tag in part.undefaulted)),
        _subject=subject,
        _html=html,
        _text=text,
    )


@lru_cache(maxsize=256)
def compile_text(source: str) -> LineTemplate:
    """The line of a task's content, from a cache; raises TemplateSyntax."""
    line = _compile("text", source, TEXT)
    return LineTemplate(tags=frozenset(line.tags), _line=line)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    source: str
    bound: BoundTemplate
    tags: tuple[str, ...]
    undefaulted: tuple[str, ...]
    straight: Straight | None

    def render(self, values: Mapping[str, Any], missing: dict[str, None], at: datetime | None) -> str:
        buffer = StringIO()
        self.write(values, missing, at, buffer)
        return buffer.getvalue()

    def write(self, values: Mapping[str, Any], missing: dict[str, None], at: datetime | None, buffer: StringIO) -> None:
        text = None if self.straight is None else self.straight.render(values, missing)
        if text is None:
            self._walk(MergeContext(self.bound, values, missing, at), buffer)
        else:
            buffer.write(text)
        if buffer.tell() > OUTPUT_LIMIT:
            raise TemplateFails(f"it is longer than {OUTPUT_LIMIT} characters", part=self.name)

    def _walk(self, context: MergeContext, buffer: StringIO) -> None:
        try:
            for node in self.bound.nodes:
                node.render(context, buffer)
        except Exception as error:  # whatever a template does wrong, it is the template's fault
            raise TemplateFails(_reason(error), part=self.name, line=_line(error, self.source)) from error


def _compile(name: str, source: str, language: MergeLanguage) -> _Part:
    if len(source) > SOURCE_LIMIT:
        raise TemplateSyntax(f"it is longer than {SOURCE_LIMIT} characters", part=name)
    try:
        check_marks(source)
        bound = language.from_string(source)
        reading = _Reading(bound)
        reading.read(bound.nodes, frozenset())
    except (LiquidError, RecursionError) as error:
        raise TemplateSyntax(_reason(error), part=name, line=_line(error, source)) from error
    return _Part(name, source, bound, tuple(reading.tags), tuple(reading.undefaulted), straight(bound))


def _reason(error: Exception) -> str:
    return str(error.message if isinstance(error, LiquidError) else error) or type(error).__name__


def _line(error: Exception, source: str) -> int | None:
    token = error.token if isinstance(error, LiquidError) else None
    if token is None:
        return None
    # What was never closed is noticed at the end only, which has no place in the source.
    end = token.start_index if token.start_index >= 0 else len(source)
    return source.count("\n", 0, end) + 1


class _Reading:
    """What a parsed template mentions, in its order; refuses what could only fail at a render."""

    def __init__(self, bound: BoundTemplate) -> None:
        self.bound = bound
        self.context = MergeContext(bound, {}, {})
        self.tags: dict[str, None] = {}
        self.undefaulted: dict[str, None] = {}
        self.assigned: dict[str, list[str]] = {}

    def read(self, nodes: Iterable[Node], block: frozenset[str]) -> None:
        """Read nodes within a block that brings names of its own."""
        for node in nodes:
            if isinstance(node, BreakNode | ContinueNode) and "forloop" not in block:
                raise LiquidSyntaxError("break and continue belong inside a for", token=node.token)
            for expression in node.expressions():
                self._expression(expression, block)
            if isinstance(node, OutputNode):
                self.undefaulted.update(dict.fromkeys(self._shown(node.expression)))
            for name in (*node.template_scope(), *node.block_scope()):
                if name in ROOTS:
                    raise LiquidSyntaxError(f"'{name}' cannot be given another value", token=node.token)
            for name in node.template_scope():
                shown = self._shown(node.expression) if isinstance(node, AssignNode) else []
                self.assigned.setdefault(str(name), []).extend(shown)
            inside = block | set(map(str, node.block_scope()))
            if isinstance(node, CaptureNode):
                self._read_captured(node, inside)
            else:
                self.read(node.children(self.context), inside)

    def _read_captured(self, node: CaptureNode, block: frozenset[str]) -> None:
        shown, self.undefaulted = self.undefaulted, {}
        self.read(node.children(self.context), block)
        captured, self.undefaulted = self.undefaulted, shown
        self.assigned[str(node.name)].extend(captured)

    def _expression(self, expression: Expression, block: frozenset[str]) -> None:
        if isinstance(expression, Path):
            self._path(expression, block)
        if isinstance(expression, RangeLiteral):
            _check_range(expression)
        if isinstance(expression, FilteredExpression):
            for used in expression.filters or ():
                self._check_filter(used)
        for child in expression.children():
            self._expression(child, block)

    def _path(self, path: Path, block: frozenset[str]) -> None:
        root = path.path[0]
        if not isinstance(root, str):
            raise LiquidSyntaxError(f"'{path!s:.60}' names nothing", token=path.token)
        if root in ROOTS:
            names = tag_path(path.path)
            if names is None or any(isinstance(segment, Path) for segment in path.path):
                raise LiquidSyntaxError(f"'{path!s:.60}' must name one field", token=path.token)
            self.tags[join_tag(names)] = None
        elif root not in block and root not in self.assigned:
            raise LiquidSyntaxError(f"there is no '{root}'", token=path.token)

    def _check_filter(self, used: Filter) -> None:
        function = self.bound.env.filters.get(used.name)
        if function is None:
            raise LiquidSyntaxError(f"there is no filter '{used.name}'", token=used.token)
        names = [getattr(argument, "name", None) for argument in used.args]
        named: dict[str, object] = dict.fromkeys(name for name in names if name)
        if getattr(function, "with_environment", False):
            named["environment"] = None
        try:
            signature(function).bind(None, *(None for name in names if not name), **named)
        except TypeError as error:
            raise LiquidSyntaxError(f"{used.name}: {error}", token=used.token) from error

    def _shown(self, expression: Expression) -> list[str]:
        """The tags an output may show, less those a `default` stands in for."""
        filtered = cast(FilteredExpression, expression)
        shown = self._sources(filtered.left)
        for used in filtered.filters or ():
            if used.name == "default":
                shown = []
            shown += [tag for argument in used.args for tag in self._sources(argument.value)]
        return shown

    def _sources(self, expression: Expression) -> list[str]:
        if not isinstance(expression, Path):
            return []
        if expression.path[0] in ROOTS:
            return [join_tag(tag_path(expression.path) or ())]
        return self.assigned.get(str(expression.path[0]), [])


def _check_range(expression: RangeLiteral) -> None:
    # Anything but two written numbers could ask for memory without end before a limit is met.
    start, stop = expression.start, expression.stop
    if not (isinstance(start, IntegerLiteral) and isinstance(stop, IntegerLiteral)):
        raise LiquidSyntaxError("a range needs two whole numbers", token=expression.token)
    if stop.value - start.value >= LOOP_LIMIT:
        raise LiquidSyntaxError(f"a range of more than {LOOP_LIMIT}", token=expression.token)


def freeze(tags: Iterable[str], values: Mapping[str, Any]) -> Frozen:
    """Of nested values only what the tags read, flat and fit for JSON; what is missing is left out."""
    frozen: Frozen = {}
    for tag, names in _paths(frozenset(tags)):
        value: Any = values
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        if not is_nothing(value):
            is_list = isinstance(value, list | tuple)
            frozen[tag] = [_scalar(item) for item in value if item is not None] if is_list else _scalar(value)
    return frozen


@lru_cache(maxsize=256)
def _paths(tags: frozenset[str]) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, split_tag(tag)) for tag in sorted(tags)]


def _scalar(value: object) -> Scalar:
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str | int | float) else str(value)


def thaw(frozen: Mapping[str, Any]) -> dict[str, Any]:
    """The nested values that `freeze` made flat, for `render`."""
    values: dict[str, Any] = {}
    for tag, value in frozen.items():
        *groups, name = split_tag(tag)
        group = values
        for key in groups:
            group = group.setdefault(key, {})
        group[name] = value
    return values
