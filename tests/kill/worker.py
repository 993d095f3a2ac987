"""A worker in a process of its own, for tests that kill it: `python -m tests.kill.worker FOLDER URL`."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from drumbeat.store.database import Database
from drumbeat.testing.house import open_world_of
from drumbeat.worker import Worker


def main() -> None:
    """Work until SIGTERM; print a line when ready."""
    folder, url = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker = Worker(open_world_of(Database(url, test_clock=True), Path(folder)))
    print("ready", flush=True)
    worker.run(stop)


if __name__ == "__main__":
    main()
