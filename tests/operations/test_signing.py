"""Letters signed with a mailbox's own key, from the worker to the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dkim
import pytest

from drumbeat.mail.dkim import new_key
from drumbeat.operations.signing import Published, sign_with, stop_signing
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import CUT, At
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def sign(office: Office, selector: str = "drumbeat") -> Published:
    house = office.house
    return office.transact(
        lambda tx: sign_with(
            tx, house.world.vault, house.account_id, house.mailbox_id, selector, new_key(), actor_id=house.owner_id
        )
    )


def is_verified(office: Office, published: Published, number: int = -1) -> bool:
    """Whether the letter, as the server took it, is signed with the published key."""

    def answer(name: bytes, timeout: int = 5) -> bytes | None:
        return published.text.encode() if name.decode().rstrip(".") == published.name else None

    return bool(dkim.verify(office.sink.letters[number].content, dnsfunc=answer))


def test_a_letter_arrives_signed_and_its_key_is_stored_sealed(office: Office) -> None:
    published = sign(office)
    office.enroll(office.house.sequence(letter(html="<p>H\u00e9llo</p>")), office.house.person("Ada"))
    office.work()
    assert published.name == "drumbeat._domainkey.tea.example"
    assert is_verified(office, published)
    assert "PRIVATE" not in (office.mailbox().sealed_dkim_key or "PRIVATE")


def test_a_letter_in_doubt_is_sent_again_with_the_same_signature(office: Office) -> None:
    published = sign(office)
    office.sink.script = {At.DOT: CUT}
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person("Ada"))
    office.work()
    office.sink.script = {}
    office.later(minutes=10, seconds=1)
    office.send_again(enrolled.id)
    office.work()
    assert is_verified(office, published)


def test_another_key_signs_from_the_next_letter_on_and_none_after_its_end(office: Office) -> None:
    first = sign(office)
    office.enroll(office.house.sequence(letter()), office.house.person("Ada"))
    office.work()
    second = sign(office, "s2")
    office.enroll(office.house.sequence(letter(), name="Second"), office.house.person("Bob"))
    office.work()
    account_id, mailbox_id = office.house.account_id, office.house.mailbox_id
    assert office.transact(lambda tx: stop_signing(tx, account_id, mailbox_id, actor_id=None)) is True
    office.enroll(office.house.sequence(letter(), name="Third"), office.house.person("Eve"))
    office.work()
    assert is_verified(office, first, 0)
    assert is_verified(office, second, 1)
    assert office.mail(2)["DKIM-Signature"] is None
