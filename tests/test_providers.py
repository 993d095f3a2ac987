"""Mailboxes that send through providers, the engine included; the providers are fakes made from their documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import FinishedReason, State
from drumbeat.mail.provider_events import read_events
from drumbeat.mail.session import Provider
from drumbeat.operations.hooks import take_in_told
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.providers import KEY, FakeProvider
from tests.operations.office import Office, opened

NAMES = ("Ada", "Bob", "Cleo")


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> Iterator[FakeProvider]:
    with FakeProvider(getattr(request, "param", Provider.POSTMARK)) as up:
        yield up


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path, fake: FakeProvider) -> Iterator[Office]:
    with opened(database, clock, tmp_path) as office:
        send_through(office, fake)
        yield office


def send_through(office: Office, fake: FakeProvider, **changes: Any) -> None:
    """Let the owner's mailbox send through a provider."""
    server, vault = fake.server(), office.house.world.vault
    settings = {"provider": fake.provider.value, "port": server.port, "sealed_password": vault.seal(KEY)}
    office.set_mailbox(**{**settings, "username": server.username, "connections": 2, **changes})


def enrolled(office: Office, *names: str) -> list[int]:
    sequence = office.house.sequence(letter("0 hours"), name=f"Sequence for {' '.join(names)}")
    return [office.enroll(sequence, office.house.person(name)).id for name in names]


@pytest.mark.parametrize("fake", list(Provider), indirect=True)
def test_letters_leave_once_each_and_their_sequences_finish(office: Office, fake: FakeProvider) -> None:
    ids = enrolled(office, *NAMES)
    office.work()
    assert [office.house.enrollment(id).state for id in ids] == [State.FINISHED] * 3
    assert len({taken.tag for taken in fake.letters}) == len(fake.letters) == 3
    assert office.sink.letters == []
    assert fake.provider.value in (office.deliveries(ids[0])[0].reply or "")


def test_a_refused_key_holds_the_mailbox_and_another_one_heals_it(office: Office, fake: FakeProvider) -> None:
    office.set_mailbox(sealed_password=office.house.world.vault.seal("wrong"))
    (ada,) = enrolled(office, "Ada")
    office.work()
    assert office.house.enrollment(ada).failure_reason is FailureReason.AUTH
    office.set_mailbox(sealed_password=office.house.world.vault.seal(KEY))
    office.later(minutes=2)
    assert office.house.enrollment(ada).state is State.FINISHED
    assert len(fake.letters) == 1


def test_a_letter_nobody_answered_for_waits_in_doubt_and_is_not_sent_again(office: Office, fake: FakeProvider) -> None:
    fake.script.hangs_up = 1
    (ada,) = enrolled(office, "Ada")
    office.work()
    assert office.delivered(ada) == ["unknown"]
    office.later(hours=2)
    assert len(fake.letters) == 1


@pytest.mark.parametrize("fake", [Provider.RESEND], indirect=True)
def test_a_provider_that_knows_a_letter_again_leaves_no_doubt(office: Office, fake: FakeProvider) -> None:
    fake.script.hangs_up = 1
    (ada,) = enrolled(office, "Ada")
    office.work()
    assert office.delivered(ada) == ["accepted"]
    assert len(fake.letters) == 1


def test_a_letter_put_off_or_never_handed_over_counts_against_no_limit(office: Office, fake: FakeProvider) -> None:
    office.set_mailbox(per_hour=2, spacing=0)
    fake.script.answer = 503, {"message": "down"}
    ada, bob = enrolled(office, "Ada", "Bob")
    office.work()
    fake.script.answer = None
    office.set_mailbox(port=1)
    office.later(minutes=2)
    office.set_mailbox(port=fake.port)
    office.later(minutes=30)
    assert [office.delivered(ada), office.delivered(bob)] == [["accepted"], ["accepted"]]
    assert len(fake.letters) == 2


def test_an_account_that_ran_out_at_its_provider_waits_and_goes_on_by_itself(
    office: Office, fake: FakeProvider
) -> None:
    fake.script.answer = 422, {"ErrorCode": 405, "Message": "Not allowed to send: out of credits"}
    ada, bob = enrolled(office, "Ada", "Bob")
    office.work()
    assert office.house.enrollment(ada).failure_reason is FailureReason.SENDOUT_LIMITED
    fake.script.answer = None
    office.later(hours=1)
    assert [office.delivered(ada)[-1], office.delivered(bob)[-1]] == ["accepted", "accepted"]


def told_of(office: Office, fake: FakeProvider, name: str, event: dict[str, Any]) -> int:
    """Let the provider tell of the letter it took to somebody; returns how many events had an effect."""
    tag = next(taken.tag for taken in fake.letters if name in taken.recipient)
    named = event | ({"Metadata": {"drumbeat": tag}} if fake.provider is Provider.POSTMARK else {})
    told = read_events(fake.provider, json.dumps(named).encode(), "request-1")
    key, mailbox = office.house.world.hash_key, office.mailbox()
    return office.transact(lambda tx: take_in_told(tx, key, mailbox, told))


HARD = {"RecordType": "Bounce", "ID": 7, "Type": "HardBounce", "Details": "550 no such user"}


def two_letters(office: Office, *names: str) -> list[int]:
    sequence = office.house.sequence(letter("0 hours"), letter("1 weekdays"))
    ids = [office.enroll(sequence, office.house.person(name)).id for name in names]
    office.work()
    return ids


def test_a_bounce_the_provider_tells_of_blocks_the_next_letter_once(office: Office, fake: FakeProvider) -> None:
    ada, bob = two_letters(office, "Ada", "Bob")
    assert told_of(office, fake, "ada", HARD) == 1
    assert told_of(office, fake, "ada", HARD) == 0
    now = office.house.enrollment(ada)
    assert (now.state, now.failure_reason) == (State.BLOCKED, FailureReason.RECIPIENT_INVALID)
    assert office.house.enrollment(bob).state is State.ACTIVE
    assert office.facts(ada).count("letter_bounced") == 1


def test_a_complaint_and_an_unsubscription_stop_everything_for_the_address(office: Office, fake: FakeProvider) -> None:
    ada, bob = two_letters(office, "Ada", "Bob")
    assert told_of(office, fake, "ada", {"RecordType": "SpamComplaint", "ID": 8}) == 1
    stopped = {"RecordType": "SubscriptionChange", "SuppressSending": True, "Origin": "Recipient"}
    assert told_of(office, fake, "bob", stopped | {"SuppressionReason": "ManualSuppression"}) == 1
    for id in (ada, bob):
        now = office.house.enrollment(id)
        assert (now.state, now.finished_reason) == (State.FINISHED, FinishedReason.SUBSCRIPTION_CANCELLED)


def test_a_delivery_the_provider_tells_of_settles_a_doubt(office: Office, fake: FakeProvider) -> None:
    fake.script.hangs_up = 1
    (ada,) = two_letters(office, "Ada")
    assert office.house.enrollment(ada).in_doubt
    assert told_of(office, fake, "ada", {"RecordType": "Delivery", "Recipient": "ada@example.com"}) == 1
    now = office.house.enrollment(ada)
    assert (now.in_doubt, now.state, now.position) == (False, State.ACTIVE, 1)
    assert "postmark delivered it" in (office.deliveries(ada)[0].reply or "")


def test_what_only_passes_or_is_not_ours_changes_nothing(office: Office, fake: FakeProvider) -> None:
    (ada,) = two_letters(office, "Ada")
    before = office.house.enrollment(ada)
    assert told_of(office, fake, "ada", {"RecordType": "Open"}) == 0
    forged = json.dumps(HARD | {"Metadata": {"drumbeat": "1-1-0-1-forged"}}).encode()
    key, mailbox = office.house.world.hash_key, office.mailbox()
    told = read_events(Provider.POSTMARK, forged, "r")
    assert office.transact(lambda tx: take_in_told(tx, key, mailbox, told)) == 0
    own = read_events(
        Provider.POSTMARK, json.dumps(HARD | {"Metadata": {"drumbeat": fake.letters[0].tag}}).encode(), "r"
    )
    rival = replace(mailbox, account_id=mailbox.account_id + 1)
    assert office.transact(lambda tx: take_in_told(tx, key, rival, own)) == 0
    assert office.house.enrollment(ada) == before
