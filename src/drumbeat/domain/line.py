"""Text of one line: names, subjects and whatever else may stand in a header."""

from __future__ import annotations

import re
from typing import Final

from drumbeat.domain.errors import BlankField, IncorrectValue

LONGEST_LINE: Final = 255
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def one_line(text: str) -> str:
    """The text without its line ends and other control characters: each run of them is one space."""
    return (text if text.isprintable() else _CONTROLS.sub(" ", text)).strip()


def check_line(text: str, field: str, *, at_most: int = LONGEST_LINE, blank: bool = False) -> str:
    """The text without the space around it; Invalid on `field` unless it is one line of at most so many characters."""
    line = text.strip()
    if not line and not blank:
        raise BlankField("Write something.", field=field)
    if _CONTROLS.search(line):
        raise IncorrectValue("Write it in one line, without control characters.", field=field)
    if len(line) > at_most:
        raise IncorrectValue(f"Write at most {at_most} characters; these are {len(line)}.", field=field)
    return line
