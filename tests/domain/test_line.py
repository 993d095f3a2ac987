"""Text of one line."""

from __future__ import annotations

import pytest

from drumbeat.domain.errors import BlankField, IncorrectValue
from drumbeat.domain.line import LONGEST_LINE, check_line, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Tea for two", "Tea for two"),
        ("Tea\r\nfor\x00two\n", "Tea for two"),
        ("a\u2028b\x85c\x7f", "a b c"),
        (" é ", "é"),
    ],
)
def test_every_run_of_line_ends_and_control_characters_becomes_one_space(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_line_is_taken_without_the_space_around_it() -> None:
    assert check_line("  Zoë & Söhne \n", "name") == "Zoë & Söhne"
    assert check_line(" ", "name", blank=True) == ""
    assert check_line("x" * LONGEST_LINE, "name") == "x" * LONGEST_LINE


@pytest.mark.parametrize("mark", ["\n", "\r", "\x00", "\x1b", "\x85", "\u2028", "\u2029", "\ud800", "\t"])
def test_text_of_several_lines_is_no_line(mark: str) -> None:
    with pytest.raises(IncorrectValue, match="Write it in one line") as refused:
        check_line(f"Tea{mark}Bcc: all@example.com", "name")
    assert refused.value.field == "name"


def test_text_that_is_blank_or_too_long_is_refused_with_the_limit() -> None:
    with pytest.raises(BlankField, match="Write something"):
        check_line(" \n ", "name")
    with pytest.raises(IncorrectValue, match="Write at most 255 characters; these are 256"):
        check_line("x" * 256, "name")
    with pytest.raises(IncorrectValue, match="Write at most 3 characters; these are 4"):
        check_line("four", "name", at_most=3)
