"""A mailbox's page beside its settings: limits, hearing, switching, holds, removing, and the pre-flight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.happening import CannotSend
from drumbeat.domain.person import Person
from drumbeat.mail.session import Provider
from drumbeat.operations.holds import hold_mailbox
from drumbeat.store import accounts, inboxes, mailboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.testing.providers import KEY, FakeProvider
from drumbeat.testing.sink import Sink
from drumbeat.wiring import World
from tests.http.conftest import Api, Browser
from tests.http.web.settings import post, said, see
from tests.http.web.test_settings_mailboxes import MAILBOXES, SECRET, connect

IMAP = {"host": "imap.northwind.example", "username": "olive", "password": SECRET}


@pytest.fixture
def path(owner: Browser) -> str:
    """The page of a mailbox with a login."""
    return connect(owner)


@pytest.fixture
def stored(world: World, cast: Cast, path: str) -> Callable[[], StoredMailbox]:
    """Reads that mailbox."""

    def read() -> StoredMailbox:
        with world.database.read() as snapshot:
            return mailboxes.get(snapshot, cast.us.account.id, int(path.rpartition("/")[2]))

    return read


@pytest.fixture
def inbox(world: World, stored: Callable[[], StoredMailbox]) -> Callable[[], Inbox | None]:
    """Reads how that mailbox hears."""

    def read() -> Inbox | None:
        mailbox = stored()
        with world.database.read() as snapshot:
            return inboxes.find(snapshot, mailbox.account_id, mailbox.id)

    return read


def test_a_mailbox_is_slowed_down_and_let_go_again(
    owner: Browser, path: str, stored: Callable[[], StoredMailbox]
) -> None:
    page = see(owner, path)
    assert (page.fields["per_day"], page.fields["spacing"]) == ("", "3")
    page = page.press("Keep the limits", per_day="400", per_hour="40", spacing="", ramp_from="10", per_domain="2")
    assert (page.path, page.said) == (path, "The limits are kept.")
    mailbox = stored()
    limits = (mailbox.per_day, mailbox.per_hour, mailbox.spacing, mailbox.ramp_from, mailbox.per_domain)
    assert limits == (400, 40, 0, 10, 2)
    assert (page.fields["per_day"], page.fields["spacing"], page.fields["ramp_from"]) == ("400", "0", "10")
    page.press("Keep the limits", per_day="", per_hour="", ramp_from="", per_domain="")
    assert not stored().is_paced


def test_a_limit_that_is_none_is_told_beside_its_field_and_nothing_changes(
    owner: Browser, path: str, stored: Callable[[], StoredMailbox]
) -> None:
    before, page = stored(), see(owner, path)
    for name, wrong in (
        ("per_day", "0"),
        ("per_hour", "1.5"),
        ("spacing", "86401"),
        ("ramp_from", "slowly"),
        ("per_domain", "1000001"),
    ):
        sent = {"per_day": "400", "spacing": "5", name: wrong}
        again = page.press("Keep the limits", **sent)
        assert (again.status, set(again.complaints)) == (422, {name}), wrong
        assert {each: again.fields[each] for each in sent} == sent
        assert again.fields["host"] == before.host, "the other forms are as they stand"
    assert stored() == before


def test_a_mailbox_hears_and_hears_no_more(
    owner: Browser, world: World, path: str, inbox: Callable[[], Inbox | None]
) -> None:
    page = see(owner, path)
    assert "Hears nothing Replies and bounces are not noticed" in page.words
    page = page.press("Let it hear", **IMAP)
    told = "The mailbox hears from its next message on. Its pre-flight tells whether."
    assert (page.path, page.said) == (path, told)
    assert "Read at imap.northwind.example, port 993." in page.words
    assert SECRET not in page.text
    page = page.press("Keep the changes", port="994")
    kept = inbox()
    assert kept is not None
    assert (kept.port, kept.username, world.vault.open(kept.sealed_password or "")) == (994, "olive", SECRET)
    page = page.press("Let it hear no more")
    assert (page.path, page.said) == (path, "The mailbox hears no more.")
    assert inbox() is None
    page = page.press("Let it hear", host="imap.northwind.example")
    assert "port 993, with the mailbox's own login." in page.words


def test_what_no_inbox_can_be_is_told_beside_its_field(
    owner: Browser, path: str, inbox: Callable[[], Inbox | None]
) -> None:
    page = see(owner, path).press("Let it hear", **IMAP)
    before = inbox()
    wrongs: list[tuple[str, dict[str, str]]] = [
        ("host", {"host": "imaps://mail"}),
        ("port", {"port": "70000"}),
        ("security", {"security": "none"}),
        ("username", {"username": ""}),
        ("password", {"password": "", "host": "imap.evil.example"}),
        ("password", {"password": "", "username": "oscar"}),
        ("password", {"password": SECRET * 25}),
    ]
    for name, wrong in wrongs:
        sent = IMAP | wrong
        again = page.press("Keep the changes", **sent)
        assert (again.status, set(again.complaints)) == (422, {f"inbox_{name}"}), wrong
        assert (again.fields["inbox_host"], again.fields["inbox_username"]) == (sent["host"], sent["username"])
        assert (again.fields["inbox_password"], again.fields["host"]) == ("", "smtp.northwind.example")
        assert SECRET not in again.text
    assert inbox() == before


def test_a_mailbox_is_switched_off_and_undo_switches_it_on(
    owner: Browser, path: str, stored: Callable[[], StoredMailbox]
) -> None:
    page = see(owner, path).press("Switch off")
    assert (page.path, page.said) == (path, "The mailbox is switched off: nothing leaves through it.")
    assert "Switched off Nothing leaves through it until it is switched on." in page.words
    assert not stored().is_active
    page = page.press("Undo")
    assert (page.path, page.said) == (path, "The mailbox sends again.")
    assert stored().is_active
    assert not page.press("Undo").buttons & {"Switch off"}
    assert said(post(owner, f"{path}/switch", to="up")).text == "Say on or off."
    assert see(owner, path).press("Switch on").said == "The mailbox sends again."


def test_a_hold_is_shown_and_lifted_and_what_it_blocked_goes_on(
    owner: Browser, api: Api, world: World, cast: Cast, happen: Callable[..., None], new_lead: Callable[..., Person]
) -> None:
    whom = {"resource_type": "lead", "resource_id": new_lead().id, "sequence_id": cast.us.letters.id}
    enrolled = api("POST", "/v2/sequence_enrollments", {"data": whom}).json()["data"]
    happen(enrolled["id"], CannotSend(FailureReason.AUTH, "535 <no>"))
    us, path = cast.us.account.id, f"{MAILBOXES}/{cast.us.seller.mailbox_id}"

    def hold(tx: Tx) -> None:
        hold_mailbox(tx, mailboxes.lock(tx, us, cast.us.seller.mailbox_id or 0), FailureReason.AUTH, "535 <no>")

    world.database.transact(hold)
    told = "Held The mail server refuses the login. “535 <no>” Tested again by itself: today 11:01"
    assert told in see(owner, MAILBOXES).words
    page = see(owner, path)
    assert told in page.words
    page = page.press("Try again now")
    assert page.path == path
    assert page.said == "The hold is lifted: the mailbox is tried again at once. 1 enrollment goes on."
    assert "Try again now" not in page.buttons
    with world.database.read() as snapshot:
        assert mailboxes.get(snapshot, us, cast.us.seller.mailbox_id or 0).hold_reason is None
    assert api("GET", f"/v2/sequence_enrollments/{enrolled['id']}").json()["data"]["state"] == "active"


def test_a_server_that_cannot_be_reached_is_told_with_when_it_is_tried_again(
    owner: Browser, seller: Browser, world: World, path: str, stored: Callable[[], StoredMailbox]
) -> None:
    post(owner, f"{path}/inbox", **IMAP, security="tls")
    mailbox = stored()

    def fail(tx: Tx) -> None:
        hold_mailbox(tx, mailbox, None, "connect: no route")
        found = inboxes.find(tx, mailbox.account_id, mailbox.id)
        assert found is not None
        inboxes.claim(tx, found, "token", tx.now)
        inboxes.leave(tx, found, "token", tx.now + timedelta(minutes=5), "auth: no")

    world.database.transact(fail)
    for page in (see(owner, path), see(seller, path), see(seller, MAILBOXES)):
        assert "Waits Its mail server could not be reached; letters wait. “connect: no route”" in page.words
        assert "Trouble What comes back cannot be read. “auth: no” Tried again by itself: today 11:05" in page.words


def test_a_mailbox_is_removed_with_its_login(
    owner: Browser, cast: Cast, world: World, path: str, stored: Callable[[], StoredMailbox]
) -> None:
    post(owner, f"{path}/inbox", **IMAP, security="tls")
    page = see(owner, path).press("Remove it")
    assert (page.path, page.said) == (MAILBOXES, "The mailbox is removed, and its login is forgotten.")
    assert "olga@northwind.example" not in page.text
    mailbox = stored()
    assert (mailbox.is_removed, mailbox.username, mailbox.sealed_password) == (True, None, None)
    assert owner("GET", path).status_code == 404
    assert post(owner, f"{path}/limits", per_day="x").status_code == 404
    with world.database.read() as snapshot:
        assert inboxes.find(snapshot, cast.us.account.id, mailbox.id) is None
        assert accounts.get_user(snapshot, cast.us.account.id, cast.us.owner.id).mailbox_id is None


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server that takes everything."""
    with Sink() as started:
        yield started


def test_the_pre_flight_enters_the_server_and_looks_the_sender_up_and_sends_nothing(owner: Browser, sink: Sink) -> None:
    plain = {"host": "127.0.0.1", "port": sink.port, "security": "none", "username": "", "password": ""}
    page = see(owner, connect(owner, **plain)).press("Run the pre-flight")
    assert page.status == 200
    assert "No letter was sent or read." in page.words
    assert "Fine Sending 127.0.0.1 answers, and is ready to take letters." in page.words
    assert "Look at it Reading Nobody reads what comes back" in page.words
    assert "Wrong SPF: which servers may send for the sender's domain northwind.example does not say" in page.words
    assert "What to do: Publish a TXT record for northwind.example" in page.words
    assert "things are wrong, and" in page.refused
    assert "How the mailbox stands Sends" in page.words
    assert page.press("Look again").words == page.words
    assert sink.letters == []


def test_the_pre_flight_says_what_to_do_where_servers_cannot_be_reached(
    owner: Browser, world: World, cast: Cast, path: str, stored: Callable[[], StoredMailbox]
) -> None:
    see(owner, path).press("Keep the settings", host="127.0.0.1", port="1", password="sw0rdfish")
    post(owner, f"{path}/inbox", **IMAP | {"host": "127.0.0.1", "port": "1"}, security="tls")
    page = see(owner, path).press("Run the pre-flight")
    for subject in ("Sending", "Reading"):
        assert f"Wrong {subject} 127.0.0.1, port 1, cannot be reached: connection refused" in page.words
    assert "What to do: Check the server's name and port" in page.words
    assert SECRET not in page.text
    lost = replace(stored(), sealed_password="sealed by another key")
    world.database.transact(lambda tx: mailboxes.save_settings(tx, lost))
    page = page.press("Look again")
    assert "What to do: Write the password anew in the mailbox's settings" in page.words
    assert "sealed by another key" not in page.text


def test_the_pre_flight_tells_whether_a_provider_takes_the_key(owner: Browser) -> None:
    with FakeProvider(Provider.POSTMARK) as fake:
        sent: dict[str, Any] = {"provider": "postmark", "host": "127.0.0.1", "port": fake.port, "security": "none"}
        path = connect(owner, **sent, username="", password=KEY)
        page = see(owner, path).press("Run the pre-flight")
        assert "Fine Sending 127.0.0.1 lets Drumbeat in, and is ready to take letters." in page.words
        see(owner, path).press("Keep the settings", password=SECRET)
        page = page.press("Look again")
        assert f"Wrong Sending 127.0.0.1, port {fake.port}, refuses the login:" in page.words
        assert "What to do: Correct the user name and the password" in page.words
        assert SECRET not in page.text
        assert fake.letters == []
