"""Opening a session: encryption is never given up, a login is tried once, and what failed is said."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.delivery import FailureReason, Outcome, Stage, read_outcome
from drumbeat.mail.session import Replies
from drumbeat.mail.smtp import Post, Security, Server, Timeouts, check
from drumbeat.testing.sink import NEVER, At, Do, Sink
from tests.mail.desk import QUICK, Desk, certificate, letter

SELLER = ("seller@ours.example", "gehe:im-ß")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


def serving(shown: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*shown)
    return context


def server_at(sink: Sink, security: Security, cafile: Path | None = None, password: str = SELLER[1]) -> Server:
    return Server(
        "127.0.0.1",
        sink.port,
        security,
        username=SELLER[0],
        password=password,
        connections=2,
        cafile=str(cafile) if cafile else None,
    )


def carry(server: Server, count: int = 3, timeouts: Timeouts = QUICK) -> Desk:
    desk = Desk(letter(f"p{number}") for number in range(count))
    post = Post(server, timeouts)
    post.deliver(desk.take, desk.commit)
    post.close()
    return desk


def only(desk: Desk) -> Outcome:
    (outcome,) = desk.told
    return outcome


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_letters_go_encrypted_after_a_login(shown: tuple[Path, Path], security: Security) -> None:
    implicit = security is Security.TLS
    with Sink(tls=serving(shown), implicit=implicit, credentials=SELLER) as sink:
        desk = carry(server_at(sink, security, shown[0]), 20)
        assert set(desk.codes.values()) == {250}
        assert len(sink.letters) == 20
        # A connection that was still being opened at the end carried nothing.
        assert sum(talk.letters for talk in sink.talks if talk.encrypted) == 20


def test_a_large_letter_goes_whole_over_tls(shown: tuple[Path, Path]) -> None:
    content = b"Subject: large\r\n\r\n" + b"0123456789\r\n" * 300_000
    with Sink(tls=serving(shown), implicit=True, credentials=SELLER) as sink:
        desk = Desk([letter("one", content)])
        Post(server_at(sink, Security.TLS, shown[0])).deliver(desk.take, desk.commit)
        assert sink.letters[0].content == content


def test_login_by_auth_login_where_plain_is_not_offered() -> None:
    with Sink({At.EHLO: "250-sink\r\n250 AUTH LOGIN"}, credentials=SELLER) as sink:
        assert set(carry(server_at(sink, Security.NONE)).codes.values()) == {250}
        assert b"AUTH LOGIN" in sink.talks[0].wire


def test_a_stripped_starttls_means_no_login_and_no_mail() -> None:
    with Sink(credentials=SELLER) as sink:
        outcome = only(carry(server_at(sink, Security.STARTTLS)))
        assert (outcome.stage, outcome.reply) == (Stage.TLS, None)
        assert outcome.error == "the server offers no STARTTLS, and encryption is required"
        assert b"AUTH" not in sink.talks[0].wire
        assert b"MAIL" not in sink.talks[0].wire


def test_a_refused_starttls_means_no_login_and_no_mail(shown: tuple[Path, Path]) -> None:
    with Sink({At.STARTTLS: "454 4.7.0 not now"}, tls=serving(shown), credentials=SELLER) as sink:
        outcome = only(carry(server_at(sink, Security.STARTTLS, shown[0])))
        assert outcome.reply is not None
        assert (outcome.stage, outcome.reply.code) == (Stage.TLS, 454)
        assert b"AUTH" not in sink.talks[0].wire


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
@pytest.mark.parametrize("wrong", ["name", "authority"])
def test_a_certificate_that_does_not_fit_ends_the_session(
    tmp_path: Path, shown: tuple[Path, Path], security: Security, wrong: str
) -> None:
    served = certificate(tmp_path, "other.example") if wrong == "name" else shown
    trusted = served[0] if wrong == "name" else None
    with Sink(tls=serving(served), implicit=security is Security.TLS, credentials=SELLER) as sink:
        outcome = only(carry(server_at(sink, security, trusted)))
        assert (outcome.stage, outcome.reply) == (Stage.TLS, None)
        assert "certificate was not accepted" in (outcome.error or "")
        assert sink.logins == 0


def test_a_wrong_password_is_tried_once_and_costs_one_letter() -> None:
    with Sink(credentials=SELLER) as sink:
        outcome = only(carry(server_at(sink, Security.NONE, password="wrong"), 50))
        assert read_outcome(outcome).reason is FailureReason.AUTH
        assert outcome.stage is Stage.AUTH
        assert sink.logins == 1


def test_a_server_without_a_usable_login_is_told_at_the_login() -> None:
    with Sink() as sink:
        assert only(carry(server_at(sink, Security.NONE))).stage is Stage.AUTH


def test_a_server_that_wants_a_login_we_do_not_have_is_an_auth_failure() -> None:
    with Sink(credentials=SELLER) as sink:
        desk = carry(Server("127.0.0.1", sink.port, Security.NONE), 1)
        assert read_outcome(only(desk)).reason is FailureReason.AUTH


def test_a_refused_connection_costs_one_letter_only() -> None:
    with Sink() as sink:
        server = Server("127.0.0.1", sink.port, Security.NONE)
    desk = carry(server, 50)
    assert only(desk).stage is Stage.CONNECT
    assert "refused" in (only(desk).error or "")
    assert len(desk.queue) == 49


def test_a_name_that_cannot_be_found_is_told_at_the_connection() -> None:
    outcome = only(carry(Server("no-such-host.invalid", 25, Security.NONE)))
    assert (outcome.stage, outcome.reply) == (Stage.CONNECT, None)
    assert "name was not found" in (outcome.error or "")


@pytest.mark.parametrize("at", [At.GREETING, At.EHLO])
def test_a_server_that_refuses_the_session_is_quoted(at: At) -> None:
    with Sink({at: "421 4.3.2 not now"}) as sink:
        outcome = only(carry(Server("127.0.0.1", sink.port, Security.NONE)))
        assert outcome.reply is not None
        assert (outcome.stage, outcome.reply.code, outcome.reply.text) == (Stage.CONNECT, 421, "not now")


def test_a_server_that_knows_only_helo_gets_its_letters() -> None:
    with Sink({At.EHLO: "502 5.5.1 what"}) as sink:
        assert set(carry(Server("127.0.0.1", sink.port, Security.NONE)).codes.values()) == {250}
        assert b"\r\nhelo " in sink.talks[0].wire.lower()


@pytest.mark.parametrize("script", [{At.GREETING: NEVER}, {At.EHLO: Do("250-x", delay=0.05)}])
def test_opening_a_session_has_one_deadline(script: dict[At | tuple[At, str], Do | str]) -> None:
    with Sink(script) as sink:
        outcome = only(carry(Server("127.0.0.1", sink.port, Security.NONE), 1, Timeouts(session=0.3)))
        assert (outcome.stage, outcome.error) == (Stage.CONNECT, "no answer in time")


@pytest.mark.parametrize("greeting", ["hello", "220-x\r\n" * 500 + "220 x", "220 " + "x" * 9000])
def test_a_garbled_greeting_is_a_lost_connection(greeting: str) -> None:
    with Sink({At.GREETING: greeting}) as sink:
        outcome = only(carry(Server("127.0.0.1", sink.port, Security.NONE), 1))
        assert outcome.stage is Stage.CONNECT
        assert "garbled" in (outcome.error or "")


def test_a_checkup_says_what_is_offered_or_what_failed(shown: tuple[Path, Path]) -> None:
    with Sink(tls=serving(shown), credentials=SELLER) as sink:
        found = check(server_at(sink, Security.STARTTLS, shown[0]), QUICK)
        assert (found.stage, found.outcome) == (Stage.MAIL, None)
        assert {"PIPELINING", "SIZE 10000000", "AUTH PLAIN LOGIN XOAUTH2"} <= set(found.offers)
        assert sink.wait_for(lambda: sink.talks[0].wire.lower().endswith(b"noop\r\nquit\r\n"))
        wrong = check(server_at(sink, Security.STARTTLS, shown[0], password="wrong"), QUICK)
        assert wrong.outcome is not None
        assert wrong.outcome.reply is not None
        assert (wrong.stage, wrong.outcome.reply.code) == (Stage.AUTH, 535)
        assert sink.letters == []


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Server("h", 25, Security.NONE, "u", "secret"))


_WORDS = st.binary(max_size=20).map(lambda raw: raw.translate(None, b"\x00\r\n"))
_REPLY = st.tuples(
    st.integers(200, 599),
    st.lists(_WORDS, min_size=1, max_size=4),
)


@settings(max_examples=150)
@given(st.lists(_REPLY, max_size=5), st.data())
def test_replies_come_out_whole_however_the_bytes_were_cut(
    spoken: list[tuple[int, list[bytes]]], draw: st.DataObject
) -> None:
    wire = b"".join(
        b"%d%s%s\r\n" % (code, b" " if number == len(lines) else b"-", line)
        for code, lines in spoken
        for number, line in enumerate(lines, 1)
    )
    replies = Replies()
    heard = []
    while wire:
        size = draw.draw(st.integers(1, len(wire)))
        heard += list(replies.feed(wire[:size]))
        wire = wire[size:]
    assert heard == [(code, b"\n".join(lines)) for code, lines in spoken]


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_anything_but_smtp_is_a_lost_connection_and_never_another_error(noise: bytes) -> None:
    heard: list[tuple[int, bytes]] = []
    with suppress(OSError):
        heard += Replies().feed(noise)
    assert all(200 <= code <= 599 for code, _ in heard)
