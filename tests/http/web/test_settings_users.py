"""/settings/users: who works in the account; admins invite, change, and let go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drumbeat.domain.account import Role, User, UserStatus
from drumbeat.store import accounts
from drumbeat.store.statement import Statement
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import post, said, see

USERS = "/settings/users"
LETTERS = Statement("SELECT sealed FROM notices")


def stored(world: World, user: User) -> User:
    with world.database.read() as snapshot:
        return accounts.get_user(snapshot, user.account_id, user.id)


def waiting_letters(world: World) -> int:
    with world.database.read() as snapshot:
        return len(snapshot.all(LETTERS))


def test_everybody_sees_who_works_here_and_only_admins_what_to_do_about_it(
    owner: Browser, seller: Browser, world: World, cast: Cast
) -> None:
    page = see(owner, USERS)
    assert "Olga Owner (you) olga@northwind.example Admin Active No mailbox: their letters block" in page.words
    assert "Sam Seller sam@northwind.example Agent Active Sam Seller" in page.words
    assert "rival" not in page.words.lower()
    assert "invitations wait" in page.alerts["warning"]
    page = see(seller, USERS)
    assert "Sam Seller (you) sam@northwind.example Agent Active Sam Seller" in page.words
    assert page.buttons == set()
    assert f'href="{USERS}/' not in page.text
    assert post(seller, f"{USERS}/{cast.us.seller.id}", name="Sam", role="admin").status_code == 403
    assert stored(world, cast.us.seller) == cast.us.seller


def test_somebody_is_invited_and_invited_again(owner: Browser, world: World) -> None:
    new = {"email": "Nora@northwind.example", "name": "Nora <i>New", "role": "admin", "time_zone": "Asia/Tokyo"}
    page = see(owner, USERS).press("Invite", **new)
    assert (page.path, page.said) == (USERS, "Nora <i>New is invited; the letter goes to Nora@northwind.example.")
    assert "Nora <i>New Nora@northwind.example Admin Active" in page.words
    assert waiting_letters(world) == 1
    page = see(owner, f"{USERS}/3")
    assert "Nora <i>New has not chosen a password yet." in page.words
    page = page.press("Send the invitation again")
    assert (page.path, page.said) == (f"{USERS}/3", "Another letter is on its way.")
    assert waiting_letters(world) == 2
    page.press("Make inactive")
    told = said(post(owner, f"{USERS}/3/invitation"))
    assert (told.wrong, waiting_letters(world)) == (True, 2)


def test_an_invitation_that_cannot_be_is_told_beside_its_field(owner: Browser, world: World, cast: Cast) -> None:
    right = {"email": "nora@northwind.example", "name": "Nora New", "role": "admin", "time_zone": "Asia/Tokyo"}
    page = see(owner, USERS)
    for name, wrong in (
        ("email", "nobody"),
        ("email", "SAM@northwind.example"),
        ("name", "Nora\x07"),
        ("role", "king"),
        ("time_zone", "Moon/Base"),
    ):
        again = page.press("Invite", **right | {name: wrong})
        assert (again.status, set(again.complaints)) == (422, {name}), wrong
        kept = {each: again.fields[each] for each in right if each != "role"}
        assert kept == {each: value for each, value in (right | {name: wrong}).items() if each != "role"}
        assert again.fields["role"] == ("agent" if name == "role" else "admin")
    with world.database.read() as snapshot:
        assert len(accounts.list_users(snapshot, cast.us.account.id)) == 2
    assert waiting_letters(world) == 0


def test_a_user_is_changed(owner: Browser, world: World, cast: Cast) -> None:
    path, mailbox_id = f"{USERS}/{cast.us.seller.id}", cast.us.seller.mailbox_id
    page = see(owner, path)
    assert (page.fields["role"], page.fields["mailbox_id"]) == ("agent", str(mailbox_id))
    page = page.press("Keep the changes", name="Samuel", role="admin", time_zone="Asia/Tokyo", mailbox_id="")
    assert (page.path, page.said) == (USERS, "What you changed of Samuel is kept.")
    user = stored(world, cast.us.seller)
    changed = replace(user, name="Samuel", role=Role.ADMIN, time_zone="Asia/Tokyo", mailbox_id=None)
    assert user == changed
    see(owner, path).press("Keep the changes", mailbox_id=str(mailbox_id), time_zone="")
    assert stored(world, cast.us.seller) == replace(changed, mailbox_id=mailbox_id, time_zone=None)


def test_what_a_user_cannot_be_is_told_beside_its_field_and_nothing_changes(
    owner: Browser, world: World, cast: Cast
) -> None:
    page = see(owner, f"{USERS}/{cast.us.seller.id}")
    for name, wrong in (
        ("name", " "),
        ("role", "king"),
        ("time_zone", "Moon/Base"),
        ("mailbox_id", cast.rival.seller.mailbox_id),
        ("mailbox_id", "99"),
        ("mailbox_id", "mine"),
    ):
        sent: dict[str, Any] = {"name": "Samuel", "time_zone": "Asia/Tokyo", name: wrong}
        again = page.press("Keep the changes", **sent)
        assert (again.status, set(again.complaints)) == (422, {name}), wrong
        assert [again.fields[each] for each in ("name", "time_zone")] == [sent["name"], sent["time_zone"]]
        assert "Rival" not in again.words
    last = see(owner, f"{USERS}/{cast.us.owner.id}").press("Keep the changes", role="agent", name="Olga")
    assert last.complaints == {"role": "This is the last active admin; make another one first."}
    assert (last.fields["role"], last.fields["name"]) == ("agent", "Olga")
    assert stored(world, cast.us.seller) == cast.us.seller
    assert stored(world, cast.us.owner) == cast.us.owner


def test_a_user_is_let_go_and_undo_lets_them_in_again(
    owner: Browser, seller: Browser, world: World, cast: Cast
) -> None:
    path = f"{USERS}/{cast.us.seller.id}"
    page = see(owner, path).press("Make inactive")
    assert (page.path, page.said) == (path, "Sam Seller is signed out, and sends no more.")
    assert "neither signs in nor sends" in page.words
    assert stored(world, cast.us.seller).status is UserStatus.INACTIVE
    assert seller("GET", "/settings", follow_redirects=False).status_code == 303
    page = page.press("Undo")
    assert (page.path, page.said) == (path, "Sam Seller may sign in and send again.")
    assert stored(world, cast.us.seller).is_active
    assert said(post(owner, f"{path}/status", status="gone")).wrong
    assert stored(world, cast.us.seller).is_active


def test_an_admin_lets_themselves_go_unless_they_are_the_last(owner: Browser, world: World, cast: Cast) -> None:
    path = f"{USERS}/{cast.us.owner.id}"
    page = see(owner, path).press("Make me inactive")
    assert (page.path, page.refused) == (path, "This is the last active admin; make another one first.")
    assert stored(world, cast.us.owner).is_active
    see(owner, f"{USERS}/{cast.us.seller.id}").press("Keep the changes", role="admin")
    assert see(owner, path).press("Make me inactive").path == "/sign-in"
    assert not stored(world, cast.us.owner).is_active
    assert owner("GET", "/settings", follow_redirects=False).status_code == 303


def test_a_user_of_another_account_cannot_be_seen_or_touched(owner: Browser, world: World, cast: Cast) -> None:
    path = f"{USERS}/{cast.rival.seller.id}"
    assert owner("GET", path).status_code == 404
    assert post(owner, path, name="Ours", role="admin").status_code == 404
    assert said(post(owner, f"{path}/status", status="inactive")).wrong
    assert said(post(owner, f"{path}/invitation")).wrong
    assert stored(world, cast.rival.seller) == cast.rival.seller
    assert waiting_letters(world) == 0
