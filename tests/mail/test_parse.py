"""A stranger's bytes become facts, whatever they are, and never take long."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.inbound import InboundKind, classify
from drumbeat.mail.parse import LARGEST, parse
from drumbeat.mail.quotes import split_quotes
from tests.corpus import SAMPLES
from tests.corpus.message import Sample

_HEAD = b"From: a@example.com\nTo: b@example.com\nSubject: Re: x\n"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.kind}: {sample.name}")
def test_line_ends_of_either_kind_read_the_same(sample: Sample) -> None:
    bare = sample.raw.replace(b"\r\n", b"\n")
    assert classify(parse(bare.replace(b"\n", b"\r\n"))) == classify(parse(bare))


def _nested(levels: int) -> bytes:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
    return opened + b"Content-Type: text/plain\n\nhi\n" + b"".join(b"--b%d--\n" % n for n in reversed(range(levels)))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "50 MB": lambda: _HEAD + b"\n" + b"word and word\n" * (50 * 1024 * 1024 // 14),
    "one line of 50 MB": lambda: _HEAD + b"\n" + b"x" * (50 * 1024 * 1024),
    "10,000 parts": lambda: (
        _HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\n\n'
        + b"--b\nContent-Type: text/plain\n\nhello\n" * 10_000
        + b"--b--\n"
    ),
    "500 levels": lambda: _HEAD + _nested(500),
    "5,000 levels": lambda: _HEAD + _nested(5000),
    "messages within messages": lambda: _HEAD + b"Content-Type: message/rfc822\n\n" * 30_000 + b"x",
    "a header of 1 MB": lambda: _HEAD + b"X-A: " + b"y" * 1024 * 1024 + b"\n\nhi",
    "encoded words without end": lambda: b"From: a@b.c\nSubject: " + b"=?utf-8?q?x?= " * 80_000 + b"\n\nhi",
    "200,000 headers": lambda: _HEAD + b"X-B: 1\n" * 200_000 + b"\nhi",
    "a charset nobody knows": lambda: _HEAD + b"Content-Type: text/plain; charset=nonsense-\xff\n\n\xff\xfe\x80",
    "quotes without end": lambda: _HEAD + b"\n" + b"> " * 30_000,
    "introductions without end": lambda: _HEAD + b"\n" + b"On Mon, " * 8000 + b"wrote:\n",
    "copies of headers": lambda: _HEAD + b"\n" + b"From: x\nTo: y\nSubject: z\nDate: q\n" * 4000,
    "tags without end": lambda: _HEAD + b"Content-Type: text/html\n\n" + b"<div>" * 200_000,
    "half tags": lambda: _HEAD + b"Content-Type: text/html\n\n" + b"<" * 200_000,
    "addresses without end": lambda: _HEAD.replace(b"a@", b"mailer-daemon@") + b"\n" + b"a@" * 60_000,
    "a report of 40,000 recipients": lambda: (
        _HEAD
        + b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
        + b"Final-Recipient: rfc822;a@b.c\nAction: failed\n\n" * 40_000
        + b"--b--"
    ),
    "blank lines": lambda: _HEAD + b"\n" + b"\n" * 500_000,
    "a daemon's words": lambda: b"From: MAILER-DAEMON@b.c\nSubject: failure notice\n\n" + b"mailbox " * 40_000,
    "days": lambda: b"Subject: Automatic reply: x\nDate: Fri, 18 Dec 2026 10:00:00 +0000\n\n" + b"1 " * 30_000,
    "wishes": lambda: _HEAD + b"\n" + b"please " * 25 + b"\n",
    "zeros": lambda: b"\0" * 100_000,
    "a packed file": lambda: _HEAD + b"Content-Type: application/zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_read_in_bounded_time(name: str) -> None:
    raw = HOSTILE[name]()
    began = time.process_time()
    assert classify(parse(raw)).kind in InboundKind
    assert time.process_time() - began < 10, "the limit is far above what it takes, for slow and busy machines"


@given(st.binary(max_size=2000))
@settings(max_examples=200)
def test_any_bytes_are_read(raw: bytes) -> None:
    assert classify(parse(raw)).kind in InboundKind


@given(st.text(max_size=300), st.text(max_size=1000))
@settings(max_examples=200)
def test_any_words_are_read(subject: str, body: str) -> None:
    raw = f"From: MAILER-DAEMON@example.net\nSubject: {subject}\n\n{body}".encode("utf-8", "replace")
    assert classify(parse(raw)).kind in InboundKind


def test_only_the_beginning_of_a_large_message_is_read() -> None:
    raw = _HEAD + b"\n" + b"x\n" * LARGEST
    assert len(parse(raw).text) <= 100_000


def test_a_header_s_encoded_words_are_read_with_their_charsets() -> None:
    raw = b"Subject: =?iso-8859-1?q?B=FCro?= =?utf-8?b?w7w=?=\nFrom: =?koi8-r?b?8NLJ18XU?= <a@example.com>\n\n"
    received = parse(raw)
    assert received.subject == "B\u00fcro\u00fc"
    assert received.first("from").startswith("\u041f\u0440\u0438\u0432\u0435\u0442")
    assert received.sender == "a@example.com"


def test_a_header_without_a_charset_is_read_as_utf_8() -> None:
    assert parse("Subject: Bür\n\n".encode()).subject == "Bür"


def test_words_before_a_quote_are_the_writer_s_own() -> None:
    own, has_quote = split_quotes("Yes.\n\nOn Tue, Dec 1, 2026 at 10:00 AM Sam <sam@example.com> wrote:\n> Lamps?\n")
    assert (own, has_quote) == ("Yes.", True)


def test_a_signature_is_not_the_writer_s_words() -> None:
    assert split_quotes("Stop\n-- \nLena Lamp\nExample Ltd") == ("Stop", False)


def test_words_below_a_quote_are_the_writer_s_own() -> None:
    own, has_quote = split_quotes("> Lamps?\n\nYes, on Thursday.\n")
    assert (own, has_quote) == ("Yes, on Thursday.", True)
