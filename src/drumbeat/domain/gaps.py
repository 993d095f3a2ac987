"""Places of a letter that have no value, marked where they are: for whoever writes it, never for whoever gets it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from drumbeat.domain.merge import split_tag

# Private characters, which nobody writes, around the merge tag.
_OPEN, _CLOSE = "\ue000", "\ue001"
_GAP = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")
_HTML_TAG = re.compile("(<[^<>]*>)")
_UNMARKED = str.maketrans("", "", _OPEN + _CLOSE)


def fill_gaps(values: Mapping[str, Any], tags: Iterable[str]) -> dict[str, Any]:
    """The nested values, and in the places of these merge tags the tags themselves, marked."""
    filled = dict(values)
    for tag in tags:
        *groups, name = split_tag(tag)
        group = filled
        for key in groups:
            inner = group.get(key)
            inner = dict(inner) if isinstance(inner, dict) else {}
            group[key] = inner
            group = inner
        group[name] = f"{_OPEN}{tag}{_CLOSE}"
    return filled


def pieces(text: str) -> list[tuple[str, bool]]:
    """A text made with such values, in pieces: the words, and whether they are a merge tag without a value."""
    split = (piece.translate(_UNMARKED) for piece in _GAP.split(text))
    return [(piece, place % 2 == 1) for place, piece in enumerate(split) if piece]


def mark_html(html: str) -> str:
    """HTML made with such values, with <mark> around each of the merge tags in its text."""
    parts = _HTML_TAG.split(html)
    parts[::2] = (_GAP.sub(r"<mark>\1</mark>", text) for text in parts[::2])
    return "".join(parts).translate(_UNMARKED)
