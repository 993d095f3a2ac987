"""An SMTP server for tests: takes letters, keeps the truth about them, misbehaves on request."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from drumbeat.testing.conversation import CUT, NEVER, At, Conversation, Do, Script, Talk

__all__ = ["CUT", "NEVER", "At", "Do", "Received", "Script", "Sink", "Talk"]


@dataclass(frozen=True, slots=True)
class Received:
    """One accepted letter, as it was after dot-stuffing was taken off; `at` is its number."""

    sender: str
    recipient: str
    content: bytes = field(repr=False)
    at: int


_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>\r\n]*>)", re.IGNORECASE | re.MULTILINE)


class Sink:
    """The server in a thread of its own, on loopback; as a context manager it is up and then gone."""

    def __init__(
        self,
        script: Script | None = None,
        extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10000000", "8BITMIME"),
        *,
        port: int = 0,
        log: Path | None = None,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        credentials: tuple[str, str] | None = None,
        fast: bool = False,
    ) -> None:
        self.script = script
        self.extensions = extensions
        self.tls = tls
        self.implicit = implicit
        self.credentials = credentials
        self.fast = fast
        self.letters: list[Received] = []
        self.talks: list[Talk] = []
        self.logins = 0
        self.tally: Counter[str] = Counter()
        self.changed = threading.Condition()
        self.conversations: set[Conversation] = set()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else None
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)

    def __enter__(self) -> Sink:
        context = self.tls if self.implicit else None
        listening = self._loop.create_server(lambda: Conversation(self), sock=self._socket, ssl=context)
        self._server = self._loop.run_until_complete(listening)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        if self._log is not None:
            os.close(self._log)

    def wait_for(self, happened: Callable[[], bool], seconds: float = 5.0) -> bool:
        """Wait until something the sink does makes `happened` true; False if it never did."""
        with self.changed:
            return self.changed.wait_for(happened, seconds)

    def answer(self, at: At, talk: Talk) -> Do:
        """The script's word for this moment, else the usual one."""
        found: Do | str | None = None
        if callable(self.script):
            found = self.script(at, talk)
        elif self.script is not None:
            local = (talk.sender if at is At.MAIL else talk.recipient).partition("@")[0]
            found = self.script.get((at, local)) or self.script.get(at)
        return Do(reply=found) if isinstance(found, str) else found or Do()

    def accept(self, talk: Talk, content: bytes) -> None:
        """Record a letter; when this returns it is on disk, if there is a log."""
        if self.fast:
            found = _MESSAGE_ID.search(content)
            self.tally[found.group(1).decode("ascii", "replace") if found else ""] += 1
        else:
            plain = content.replace(b"\r\n..", b"\r\n.").removeprefix(b".")
            self.letters.append(Received(talk.sender, talk.recipient, plain, len(self.letters) + 1))
            self._write_log(talk, plain)
        talk.letters += 1

    def _write_log(self, talk: Talk, content: bytes) -> None:
        if self._log is None:
            return
        found = _MESSAGE_ID.search(content)
        entry = {
            "message_id": found.group(1).decode("ascii", "replace") if found else None,
            "recipient": talk.recipient,
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        os.write(self._log, json.dumps(entry).encode() + b"\n")
        os.fsync(self._log)

    def summary(self) -> str:
        """The tallies of --fast as one JSON line."""
        return json.dumps({"letters": self.tally.total(), "ids": self.tally})

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._server.close()
        for conversation in self.conversations.copy():
            conversation.hang_up()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


def main() -> None:
    """Run a sink as its own program until SIGTERM; SIGUSR1 and the end print the --fast tallies."""
    parser = argparse.ArgumentParser(prog="python -m drumbeat.testing.sink")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--fast", action="store_true", help="count letters instead of keeping them")
    chosen = parser.parse_args()
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with Sink(port=chosen.port, log=chosen.log, fast=chosen.fast) as sink:
        print(sink.port, flush=True)
        while signal.sigwait(signals) == signal.SIGUSR1:
            print(sink.summary(), flush=True)
    if chosen.fast:
        print(sink.summary(), flush=True)


if __name__ == "__main__":
    main()
