"""Workers in processes of their own, forked from one that has imported everything: quick to start, real to kill.

`python -m drumbeat.testing.crew FOLDER URL` reads a command a line and answers with a line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from drumbeat.store.database import Database
from drumbeat.testing.house import open_world_of
from drumbeat.testing.points import die_at
from drumbeat.worker import Worker
from drumbeat.worker.stopping import stop_when_told

_LONGEST = 40.0  # seconds to wait for an end
_TOLD = {signal.SIGTERM}


class Crew:
    """The workers of one database, as a test starts and ends them."""

    def __init__(self, starter: subprocess.Popen[str]) -> None:
        self._starter = starter
        self.pids: set[int] = set()

    def start(self, point: str | None = None, hit: int = 1, *, changed: str | None = None) -> int:
        """A worker more, which dies by itself when it comes to a point; its process id.

        `changed` names a function, as module:name, that changes it before it begins.
        """
        pid: int = self._ask({"do": "start", "point": point, "hit": hit, "changed": changed})
        self.pids.add(pid)
        return pid

    def wait(self, pid: int) -> int | None:
        """Wait until a worker has ended; its exit code, or minus the signal that killed it. None if it did not in 40
        seconds, and was killed."""
        self.pids.discard(pid)
        code: int | None = self._ask({"do": "wait", "pid": pid})
        return code

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a worker."""
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def kill(self, pid: int) -> None:
        """Kill a worker, and wait until it is gone."""
        self.signal(pid, signal.SIGKILL)
        self.wait(pid)

    def _ask(self, command: dict[str, Any]) -> Any:
        assert self._starter.stdin is not None
        assert self._starter.stdout is not None
        self._starter.stdin.write(json.dumps(command) + "\n")
        self._starter.stdin.flush()
        return json.loads(self._starter.stdout.readline())


@contextmanager
def crew(folder: Path, url: str, *, within: Sequence[str] = ()) -> Iterator[Crew]:
    """A crew without a worker yet, started by a command that begins with `within`; at the end every worker that is left
    is killed."""
    command = [*within, sys.executable, "-m", "drumbeat.testing.crew", str(folder), url]
    starter = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    made = Crew(starter)
    try:
        yield made
    finally:
        for pid in list(made.pids):
            made.kill(pid)
        starter.kill()
        starter.wait()


def main() -> None:
    """Start workers and wait for them as told, until nobody tells any more."""
    folder, url = sys.argv[1:]
    for line in sys.stdin:
        command = json.loads(line)
        said: int | None
        said = _start(Path(folder), url, command) if command["do"] == "start" else _ended(command["pid"])
        print(json.dumps(said), flush=True)


def _ended(pid: int) -> int | None:
    """How a worker ended; None if it goes on and on."""
    gives_up = time.monotonic() + _LONGEST
    while time.monotonic() < gives_up:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _start(folder: Path, url: str, command: dict[str, Any]) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, _TOLD)  # until the worker hears them, so that it never misses one
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD)
        return pid
    code = 1
    try:
        os.close(sys.stdin.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _work(folder, url, command)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _work(folder: Path, url: str, command: dict[str, Any]) -> None:
    if command["changed"] is not None:
        module, name = command["changed"].split(":")
        getattr(import_module(module), name)()
    if command["point"] is not None:
        die_at(command["point"], command["hit"])
    stop = stop_when_told()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD)
    database = Database(url, test_clock=True)
    Worker(open_world_of(database, folder)).run(stop)
    database.close()


if __name__ == "__main__":
    main()
