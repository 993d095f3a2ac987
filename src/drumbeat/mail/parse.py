"""A received message's bytes become facts, in bounded time and memory: nothing in it can stop the reading."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final

from flufl.bounce import all_failures

from drumbeat.domain.inbound import Headers, Received
from drumbeat.domain.line import one_line
from drumbeat.domain.plaintext import plain_text
from drumbeat.mail.quotes import split_quotes

LARGEST: Final = 2 * 1024 * 1024
"""The bytes of a message that are read: reports and words stand before attachments."""

_HEAD: Final = 64 * 1024
# The bounce library reads every line many times.
_SCANNED: Final = 64 * 1024
_SCANNED_LINES: Final = 1500
_MOST_MULTIPARTS: Final = 50
_MOST_PARTS: Final = 1000
_LONGEST_TEXT: Final = 100_000
_LONGEST_HEADER: Final = 10_000
_MOST_HEADERS: Final = 500


def parse(raw: bytes) -> Received:
    """The facts of a raw message; what cannot be read is left out, whatever the bytes are."""
    message = _message(raw[:LARGEST])
    parts = list(_parts(message))
    text, copy = _cut_at_copy(_text_of(parts))
    own_text, has_quote = split_quotes(text)
    headers = _headers(message)
    return Received(
        headers=headers,
        text=text,
        own_text=own_text,
        has_quote=has_quote,
        sent_on=_sent_on(headers),
        report=_report(parts),
        feedback=_feedback(parts),
        is_receipt=any(part.get_content_type() == "message/disposition-notification" for part in parts),
        original=_original(parts) or copy,
        suspects=_suspects(_message(b"\n".join(raw[:_SCANNED].split(b"\n", _SCANNED_LINES)[:_SCANNED_LINES]))),
    )


def _message(raw: bytes) -> Message:
    """The parsed message; of one with more parts than any honest one has, only the beginning as a single text."""
    hostile = raw.lower().count(b"multipart/") > _MOST_MULTIPARTS or raw.count(b"\n--") > _MOST_PARTS
    if not hostile:
        try:
            return message_from_bytes(raw, policy=compat32)
        except (RecursionError, ValueError, LookupError, TypeError, AttributeError):
            pass
    head, separator, body = raw[:_HEAD].replace(b"\r\n", b"\n").partition(b"\n\n")
    return message_from_bytes(
        re.sub(rb"(?im)^content-(?:type|transfer-encoding)\b", b"X-Unread", head) + separator + body
    )


def _parts(message: Message) -> Iterator[Message]:
    """The parts of the message itself, not those of messages that came back in it, in order."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting.extend(reversed([each for each in payload if isinstance(each, Message)]))


# --- headers ----------------------------------------------------------------------------------------


def _headers(message: Message) -> Headers:
    found: dict[str, list[str]] = {}
    for name, value in islice(message.raw_items(), _MOST_HEADERS):
        found.setdefault(name.lower(), []).append(_decoded(str(value)))
    return {name: tuple(values) for name, values in found.items()}


def _decoded(value: str) -> str:
    """A header as people read it: encoded words decoded, in one line."""
    value = value[:_LONGEST_HEADER]
    if value.isascii() and "=?" not in value:
        return one_line(value)
    try:
        pieces = decode_header(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        return one_line("".join(_characters(piece, charset) for piece, charset in pieces))
    except ValueError:
        return one_line(value.encode("ascii", "replace").decode())


def _characters(piece: bytes | str, charset: str | None) -> str:
    return piece if isinstance(piece, str) else _as_text(piece, charset)


def _as_text(content: bytes, charset: str | None) -> str:
    """The characters of bytes whose charset may be missing, unknown or wrong."""
    if b"\x1b$" in content and not (charset or "").lower().startswith("iso-2022"):
        charset = "iso-2022-jp"
    for each in (charset, "utf-8"):
        try:
            return content.decode(_PYTHON_NAMES.get((each or "").lower(), each or "utf-8"))
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    try:
        return content.decode(charset or "latin-1", "replace")
    except (LookupError, ValueError):
        return content.decode("latin-1")


_PYTHON_NAMES: Final = {
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-8-i": "iso-8859-8",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "gb2312": "gb18030",
    "ks_c_5601-1987": "cp949",
}


def _sent_on(headers: Headers) -> date | None:
    for value in headers.get("date", ()):
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            continue
        return (at if at.tzinfo is None else at.astimezone(at.tzinfo or UTC)).date()
    return None


# --- words ------------------------------------------------------------------------------------------


def _text_of(parts: Sequence[Message]) -> str:
    """What the message says: its first text, and texts that follow it outside of alternatives and attachments."""
    plain = [_words(part) for part in parts if part.get_content_type() == "text/plain" and not _is_attached(part)]
    if any(text.strip() for text in plain):
        return "\n".join(text for text in plain if text.strip())[:_LONGEST_TEXT]
    html = next((part for part in parts if part.get_content_type() == "text/html" and not _is_attached(part)), None)
    return plain_text(_words(html))[:_LONGEST_TEXT] if html is not None else ""


def _is_attached(part: Message) -> bool:
    return str(part.get("content-disposition", "")).strip().lower().startswith("attachment")


def _words(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    charset = part.get_param("charset", None)
    text = _as_text(content[: 4 * _LONGEST_TEXT], charset if isinstance(charset, str) else None)
    return text.replace("\r\n", "\n").replace("\0", "")


# --- reports ----------------------------------------------------------------------------------------

_DELIVERY: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FEEDBACK: Final = frozenset({"message/feedback-report"})
_RETURNED: Final = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"})
_RETURNED_HEADERS: Final = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})


def _report(parts: Sequence[Message]) -> tuple[Mapping[str, str], ...] | None:
    """The groups of every delivery report in the message, or None if there is none."""
    reports = [part for part in parts if part.get_content_type() in _DELIVERY]
    if not reports:
        return None
    return tuple(group for part in reports for group in _groups(_inside(part)))


def _feedback(parts: Sequence[Message]) -> Mapping[str, str] | None:
    found = next((part for part in parts if part.get_content_type() in _FEEDBACK), None)
    return None if found is None else next(iter(_groups(_inside(found))), {})


def _inside(part: Message) -> str:
    """A report's text: the parser takes its groups for messages, and does not decode them."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        return _words(part)
    text = "\n\n".join(_block(each) for each in payload if isinstance(each, Message))
    if str(part.get("content-transfer-encoding", "")).strip().lower() in ("base64", "quoted-printable"):
        again = Message()
        again["Content-Transfer-Encoding"] = part["content-transfer-encoding"]
        again.set_payload(text)
        text = _words(again)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _block(group: Message) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in group.raw_items())
    return f"{headers}\n\n{_words(group)}"


_FIELD: Final = re.compile(r"([A-Za-z][\w-]{1,60})\s*:[ \t]*(.*)")


def _groups(text: str) -> Iterator[Mapping[str, str]]:
    """Groups of fields between blank lines, as names in lower case and unfolded values."""
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")[:_LONGEST_TEXT]):
        group: dict[str, str] = {}
        name = None
        for line in block.split("\n"):
            match = _FIELD.match(line)
            if match and not line[:1].isspace():
                name = match[1].lower()
                if name not in group:
                    group[name] = _decoded(match[2])
            elif name and line[:1].isspace():
                group[name] = f"{group[name]} {line.strip()}"[:_LONGEST_HEADER]
        if group:
            yield group


# --- what came back ---------------------------------------------------------------------------------


def _original(parts: Sequence[Message]) -> Headers:
    """The headers of the message that came back as a part of its own, or none."""
    for part in parts:
        if part.get_content_type() in _RETURNED_HEADERS:
            return _headers(message_from_bytes(_words(part).lstrip().encode("utf-8", "replace")))
        if part.get_content_type() in _RETURNED:
            payload = part.get_payload()
            if isinstance(payload, list) and payload and isinstance(payload[0], Message):
                return _headers(payload[0])
    return {}


_COPY: Final = re.compile(
    r"[>|\s]{0,4}(?:return-path|received|message-id|x-[\w-]+|from|to|subject|date|mime-version|"
    r"dkim-signature):[ \t]?\S",
    re.IGNORECASE,
)

_BY_SERVERS: Final = re.compile(r"[>|\s]{0,4}(?:received|message-id|mime-version):", re.IGNORECASE)
_LONGEST_NOTICE: Final = 1000  # lines


def _cut_at_copy(text: str) -> tuple[str, Headers]:
    """The text before a copy of the message that came back within it, and the headers of that: adjacent lines."""
    lines = text.split("\n")
    for number, line in enumerate(lines[:_LONGEST_NOTICE]):
        if _COPY.match(line) and _is_header(lines[number : number + 12]):
            block = "\n".join(re.sub(r"^[>|] ?", "", each) for each in lines[number : number + 120]).lstrip()
            return "\n".join(lines[:number]), _headers(message_from_bytes(block.encode("utf-8", "replace")))
    return text, {}


def _is_header(lines: Sequence[str]) -> bool:
    """Whether lines are of a message's own header: people who quote one leave out what servers wrote."""
    found = [line for line in lines if _COPY.match(line)]
    return len(found) >= 4 and any(_BY_SERVERS.match(line) for line in found)


_BOUNCE_LOG: Final = logging.getLogger("flufl.bounce")


def _suspects(message: Message) -> tuple[str, ...]:
    """Recipients that the bounce library makes out, in order; it knows formats without a report."""
    _BOUNCE_LOG.disabled = True  # it would log what strangers sent
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # whatever a library stumbles over in a stranger's bytes is no trouble of ours
        return ()
    return tuple(sorted(each.decode("utf-8", "replace") for each in permanent | temporary if each))
