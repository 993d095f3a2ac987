"""Reading a mailbox over IMAP, against real servers."""

from __future__ import annotations

import imaplib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from imap_tools import FolderInfo, MailBoxFolderManager

from drumbeat.domain.errors import InboxUnreachable
from drumbeat.mail.imap import Cursor, ImapServer, check_inbox, open_inbox, sent_folder
from drumbeat.mail.parse import LARGEST
from drumbeat.mail.session import Security
from tests.imap_server import KINDS, RunningServer, running

LETTER = b"From: ada@example.com\r\nSubject: %s\r\n\r\nHello\r\n"
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A real IMAP server."""
    with running(request.param) as server:
        yield server


def subjects(server: RunningServer, since: Cursor) -> list[bytes]:
    with open_inbox(server.settings()) as inbox:
        return [raw.split(b"Subject: ")[1].split(b"\r\n")[0] for _, raw in inbox.new_since(since, TODAY)]


def end_of(server: RunningServer) -> Cursor:
    with open_inbox(server.settings()) as inbox:
        return inbox.end


def test_what_is_new_comes_once_in_order_and_byte_for_byte(server: RunningServer) -> None:
    before = end_of(server)
    first, second = LETTER % b"one", LETTER % b"two \xff"
    server.deliver(first, second)
    with open_inbox(server.settings()) as inbox:
        found = list(inbox.new_since(before, TODAY))
    assert [raw for _, raw in found] == [first, second]
    assert [cursor.uid for cursor, _ in found] == sorted(cursor.uid for cursor, _ in found)
    assert subjects(server, found[0][0]) == [b"two \xff"]
    assert subjects(server, found[1][0]) == []


def test_reading_leaves_the_mailbox_as_it_is(server: RunningServer) -> None:
    before = end_of(server)
    server.deliver(LETTER % b"unread")
    seen = server.unseen(), server.count()
    assert subjects(server, before) == [b"unread"]
    assert (server.unseen(), server.count()) == seen


def test_of_a_huge_message_only_its_beginning_is_fetched(server: RunningServer) -> None:
    before = end_of(server)
    server.deliver(LETTER % b"huge" + b"x" * 70 + (b"\r\n" + b"y" * 998) * 3000)
    with open_inbox(server.settings()) as inbox:
        ((_, raw),) = inbox.new_since(before, TODAY)
    assert len(raw) == LARGEST
    assert raw.startswith(b"From: ada@example.com\r\nSubject: huge")


def test_messages_numbered_anew_come_again_as_far_back_as_the_last_look(server: RunningServer) -> None:
    server.deliver(LETTER % b"again")
    other = Cursor(1, 10**6)
    assert b"again" in subjects(server, other)
    with open_inbox(server.settings()) as inbox:
        assert list(inbox.new_since(other, TODAY + timedelta(days=3))) == []


def test_what_arrives_while_somebody_waits_is_told_at_once(server: RunningServer) -> None:
    with open_inbox(server.settings()) as inbox:
        assert inbox.can_wait
        began = time.monotonic()
        posting = threading.Thread(target=server.deliver, args=[LETTER % b"now"])
        posting.start()
        assert inbox.wait(20, lambda: False) is False
        assert time.monotonic() - began < 10
        posting.join()
        assert [raw for _, raw in inbox.new_since(inbox.end, TODAY)] == [LETTER % b"now"]


def test_waiting_ends_when_it_is_time_to(server: RunningServer) -> None:
    with open_inbox(server.settings()) as inbox:
        assert inbox.wait(20, lambda: True) is True
        assert inbox.wait(0.1, lambda: False) is False
        assert list(inbox.new_since(inbox.end, TODAY)) == []


def test_a_wrong_password_is_told_with_what_the_server_said(server: RunningServer) -> None:
    trouble = check_inbox(server.settings("wrong"))
    assert trouble is not None
    assert trouble.startswith("auth: ")
    assert "fail" in trouble.lower() or "invalid" in trouble.lower()
    assert "wrong" not in trouble
    assert check_inbox(server.settings()) is None


def test_nobody_at_home_is_told_as_a_connection_that_failed() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nobody = ImapServer("127.0.0.1", port, Security.NONE, "olive", "secret")
    assert check_inbox(nobody) == "connect: connection refused"
    assert check_inbox(replace(nobody, security=Security.TLS)) == "connect: connection refused"


def test_a_server_without_encryption_is_not_told_the_password(server: RunningServer) -> None:
    trouble = check_inbox(replace(server.settings(), security=Security.STARTTLS))
    assert trouble is not None
    assert trouble.startswith("tls: ")
    trouble = check_inbox(replace(server.settings(), security=Security.TLS))
    assert trouble is not None
    assert trouble.startswith("tls: ")


@pytest.mark.parametrize("said", [b"", b"220 mx.example.com ESMTP\r\n", b"* BYE full\r\n", b"\x00" * 100_000])
def test_something_else_than_imap_is_told(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(said)

        answering = threading.Thread(target=answer)
        answering.start()
        port = listening.getsockname()[1]
        expected = "the server closed the connection" if not said else "connect: "
        with (
            pytest.raises(InboxUnreachable, match=expected),
            open_inbox(ImapServer("127.0.0.1", port, Security.NONE, "o", "s")),
        ):
            pass
        answering.join()


def test_a_copy_among_the_sent_is_found_by_its_id_and_reading_goes_on(server: RunningServer) -> None:
    ours, theirs, never = "<1.aa@tea.example>", "<2.bb@tea.example>", "<3.cc@tea.example>"
    for id in (ours, theirs):
        server.deliver(f"Message-ID: {id}\r\n".encode() + LETTER % b"sent", folder="Sent")
    before = end_of(server)
    with open_inbox(server.settings()) as inbox:
        assert inbox.sent_among([ours, never]) == [ours]
        server.deliver(LETTER % b"received")
        assert [raw for _, raw in inbox.new_since(before, TODAY)] == [LETTER % b"received"]


@pytest.mark.parametrize("odd", [imaplib.IMAP4.error("BAD what"), ValueError("a line"), KeyError("flags")])
def test_a_server_that_answers_oddly_about_sent_mail_is_still_heard(
    server: RunningServer, odd: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*_: object) -> None:
        raise odd

    before = end_of(server)
    monkeypatch.setattr(MailBoxFolderManager, "list", told)
    with open_inbox(server.settings()) as inbox:
        assert inbox.sent_among(["<1.aa@tea.example>"]) == []
        server.deliver(LETTER % b"heard")
        assert [raw for _, raw in inbox.new_since(before, TODAY)] == [LETTER % b"heard"]


SENT_FOLDERS = [
    ([("INBOX", ()), ("Gesendet", ("\\HasNoChildren", "\\Sent")), ("Sent", ())], "Gesendet"),
    ([("INBOX", ()), ("Sent Items", ("\\HasNoChildren",))], "Sent Items"),
    ([("INBOX", ()), ("INBOX.Sent", ())], "INBOX.Sent"),
    ([("INBOX", ()), ("Consent", ())], None),
]


@pytest.mark.parametrize(("folders", "expected"), SENT_FOLDERS)
def test_the_folder_of_sent_mail_is_the_marked_one_or_one_of_a_usual_name(
    folders: list[tuple[str, tuple[str, ...]]], expected: str | None
) -> None:
    assert sent_folder([FolderInfo(name, "/", flags) for name, flags in folders]) == expected
