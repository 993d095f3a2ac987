"""Where a worker's CPU goes while it sends: each part's own time, without that of the parts within it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from bench._machine import row
from drumbeat.mail.smtp import Post
from drumbeat.operations import deliveries
from drumbeat.worker.carrier import Carrier
from drumbeat.worker.journal import Journal

_REST = "the rest: tending, counting, waiting"
_PARTS: list[tuple[str, object, str]] = [
    ("claim: what is due is locked, decided and frozen", Carrier, "_claim_more"),
    ("write: the letter's bytes", Carrier, "_envelope"),
    ("talk: what servers say, and what they are told next", Post, "_gather"),
    ("talk: letters given to connections", Post, "_load"),
    ("settle: answers stored, the next step planned", deliveries, "_settle"),
    ("pass: the point of no return", deliveries, "_pass"),
    ("commit: the transaction around those two, to the disk", Carrier, "_commit"),
    ("journal: answers on the worker's disk", Journal, "note"),
]


@contextmanager
def parts(letters: int) -> Iterator[None]:
    """Print a table of the parts of what is done inside."""
    spent, within = Counter[str](), [_REST]
    last = [time.process_time()]

    def turn() -> None:
        now = time.process_time()
        spent[within[-1]] += now - last[0]  # type: ignore[assignment]
        last[0] = now

    def timed(name: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **named: Any) -> Any:
            turn()
            within.append(name)
            try:
                return do(*given, **named)
            finally:
                turn()
                within.pop()

        return measured

    with ExitStack() as patched:
        for name, owner, function in _PARTS:
            patched.enter_context(patch.object(owner, function, timed(name, getattr(owner, function))))
        yield
    turn()
    row("part", "CPU ms/1,000 letters", "share")
    row(*["---"] * 3)
    for name, seconds in spent.most_common():
        row(name, seconds * 1_000_000 / letters, seconds / spent.total())
