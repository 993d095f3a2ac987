"""Room for hashing passwords: each takes 64 MB, a core, and a thread while it waits for its turn."""

from __future__ import annotations

from threading import BoundedSemaphore
from types import TracebackType

from drumbeat.domain.errors import Unavailable

_AT_ONCE = 2
_WAITING = 8


class Hashing:
    """Two at a time, and eight that wait; who comes then is told to come back, and other calls keep their threads."""

    def __init__(self, at_once: int = _AT_ONCE, waiting: int = _WAITING) -> None:
        self._room = BoundedSemaphore(at_once + waiting)
        self._turn = BoundedSemaphore(at_once)

    def __enter__(self) -> None:
        if not self._room.acquire(blocking=False):
            raise Unavailable("Too many people are signing in.")
        self._turn.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn.release()
        self._room.release()
