"""Reading a mailbox over IMAP: what is new since a cursor, and waiting for more; nothing there is changed."""

from __future__ import annotations

import contextlib
import imaplib
import re
import select
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from imap_tools import BaseMailBox, FolderInfo, ImapToolsError, MailBox, MailBoxStartTls, MailBoxUnencrypted

from drumbeat.domain.errors import GrantRefused, InboxUnreachable
from drumbeat.mail.parse import LARGEST
from drumbeat.mail.session import Security, TokenSource, in_words

_PATIENCE: Final = 30.0  # seconds for the connection and for each answer
_LOOK_UP: Final = 1.0  # seconds after which somebody who waits is asked whether to go on
_FETCH: Final = f"(UID BODY.PEEK[]<0.{LARGEST}>)"


class InboxStage(StrEnum):
    """How far reading a mailbox came."""

    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    READ = "read"


@dataclass(frozen=True, slots=True)
class ImapServer:
    """A mailbox's incoming server; `cafile` names a private authority's certificates (PEM)."""

    host: str
    port: int
    security: Security
    username: str
    password: str = field(repr=False)
    cafile: str | None = None
    token: TokenSource | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a mailbox was read: its UIDVALIDITY, and the UID of the last message."""

    uid_validity: int
    uid: int


class OpenInbox:
    """A session with the INBOX open, read-only."""

    def __init__(self, session: BaseMailBox, end: Cursor) -> None:
        self._session = session
        self.end = end
        self.can_wait = "IDLE" in _capabilities(session)

    def new_since(self, cursor: Cursor, day: date) -> Iterator[tuple[Cursor, bytes]]:
        """Each message after the cursor, oldest first, and the cursor behind it; at most 2 MB of a message.

        Where the server has numbered its messages anew, those since the day before `day` come once more.
        """
        with _named(InboxStage.READ):
            is_numbered_anew = cursor.uid_validity != self.end.uid_validity
            since = f"SINCE {_written(day - timedelta(days=1))}" if is_numbered_anew else f"UID {cursor.uid + 1}:*"
            last = 0 if is_numbered_anew else cursor.uid
            self._session.client.noop()  # lets the server tell what arrived since the last command
            found = sorted(int(uid) for uid in self._session.uids(since, charset=None))
            for uid in found:
                if uid > last:  # `n:*` names the last message even if it is older
                    yield Cursor(self.end.uid_validity, uid), self._fetch(uid)

    def _fetch(self, uid: int) -> bytes:
        """The message's beginning, or nothing if it is gone."""
        _, parts = self._session.client.uid("FETCH", str(uid), _FETCH)
        return next((part[1] for part in parts if isinstance(part, tuple)), b"")

    def sent_among(self, message_ids: Sequence[str]) -> list[str]:
        """Which of these letters have a copy in the folder of sent mail; none where the server knows no such folder."""
        with _named(InboxStage.READ):
            try:
                folder = sent_folder(self._session.folder.list())
                if folder is None:
                    return []
                self._session.folder.set(folder, readonly=True)
                return [id for id in message_ids if self._session.uids(f'HEADER Message-ID "{id}"', charset=None)]
            except _UNPROVEN:  # it does not list, search or let us in as others do: that proves nothing
                return []
            finally:
                self._session.folder.set("INBOX", readonly=True)

    def wait(self, seconds: float, ending: Callable[[], bool]) -> bool:
        """Wait until something arrives, for so long at most; True if `ending` said so before."""
        arrival = select.poll()
        arrival.register(self._session.client.sock, select.POLLIN)
        # Read when the waiting ends: the library's own look reads at once, and loses a line that comes in two packets.
        with _named(InboxStage.READ), self._session.idle:
            while seconds > 0:
                if ending():
                    return True
                if arrival.poll(min(seconds, _LOOK_UP) * 1000):
                    break
                seconds -= _LOOK_UP
        return False


@contextlib.contextmanager
def open_inbox(server: ImapServer) -> Iterator[OpenInbox]:
    """Connect, encrypt, log in and open the INBOX; raises InboxUnreachable with the stage that failed."""
    session = _connect(server)
    try:
        with _named(InboxStage.AUTH):
            _log_in(session, server)
        with _named(InboxStage.READ):
            session.folder.set("INBOX", readonly=True)
            status = session.folder.status("INBOX", ["UIDVALIDITY", "UIDNEXT"])
        yield OpenInbox(session, Cursor(status["UIDVALIDITY"], status["UIDNEXT"] - 1))
    finally:
        with contextlib.suppress(*_TROUBLE):
            session.logout()


def _connect(server: ImapServer) -> BaseMailBox:
    if server.security is Security.NONE:
        with _named(InboxStage.CONNECT):
            return MailBoxUnencrypted(server.host, server.port, timeout=_PATIENCE)
    context = ssl.create_default_context(cafile=server.cafile)
    stage = InboxStage.TLS if server.security is Security.STARTTLS else InboxStage.CONNECT
    with _named(stage):
        if server.security is Security.STARTTLS:
            return MailBoxStartTls(server.host, server.port, timeout=_PATIENCE, ssl_context=context)
        return MailBox(server.host, server.port, timeout=_PATIENCE, ssl_context=context)


def _capabilities(session: BaseMailBox) -> list[str]:
    """What the server can do for whoever is logged in, which may be more than it said before."""
    with _named(InboxStage.READ):
        _, answer = session.client.capability()
        return answer[-1].decode("ascii", "replace").upper().split() if answer and answer[-1] else []


def _log_in(session: BaseMailBox, server: ImapServer) -> None:
    if server.token is not None:
        _log_in_by_token(session, server.username, server.token)
    elif "AUTH=PLAIN" in session.client.capabilities:
        session.login_utf8(server.username, server.password, initial_folder=None)
    else:
        session.login(server.username, server.password, initial_folder=None)


def _log_in_by_token(session: BaseMailBox, username: str, token: TokenSource) -> None:
    try:
        session.xoauth2(username, token(False), initial_folder=None)
    except (ImapToolsError, imaplib.IMAP4.error):  # the token known may have been withdrawn: a fresh one tells
        session.xoauth2(username, token(True), initial_folder=None)


_TROUBLE: Final = (OSError, ImapToolsError, imaplib.IMAP4.error, ValueError, KeyError)


@contextlib.contextmanager
def _named(stage: InboxStage) -> Iterator[None]:
    """Whatever goes wrong is told as the trouble of this stage, in plain words."""
    try:
        yield
    except GrantRefused as error:
        raise InboxUnreachable(stage, str(error)) from error
    except _TROUBLE as error:
        is_tls = isinstance(error, ssl.SSLError)
        raise InboxUnreachable(InboxStage.TLS if is_tls else stage, _said(error)) from error


_QUOTED: Final = re.compile(r"""^b?(['"])(.*)\1$""", re.DOTALL)


def _said(error: Exception) -> str:
    """What the server said, or what went wrong with the connection."""
    if isinstance(error, ImapToolsError):
        answer = getattr(error, "command_result", None)
        texts = answer[1] if isinstance(answer, tuple) else [answer]
        return " ".join(each.decode("utf-8", "replace") for each in texts if isinstance(each, bytes)) or str(error)
    text = in_words(error)
    if text.endswith("EOF"):
        return "the server closed the connection"
    quoted = _QUOTED.match(text)
    return quoted[2] if quoted else text


def check_inbox(server: ImapServer) -> str | None:
    """What keeps the mailbox from being read, and at which stage; None if nothing does."""
    try:
        with open_inbox(server):
            return None
    except InboxUnreachable as error:
        return error.detail


_UNPROVEN: Final = (ImapToolsError, imaplib.IMAP4.error, ValueError, KeyError)
_USUAL_SENT: Final = ("sent", "sent items", "sent messages", "sent mail", "inbox.sent", "inbox/sent")


def sent_folder(folders: Sequence[FolderInfo]) -> str | None:
    """The folder the server marks for sent mail (RFC 6154), else one of a usual name."""
    marked = [each.name for each in folders if "\\SENT" in (flag.upper() for flag in each.flags)]
    usual = [each.name for each in folders if each.name.lower() in _USUAL_SENT]
    return next(iter(marked + usual), None)


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _written(day: date) -> str:
    """A day as SEARCH takes it, whatever the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"
