"""A mailbox that needs its sender known sends only while receivers find it as they want it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment, State
from drumbeat.domain.timeline import Binding
from drumbeat.mail.dkim import new_key
from drumbeat.operations.holds import examine_sender, note_identity
from drumbeat.operations.mailboxes import change_mailbox
from drumbeat.operations.signing import sign_with
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.nameserver import NameServer
from drumbeat.worker import Worker
from tests.mail.test_identity import GOOD, dkim
from tests.operations.office import Office, opened

DMARC = ("_dmarc.tea.example", "TXT")


@pytest.fixture
def dns() -> Iterator[NameServer]:
    """A name server that knows the owner's sender, and lets the sink send for it."""
    with NameServer() as server:
        server.records = {
            ("tea.example", "TXT"): ['"v=spf1 ip4:127.0.0.1 -all"'],
            ("tea.example", "MX"): ["10 mx.tea.example."],
            DMARC: ['"v=DMARC1; p=none"'],
            ("s1._domainkey.tea.example", "TXT"): [dkim(GOOD)],
            ("localhost", "A"): ["127.0.0.1"],
            ("1.0.0.127.in-addr.arpa", "PTR"): ["localhost."],
        }
        yield server


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path, dns: NameServer) -> Iterator[Office]:
    """The office, whose worker asks this name server; its mailbox is a real one and needs its sender known."""
    with opened(database, clock, tmp_path) as office:
        world = office.house.world
        settings = world.settings.model_copy(update={"dns": dns.address})
        office.house = replace(office.house, world=replace(world, settings=settings))
        office.worker.close()
        office.worker = Worker(office.house.world)
        office.set_mailbox(is_catcher=False)
        change(office, needs_identity=True)
        yield office
        office.worker.close()


def change(office: Office, **changes: object) -> None:
    """What an admin sets of the mailbox."""
    house = office.house
    office.transact(lambda tx: change_mailbox(tx, house.world.vault, house.account_id, house.mailbox_id, changes))


def enrolled(office: Office, name: str = "Ada") -> Enrollment:
    return office.enroll(office.house.sequence(letter(), name=name), office.house.person(name))


def test_it_sends_as_soon_as_its_sender_was_looked_up(office: Office) -> None:
    enrollment = enrolled(office)
    hold = office.why(enrollment.id)
    assert hold is not None
    assert hold.binding is Binding.SENDER_UNKNOWN
    office.work()
    assert office.mailbox().identity_seen_at == office.clock.now
    assert (office.delivered(enrollment.id), len(office.sink.letters)) == (["accepted"], 1)


def test_a_sender_whom_receivers_refuse_blocks_until_it_is_put_right(office: Office, dns: NameServer) -> None:
    policy = dns.records.pop(DMARC)
    enrollment = enrolled(office)
    office.work()
    blocked = office.house.enrollment(enrollment.id)
    assert (blocked.state, blocked.failure_reason) == (State.BLOCKED, FailureReason.SENDOUT_DISABLED)
    assert blocked.failure_detail == (
        "The mailbox is held: DMARC: tea.example has no DMARC policy, which large receivers ask of senders."
        ' Publish a TXT record for _dmarc.tea.example such as "v=DMARC1; p=none; rua=mailto:you@tea.example".'
    )
    held_since = office.mailbox().held_since
    office.later(minutes=2)
    assert (office.sink.letters, office.mailbox().held_since) == ([], held_since)
    dns.records[DMARC] = policy
    office.later(hours=1)
    assert (office.delivered(enrollment.id), office.mailbox().hold_reason) == (["accepted"], None)


def test_while_nobody_can_be_asked_a_new_sender_waits_and_a_known_one_goes_on(office: Office, dns: NameServer) -> None:
    dns.failing = {name for name, _ in dns.records}
    waiting = enrolled(office)
    office.work()
    hold = office.why(waiting.id)
    assert hold is not None
    assert (hold.binding, hold.until) == (Binding.SENDER_UNKNOWN, office.mailbox().held_until)
    assert "The DNS did not answer" in hold.sentence
    assert office.house.enrollment(waiting.id).state is State.ACTIVE
    dns.failing.clear()
    office.later(minutes=2)
    assert len(office.sink.letters) == 1
    dns.failing = {name for name, _ in dns.records}
    office.later(days=2)
    enrolled(office, "Bob")
    office.work()
    assert len(office.sink.letters) == 2


def test_a_known_sender_is_looked_up_again_after_a_day(office: Office, dns: NameServer) -> None:
    office.work()
    dns.asked.clear()
    dns.records.pop(DMARC)
    office.later(hours=23)
    assert dns.asked == []
    office.later(hours=1)
    assert office.mailbox().hold_reason == FailureReason.SENDOUT_DISABLED
    enrollment = enrolled(office)
    office.work()
    assert office.house.enrollment(enrollment.id).state is State.BLOCKED


def test_another_sender_server_or_signature_is_looked_up_anew_and_no_letter_leaves_before(office: Office) -> None:
    house = office.house
    office.work()
    changes = (
        lambda: change(office, sender_email="olive@other.example"),
        lambda: change(office, sender_email="olive@tea.example"),
        lambda: change(office, host="localhost"),
        lambda: office.transact(
            lambda tx: sign_with(tx, house.world.vault, house.account_id, house.mailbox_id, "s1", new_key(), actor_id=1)
        ),
    )
    for act in changes:
        act()
        assert office.mailbox().is_unproven
        office.later(hours=1)
    assert office.mailbox().identity_seen_at is not None
    change(office, name="Olive's")
    assert not office.mailbox().is_unproven


def test_what_was_found_of_a_sender_that_changed_meanwhile_counts_for_nothing(office: Office, dns: NameServer) -> None:
    examined = office.mailbox()
    found = examine_sender(examined, office.house.world.resolver)
    change(office, sender_email="olive@other.example")
    office.transact(lambda tx: note_identity(tx, examined, found))
    assert office.mailbox().is_unproven


def test_without_the_need_it_sends_at_once_whatever_was_found(office: Office, dns: NameServer) -> None:
    dns.records.clear()
    enrollment = enrolled(office)
    office.work()
    assert office.house.enrollment(enrollment.id).state is State.BLOCKED
    change(office, needs_identity=False)
    office.work()
    assert office.delivered(enrollment.id) == ["accepted"]
