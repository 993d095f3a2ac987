"""The installation's own letters to its users: plain text, one at a time, through its own mail server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from drumbeat.domain.delivery import Outcome
from drumbeat.domain.errors import Misconfigured
from drumbeat.mail.outgoing import carry_one
from drumbeat.mail.session import Security, Server, Timeouts
from drumbeat.mail.smtp import Envelope, Post

_SCHEMES = {
    "smtp": (Security.NONE, 25),
    "smtp+starttls": (Security.STARTTLS, 587),
    "smtps": (Security.TLS, 465),
}
_PATIENCE = Timeouts(connect=10.0, session=20.0, command=10.0, body=10.0, dot=20.0)
_FORM = "smtp+starttls://user:password@smtp.example.com:587, or with smtps:// or smtp://"
_ADDRESS = re.compile(r"[^@\s]+@([^@\s]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class SystemSender:
    """Who the installation's own letters are from, and the server that takes them."""

    email: str
    server: Server


def read_sender(url: str, email: str) -> SystemSender:
    """The sender that an address such as smtps://user:password@host:465 describes, or Misconfigured."""
    try:
        parts = urlsplit(url)
        security, port = _SCHEMES[parts.scheme]
        host, port = parts.hostname or "", parts.port or port
    except (ValueError, KeyError):
        raise Misconfigured(f"DRUMBEAT_MAIL_URL reads {_FORM}.") from None
    if not host or parts.path.strip("/") or parts.query or (parts.username is None) is not (parts.password is None):
        raise Misconfigured(f"DRUMBEAT_MAIL_URL reads {_FORM}.")
    if parts.username is not None and security is Security.NONE:
        raise Misconfigured("DRUMBEAT_MAIL_URL: a login needs encryption: begin it with smtp+starttls:// or smtps://.")
    if not _ADDRESS.fullmatch(email):
        raise Misconfigured("DRUMBEAT_MAIL_FROM is an address such as drumbeat@example.com.")
    username, password = (None if each is None else unquote(each) for each in (parts.username, parts.password))
    return SystemSender(email, Server(host, port, security, username, password, connections=1))


def write_notice(sender: SystemSender, recipient: str, subject: str, text: str, at: datetime) -> bytes:
    """The letter as bytes with CRLF line ends."""
    letter = EmailMessage(policy=SMTP)
    letter["From"] = Address("Drumbeat", addr_spec=sender.email)
    letter["To"] = recipient
    letter["Subject"] = subject
    letter["Date"] = format_datetime(at)
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text + "\n", cte="quoted-printable")
    return letter.as_bytes()


def carry_notice(sender: SystemSender, recipient: str, content: bytes) -> Outcome:
    """Give one letter to the server; its outcome says whether it was taken."""
    envelope = Envelope(key=recipient, sender=sender.email, recipient=recipient, content=content)
    return carry_one(Post(sender.server, _PATIENCE), envelope)
