"""A form whose sender was signed out, or signed in anew, since its page was opened: nothing they wrote is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from litestar.testing import TestClient

from drumbeat.domain.account import User
from drumbeat.operations.sign_in import end_sessions
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import Page

TEXT = 'Dear {{ person.first_name }},\n\n"><b>tea</b>?'


def sent(browser: Browser, path: str, **fields: Any) -> Any:
    """The answer to a form of a page that was opened long ago."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", "X-CSRF-Token": ""}
    return browser("POST", path, content=urlencode(fields), headers=headers, follow_redirects=False)


def names(world: World, cast: Cast) -> set[str]:
    """What our users are called."""
    with world.database.read() as snapshot:
        return {user.name for user in accounts.list_users(snapshot, cast.us.account.id)}


def test_somebody_signed_in_anew_sends_it_again_at_the_press_of_a_button(
    seller: Browser, sign_in: Callable[[User], Browser], world: World, cast: Cast
) -> None:
    answer = sent(sign_in(cast.us.seller), "/settings/profile", csrf=seller.csrf, name="Samuel", time_zone="")
    page = Page(sign_in(cast.us.seller), answer)
    assert (page.status, "You signed in anew" in page.words) == (403, True)
    assert "Samuel" not in names(world, cast), "nothing is done before"


def test_what_was_written_comes_back_whole_and_goes_on_with_the_new_token(
    seller: Browser, world: World, cast: Cast
) -> None:
    page = Page(seller, sent(seller, "/templates/new?from=here", csrf="old", name="Tea", subject="Tea?", text=TEXT))
    (form,) = [each for each in page.forms if "Go on" in each.buttons]
    assert form.action == "/templates/new?from=here"
    assert form.values == {"csrf": seller.csrf, "name": "Tea", "subject": "Tea?", "text": TEXT}
    assert "<b>tea" not in page.text
    profile = Page(seller, sent(seller, "/settings/profile", csrf="", name="Samuel", time_zone=""))
    assert profile.press("Go on").path == "/settings/profile"
    assert "Samuel" in names(world, cast)


def test_somebody_signed_out_is_told_so_and_goes_on_after_signing_in(
    seller: Browser, sign_in: Callable[[User], Browser], world: World, cast: Cast
) -> None:
    def work(tx: Tx) -> None:
        login_id = accounts.login_of(tx, cast.us.account.id, cast.us.seller.id)
        assert login_id is not None
        end_sessions(tx, login_id)

    world.database.transact(work)
    page = Page(seller, sent(seller, "/settings/profile", csrf=seller.csrf, name="Samuel", time_zone=""))
    assert (page.status, "You were signed out" in page.words) == (401, True)
    again = sign_in(cast.us.seller)
    anew = replace_browser(page, again).press("Go on")
    assert anew.status == 403
    assert replace_browser(anew, again).press("Go on").path == "/settings/profile"
    assert "Samuel" in names(world, cast)


def replace_browser(page: Page, browser: Browser) -> Page:
    """The same page, in which somebody has signed in meanwhile."""
    page.browser = replace(browser)
    return page


def test_passwords_are_asked_again_and_never_written_into_a_page(seller: Browser) -> None:
    fields = {"current_password": "lamps and lanterns", "password": "a better password"}
    page = Page(seller, sent(seller, "/settings/profile/password", csrf="old", **fields))
    assert "Passwords are not kept" in page.words
    assert not any(secret in page.text for secret in fields.values())


def test_files_are_chosen_again(seller: Browser) -> None:
    parts = {"csrf": (None, "old"), "name": (None, "Tea"), "new_file": ("menu.pdf", b"%PDF")}
    answer = seller("POST", "/templates/new", files=parts, headers={"X-CSRF-Token": "", "Accept": "text/html"})
    page = Page(seller, answer)
    assert (page.status, "Files are not kept" in page.words) == (403, True)


def test_a_button_without_anything_written_leads_to_the_sign_in(client: TestClient[Any]) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    answer = client.post("/sign-out", content="csrf=old", headers=headers, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/today")


def test_another_site_s_form_is_offered_to_nobody(seller: Browser, world: World, cast: Cast) -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "text/html",
        "Sec-Fetch-Site": "cross-site",
    }
    answer = seller("POST", "/settings/profile", content="csrf=&name=Evil&time_zone=", headers=headers)
    assert answer.status_code == 403
    assert "Evil" not in answer.text
    assert "Evil" not in names(world, cast)


def test_a_part_that_a_page_asks_for_leaves_the_page_and_its_message_alone(
    client: TestClient[Any], seller: Browser
) -> None:
    answer = client.get("/sequences", headers={"HX-Request": "true", "Accept": "text/html"}, follow_redirects=False)
    assert (answer.status_code, "hx-redirect" in answer.headers) == (401, False)
    made = sent(seller, "/tasks", csrf=seller.csrf, content="Call")
    said = {"Cookie": f"drumbeat={seller.cookie}; drumbeat-said={made.cookies['drumbeat-said']}", "Accept": "text/html"}
    polled = seller("GET", "/sequences", headers=said | {"HX-Request": "true"})
    assert "drumbeat-said" not in polled.headers.get("set-cookie", "")
    assert "alert-success" not in polled.text
    assert "alert-success" in seller("GET", "/today", headers=said).text
