"""Access tokens from a real token server, and logging in with them."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drumbeat.domain.delivery import FailureReason, read_outcome
from drumbeat.domain.errors import GrantRefused, IncorrectValue
from drumbeat.mail.imap import ImapServer, check_inbox
from drumbeat.mail.oauth import Grant, Renewal, check_grant, renew
from drumbeat.mail.session import Security, Server, check
from drumbeat.testing.sink import Sink
from drumbeat.testing.tokens import TokenServer


@pytest.fixture
def server() -> Iterator[TokenServer]:
    """A token server."""
    with TokenServer() as server:
        yield server


def test_a_grant_is_renewed(server: TokenServer) -> None:
    assert renew(server.grant()) == Renewal("token-1", 3480.0, server.grant())
    assert server.asked == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-1", "scope": "mail",
         "client_id": "client", "client_secret": "hush"}
    ]  # fmt: skip


def test_a_token_that_ends_soon_is_good_for_a_second(server: TokenServer) -> None:
    server.lasts = 60
    assert renew(server.grant()).lasts == 1.0


def test_a_provider_may_replace_the_grant(server: TokenServer) -> None:
    server.rotates_to = "refresh-2"
    assert renew(server.grant()).grant == server.grant("refresh-2")


def test_a_grant_that_was_withdrawn_is_told_with_the_provider_s_words(server: TokenServer) -> None:
    server.refusal = "invalid_grant"
    with pytest.raises(GrantRefused, match="invalid_grant: The grant was withdrawn"):
        renew(server.grant())


def test_a_token_server_in_trouble_is_the_world_in_the_way(server: TokenServer) -> None:
    server.status = 500
    with pytest.raises(OSError, match="token server"):
        renew(server.grant())
    nobody = Grant("http://127.0.0.1:1/token", "client", "", "refresh", "")
    with pytest.raises(OSError, match="token server did not answer"):
        renew(nobody)


GOOD = Grant("https://token.example/token", "client", "hush", "refresh", "mail")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"token_url": "http://token.example/token"}, "token_url"),
        ({"token_url": "token.example"}, "token_url"),
        ({"token_url": ""}, "token_url"),
        ({"client_id": ""}, "client_id"),
        ({"refresh_token": ""}, "refresh_token"),
        ({"refresh_token": "a\nb"}, "refresh_token"),
        ({"client_secret": "a\x00b"}, "client_secret"),
    ],
)
def test_what_is_no_grant_is_refused(changes: dict[str, str], field: str) -> None:
    assert check_grant(GOOD) is GOOD
    values = {name: getattr(GOOD, name) for name in Grant.__struct_fields__}
    with pytest.raises(IncorrectValue) as refused:
        check_grant(Grant(**values | changes))
    assert refused.value.field == field


def entering(sink: Sink, token: str, fresh: str | None = None) -> Server:
    def source(is_second: bool) -> str:
        return (fresh or token) if is_second else token

    return Server("127.0.0.1", sink.port, Security.NONE, username="olive@tea.example", token=source)


def test_a_mail_server_is_entered_by_token() -> None:
    with Sink(credentials=("olive@tea.example", "token-1")) as sink:
        assert check(entering(sink, "token-1")).trouble is None
        assert sink.logins == 1


def test_a_token_that_is_refused_is_renewed_and_tried_once_more() -> None:
    with Sink(credentials=("olive@tea.example", "token-2")) as sink:
        assert check(entering(sink, "token-1", "token-2")).trouble is None
        outcome = check(entering(sink, "token-1")).outcome
    assert outcome is not None
    verdict = read_outcome(outcome)
    assert verdict.reason is FailureReason.AUTH
    assert "the token is not valid" in verdict.detail


def test_a_withdrawn_grant_is_a_refused_login_and_a_lost_token_server_a_passing_trouble() -> None:
    def withdrawn(_: bool) -> str:
        raise GrantRefused("invalid_grant: The grant was withdrawn.")

    def lost(_: bool) -> str:
        raise OSError("the token server did not answer: gone")

    with Sink(credentials=("olive@tea.example", "token-1")) as sink:
        server = entering(sink, "token-1")
        refused = check(replace(server, token=withdrawn)).outcome
        passing = check(replace(server, token=lost)).outcome
    assert refused is not None
    assert read_outcome(refused).reason is FailureReason.AUTH
    assert passing is not None
    assert read_outcome(passing).reason is None
    assert "token server" in read_outcome(passing).detail


def imap_server(good: str, tried: list[str]) -> socket.socket:
    """A server that is entered by token alone, and has nothing to read."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rwb") as line:

            def say(*texts: str) -> None:
                line.write("".join(f"{text}\r\n" for text in texts).encode())
                line.flush()

            say("* OK hello")
            for raw in line:
                tag, command, *_ = raw.decode().split()
                if command == "CAPABILITY":
                    say("* CAPABILITY IMAP4rev1 AUTH=XOAUTH2", f"{tag} OK done")
                elif command == "AUTHENTICATE":
                    say("+ ")
                    tried.append(base64.b64decode(line.readline()).decode())
                    is_good = tried[-1] == f"user=olive@tea.example\1auth=Bearer {good}\1\1"
                    say(f"{tag} OK welcome" if is_good else f"{tag} NO [AUTHENTICATIONFAILED] the token is not valid")
                elif command in ("EXAMINE", "LOGOUT"):
                    say("* 0 EXISTS" if command == "EXAMINE" else "* BYE", f"{tag} OK done")
                elif command == "STATUS":
                    say("* STATUS INBOX (UIDVALIDITY 1 UIDNEXT 1)", f"{tag} OK done")

    threading.Thread(target=serve, daemon=True).start()
    return listening


@pytest.mark.parametrize(("token", "fresh", "tries"), [("t1", "t1", 1), ("old", "t1", 2)])
def test_an_inbox_is_entered_by_token_too(token: str, fresh: str, tries: int) -> None:
    tried: list[str] = []
    with imap_server("t1", tried) as listening:
        port = listening.getsockname()[1]
        source = {False: token, True: fresh}.__getitem__
        assert check_inbox(ImapServer("127.0.0.1", port, Security.NONE, "olive@tea.example", "", token=source)) is None
    assert len(tried) == tries


def test_an_inbox_whose_grant_is_withdrawn_tells_so(tmp_path: Path) -> None:
    def withdrawn(_: bool) -> str:
        raise GrantRefused("invalid_grant: The grant was withdrawn.")

    with imap_server("t1", []) as listening:
        port = listening.getsockname()[1]
        server = ImapServer("127.0.0.1", port, Security.NONE, "olive@tea.example", "", token=withdrawn)
        trouble = check_inbox(server)
    assert trouble is not None
    assert trouble.startswith("auth: ")
    assert "The grant was withdrawn" in trouble
