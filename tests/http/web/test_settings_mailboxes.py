"""/settings/mailboxes: connecting mailboxes, looking at them, and correcting them; their secrets are never shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from drumbeat.mail.oauth import PROVIDERS, Grant
from drumbeat.operations.grants import grant_mailbox
from drumbeat.store import accounts, inboxes, mailboxes
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast, Company
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import post, said, see

MAILBOXES = "/settings/mailboxes"
SECRET, OTHER_SECRET = "earl-grey-26", "darjeeling-27"
SMTP: dict[str, Any] = {
    "sender_email": "olga@northwind.example",
    "host": "smtp.northwind.example",
    "username": "olga",
    "password": SECRET,
}
PARTS = ("", "/limits", "/inbox", "/inbox/remove", "/switch", "/lift", "/remove", "/test")


def connect(owner: Browser, **more: Any) -> str:
    """The page of a new mailbox."""
    answer = post(owner, f"{MAILBOXES}/new", **SMTP | more)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def stored(world: World, company: Company, path: str) -> StoredMailbox:
    with world.database.read() as snapshot:
        return mailboxes.get(snapshot, company.account.id, int(path.rpartition("/")[2]))


def password_of(world: World, mailbox: StoredMailbox) -> str | None:
    return None if mailbox.sealed_password is None else world.vault.open(mailbox.sealed_password)


def test_mailboxes_are_listed_with_who_sends_with_them_and_how_they_stand(owner: Browser, seller: Browser) -> None:
    for page in (see(owner, MAILBOXES), see(seller, MAILBOXES)):
        assert "Sam Seller <sam@northwind.example> · used by Sam Seller" in page.words
        assert "Sends It is the built-in catcher: letters are kept here, none leaves." in page.words
        assert "These have no mailbox, so their letters block: Olga Owner" in page.words
        assert "Rival" not in page.text
    assert f'href="{MAILBOXES}/new"' in see(owner, MAILBOXES).text
    assert f'href="{MAILBOXES}/new"' not in see(seller, MAILBOXES).text


def test_where_there_is_no_mailbox_an_admin_connects_the_first_one(
    owner: Browser, seller: Browser, world: World, cast: Cast
) -> None:
    def remove(tx: Tx) -> None:
        mailboxes.remove(tx, cast.us.account.id, cast.us.seller.mailbox_id or 0)
        accounts.set_mailbox(tx, cast.us.account.id, cast.us.seller.id, None)

    world.database.transact(remove)
    page = see(owner, MAILBOXES)
    assert "No mailbox yet" in page.words
    assert "Connect the first one" in page.words
    assert "their letters block: Olga Owner, Sam Seller" in page.words
    assert "An admin can connect one." in see(seller, MAILBOXES).words
    assert "None yet: no letter can leave." in see(owner, "/settings").words


def test_a_mailbox_is_connected_for_oneself_with_what_is_usual(owner: Browser, world: World, cast: Cast) -> None:
    page = see(owner, f"{MAILBOXES}/new").press("Connect", **SMTP)
    told = "The mailbox is connected. Run its pre-flight to see whether letters get through."
    assert (page.path, page.said) == (f"{MAILBOXES}/2", told)
    assert "Olga Owner <olga@northwind.example>" in page.words
    assert "By smtp.northwind.example, port 587. Used by Olga Owner" in page.words
    assert (page.fields["name"], page.fields["username"]) == ("olga@northwind.example", "olga")
    assert page.fields["password"] == ""
    mailbox = stored(world, cast.us, page.path)
    assert (mailbox.security, mailbox.connections, mailbox.needs_identity) == ("starttls", 4, False)
    assert password_of(world, mailbox) == SECRET
    with world.database.read() as snapshot:
        assert accounts.get_user(snapshot, cast.us.account.id, cast.us.owner.id).mailbox_id == mailbox.id
    for path in (page.path, MAILBOXES, "/settings/users"):
        text = see(owner, path).text
        assert SECRET not in text
        assert (mailbox.sealed_password or "") not in text


def test_a_provider_s_mailbox_is_connected_for_somebody_else(owner: Browser, world: World, cast: Cast) -> None:
    sent = {"provider": "mailgun", "host": "", "username": "", "user_id": cast.us.seller.id, "needs_identity": "on"}
    page = see(owner, f"{MAILBOXES}/new").press("Connect", **SMTP | sent)
    assert "Sam Seller <olga@northwind.example>" in page.words
    assert "By Mailgun. Used by Sam Seller" in page.words
    assert "Waits It sends once its sender was looked up" in page.words
    assert page.fields["needs_identity"] == "on"
    assert SECRET not in page.text
    mailbox = stored(world, cast.us, page.path)
    assert (mailbox.host, mailbox.port, mailbox.username) == ("api.mailgun.net", 443, "northwind.example")
    with world.database.read() as snapshot:
        assert accounts.get_user(snapshot, cast.us.account.id, cast.us.seller.id).mailbox_id == mailbox.id


def test_what_no_mailbox_can_be_is_told_beside_its_field_and_none_is_connected(
    owner: Browser, world: World, cast: Cast
) -> None:
    page = see(owner, f"{MAILBOXES}/new")
    wrongs: list[tuple[str, dict[str, Any]]] = [
        ("sender_email", {"sender_email": "olga"}),
        ("sender_name", {"sender_name": "Olga\x01"}),
        ("user_id", {"user_id": cast.rival.seller.id}),
        ("provider", {"provider": "pigeon"}),
        ("host", {"host": ""}),
        ("host", {"host": "two words"}),
        ("host", {"host": "", "provider": "ses"}),
        ("port", {"port": "0"}),
        ("security", {"security": "rot13"}),
        ("security", {"security": "none"}),
        ("username", {"username": ""}),
        ("password", {"password": ""}),
        ("password", {"password": SECRET * 25}),
        ("connections", {"connections": "51"}),
    ]
    for name, wrong in wrongs:
        sent = {**SMTP, "needs_identity": "on", **wrong}
        again = page.press("Connect", **sent)
        assert (again.status, set(again.complaints)) == (422, {name}), wrong
        for each in ("sender_email", "host", "username", "needs_identity"):
            assert again.fields[each] == sent[each], wrong
        assert again.fields["password"] == ""
        assert SECRET not in again.text
    with world.database.read() as snapshot:
        assert len(mailboxes.list_all(snapshot, cast.us.account.id)) == 1


def test_where_the_test_clock_may_run_the_form_says_why_no_mailbox_is_connected(
    owner: Browser, make_client: Callable[..., Any]
) -> None:
    browser = replace(owner, client=make_client(test_clock=True))
    page = see(browser, f"{MAILBOXES}/new").press("Connect", **SMTP)
    assert (page.status, page.complaints) == (422, {})
    assert "Unset DRUMBEAT_TEST_CLOCK" in page.refused
    assert page.fields["host"] == SMTP["host"]
    assert SECRET not in page.text


def test_settings_are_corrected_and_a_blank_password_stays_as_it_is(owner: Browser, world: World, cast: Cast) -> None:
    path = connect(owner)
    before = stored(world, cast.us, path)
    page = see(owner, path).press("Keep the settings", name="Box", sender_name="Olga O.", connections="3")
    assert (page.path, page.said) == (path, "The settings are kept. What waited for them is tried at once.")
    assert "Olga O. <olga@northwind.example>" in page.words
    after = stored(world, cast.us, path)
    assert after == replace(before, name="Box", sender_name="Olga O.", connections=3)
    page = page.press("Keep the settings", password=OTHER_SECRET, port="465", security="tls", needs_identity="on")
    mailbox = stored(world, cast.us, path)
    assert (mailbox.port, mailbox.security, mailbox.needs_identity) == (465, "tls", True)
    assert password_of(world, mailbox) == OTHER_SECRET
    assert OTHER_SECRET not in page.text
    page = page.press("Keep the settings", username="", security="none", needs_identity=[])
    assert "port 465, without a login." in page.words
    mailbox = stored(world, cast.us, path)
    assert (mailbox.username, mailbox.sealed_password, mailbox.needs_identity) == (None, None, False)


def test_settings_that_cannot_be_are_told_beside_their_field_and_nothing_changes(
    owner: Browser, world: World, cast: Cast
) -> None:
    path = connect(owner)
    before, page = stored(world, cast.us, path), see(owner, path)
    for name, wrong in (
        ("sender_email", "olga"),
        ("sender_name", ""),
        ("host", "two words"),
        ("port", ""),
        ("port", "65536"),
        ("security", "none"),
        ("security", "rot13"),
        ("password", OTHER_SECRET * 25),
        ("connections", "0"),
        ("connections", ""),
    ):
        sent = {"name": "Box", "password": OTHER_SECRET, "needs_identity": "on", name: wrong}
        again = page.press("Keep the settings", **sent)
        assert (again.status, again.path, set(again.complaints)) == (422, path, {name}), wrong
        assert (again.fields["name"], again.fields["needs_identity"], again.fields["password"]) == ("Box", "on", "")
        assert OTHER_SECRET not in again.text
        assert (again.fields["inbox_host"], again.fields["spacing"]) == ("", "3"), "the other forms are as they stand"
    assert stored(world, cast.us, path) == before


def test_a_password_that_cannot_be_opened_any_more_is_to_be_written_anew(
    owner: Browser, world: World, cast: Cast
) -> None:
    path = connect(owner)

    def lose_the_key(tx: Tx) -> None:
        mailboxes.save_settings(tx, replace(stored(world, cast.us, path), sealed_password="sealed by another key"))

    world.database.transact(lose_the_key)
    page = see(owner, path).press("Keep the settings", port="465")
    assert (page.status, set(page.complaints), page.fields["port"]) == (422, {"password"}, "465")
    assert "write the password anew" in page.complaints["password"]
    assert "sealed by another key" not in page.text
    assert page.press("Keep the settings", password=OTHER_SECRET).status == 200
    assert password_of(world, stored(world, cast.us, path)) == OTHER_SECRET


def test_a_mailbox_that_logs_in_by_oauth_goes_on_until_a_password_takes_its_place(
    owner: Browser, world: World, cast: Cast
) -> None:
    path = connect(owner)
    url, scope = PROVIDERS["google"]
    grant = Grant(token_url=url, client_id="drumbeat", client_secret=SECRET, refresh_token=OTHER_SECRET, scope=scope)
    us = cast.us.account.id
    world.database.transact(lambda tx: grant_mailbox(tx, world.vault, us, int(path[-1]), "olga", grant))
    page = see(owner, path).press("Keep the settings", name="Granted")
    assert "logged in by OAuth 2" in page.words
    assert SECRET not in page.text
    assert OTHER_SECRET not in page.text
    assert stored(world, cast.us, path).sealed_grant is not None
    page = page.press("Keep the settings", password="a password again")
    assert "OAuth 2" not in page.words
    assert stored(world, cast.us, path).sealed_grant is None
    assert password_of(world, stored(world, cast.us, path)) == "a password again"


def test_the_catcher_has_limits_alone_and_takes_no_other_form(owner: Browser, world: World, cast: Cast) -> None:
    path = f"{MAILBOXES}/{cast.us.seller.mailbox_id}"
    page = see(owner, path)
    assert "This is the built-in catcher, to try things with" in page.words
    assert "Keep the limits" in page.buttons
    assert not {"Keep the settings", "Let it hear", "Remove it"} & page.buttons
    before = stored(world, cast.us, path)
    for part in ("", "/inbox"):
        answer = post(owner, f"{path}{part}", **SMTP, sender_name="Sam", port="25", security="tls", connections="4")
        assert answer.status_code == 422
        assert "This is the built-in catcher" in answer.text
    assert said(post(owner, f"{path}/remove")).wrong
    assert stored(world, cast.us, path) == before
    page = page.press("Run the pre-flight")
    assert "This is the built-in catcher, which delivers nothing" in page.words
    assert "Fine Reading Nothing comes back to the built-in catcher" in page.words


def test_sellers_look_at_a_mailbox_and_change_nothing_of_it(
    owner: Browser, seller: Browser, world: World, cast: Cast
) -> None:
    path = connect(owner)
    before, page = stored(world, cast.us, path), see(seller, path)
    assert "Sends Letters leave through it." in page.words
    assert "An admin can change it." in page.words
    assert page.buttons == set()
    for part in PARTS:
        assert post(seller, f"{path}{part}", **SMTP, to="off").status_code == 403, part
    assert post(seller, f"{MAILBOXES}/new", **SMTP).status_code == 403
    assert stored(world, cast.us, path) == before


def test_a_mailbox_of_another_account_cannot_be_seen_or_touched(owner: Browser, world: World, cast: Cast) -> None:
    path = f"{MAILBOXES}/{cast.rival.seller.mailbox_id}"
    before = stored(world, cast.rival, path)
    assert owner("GET", path).status_code == 404
    sent = SMTP | {"sender_name": "Ours", "port": "25", "security": "tls", "connections": "4", "to": "off"}
    for part in PARTS:
        answer = post(owner, f"{path}{part}", **sent)
        assert answer.status_code == 404 or said(answer).wrong, part
    assert stored(world, cast.rival, path) == before
    with world.database.read() as snapshot:
        assert inboxes.list_all(snapshot, cast.rival.account.id) == {}
