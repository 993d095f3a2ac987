"""A mail server on loopback that keeps every letter and delivers none: what the sample mailbox sends to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from typing import Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from drumbeat.clock import host_now

HOST: Final = "127.0.0.1"
_LETTERS = 1000
_BYTES = 64 * 1024 * 1024
_LARGEST = 16 * 1024 * 1024
_SHARES = 2  # a letter is kept as it came and, once looked at, as text: each at most about its size


@dataclass(frozen=True, slots=True)
class CaughtLetter:
    """A letter as it came (`raw`) and as it reads; `headers` are decoded, in their order."""

    id: int
    received_at: datetime
    sender: str
    recipient: str
    subject: str
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    raw: bytes = field(repr=False)


@dataclass(slots=True)
class _Kept:
    """A letter that is parsed when somebody looks at it: catching must cost next to nothing."""

    id: int
    received_at: datetime
    sender: str
    recipient: str
    raw: bytes
    read: CaughtLetter | None = None


class Catcher:
    """The server, in a thread of its own; keeps the last 1,000 letters, at most 64 MB, in memory only."""

    def __init__(self, *, now: Callable[[], datetime] = host_now, letters: int = _LETTERS, size: int = _BYTES) -> None:
        self._now = now
        self._most, self._most_bytes = letters, size
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._bytes = 0
        self._caught = 0
        self._lock = threading.Lock()
        self._controller: _Controller | None = None

    def __enter__(self) -> Catcher:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free port of this machine."""
        self._controller = _Controller(_Door(self.catch), socket.create_server((HOST, 0)))
        self._controller.start()

    def stop(self) -> None:
        """Hang up; what was caught can still be read."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def port(self) -> int:
        """Where it listens, while it does."""
        assert self._controller is not None, "the catcher is not running"
        return int(self._controller.port)

    def letters(self, limit: int = _LETTERS) -> list[CaughtLetter]:
        """The letters caught last, newest first."""
        with self._lock:
            kept = list(reversed(self._kept.values()))[:limit]
        return [_read(each) for each in kept]

    def letter(self, id: int) -> CaughtLetter | None:
        """One letter, or None if it was never caught or had to make room."""
        with self._lock:
            kept = self._kept.get(id)
        return None if kept is None else _read(kept)

    def catch(self, sender: str, recipients: Sequence[str], raw: bytes) -> None:
        """Keep a letter; the oldest ones make room for it."""
        with self._lock:
            self._caught += 1
            kept = _Kept(self._caught, self._now(), sender, ", ".join(recipients), raw)
            self._kept[kept.id] = kept
            self._bytes += _SHARES * len(raw)
            while len(self._kept) > self._most or self._bytes > self._most_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= _SHARES * len(dropped.raw)


class _Door:
    """What aiosmtpd asks about a conversation: everything is welcome."""

    def __init__(self, catch: Callable[[str, Sequence[str], bytes], None]) -> None:
        self._catch = catch

    async def handle_EHLO(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        # Commands are read one line at a time from a buffer, so those sent ahead simply wait in it.
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        self._catch(envelope.mail_from or "", envelope.rcpt_tos, raw)
        return "250 2.0.0 Caught"


class _Server(SMTP):
    """Accepts lines as long as they come: hostile letters are to be looked at, too."""

    line_length_limit = 1024 * 1024


class _Controller(Controller):
    """Listens on a socket that is bound already, so that a free port is known before anything starts."""

    def __init__(self, door: _Door, listening: socket.socket) -> None:
        self._listening = listening
        super().__init__(
            door,
            hostname=HOST,
            port=listening.getsockname()[1],
            server_hostname="catcher.localhost",
            data_size_limit=_LARGEST,
            enable_SMTPUTF8=True,
            auth_required=False,
        )

    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listening)

    def cancel_tasks(self, stop_loop: bool = True) -> None:
        # Open conversations end with the thread; a task cancelled without a last turn would complain.
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        if stop_loop:
            self.loop.call_soon(self.loop.stop)


def _read(kept: _Kept) -> CaughtLetter:
    if kept.read is None:
        message = _parsed(kept.raw)
        kept.read = CaughtLetter(
            id=kept.id,
            received_at=kept.received_at,
            sender=kept.sender,
            recipient=kept.recipient,
            subject=_header(message, "subject"),
            headers=_headers(message),
            text=_body(message, "plain"),
            html=_body(message, "html"),
            raw=kept.raw,
        )
    return kept.read


# The stdlib's parser promises never to raise and its header and content accessors do not keep that promise
# on hostile input, hence a suppress around each of them.


def _parsed(raw: bytes) -> Message[Any, Any]:
    with suppress(Exception):
        return BytesParser(policy=policy.default).parsebytes(raw)
    return EmailMessage()


def _header(message: Message[Any, Any], name: str) -> str:
    with suppress(Exception):
        return _printable(message.get(name, ""))
    return ""


def _headers(message: Message[Any, Any]) -> tuple[tuple[str, str], ...]:
    with suppress(Exception):
        return tuple((_printable(name), _printable(value)) for name, value in message.items())
    with suppress(Exception):
        return tuple((_printable(name), _printable(value)) for name, value in message.raw_items())
    return ()


def _body(message: Message[Any, Any], kind: str) -> str | None:
    with suppress(Exception):
        for part in message.walk():
            if part.get_content_type() == f"text/{kind}" and part.get_content_disposition() != "attachment":
                return _content(part)
    return None


def _content(part: Message[Any, Any]) -> str:
    with suppress(Exception):
        return _encodable(str(part.get_content()).replace("\r\n", "\n"))  # type: ignore[attr-defined]
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _printable(value: object) -> str:
    return _encodable(" ".join(str(value).splitlines()))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
