"""Being told to stop."""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue


def stop_when_told() -> threading.Event:
    """An event that SIGTERM and SIGINT set from now on; call it in the main thread.

    Their handler does not set it itself: it runs in the midst of whatever the main thread does, and where that
    is a wait for this very event, it would wait for a lock that its own thread holds, and for ever.
    """
    stop, told = threading.Event(), SimpleQueue[None]()

    def wait() -> None:
        told.get()
        stop.set()

    threading.Thread(target=wait, name="stopping", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.put(None))
    return stop
