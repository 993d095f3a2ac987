"""Points at which a worker can be made to die: each is a step between a letter's coming due and its being settled."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from drumbeat.mail import smtp
from drumbeat.mail.line import Line
from drumbeat.worker import carrier
from drumbeat.worker.carrier import Carrier
from drumbeat.worker.journal import Journal

Reached = Callable[..., bool]
"""Whether a call, with its result or None before it, is the point."""


@dataclass(frozen=True, slots=True)
class Point:
    """A function of the product, and whether to die before or after it, if `reached` says that this call counts."""

    owner: Any
    name: str
    after: bool = False
    reached: Reached = lambda *_, **__: True


def _has_letters(result: Any, *_: Any, **__: Any) -> bool:
    return bool(result.letters)


def _stands_ready(_: Any, *arguments: Any, **__: Any) -> bool:
    return bool(arguments[4])


def _has_passed(result: Any, *_: Any, **__: Any) -> bool:
    return bool(result)


def _is_answered(_: Any, *arguments: Any, **__: Any) -> bool:
    return any(getattr(each.ending, "stage", None) == "dot" for each in arguments[3])


def _has_entries(_: Any, __: Journal, ___: str, entries: Any) -> bool:
    return bool(entries)


def _dot_is_out(_: Any, line: Line) -> bool:
    return line.dotted is not None and not line.out and not line._dot_unsent


POINTS: Final[Mapping[str, Point]] = {
    "W0 in the claim's transaction": Point(carrier, "claim", after=True, reached=_has_letters),
    "W1 before the letter is written": Point(Carrier, "_envelope"),
    "W1 before connecting": Point(smtp, "open_session"),
    "W1 before MAIL": Point(Line, "begin"),
    "W1 before the body": Point(Line, "_text_wanted"),
    "W1 before the point of no return": Point(carrier, "commit_turn", reached=_stands_ready),
    "W1b before its commit": Point(carrier, "commit_turn", after=True, reached=_has_passed),
    "W2 before the dot": Point(Line, "dot"),
    "W3 after the dot": Point(Line, "flush", after=True, reached=_dot_is_out),
    "W4 before the journal": Point(Journal, "note", reached=_has_entries),
    "W5 after the journal": Point(Journal, "note", after=True, reached=_has_entries),
    "W5 in the answer's transaction": Point(carrier, "commit_turn", after=True, reached=_is_answered),
    "W5 after the answer's commit": Point(Journal, "settled"),
}


def die_at(name: str, hit: int) -> None:
    """Let this process die by SIGKILL when it comes to a point for the `hit`-th time (1 is the first)."""
    point = POINTS[name]
    original, hits = getattr(point.owner, point.name), count(1)
    setattr(point.owner, point.name, _deadly(original, point, hits, hit))


def _deadly(original: Callable[..., Any], point: Point, hits: Iterator[int], hit: int) -> Callable[..., Any]:
    def deadly(*arguments: Any, **named: Any) -> Any:
        if not point.after and point.reached(None, *arguments, **named) and next(hits) == hit:
            _die()
        result = original(*arguments, **named)
        if point.after and point.reached(result, *arguments, **named) and next(hits) == hit:
            _die()
        return result

    return deadly


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()  # the signal may be a moment on its way
