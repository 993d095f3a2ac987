"""How the corpus writes a message: headers and body as text, reports in the form of RFC 3464."""

from __future__ import annotations

from base64 import encodebytes
from dataclasses import dataclass
from email.header import Header
from quopri import encodestring

OURS = "<1.2s.0.0.k3mq7wexamplemark2a4b6@mail.example.com>"
"""The Message-ID of the letter that is answered or came back."""

SENT = """Received: from mail.example.com (mail.example.com [192.0.2.7]) by mx.example.net with ESMTPS id 4T2x;
 Tue, 1 Dec 2026 09:00:01 +0000
From: Sam Seller <sam@example.com>
To: {to}
Subject: Lamps for your lobby
Date: Tue, 1 Dec 2026 09:00:00 +0000
Message-ID: <1.2s.0.0.k3mq7wexamplemark2a4b6@mail.example.com>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One message, and what a careful reader says that it is."""

    name: str
    raw: bytes
    kind: str
    permanent: bool | None = None
    recipient: str | None = None
    until: str | None = None


def plain(headers: str, body: str, *, charset: str = "utf-8", encoding: str = "8bit", html: bool = False) -> bytes:
    """A message of one text part; the subject may hold any character."""
    content = body.lstrip("\n").encode(charset)
    if encoding == "quoted-printable":
        content = encodestring(content)
    elif encoding == "base64":
        content = encodebytes(content)
    kind = "html" if html else "plain"
    head = f"{_encoded(headers)}\nMIME-Version: 1.0\nContent-Type: text/{kind}; charset={charset}\n"
    return f"{head}Content-Transfer-Encoding: {encoding}\n\n".encode() + content


def _encoded(headers: str) -> str:
    """Headers whose values are ASCII: other words become encoded words, addresses stay."""
    lines = []
    for line in headers.strip().split("\n"):
        name, colon, value = line.partition(": ")
        if not line.isascii() and colon:
            words, bracket, address = value.partition(" <") if name in ("From", "To") else (value, "", "")
            value = Header(words, "utf-8", maxlinelen=60, header_name=name).encode() + bracket + address
        lines.append(f"{name}{colon}{value}")
    return "\n".join(lines)


def report(headers: str, body: str, groups: str, *, to: str = "lena@example.net", sent: str | None = SENT) -> bytes:
    """A multipart/report: the text for people, the groups, and the headers of what came back."""
    returned = "" if sent is None else f"--=_r\nContent-Type: text/rfc822-headers\n\n{sent.format(to=to)}\n"
    return (
        f'{_encoded(headers)}\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="=_r"\n\n'
        f"--=_r\nContent-Type: text/plain; charset=utf-8\n\n{body.strip()}\n\n"
        f"--=_r\nContent-Type: message/delivery-status\n\n{groups.strip()}\n\n{returned}--=_r--\n"
    ).encode()


def mixed(headers: str, *parts: tuple[str, str], subtype: str = "mixed") -> bytes:
    """A multipart message of the parts, given as content type and content."""
    body = "".join(f"--=_m\nContent-Type: {kind}\n\n{content}\n" for kind, content in parts)
    return f'{_encoded(headers)}\nMIME-Version: 1.0\nContent-Type: multipart/{subtype}; boundary="=_m"\n\n{body}--=_m--\n'.encode()
