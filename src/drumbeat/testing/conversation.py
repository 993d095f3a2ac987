"""One SMTP conversation from the server's side, which a script may make misbehave."""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol


class At(StrEnum):
    """A moment of the conversation a script may act on; BODY is its first bytes, DOT its end."""

    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"
    RSET = "rset"


@dataclass(frozen=True, slots=True)
class Do:
    """What to do instead: another reply ("" is none), cut the line, wait, accept against the reply."""

    reply: str | None = None
    cut: bool = False
    delay: float = 0.0
    accept: bool | None = None


NEVER: Final = Do(reply="")
CUT: Final = Do(reply="", cut=True)


@dataclass(slots=True)
class Talk:
    """One connection as a script sees it: its number, the present envelope, every byte received."""

    number: int
    sender: str = ""
    recipient: str = ""
    letters: int = 0
    encrypted: bool = False
    wire: bytearray = field(default_factory=bytearray, repr=False)


Script = Callable[[At, Talk], Do | str | None] | Mapping[At | tuple[At, str], Do | str]


class Keeper(Protocol):
    """What a conversation needs of the sink it belongs to."""

    script: Script | None
    extensions: tuple[str, ...]
    tls: ssl.SSLContext | None
    implicit: bool
    credentials: tuple[str, str] | None
    fast: bool
    logins: int
    talks: list[Talk]
    conversations: set[Conversation]
    changed: threading.Condition

    def answer(self, at: At, talk: Talk) -> Do: ...
    def accept(self, talk: Talk, content: bytes) -> None: ...


_USUAL: Final = {
    At.GREETING: "220 sink ESMTP",
    At.STARTTLS: "220 2.0.0 go on",
    At.AUTH: "235 2.7.0 welcome",
    At.MAIL: "250 2.1.0 ok",
    At.RCPT: "250 2.1.5 ok",
    At.DATA: "354 end with a dot",
    At.BODY: "",
    At.DOT: "250 2.0.0 queued",
    At.RSET: "250 2.0.0 ok",
}


_REFUSED: Final = "refused"


class Conversation(asyncio.BufferedProtocol):
    """One connection: bytes in, replies out, one write for all that a chunk brought."""

    def __init__(self, sink: Keeper) -> None:
        self._sink = sink
        self._space = memoryview(bytearray(1 << 16))  # a bytearray would be copied when sliced
        self._rest = b""
        self._out: list[str] = []
        self._held = self._in_body = self._body_begun = False
        self._has_sender = self._has_recipient = False
        self._logged_in = sink.credentials is None
        self._secrets: list[str] | None = None
        self._scripted = sink.script is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._talk = Talk(len(self._sink.talks) + 1, encrypted=self._sink.implicit)
        self._sink.talks.append(self._talk)
        self._sink.conversations.add(self)
        self._act(At.GREETING)
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink.conversations.discard(self)
        self._held = True

    def hang_up(self) -> None:
        """Close without a word."""
        self._held = True
        self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        chunk = bytes(self._space[:nbytes])
        if not self._sink.fast:
            self._talk.wire += chunk
        self._rest += chunk
        self._go_on()

    def _go_on(self) -> None:
        while not self._held and (self._take_body() if self._in_body else self._take_line()):
            pass
        self._flush()
        if not self._sink.fast:
            with self._sink.changed:
                self._sink.changed.notify_all()

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            self._transport.write("".join(self._out).encode("latin-1"))
        self._out.clear()

    def _take_line(self) -> bool:
        line, end, rest = self._rest.partition(b"\r\n")
        if not end:
            return False
        self._rest = rest
        text = line.decode("utf-8", "replace")
        if self._secrets is not None:
            self._take_secret(text)
        else:
            verb, _, argument = text.partition(" ")
            _VERBS.get(verb.upper(), Conversation._not_known)(self, argument)
        return True

    def _take_body(self) -> bool:
        if self._scripted and self._rest and not self._body_begun:
            self._body_begun = True
            self._act(At.BODY)
            return True
        start = b"\r\n" + self._rest
        found = start.find(b"\r\n.\r\n")
        if found < 0:
            return False
        content, self._rest = start[2 : found + 2], start[found + 5 :]
        self._in_body = self._has_sender = self._has_recipient = False
        self._act(At.DOT, content=content)
        return True

    def _act(self, at: At, usual: str | None = None, content: bytes = b"") -> None:
        do = self._sink.answer(at, self._talk) if self._scripted else _AS_USUAL
        usual = _USUAL[at] if usual is None else usual
        if do.delay:
            self._held = True
            asyncio.get_running_loop().call_later(do.delay, self._after_delay, at, do, usual, content)
        else:
            self._do(at, do, usual, content)

    def _after_delay(self, at: At, do: Do, usual: str, content: bytes) -> None:
        self._held = False
        self._do(at, do, usual, content)
        self._go_on()

    def _do(self, at: At, do: Do, usual: str, content: bytes) -> None:
        reply = usual if do.reply is None else do.reply
        if at is At.DOT and (reply.startswith("2") if do.accept is None else do.accept):
            self._sink.accept(self._talk, content)
        self._follow(at, reply)
        if reply:
            self._out.append(reply + "\r\n")
        if do.cut:
            self._flush()
            self._held = True
            self._transport.close()
        elif do is NEVER or (not reply and at is not At.BODY):
            self._held = True
            self._transport.pause_reading()

    def _follow(self, at: At, reply: str) -> None:
        good = reply.startswith(("2", "3"))
        if at is At.MAIL:
            self._has_sender = good
        elif at is At.RCPT:
            self._has_recipient = good
        elif at is At.AUTH:
            self._logged_in = good
        elif at is At.DATA and reply.startswith("354"):
            self._in_body, self._body_begun = True, False
        elif at is At.STARTTLS and good:
            self._held = True
            self._transport.pause_reading()  # what follows is TLS's to read
            asyncio.get_running_loop().call_soon(self._begin_encryption)

    def _begin_encryption(self) -> None:
        self._encryption = asyncio.get_running_loop().create_task(self._encrypt())

    async def _encrypt(self) -> None:
        assert self._sink.tls is not None
        self._rest = b""
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport, self, self._sink.tls, server_side=True
            )
        except OSError:
            return
        assert transport is not None
        self._transport, self._talk.encrypted, self._held = transport, True, False
        self._go_on()

    def _ehlo(self, _: str) -> None:
        lines = ["sink", *self._sink.extensions]
        if self._sink.tls is not None and not self._talk.encrypted:
            lines.append("STARTTLS")
        elif self._sink.credentials is not None:
            lines.append("AUTH PLAIN LOGIN XOAUTH2")
        usual = "\r\n".join(f"250-{line}" for line in lines[:-1])
        self._act(At.EHLO, f"{usual}\r\n250 {lines[-1]}".lstrip())

    def _helo(self, _: str) -> None:
        self._out.append("250 sink\r\n")

    def _starttls(self, _: str) -> None:
        self._act(At.STARTTLS)

    def _auth(self, argument: str) -> None:
        mechanism, _, secret = argument.partition(" ")
        self._secrets = []
        if mechanism.upper() == "XOAUTH2":
            self._take_token(b64decode(secret).decode())
        elif mechanism.upper() == "PLAIN" and secret:
            self._take_secret(secret)
        else:
            self._out.append("334 VXNlcm5hbWU6\r\n")

    def _take_token(self, told: str) -> None:
        user, _, bearer = told.strip("\1").partition("\1auth=Bearer ")
        self._sink.logins += 1
        if (user.removeprefix("user="), bearer) == self._sink.credentials:
            self._secrets = None
            self._act(At.AUTH)
        else:
            self._secrets = [_REFUSED]
            self._out.append("334 eyJzdGF0dXMiOiI0MDAifQ==\r\n")

    def _take_secret(self, secret: str) -> None:
        assert self._secrets is not None
        if self._secrets == [_REFUSED]:
            self._secrets = None
            self._act(At.AUTH, "535 5.7.8 the token is not valid")
            return
        self._secrets += b64decode(secret).decode().split("\0")
        if len(self._secrets) == 1:
            self._out.append("334 UGFzc3dvcmQ6\r\n")
            return
        self._sink.logins += 1
        known = tuple(self._secrets[-2:]) == self._sink.credentials
        self._secrets = None
        self._act(At.AUTH, None if known else "535 5.7.8 wrong")

    def _mail(self, argument: str) -> None:
        self._talk.sender = argument.partition("<")[2].partition(">")[0]
        refused = "" if self._logged_in else "530 5.7.0 log in first"
        self._act(At.MAIL, refused or ("503 5.5.1 nested MAIL" if self._has_sender else None))

    def _rcpt(self, argument: str) -> None:
        self._talk.recipient = argument.partition("<")[2].partition(">")[0]
        self._act(At.RCPT, None if self._has_sender else "503 5.5.1 MAIL first")

    def _begin_body(self, _: str) -> None:
        self._act(At.DATA, None if self._has_recipient else "554 5.5.1 no valid recipients")

    def _rset(self, _: str) -> None:
        self._has_sender = self._has_recipient = False
        self._act(At.RSET)

    def _noop(self, _: str) -> None:
        self._out.append("250 2.0.0 ok\r\n")

    def _quit(self, _: str) -> None:
        self._out.append("221 2.0.0 bye\r\n")
        self._flush()
        self._held = True
        self._transport.close()

    def _not_known(self, _: str) -> None:
        self._out.append("500 5.5.1 not known\r\n")


_AS_USUAL: Final = Do()
_VERBS: Final[Mapping[str, Callable[[Conversation, str], None]]] = {
    "EHLO": Conversation._ehlo,
    "HELO": Conversation._helo,
    "STARTTLS": Conversation._starttls,
    "AUTH": Conversation._auth,
    "MAIL": Conversation._mail,
    "RCPT": Conversation._rcpt,
    "DATA": Conversation._begin_body,
    "RSET": Conversation._rset,
    "NOOP": Conversation._noop,
    "QUIT": Conversation._quit,
}
