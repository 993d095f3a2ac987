"""One open SMTP connection and the letters on it: at most one behind its dot, at most one before it."""

from __future__ import annotations

import math
import re
import ssl
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from drumbeat.domain.delivery import Outcome, Reply, Stage
from drumbeat.mail.session import Replies, Session, Timeouts


@dataclass(frozen=True, slots=True)
class Envelope:
    """One letter to carry; `content` is its finished text in CRLF lines, not yet dot-stuffed."""

    key: Hashable
    sender: str
    recipient: str
    content: bytes = field(repr=False)


class Lost(OSError):
    """The connection cannot be used any more."""


_Tell = Callable[[Outcome], None]
_WAITING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_ADDRESS = re.compile(r"[!-;=?-~]*")
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Line:
    """Our half of the conversation, without a loop: its owner calls hear() and flush()."""

    __slots__ = (
        "_again",
        "_awaiting",
        "_dot_unsent",
        "_monotonic",
        "_must_reset",
        "_refusal",
        "_replies",
        "_sending",
        "_steps",
        "_tell",
        "_timeouts",
        "_untouched",
        "deadline",
        "dotted",
        "events",
        "letter",
        "out",
        "pipelining",
        "ready",
        "since",
        "size_limit",
        "sock",
        "spent",
    )

    def __init__(self, session: Session, timeouts: Timeouts, tell: _Tell, monotonic: Callable[[], float]) -> None:
        self.pipelining = session.has_extn("pipelining")
        self.size_limit = _size_limit(session)
        self.sock = session.release()
        self.letter: Envelope | None = None
        self.dotted: Envelope | None = None
        self.ready = False
        self.spent = False  # it has carried a letter: its server may have hung up since
        self.out: bytes | memoryview = b""
        self.events = 0
        self._timeouts = timeouts
        self._tell = tell
        self._monotonic = monotonic
        self._replies = Replies()
        self._awaiting: deque[Stage | None] = deque()  # None stands for RSET
        self._steps: deque[tuple[Stage | None, bytes]] = deque()
        self._refusal: Outcome | None = None
        self._must_reset = self._again = self._untouched = self._sending = self._dot_unsent = False
        self._expect(timeouts.idle)

    @property
    def idle(self) -> bool:
        """Nothing is on it."""
        return self.letter is None and self.dotted is None

    @property
    def free(self) -> bool:
        """It can take a letter now; behind a dot only in the same write, lest it wait for a slow answer."""
        return self.letter is None and (self.dotted is None or (self.pipelining and self._dot_unsent))

    def begin(self, letter: Envelope, again: bool) -> None:
        """Queue MAIL, RCPT and DATA; `again` marks a letter that a dead connection has cost a try already."""
        refusal = self._refused_unsent(letter)
        if refusal is not None:
            self._tell(refusal)
            return
        size = "" if self.size_limit is None else f" SIZE={len(letter.content)}"
        self.letter, self._again, self._untouched = letter, again, True
        if self._must_reset:
            self._steps.append((None, b"RSET\r\n"))
            self._must_reset = False
        self._steps.append((Stage.MAIL, f"MAIL FROM:<{letter.sender}>{size}\r\n".encode()))
        self._steps.append((Stage.RCPT, f"RCPT TO:<{letter.recipient}>\r\n".encode()))
        self._steps.append((Stage.DATA, b"DATA\r\n"))
        self._say_next()

    def _refused_unsent(self, letter: Envelope) -> Outcome | None:
        """What the server would refuse, or what cannot be written on the wire at all."""
        for stage, address, code in (
            (Stage.MAIL, letter.sender, "5.1.7"),
            (Stage.RCPT, letter.recipient, "5.1.3"),
        ):
            if not _ADDRESS.fullmatch(address) or (stage is Stage.RCPT and not address):
                return Outcome(letter.key, stage, Reply(553, code, "this address cannot be written in SMTP"))
        if self.size_limit and len(letter.content) > self.size_limit:
            text = f"the letter has {len(letter.content)} bytes, the server takes {self.size_limit}"
            return Outcome(letter.key, Stage.MAIL, Reply(552, "5.3.4", text))
        return None

    def _say_next(self) -> None:
        if self.dotted is None:
            self._expect(self._timeouts.command)
        while self._steps:
            stage, command = self._steps.popleft()
            self.out = bytes(self.out) + command
            self._awaiting.append(stage)
            if not self.pipelining:
                return

    def _expect(self, seconds: float) -> None:
        self.since = self._monotonic()
        self.deadline = self.since + seconds

    def hear(self) -> None:
        """Read what has come and answer it; raises OSError when the connection is of no more use."""
        while True:
            try:
                chunk = self.sock.recv(65536)
            except _WAITING:
                return
            if not chunk:
                raise Lost("the server closed the connection")
            for code, text in self._replies.feed(chunk):
                self._answered(code, text)
            if not isinstance(self.sock, ssl.SSLSocket) or not self.sock.pending():
                return

    def _answered(self, code: int, text: bytes) -> None:
        stage = self._awaiting[0] if self._awaiting else Stage.DATA
        if stage is Stage.DOT:
            self._dot_answered(code, text)
        elif self.letter is None or self._sending or self.ready:
            self._refuse(stage, code, text)
            raise Lost(f"the server said {code} unasked")
        elif code == 421:
            if not (self.spent and self._untouched and not self._again):
                self._refuse(stage, code, text)
            raise Lost("the server closed the session (421)")
        elif stage is None:
            if not 200 <= code <= 299:
                raise Lost(f"the server answered {code} to RSET")
            self._say_next()
        elif stage is Stage.DATA:
            self._text_wanted(code, text)
        else:
            self._command_answered(stage, code, text)
        self._awaiting.popleft()  # only now: what raises belongs to this stage

    def _dot_answered(self, code: int, text: bytes) -> None:
        if self.dotted is None or 300 <= code <= 399:
            raise Lost(f"the server answered {code} to a whole letter")
        self._tell(Outcome(self.dotted.key, Stage.DOT, Reply.read(code, text)))
        self.dotted = None
        self._expect(self._timeouts.idle if self.letter is None else self._timeouts.command)
        if code == 421:
            raise Lost("the server closed the session (421)")

    def _refuse(self, stage: Stage | None, code: int, text: bytes) -> None:
        if self.letter is not None and self._refusal is None:
            self._refusal = Outcome(self.letter.key, stage or Stage.MAIL, Reply.read(code, text))

    def _command_answered(self, stage: Stage, code: int, text: bytes) -> None:
        if 300 <= code <= 399:
            raise Lost(f"the server answered {code} to {stage.upper()}")
        self._untouched = False
        if code >= 400:
            self._refuse(stage, code, text)
            if not self.pipelining:
                self._give_up_letter()
                return
        self._say_next()

    def _text_wanted(self, code: int, text: bytes) -> None:
        """The answer to DATA: a body goes out only if nothing before it was refused."""
        self._untouched = False
        if code < 400 and (code != 354 or self._refusal is not None):
            raise Lost(f"the server answered {code} to DATA")
        if code == 354:
            self._sending = True
            self._expect(self._timeouts.body)
            assert self.letter is not None
            self.out = memoryview(_stuffed(self.letter.content))
        else:
            self._refuse(Stage.DATA, code, text)
            self._give_up_letter()

    def _give_up_letter(self) -> None:
        assert self._refusal is not None
        self._tell(self._refusal)
        self.letter = self._refusal = None
        self.spent = self._must_reset = True
        self._steps.clear()
        self._expect(self._timeouts.idle)

    def flush(self) -> None:
        """Write what the socket takes; when a body is out whole, its letter stands ready for the dot."""
        while self.out:
            try:
                sent = self.sock.send(self.out)
            except BlockingIOError:
                return
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._dot_unsent = False  # part of a record may have left
                return
            except OSError:
                self.hear()  # what the server said before it closed names the reason
                raise
            self._dot_unsent = False
            self.out = self.out[sent:]
        if self._sending:
            self._sending, self.ready, self.deadline = False, True, math.inf

    def dot(self) -> None:
        """Queue the final dot of the letter that stands ready: its point of no return is committed."""
        self.dotted, self.letter = self.letter, None
        self.ready, self.spent, self._dot_unsent = False, True, True
        self.out = b".\r\n"
        self._awaiting.append(Stage.DOT)
        self._expect(self._timeouts.dot)

    def withdraw(self, words: str | None) -> None:
        """Take the letter before its dot off; with words, tell that it was not sent."""
        if self.letter is not None and words is not None:
            self._tell(self._refusal or Outcome(self.letter.key, Stage.DATA, None, f"not sent: {words}"))
        self.letter = self._refusal = None

    def end(self, error: str) -> Envelope | None:
        """Close; tell what became of the letters, or give back the one that a new connection may carry."""
        self.sock.close()
        if self.dotted is not None:
            stage = Stage.DATA if self._dot_unsent else Stage.DOT
            self._tell(Outcome(self.dotted.key, stage, None, error))
        letter, self.letter, self.dotted = self.letter, None, None
        if letter is None:
            return None
        if self._refusal is not None:
            self._tell(self._refusal)
        elif self.spent and self._untouched and not self._again:
            return letter
        else:
            stages = [stage or Stage.MAIL for stage in self._awaiting if stage is not Stage.DOT]
            self._tell(Outcome(letter.key, stages[0] if stages else Stage.DATA, None, error))
        return None

    def quit(self) -> None:
        """Say goodbye without waiting for the answer."""
        try:
            self.sock.send(b"QUIT\r\n")
        except OSError:
            return
        finally:
            self.sock.close()


def _size_limit(session: Session) -> int | None:
    """None: SIZE is not offered; 0: offered without a limit."""
    if not session.has_extn("size"):
        return None
    digits = session.esmtp_features["size"].strip()
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _stuffed(content: bytes) -> bytes:
    """The content as it goes over the wire; a bare CR or LF could forge the final dot."""
    ends = content.count(b"\r\n")
    if content.count(b"\n") != ends or content.count(b"\r") != ends:
        content = _LINE_END.sub(b"\r\n", content)
    if content.startswith(b"."):
        content = b"." + content
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
