"""Opening an SMTP session: connect, EHLO, encrypt, log in; or say exactly what failed."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from drumbeat.domain.delivery import Outcome, Reply, Stage
from drumbeat.domain.errors import GrantRefused


class Security(StrEnum):
    """How the connection is encrypted; `starttls` never falls back to plain text."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class Provider(StrEnum):
    """Who takes letters over HTTP instead of SMTP."""

    POSTMARK = "postmark"
    MAILGUN = "mailgun"
    SENDGRID = "sendgrid"
    SES = "ses"
    RESEND = "resend"


TokenSource = Callable[[bool], str]
"""Gives an access token to log in with instead of a password; True asks for a fresh one, the known one was refused."""


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own, which nobody else can reach."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Server:
    """A mailbox's outgoing server; `cafile` names a private authority's certificates (PEM).

    With a provider it is that one's API, and the password its key.
    """

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connections: int = 4
    cafile: str | None = None
    token: TokenSource | None = field(default=None, repr=False, compare=False)
    provider: Provider | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: `session` bounds all of opening, `body` and `dot` one letter's text and its answer."""

    connect: float = 30.0
    session: float = 120.0
    command: float = 300.0
    body: float = 600.0
    dot: float = 600.0
    idle: float = 60.0
    linger: float = 0.003


USUAL_TIMEOUTS: Final = Timeouts()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why no session could be opened."""

    stage: Stage
    reply: Reply | None
    error: str | None

    def outcome(self, key: Hashable) -> Outcome:
        """The trouble as the outcome of one letter."""
        return Outcome(key, self.stage, self.reply, self.error)


_LINE_LIMIT = 4096
_LINES_LIMIT = 100
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\x00]*?))?\r?")


class Replies:
    """Bytes become replies as (code, text); anything else than SMTP raises OSError, in bounded memory."""

    __slots__ = ("_code", "_rest", "_texts")

    def __init__(self) -> None:
        self._rest = b""
        self._code: bytes | None = None
        self._texts: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Take what was received; give the replies it completes, in order."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            reply = self._line(line)
            if reply is not None:
                yield reply
        if len(self._rest) > _LINE_LIMIT:
            raise _garbled("a line without end")

    def _line(self, line: bytes) -> tuple[int, bytes] | None:
        match = _LINE.fullmatch(line) if len(line) <= _LINE_LIMIT else None
        if match is None:
            raise _garbled("no SMTP reply")
        code, more, text = match.groups()
        if self._code not in (None, code) or len(self._texts) >= _LINES_LIMIT:
            raise _garbled("codes that change" if self._code != code else "too many lines")
        self._texts.append(text or b"")
        if more == b"-":
            self._code = code
            return None
        whole = b"\n".join(self._texts)
        self._code = None
        self._texts.clear()
        return int(code), whole


def _garbled(what: str) -> OSError:
    return smtplib.SMTPServerDisconnected(f"the server's answer was garbled: {what}")


class Session(smtplib.SMTP):
    """smtplib's session with bounded replies and one deadline for all of its opening."""

    def __init__(self, host: str, port: int, *, timeouts: Timeouts, monotonic: Callable[[], float], **rest: Any):
        self._replies = Replies()
        self._ready: list[tuple[int, bytes]] = []
        self._patience = timeouts.command
        self._monotonic = monotonic
        self._deadline = monotonic() + timeouts.session
        super().__init__(host, port, timeout=min(timeouts.connect, timeouts.session), **rest)

    def getreply(self) -> tuple[int, bytes]:
        """One reply, bounded in length and time."""
        while not self._ready:
            if self.sock is None:
                raise smtplib.SMTPServerDisconnected("the server closed the connection")
            left = self._deadline - self._monotonic()
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(min(self._patience, left))
            chunk = self.sock.recv(_LINE_LIMIT)
            if not chunk:
                self.close()
                raise smtplib.SMTPServerDisconnected("the server closed the connection")
            self._ready.extend(self._replies.feed(chunk))
        return self._ready.pop(0)

    def encrypt(self, context: ssl.SSLContext) -> None:
        """STARTTLS; what the server said in plain text before is forgotten."""
        self.starttls(context=context)
        self._replies, self._ready = Replies(), []

    def release(self) -> socket.socket:
        """Give the socket away, without timeouts and without delay for small writes."""
        sock, self.sock = self.sock, None
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        return sock


class _EncryptedSession(Session, smtplib.SMTP_SSL):
    """A session whose first byte is TLS."""


def open_session(
    server: Server, timeouts: Timeouts, hostname: str | None, monotonic: Callable[[], float]
) -> Session | Trouble:
    """Connect, say EHLO, encrypt and log in, as the server's settings ask; blocks, never raises OSError."""
    stage = Stage.CONNECT
    session: Session | None = None
    try:
        session = _connect(server, timeouts, hostname, monotonic)
        _greet(session)
        if server.security is Security.STARTTLS:
            stage = Stage.TLS
            if not session.has_extn("starttls"):
                raise smtplib.SMTPNotSupportedError("the server offers no STARTTLS, and encryption is required")
            session.encrypt(_context(server.cafile))
            _greet(session)
        if server.username is not None:
            stage = Stage.AUTH
            if server.token is None:
                _log_in(session, server.username, server.password or "")
            else:
                _log_in_by_token(session, server.username, server.token)
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        reply = Reply.read(error.smtp_code, text if isinstance(text, bytes) else text.encode())
        trouble = Trouble(stage, reply, None)
    except GrantRefused as error:
        trouble = Trouble(stage, Reply.read(535, f"5.7.8 {error}".encode()), None)
    except (OSError, ValueError) as error:
        trouble = Trouble(Stage.TLS if isinstance(error, ssl.SSLError) else stage, None, in_words(error))
    else:
        return session
    if session is not None:
        session.close()
    return trouble


def _connect(server: Server, timeouts: Timeouts, hostname: str | None, monotonic: Callable[[], float]) -> Session:
    settings: dict[str, Any] = {"timeouts": timeouts, "monotonic": monotonic, "local_hostname": hostname}
    if server.security is Security.TLS:
        return _EncryptedSession(server.host, server.port, context=_context(server.cafile), **settings)
    return Session(server.host, server.port, **settings)


@lru_cache(maxsize=16)
def _context(cafile: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cafile)


def _greet(session: Session) -> None:
    code, text = session.ehlo()
    if code >= 500:
        code, text = session.helo()
    if not 200 <= code <= 299:
        raise smtplib.SMTPResponseException(code, text)


def _log_in(session: Session, username: str, password: str) -> None:
    offered = session.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        code, text = session.docmd("AUTH", "PLAIN " + _base64("\0".join(("", username, password))))
    elif "LOGIN" in offered:
        code, text = session.docmd("AUTH", "LOGIN")
        for secret in (username, password):
            if code == 334:
                code, text = session.docmd(_base64(secret))
    elif "CRAM-MD5" in offered:
        session.user, session.password = username, password
        code, text = session.auth("CRAM-MD5", session.auth_cram_md5)
    else:
        raise smtplib.SMTPNotSupportedError("the server offers no login that can be used here")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, text)


def _log_in_by_token(session: Session, username: str, token: TokenSource) -> None:
    for is_second in (False, True):
        secret = _base64(f"user={username}\1auth=Bearer {token(is_second)}\1\1")
        code, text = session.docmd("AUTH", f"XOAUTH2 {secret}")
        if code == 334:  # why it is refused, in JSON; the refusal itself follows
            code, text = session.docmd("")
        if code == 235:
            return
    raise smtplib.SMTPAuthenticationError(code, text)


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def in_words(error: Exception) -> str:
    """What went wrong with a connection, in plain words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate was not accepted: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"the server's name was not found: {error.strerror}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return error.strerror.lower()
    return str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class Checkup:
    """How far a trial session came: its last stage, what failed there (None: nothing), what is offered."""

    stage: Stage
    outcome: Outcome | None
    offers: tuple[str, ...] = ()

    @property
    def trouble(self) -> str | None:
        """What failed, and at which stage; None if nothing did."""
        if self.outcome is None:
            return None
        return f"{self.stage}: {self.outcome.reply or self.outcome.error or 'no answer'}"


TRIAL_TIMEOUTS: Final = Timeouts(connect=10.0, session=20.0, command=10.0)
"""For a trial session that somebody waits for."""


def check(
    server: Server, timeouts: Timeouts = TRIAL_TIMEOUTS, *, monotonic: Callable[[], float] = time.monotonic
) -> Checkup:
    """Open one session, login included, say NOOP and QUIT; no letter is sent."""
    session = open_session(server, timeouts, None, monotonic)
    if isinstance(session, Trouble):
        return Checkup(session.stage, session.outcome(server.host))
    offers = tuple(" ".join(f"{name} {rest}".upper().split()) for name, rest in session.esmtp_features.items())
    try:
        code, text = session.noop()
        session.quit()
    except (OSError, ValueError) as error:
        return Checkup(Stage.MAIL, Outcome(server.host, Stage.MAIL, None, in_words(error)), offers)
    finally:
        session.close()
    failed = None if 200 <= code <= 299 else Outcome(server.host, Stage.MAIL, Reply.read(code, text))
    return Checkup(Stage.MAIL, failed, offers)
