"""A hint that there is work now: rung when a transaction that made some commits, heard by the workers at rest.

Within a process it is an event; from one process to another PostgreSQL carries it (NOTIFY). It may get lost, with a
connection or behind a pooler, so whoever waits for it looks by himself, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg

CHANNEL: Final = "drumbeat"
_LOOK_UP_EVERY = 0.5  # seconds between looks at whether to end
_AGAIN_AFTER = 5.0  # seconds after a connection that broke


class Listener:
    """Hears what other processes ring, over a connection of its own, and rings it in this one, until it is closed.

    `hears` tells whether it does now; without a way to connect it never will.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]] | None, rung: threading.Event) -> None:
        self._connect = connect
        self._rung = rung
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.hears = False

    def start(self) -> None:
        """Begin to hear."""
        if self._connect is not None:
            self._thread = threading.Thread(target=self._run, args=(self._connect,), name="bell", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(2 * _LOOK_UP_EVERY)  # who is just connecting to nobody ends with the process

    def _run(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        while not self._ending.is_set():
            try:
                with connect() as connection:
                    self._listen(connection)
            except Exception:  # whoever waits for it looks by himself, and tells what is in the way
                self.hears = False
                self._ending.wait(_AGAIN_AFTER)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self.hears = True
        self._rung.set()  # what was rung before it could be heard
        while not self._ending.is_set():
            for _ in connection.notifies(timeout=_LOOK_UP_EVERY, stop_after=1):
                self._rung.set()
