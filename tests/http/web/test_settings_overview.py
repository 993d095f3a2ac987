"""/settings: what can be set, by whom, and what needs a look."""

from __future__ import annotations

from dataclasses import replace

from drumbeat.domain.account import AgentsSee, UserStatus
from drumbeat.domain.delivery import FailureReason
from drumbeat.operations.holds import hold_mailbox
from drumbeat.store import accounts, inboxes, mailboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import see


def test_there_is_a_card_for_every_part_that_one_may_open(
    owner: Browser, seller: Browser, world: World, cast: Cast
) -> None:
    page = see(owner, "/settings")
    for part in ("profile", "mailboxes", "account", "users", "calendars", "suppressions", "keys"):
        assert f'href="/settings/{part}"' in page.text
    for trouble in ("switched off", "held", "inactive", "cannot be read"):
        assert trouble not in page.words
    page = see(seller, "/settings")
    assert 'href="/settings/keys"' not in page.text
    assert 'href="/settings/suppressions"' in page.text
    account = replace(cast.us.account, agents_see=AgentsSee.OWN)
    world.database.transact(lambda tx: accounts.save_account(tx, account))
    assert "/settings/suppressions" not in see(seller, "/settings").text


def test_the_cards_say_what_needs_a_look(owner: Browser, world: World, cast: Cast) -> None:
    us = cast.us

    def trouble(tx: Tx) -> None:
        accounts.save_account(tx, replace(us.account, sequences_enabled=False))
        accounts.save_user(tx, replace(us.seller, status=UserStatus.INACTIVE))
        catcher = mailboxes.lock(tx, us.account.id, us.seller.mailbox_id or 0)
        hold_mailbox(tx, catcher, FailureReason.AUTH, "535 no")
        off = mailboxes.add(tx, replace(catcher, is_active=False))
        inbox = Inbox(us.account.id, off, "imap.northwind.example", 993, "tls", None, None, look_at=tx.now)
        inboxes.save(tx, inbox)
        inboxes.claim(tx, inbox, "token", tx.now)
        inboxes.leave(tx, inbox, "token", tx.now, "auth: no")

    world.database.transact(trouble)
    words = see(owner, "/settings").words
    assert "1 held, 1 switched off, 1 cannot be read" in words
    assert "Sequences are switched off." in words
    assert "1 inactive user" in words
