"""A template version compiled once into a MIME skeleton; a letter is the skeleton and its values, as bytes.

The bytes are a whole message with CRLF line ends, not dot-stuffed and without the final dot.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from html import escape
from typing import Final

from email_validator import EmailSyntaxError
from email_validator.syntax import validate_email_domain_name
from msgspec import Struct

from drumbeat.domain.errors import Unsendable
from drumbeat.domain.line import one_line
from drumbeat.domain.person import NOT_MAILABLE, is_mailable
from drumbeat.domain.template import CONTENT_TYPE, Rendered
from drumbeat.domain.unsubscribe import Footer, header_values

COMPOSER: Final = 1
"""The version of the byte layout, stored with each delivery."""

_LINE: Final = 78
_LONGEST_LINE: Final = 998
_LONGEST_PHRASE: Final = 60
_LONGEST_LOCAL: Final = 64
_LONGEST_ADDRESS: Final = 254
_MOST_REFERENCES: Final = 20

_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,250}>")
_HEADER_NAME: Final = re.compile(rb"^(?![ \t])[^:\r\n]*", re.MULTILINE)
_REPLY_MARK: Final = re.compile(r"(?:\s*re(?:\[\d+\])?\s*:)*\s*", re.IGNORECASE)
_BODY_END: Final = re.compile(r"</body\s*>|</html\s*>", re.IGNORECASE)


class Letter(Struct, frozen=True):
    """What differs from letter to letter; bodies already hold the footer, ids their angle brackets."""

    message_id: str
    date: datetime
    sender_name: str
    sender_email: str
    recipient_name: str
    recipient_email: str
    subject: str
    html: str | None
    text: str
    unsubscribe_url: str
    unsubscribe_mailto: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The MIME structure shared by all letters of a template version; attachments are ready parts."""

    has_html: bool
    attachments: tuple[bytes, ...]

    def fill(self, letter: Letter) -> bytes:
        """The whole message, the same bytes for the same letter; Unsendable names a field that cannot be."""
        if (letter.html is not None) != self.has_html:
            raise ValueError("the letter and its skeleton differ about HTML")
        headers = _headers(letter)
        # "=_" occurs in no body: quoted-printable and base64 cannot hold it, plain bodies are made not to.
        boundary = b"=_" + sha256(letter.message_id.encode()).hexdigest()[:24].encode()
        content = _part(b"plain", letter.text)
        if letter.html is not None:
            content = _multipart(b"alternative", boundary + b"a", (content, _part(b"html", letter.html)))
        if self.attachments:
            content = _multipart(b"mixed", boundary + b"m", (content, *self.attachments))
        message = _written(headers) + content
        _check_headers(message, (*(name for name, _ in headers), "Content-Type"), self)
        return message


def compile_skeleton(has_html: bool, attachments: tuple[tuple[str, str, bytes], ...] = ()) -> Skeleton:
    """The skeleton for attachments given as name, content type and content."""
    return Skeleton(has_html, tuple(_attachment(*attachment) for attachment in attachments))


def _attachment(name: str, content_type: str, content: bytes) -> bytes:
    match = CONTENT_TYPE.fullmatch(content_type.lower())
    kind, subtype = match.groups() if match else ("application", "octet-stream")
    part = EmailMessage(policy=SMTP)
    filename = re.sub(r"[/\\]", "_", one_line(name)) or "attachment"
    params = {"charset": "utf-8"} if kind == "text" and _is_utf8(content) else None
    part.set_content(content, kind, subtype, cte="base64", disposition="attachment", filename=filename, params=params)
    del part["MIME-Version"]
    return part.as_bytes()


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _part(kind: bytes, text: str) -> bytes:
    encoding, body = _encoded(text)
    headers = b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: %b" % (kind, encoding)
    return b"%b\r\n\r\n%b" % (headers, body)


def _encoded(text: str) -> tuple[bytes, bytes]:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    lines = text.split("\n")
    plain = text.isascii() and "=_" not in text and max(map(len, lines)) <= _LINE
    if plain and "".join(lines).replace("\t", "").isprintable():
        return b"7bit", "\r\n".join(lines).encode()
    return b"quoted-printable", b2a_qp("\r\n".join(lines).encode("utf-8", "replace"))


def _multipart(kind: bytes, boundary: bytes, parts: tuple[bytes, ...]) -> bytes:
    opening = b"\r\n--%b\r\n" % boundary
    return b'Content-Type: multipart/%b; boundary="%b"\r\n%b%b\r\n--%b--\r\n' % (
        kind,
        boundary,
        opening,
        opening.join(parts),
        boundary,
    )


def _headers(letter: Letter) -> list[tuple[str, str]]:
    try:
        unsubscribe, post = header_values(letter.unsubscribe_url, letter.unsubscribe_mailto)
    except ValueError as error:
        raise Unsendable(str(error), field="unsubscribe_url") from error
    headers = [
        ("Date", _date(letter.date)),
        ("From", _mailbox(letter.sender_name, letter.sender_email, "sender")),
        ("To", _mailbox(letter.recipient_name, letter.recipient_email, "recipient")),
        ("Subject", _phrase(one_line(letter.subject), "Subject")),
        ("Message-ID", _id(letter.message_id, "message_id")),
    ]
    if letter.in_reply_to is not None:
        headers.append(("In-Reply-To", _id(letter.in_reply_to, "in_reply_to")))
    if letter.references:
        headers.append(("References", _references(letter.references)))
    headers.append(("List-Unsubscribe", _folded(unsubscribe, len("List-Unsubscribe: "))))
    headers.append(("List-Unsubscribe-Post", post))
    headers.append(("MIME-Version", "1.0"))
    return headers


@lru_cache(maxsize=64)
def _date(date: datetime) -> str:
    if date.tzinfo is None:
        raise Unsendable("a date without a zone", field="date")
    return format_datetime(date.astimezone(UTC))


@lru_cache(maxsize=1024)
def _mailbox(name: str, email: str, field: str) -> str:
    """Name and address as a header shows them; the sender's are asked for with every letter."""
    address = ascii_address(email, field)
    name = " ".join(one_line(name).split())
    if not name:
        return address
    if name.isascii() and "=?" not in name and len(name) <= _LONGEST_PHRASE:
        shown = name if _ATOMS.fullmatch(name) else '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    else:
        shown = _encoded_words(name, "From")
    last_line = shown.rpartition("\n")[2]
    room = _LINE - len("From: ") - len(last_line) - len(address) - len(" <>")
    return f"{shown} <{address}>" if room >= 0 else f"{shown}\r\n <{address}>"


@lru_cache(maxsize=4096)
def ascii_address(email: str, field: str) -> str:
    """The address as headers and envelopes take it, its domain in A-labels; Unsendable names the field."""
    local, _, domain = email.rpartition("@")
    if not domain.isascii():
        try:
            domain = validate_email_domain_name(domain, globally_deliverable=False)["ascii_domain"]
        except EmailSyntaxError as error:
            raise Unsendable(str(error), field=field) from error
        email = f"{local}@{domain}"
    if not is_mailable(email):
        raise Unsendable(NOT_MAILABLE, field=field)
    if not _ADDRESS.fullmatch(email) or len(local) > _LONGEST_LOCAL or len(email) > _LONGEST_ADDRESS:
        raise Unsendable("It is not an e-mail address.", field=field)
    return email


def _id(text: str, field: str) -> str:
    if not _MESSAGE_ID.fullmatch(text):
        raise Unsendable("It is not a Message-ID.", field=field)
    return text


def _references(ids: tuple[str, ...]) -> str:
    if len(ids) > _MOST_REFERENCES:
        ids = (ids[0], *ids[1 - _MOST_REFERENCES :])
    return _folded(" ".join(_id(text, "references") for text in ids), len("References: "))


def _phrase(text: str, header: str) -> str:
    if text.isascii() and "=?" not in text:
        folded = _folded(text, len(header) + 2)
        if len(folded) <= _LINE or max(map(len, folded.split("\r\n"))) <= _LONGEST_LINE - len(header) - 2:
            return folded
    return _encoded_words(text, header)


def _encoded_words(text: str, header: str) -> str:
    return Header(text, "utf-8", maxlinelen=76, header_name=header).encode(linesep="\r\n")


def _folded(value: str, used: int) -> str:
    """The value broken before words only, so that unfolding gives it back; `used` counts what precedes it."""
    if used + len(value) <= _LINE:
        return value
    first, *words = value.split(" ")
    lines, line = [], first
    for word in words:
        if word and line.strip() and used + len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line, used = f" {word}", 0
        else:
            line = f"{line} {word}"
    return "\r\n".join([*lines, line])


def _written(headers: list[tuple[str, str]]) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("ascii")


def _check_headers(message: bytes, names: tuple[str, ...], skeleton: Skeleton) -> None:
    """A last look at the finished block: exactly the headers meant, and no line end but CRLF."""
    block = message[: message.index(b"\r\n\r\n")]
    found = tuple(_HEADER_NAME.findall(block))
    simple = not skeleton.has_html and not skeleton.attachments
    expected = (*names, "Content-Transfer-Encoding") if simple else names
    counts = {block.count(end) for end in (b"\r", b"\n", b"\r\n")}
    if len(counts) > 1 or found != tuple(name.encode() for name in expected):
        raise Unsendable("the headers are not the ones meant", field="headers")


def reply_subject(subject: str, previous: str) -> str:
    """The template's subject, or when that is empty the previous one with exactly one `Re: `."""
    if subject.strip():
        return subject
    rest = _REPLY_MARK.sub("", previous, count=1).strip()
    return f"Re: {rest}" if rest else ""


def with_footer(rendered: Rendered, footer: Footer, unsubscribe_url: str) -> Rendered:
    """The letter with the footer at the end of each body that does not hold the link yet."""
    html, text = rendered.html, rendered.text
    if html is not None and unsubscribe_url not in html and escape(unsubscribe_url) not in html:
        html = _with_html(html, footer.html)
    if unsubscribe_url not in text:
        text = f"{text.rstrip()}\n\n{footer.text}\n"
    return Rendered(rendered.subject, html, text)


def _with_html(html: str, footer: str) -> str:
    ends = {match[0][:6].lower(): match.start() for match in _BODY_END.finditer(html)}
    end = ends.get("</body", ends.get("</html", len(html)))
    return f"{html[:end]}{footer}\n{html[end:]}"
