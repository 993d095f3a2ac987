"""What comes back to a mailbox is heard: from a real IMAP server to what it does to an enrollment."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.enrollment import Enrollment, FinishedReason, State
from drumbeat.domain.errors import DatabaseUnreachable
from drumbeat.mail.session import Security
from drumbeat.operations.inboxes import InboxSettings, listen, stop_listening
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.mailboxes import change_mailbox
from drumbeat.store import inboxes
from drumbeat.store.database import Database
from drumbeat.store.inboxes import Inbox
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import CUT, At
from drumbeat.wiring import World
from drumbeat.worker import Worker, ears
from tests.corpus.hostile import HOSTILE
from tests.corpus.message import plain
from tests.imap_server import KINDS, PASSWORD, USER, RunningServer, running
from tests.operations.office import Office, opened


@pytest.fixture(scope="module")
def pymap() -> Iterator[RunningServer]:
    """An IMAP server."""
    with running("pymap") as server:
        yield server


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office; its mailbox is a real one."""
    with opened(database, clock, tmp_path) as office:
        office.set_mailbox(is_catcher=False)
        yield office


def let_hear(office: Office, server: RunningServer, password: str = PASSWORD) -> None:
    """Let the owner's mailbox hear; the server on this machine speaks plain text."""
    house = office.house
    settings = InboxSettings("127.0.0.1", server.port, Security.TLS, USER, password)
    office.transact(lambda tx: listen(tx, house.world.vault, house.account_id, house.mailbox_id, settings))
    office.run("UPDATE inboxes SET security = 'none'")


def inbox_of(office: Office) -> Inbox:
    with office.database.read() as snapshot:
        found = inboxes.find(snapshot, office.house.account_id, office.house.mailbox_id)
    assert found is not None
    return found


def sent_to(office: Office) -> Enrollment:
    enrolled = office.enroll(office.house.sequence(letter(), letter("48 hours")), office.house.person("Ada"))
    office.work()
    return office.house.enrollment(enrolled.id)


def reply_to(office: Office, enrollment: Enrollment) -> bytes:
    id = read_frozen(office.deliveries(enrollment.id)[0].frozen).message_id
    return plain(f"From: ada@example.com\nTo: olive@tea.example\nSubject: Re: Hello\nIn-Reply-To: {id}", "Yes, please.")


def test_a_reply_is_heard_within_one_poll(office: Office, pymap: RunningServer) -> None:
    let_hear(office, pymap)
    ada = sent_to(office)
    pymap.deliver(reply_to(office, ada))
    office.later(seconds=59)
    assert office.house.enrollment(ada.id).state is State.ACTIVE
    office.later(seconds=1)
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL
    assert inbox_of(office).heard_at == office.clock()


def test_what_was_there_before_the_mailbox_hears_is_left_alone(office: Office, pymap: RunningServer) -> None:
    ada = sent_to(office)
    pymap.deliver(reply_to(office, ada))
    let_hear(office, pymap)
    office.work()
    office.later(minutes=1)
    assert office.house.enrollment(ada.id).state is State.ACTIVE


def test_nothing_is_missed_while_nobody_listens(office: Office, pymap: RunningServer) -> None:
    let_hear(office, pymap)
    ada = sent_to(office)
    pymap.deliver(plain("From: x@example.org\nSubject: Lunch", "?"), reply_to(office, ada))
    office.clock.advance(timedelta(days=1))
    office.work()
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL


def test_messages_numbered_anew_have_their_effect_once(office: Office, pymap: RunningServer) -> None:
    let_hear(office, pymap)
    ada = sent_to(office)
    pymap.deliver(reply_to(office, ada))
    office.later(minutes=1)
    office.run("UPDATE inboxes SET uid_validity = 1, uid = 1000000")
    office.later(minutes=1)
    assert office.count("SELECT count(*) FROM received_messages") == 1
    assert inbox_of(office).uid_validity != 1


def test_a_copy_among_the_sent_settles_a_doubt(office: Office, pymap: RunningServer) -> None:
    let_hear(office, pymap)
    office.sink.script = {At.DOT: CUT}
    ada, bob = (
        office.enroll(office.house.sequence(letter(), letter("48 hours"), name=name), office.house.person(name))
        for name in ("Ada", "Bob")
    )
    office.work()
    office.sink.script = {}
    assert [office.delivered(each.id) for each in (ada, bob)] == [["unknown"], ["unknown"]]
    id = read_frozen(office.deliveries(ada.id)[0].frozen).message_id
    pymap.deliver(plain(f"Message-ID: {id}\nFrom: olive@tea.example\nSubject: Hello Ada", "Dear Ada"), folder="Sent")
    office.later(minutes=1)
    assert [office.delivered(each.id) for each in (ada, bob)] == [["accepted"], ["unknown"]]
    assert office.house.enrollment(ada.id).position == 1
    assert (office.deliveries(ada.id)[0].reply or "").startswith(
        "counted as sent; a copy of it is in the folder of sent"
    )
    office.later(minutes=10)
    assert office.house.enrollment(bob.id).state is State.BLOCKED
    id = read_frozen(office.deliveries(bob.id)[0].frozen).message_id
    pymap.deliver(plain(f"Message-ID: {id}\nFrom: olive@tea.example\nSubject: Hello Bob", "Dear Bob"), folder="Sent")
    office.later(minutes=1)
    assert (office.house.enrollment(bob.id).state, office.house.enrollment(bob.id).position) == (State.ACTIVE, 1)


# The others are too much for that server itself, which is made for tests.
TAKEN_BY_PYMAP = ("10,000 parts", "a header of 1 MB", "tags without end", "quotes without end", "zeros", "a zip bomb")


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_mail_is_passed_by_in_bounded_memory_and_the_reply_behind_it_heard(office: Office, kind: str) -> None:
    with running(kind) as server:
        let_hear(office, server)
        ada = sent_to(office)
        for name in HOSTILE if kind == "dovecot" else TAKEN_BY_PYMAP:
            server.deliver(HOSTILE[name]())
        server.deliver(reply_to(office, ada))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        office.later(minutes=1)
        assert office.house.enrollment(ada.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL
        assert time.process_time() - began < 60, "the limit is far above what it takes, for slow and busy machines"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kB"
        assert inbox_of(office).trouble is None


def test_one_worker_alone_reads_an_inbox(office: Office, pymap: RunningServer) -> None:
    let_hear(office, pymap)
    inbox = inbox_of(office)
    later = office.clock() + timedelta(minutes=2)
    assert office.transact(lambda tx: inboxes.claim(tx, inbox, "another", later)) is True
    assert office.transact(lambda tx: inboxes.claim(tx, inbox, "us", later)) is False
    office.work()
    assert inbox_of(office).uid is None
    office.later(seconds=121)
    assert inbox_of(office).uid is not None


def test_whoever_lost_the_inbox_to_another_worker_changes_nothing(
    office: Office, pymap: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_hear(office, pymap)
    ada = sent_to(office)
    pymap.deliver(reply_to(office, ada))
    real = ears.read

    def slow(raw: bytes) -> Any:
        office.run("UPDATE inboxes SET lease_token = 'another'")
        return real(raw)

    monkeypatch.setattr(ears, "read", slow)
    office.later(minutes=1)
    assert office.house.enrollment(ada.id).state is State.ACTIVE
    monkeypatch.undo()
    office.run("UPDATE inboxes SET lease_token = NULL, lease_until = NULL")
    office.later(minutes=2)
    assert office.house.enrollment(ada.id).state is State.FINISHED


def test_a_message_nobody_can_take_in_does_not_keep_the_next_from_being_heard(
    office: Office, pymap: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_hear(office, pymap)
    ada = sent_to(office)
    pymap.deliver(plain("From: x@example.org\nSubject: poison", "?"), reply_to(office, ada))
    real = ears.take_in

    def stumbling(*arguments: Any) -> Any:
        if arguments[-1].message.subject == "poison":
            raise ZeroDivisionError
        return real(*arguments)

    monkeypatch.setattr(ears, "take_in", stumbling)
    office.later(minutes=1)
    assert office.house.enrollment(ada.id).state is State.FINISHED


def test_a_message_and_how_far_was_read_are_stored_together_or_not_at_all(
    office: Office, pymap: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_hear(office, pymap)
    ada = sent_to(office)
    pymap.deliver(reply_to(office, ada))
    real, before = ears.take_in, inbox_of(office).uid

    def lost(*arguments: Any) -> Any:
        real(*arguments)
        raise DatabaseUnreachable

    monkeypatch.setattr(ears, "take_in", lost)
    office.later(minutes=1)
    assert (inbox_of(office).uid, office.house.enrollment(ada.id).state) == (before, State.ACTIVE)
    monkeypatch.undo()
    office.later(minutes=3)
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL
    assert office.count("SELECT count(*) FROM received_messages") == 1


def test_the_same_server_set_again_goes_on_and_another_login_begins_anew(office: Office, pymap: RunningServer) -> None:
    let_hear(office, pymap)
    office.work()
    read_to = inbox_of(office).uid
    assert read_to is not None
    let_hear(office, pymap, "another password")
    assert inbox_of(office).uid == read_to
    house = office.house
    other = InboxSettings("127.0.0.1", pymap.port, Security.TLS, "somebody else", PASSWORD)
    office.transact(lambda tx: listen(tx, house.world.vault, house.account_id, house.mailbox_id, other))
    assert inbox_of(office).uid is None


def test_trouble_is_told_and_looked_at_again_after_growing_pauses(office: Office, pymap: RunningServer) -> None:
    let_hear(office, pymap, "wrong")
    pauses = []
    for _ in range(9):
        office.work()
        inbox = inbox_of(office)
        assert (inbox.trouble or "").startswith("auth: ")
        pauses.append((inbox.look_at - office.clock()) // timedelta(minutes=1))
        office.clock.advance(inbox.look_at - office.clock())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    let_hear(office, pymap)
    office.work()
    inbox = inbox_of(office)
    assert (inbox.trouble, inbox.failures) == (None, 0)


def test_a_changed_login_of_the_mailbox_is_tried_at_once(office: Office, pymap: RunningServer) -> None:
    house = office.house
    office.set_mailbox(security="tls", username=USER, sealed_password=house.world.vault.seal("wrong"))
    settings = InboxSettings("127.0.0.1", pymap.port)
    office.transact(lambda tx: listen(tx, house.world.vault, house.account_id, house.mailbox_id, settings))
    office.run("UPDATE inboxes SET security = 'none'")
    office.work()
    assert inbox_of(office).failures == 1
    changes = {"password": PASSWORD}
    office.transact(lambda tx: change_mailbox(tx, house.world.vault, house.account_id, house.mailbox_id, changes))
    office.work()
    assert inbox_of(office).trouble is None
    assert inbox_of(office).uid is not None


def test_a_mailbox_that_is_to_hear_no_more_is_not_looked_at(office: Office, pymap: RunningServer) -> None:
    let_hear(office, pymap)
    house = office.house
    assert office.transact(lambda tx: stop_listening(tx, house.account_id, house.mailbox_id)) is True
    assert office.transact(lambda tx: stop_listening(tx, house.account_id, house.mailbox_id)) is False
    ada = sent_to(office)
    pymap.deliver(reply_to(office, ada))
    office.later(minutes=5)
    assert office.house.enrollment(ada.id).state is State.ACTIVE


def eventually(is_so: Callable[[], bool], within: float) -> float:
    """Seconds until it is so."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < within
        time.sleep(0.05)
    return time.monotonic() - began


class Running:
    """A worker at work beside the test."""

    def __init__(self, world: World) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=Worker(world).run, args=[self._stop])

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_reply_is_heard_within_ten_seconds_while_a_worker_waits_for_it(office: Office, kind: str) -> None:
    with running(kind) as server:
        let_hear(office, server)
        ada = sent_to(office)
        office.clock.advance(timedelta(minutes=1))
        with Running(office.house.world):
            eventually(lambda: office.count("SELECT count(*) FROM inboxes WHERE lease_token IS NOT NULL") == 1, 10)
            time.sleep(1)  # it waits for more now
            server.deliver(reply_to(office, ada))
            assert eventually(lambda: office.house.enrollment(ada.id).state is State.FINISHED, 10) < 10


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_more_inboxes_than_seats_take_turns(office: Office, pymap: RunningServer) -> None:
    others = [office.add_mailbox(name=f"Number {number}") for number in range(4)]
    let_hear(office, pymap)
    house, vault = office.house, office.house.world.vault
    settings = InboxSettings("127.0.0.1", pymap.port, Security.TLS, USER, PASSWORD)
    for id in others:
        office.transact(lambda tx, id=id: listen(tx, vault, house.account_id, id, settings))  # type: ignore[misc]
    office.run("UPDATE inboxes SET security = 'none'")
    office.house.world.settings.ears = 2
    with Running(office.house.world):
        eventually(lambda: office.count("SELECT count(*) FROM inboxes WHERE uid IS NOT NULL") == 5, 30)
