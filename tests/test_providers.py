"""Mailboxes that send through providers, the engine included; the providers are fakes made from their documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import State
from drumbeat.mail.session import Provider
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
