"""The catcher takes everything a mailbox sends, however broken, and forgets the oldest first."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drumbeat.domain.delivery import Stage
from drumbeat.mail.catcher import Catcher
from drumbeat.mail.smtp import Post, Security, Server, check
from drumbeat.testing.clock import TUESDAY_MORNING, FrozenClock
from tests.mail.desk import QUICK, Desk, letter

HELLO = (
    b"From: Ann <ann@ours.example>\r\nTo: bob@theirs.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Guten Tag, J\xc3\xb6rg\r\n.\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Guten Tag</p>\r\n--b--\r\n"
)


@pytest.fixture
def catcher(clock: FrozenClock) -> Iterator[Catcher]:
    with Catcher(now=clock) as running:
        yield running


def post(catcher: Catcher, *raw: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", catcher.port) as client:
        for each in raw:
            client.sendmail("ann@ours.example", ["bob@theirs.example"], each)


def test_a_letter_is_shown_as_its_reader_would_see_it(catcher: Catcher) -> None:
    post(catcher, HELLO)
    (caught,) = catcher.letters()
    assert (caught.sender, caught.recipient) == ("ann@ours.example", "bob@theirs.example")
    assert caught.subject == "Grüße"
    assert caught.text == "Guten Tag, Jörg\n."
    assert caught.html is not None
    assert caught.html.strip() == "<p>Guten Tag</p>"
    assert caught.headers[0] == ("From", "Ann <ann@ours.example>")
    assert caught.received_at == TUESDAY_MORNING
    assert caught.raw == HELLO
    assert catcher.letter(caught.id) == caught


def test_the_newest_letter_comes_first_and_the_oldest_makes_room(clock: FrozenClock) -> None:
    with Catcher(now=clock, letters=2) as catcher:
        post(catcher, *(b"Subject: %d\r\n\r\nx\r\n" % number for number in range(3)))
        assert [caught.subject for caught in catcher.letters()] == ["2", "1"]
        assert [caught.subject for caught in catcher.letters(limit=1)] == ["2"]
        assert catcher.letter(1) is None


def test_large_letters_leave_room_for_fewer(clock: FrozenClock) -> None:
    with Catcher(now=clock, size=50_000) as catcher:
        post(catcher, *(b"Subject: %d\r\n\r\n" % number + b"x" * 70 * 100 for number in range(5)))
        assert [caught.subject for caught in catcher.letters()] == ["4", "3", "2"]


def test_it_says_that_commands_may_be_sent_ahead_and_takes_them(catcher: Catcher) -> None:
    checkup = check(Server("127.0.0.1", catcher.port, Security.NONE))
    assert (checkup.stage, checkup.outcome) == (Stage.MAIL, None)
    assert {"PIPELINING", "8BITMIME"} <= set(checkup.offers)
    with socket.create_connection(("127.0.0.1", catcher.port), timeout=5) as line:
        line.sendall(
            b"EHLO x.example\r\nMAIL FROM:<a@ours.example>\r\nRCPT TO:<b@theirs.example>\r\nDATA\r\n"
            b"Subject: ahead\r\n\r\nx\r\n.\r\nQUIT\r\n"
        )
        answers = b""
        while chunk := line.recv(4096):
            answers += chunk
    assert b"\r\n250 2.0.0 Caught\r\n221 " in answers
    assert [caught.subject for caught in catcher.letters()] == ["ahead"]


def test_the_worker_s_own_conversation_goes_through(catcher: Catcher) -> None:
    desk = Desk(letter(f"p{number}") for number in range(20))
    carrier = Post(Server("127.0.0.1", catcher.port, Security.NONE, connections=3), QUICK)
    try:
        carrier.deliver(desk.take, desk.commit)
    finally:
        carrier.close()
    assert set(desk.codes.values()) == {250}
    assert len({caught.recipient for caught in catcher.letters()}) == 20


def test_what_was_caught_can_be_read_after_it_stopped(clock: FrozenClock) -> None:
    with Catcher(now=clock) as catcher:
        post(catcher, HELLO)
        port = catcher.port
    assert len(catcher.letters()) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


HOSTILE = [
    b"",
    b"\r\n",
    b"Subject: =?utf-8?b?////?=\r\nTo: =?x?q?\x00?= <<>>;;\r\nContent-Type: text/x; charset=no\r\n\r\n\xff",
    b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n",
    b"Content-Type: text/html; charset=\xff\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
    b'Date: not a date\r\nMessage-ID: <[>\r\nTo: "unclosed\r\nSubject:\r\n \r\n\xed\xa0\x80\r\n\r\n' + b"y" * 5000,
    b"Content-Type: " + b"multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: " * 40 + b"x",
]


@pytest.mark.parametrize("raw", HOSTILE)
def test_a_hostile_letter_is_caught_and_shown(catcher: Catcher, raw: bytes) -> None:
    catcher.catch("a", ["b"], raw)
    (caught,) = catcher.letters()
    assert caught.raw == raw
    assert "\n" not in caught.subject
    (caught.subject + (caught.text or "") + (caught.html or "")).encode()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.lists(
        st.sampled_from(
            [
                b"Subject:",
                b"To:",
                b"Content-Type: text/html;",
                b"Content-Type: multipart/mixed; boundary=b",
                b"\r\n--b",
            ]
        )
    ),
    noise=st.binary(max_size=60),
)
def test_no_bytes_make_it_raise(head: list[bytes], noise: bytes) -> None:
    catcher = Catcher(now=FrozenClock())
    raw = b"\r\n".join(part + noise for part in head) + b"\r\n\r\n" + noise
    catcher.catch("a", ["b"], raw)
    (caught,) = catcher.letters()
    assert caught.raw == raw
    for name, value in caught.headers:
        assert f"{name}: {value}".encode().count(b"\n") == 0
