"""The Liquid that templates are written in: the library's language cut down to what a letter needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from html import unescape
from typing import Any, Final, TextIO, cast

from liquid import Environment, Markup, RenderContext, Token
from liquid.builtin.expressions import BooleanExpression
from liquid.builtin.expressions import logical as logic
from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode, CaptureTag
from liquid.builtin.tags.case_tag import CaseNode, CaseTag, MultiExpressionBlockNode
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.builtin.tags.unless_tag import UnlessNode, UnlessTag
from liquid.exceptions import FilterArgumentError, LiquidSyntaxError, LiquidTypeError
from liquid.expression import Expression
from liquid.stringify import to_liquid_string

from drumbeat.domain.merge import LOOP_LIMIT, MergeContext, Nothing, is_nothing, lacking, size

# fmt: off
_TAGS: Final = frozenset({
    "content", "output", "illegal", "if", "unless", "case", "for", "break", "continue", "assign", "capture",
    "comment", "#",
})
_FILTERS: Final = (
    "abs", "append", "at_least", "at_most", "capitalize", "ceil", "compact", "concat", "default",
    "divided_by", "downcase", "escape", "escape_once", "first", "floor", "join", "last", "lstrip", "map",
    "minus", "modulo", "newline_to_br", "plus", "prepend", "remove", "remove_first", "remove_last", "replace",
    "replace_first", "replace_last", "reverse", "round", "rstrip", "size", "slice", "sort", "sort_natural",
    "split", "squish", "strip", "strip_newlines", "sum", "times", "truncate", "truncatewords",
    "uniq", "upcase", "url_decode", "url_encode", "where",
)
# fmt: on
_OPENING: Final = re.compile(r"\{\{|\{%")
_MARK_SIZE: Final = 1_000
_MARKS: Final = 2_000
_HTML_TAG: Final = re.compile(r"<[^<>]*>")
_DATE_FORMAT: Final = re.compile(r"(?:[^%]|%-?[A-Za-z%]){0,100}", re.DOTALL)


def check_marks(source: str) -> None:
    """Raise LiquidSyntaxError unless every mark is closed soon: the lexer is quadratic over others."""
    position, marks = 0, 0
    while opening := _OPENING.search(source, position):
        marks += 1
        closing = "}}" if opening[0] == "{{" else "%}"
        position = source.find(closing, opening.end(), opening.end() + _MARK_SIZE) + 2
        inside = source[opening.end() : position - 2].strip("- \t\r\n")
        if inside == "raw" and position > 1:
            position = source.find("endraw", position) + 2
        if position == 1 or inside == "doc" or marks > _MARKS:
            reason = f"more than {_MARKS} tags" if marks > _MARKS else f"'{opening[0]}' is not closed"
            token = Token(kind="tag", value=opening[0], start_index=opening.start(), source=source)
            raise LiquidSyntaxError(reason, token=token)


class _MergeOutput(OutputNode):
    """`{{ ... }}`: notes the tags it would have shown nothing for."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        merge = cast(MergeContext, context)
        value = self.expression.evaluate(context)
        if isinstance(value, Nothing):
            merge.missing.update(dict.fromkeys(value.tags))
            return 0
        text = to_liquid_string(value, context.autoescape)
        merge.charge(len(text))
        return buffer.write(text)


class _Operand(Expression):
    """One side of a comparison, where nil, "", blank and empty are all the same: None."""

    __slots__ = ("inner",)

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.token)
        self.inner = inner

    def evaluate(self, context: RenderContext) -> object:
        value = self.inner.evaluate(context)
        cast(MergeContext, context).charge(size(value))
        return None if isinstance(value, Blank | Empty) or is_nothing(value) else value

    def children(self) -> Iterable[Expression]:
        return [self.inner]


class _Comparison(Expression):
    """A comparison that is false, not an error, between kinds that do not compare."""

    __slots__ = ("inner",)

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.token)
        self.inner = inner

    def evaluate(self, context: RenderContext) -> object:
        try:
            return self.inner.evaluate(context)
        except LiquidTypeError:
            return False

    def children(self) -> Iterable[Expression]:
        return [self.inner]


_JUNCTIONS = (logic.LogicalAndExpression, logic.LogicalOrExpression)
_COMPARISONS = (
    logic.EqExpression,
    logic.NeExpression,
    logic.LtExpression,
    logic.GtExpression,
    logic.LeExpression,
    logic.GeExpression,
    logic.ContainsExpression,
)


def _forgiving(expression: Expression) -> Expression:
    if isinstance(expression, BooleanExpression):
        return BooleanExpression(expression.token, _forgiving(expression.expression))
    if isinstance(expression, _JUNCTIONS):
        kind = type(expression)
        return kind(expression.token, _forgiving(expression.left), _forgiving(expression.right))
    if isinstance(expression, _COMPARISONS):
        sides = _Operand(expression.left), _Operand(expression.right)
        return _Comparison(type(expression)(expression.token, *sides))
    return expression


class _When(Expression):
    """The values of a `when`: they match once or not at all, so that no block is rendered twice."""

    __slots__ = ("tests",)

    def __init__(self, token: Token, left: Expression, values: Iterable[Expression]) -> None:
        super().__init__(token)
        self.tests = [logic.EqExpression(token, _Operand(left), _Operand(value)) for value in values]

    def evaluate(self, context: RenderContext) -> list[bool]:
        return [any(test.evaluate(context) for test in self.tests)]

    def children(self) -> Iterable[Expression]:
        return self.tests


class _MergeIf(IfNode):
    def __init__(self, token: Token, condition: Expression, *rest: Any, **named: Any) -> None:
        super().__init__(token, _forgiving(condition), *rest, **named)
        for alternative in self.alternatives:
            alternative.expression = _forgiving(alternative.expression)


class _MergeUnless(UnlessNode):
    def __init__(self, token: Token, condition: Expression, *rest: Any, **named: Any) -> None:
        super().__init__(token, _forgiving(condition), *rest, **named)
        for alternative in self.alternatives:
            alternative.expression = _forgiving(alternative.expression)


class _MergeCase(CaseNode):
    def __init__(self, token: Token, expression: Expression, blocks: list[Any]) -> None:
        super().__init__(token, expression, blocks)
        for block in blocks:
            if isinstance(block, MultiExpressionBlockNode):
                values = block.expression.children()
                block.expression = cast(Any, _When(block.token, expression, values))


class _MergeFor(ForNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        # From this tag's name to the tag that ends the body: what one turn walks through.
        size = self.block.token.start_index - self.token.start_index
        cast(MergeContext, context).body_size = size
        return super().render_to_output(context, buffer)


class _MergeCapture(CaptureNode):
    """What is captured lacks the tags it would have shown; that matters only where it is shown itself."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        merge = cast(MergeContext, context)
        missing, merge.missing = merge.missing, {}
        captured = context.get_buffer(buffer)
        self.block.render(context, captured)
        gaps, merge.missing = merge.missing, missing
        if gaps:
            context.assign(self.name, lacking(gaps))
        else:
            self._assign(context, captured)
        return 0


class _MergeOutputTag(Output):
    node_class = _MergeOutput


class _MergeIfTag(IfTag):
    node_class = _MergeIf


class _MergeUnlessTag(UnlessTag):
    node_class = _MergeUnless


class _MergeCaseTag(CaseTag):
    node_class = _MergeCase


class _MergeCaptureTag(CaptureTag):
    node_class = _MergeCapture


class _MergeForTag(ForTag):
    node_class = _MergeFor


def _date(value: object, wanted: object) -> str:
    """A date, a datetime or its ISO 8601 text, written in `strftime` letters; anything else as it is."""
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return value
    if not isinstance(moment, date):
        return str(value)
    if not isinstance(wanted, str) or not _DATE_FORMAT.fullmatch(wanted):
        raise FilterArgumentError("date: expected a short format of % and one letter each", token=None)
    return moment.strftime(wanted)


def _strip_html(value: object) -> str:
    """The text without tags. Never markup, even when made of it: what is left is escaped again."""
    text = _HTML_TAG.sub("", str(value))
    return unescape(text) if isinstance(value, Markup) else text


class MergeLanguage(Environment):
    """The tags and filters a letter may use, with limits; `autoescape` for HTML."""

    block_nesting_limit = 20
    context_depth_limit = 30
    loop_iteration_limit = LOOP_LIMIT

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape, undefined=Nothing)

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Keep the tags and filters by name, so that a new version of the library adds none."""
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.add_filter("date", _date)
        self.add_filter("strip_html", _strip_html)
        for tag in (_MergeOutputTag, _MergeIfTag, _MergeUnlessTag, _MergeCaseTag, _MergeCaptureTag, _MergeForTag):
            self.add_tag(tag)


HTML: Final = MergeLanguage(autoescape=True)
TEXT: Final = MergeLanguage(autoescape=False)
