"""A stranger's bytes become facts, whatever they are, and never take long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.inbound import InboundKind, classify
from drumbeat.mail.parse import LARGEST, parse
from drumbeat.mail.quotes import split_quotes
from tests.corpus import SAMPLES
from tests.corpus.hostile import HOSTILE
from tests.corpus.message import Sample

_HEAD = b"From: a@example.com\nTo: b@example.com\nSubject: Re: x\n"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.kind}: {sample.name}")
def test_line_ends_of_either_kind_read_the_same(sample: Sample) -> None:
    bare = sample.raw.replace(b"\r\n", b"\n")
    assert classify(parse(bare.replace(b"\n", b"\r\n"))) == classify(parse(bare))


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
