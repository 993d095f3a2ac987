"""Commercial letters name the sender's postal address, or do not leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import State
from drumbeat.domain.sequence import Unsubscribing
from drumbeat.domain.timeline import Lifter
from drumbeat.operations.accounts import change_account
from drumbeat.operations.sequences import change_settings, settings_of
from drumbeat.store import accounts
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office with a real mailbox, whose account has no postal address."""
    with opened(database, clock, tmp_path) as office:
        office.set_mailbox(is_catcher=False)
        office.set_account(postal_address=None)
        yield office


def test_a_letter_blocks_until_the_account_has_an_address(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    assert office.house.enrollment(enrolled.id).failure_reason is FailureReason.SENDOUT_DISABLED
    hold = office.why(enrolled.id)
    assert hold is not None
    assert (hold.lifter, "postal address" in hold.sentence) == (Lifter.ADMIN, True)

    def name_it(tx: Tx) -> None:
        account = accounts.get_account(tx, office.house.account_id)
        change_account(tx, replace(account, postal_address="1 Tea Lane"))

    office.transact(name_it)
    office.work()
    assert office.recipients() == ["ada@example.com"]
    assert "1 Tea Lane" in str(office.mail().get_body(("plain",)))


def test_a_letter_without_a_footer_needs_none_also_once_the_footer_is_taken_away(office: Office) -> None:
    plain = office.house.sequence(letter(), name="Receipt", unsubscribing=Unsubscribing(enabled=False))
    office.enroll(plain, office.house.person())
    commercial = office.house.sequence(letter(), name="Offer")
    blocked = office.enroll(commercial, office.house.person("Bob"))
    office.work()
    assert office.recipients() == ["ada@example.com"]
    assert office.house.enrollment(blocked.id).state is State.BLOCKED
    account_id, owner_id = office.house.account_id, office.house.owner_id
    without = replace(settings_of(commercial), unsubscribing=Unsubscribing(enabled=False))
    office.transact(lambda tx: change_settings(tx, account_id, commercial.id, without, owner_id))
    office.work()
    assert office.recipients() == ["ada@example.com", "bob@example.com"]
