"""Who may open and use which page: tried, each page by each caller; and nobody sees another account's records."""

from __future__ import annotations

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.account import Role
from drumbeat.testing.cast import Cast
from tests.http.callers import UNKNOWN
from tests.http.conftest import Browser
from tests.http.web_pages import Page, pages

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def found(app: Litestar) -> list[Page]:
    return list(pages(app))


def test_there_is_a_page_for_every_part_of_the_day(found: list[Page]) -> None:
    listed = {page.path for page in found if page.method == "GET"}
    assert {"/today", "/sequences", "/people", "/templates", "/reports", "/settings", "/enrollments/{id}"} <= listed
    assert len(found) > 80


def test_whoever_is_not_signed_in_is_led_to_the_sign_in_and_back(
    client: TestClient[Litestar], found: list[Page]
) -> None:
    for page in found:
        answer = client.request(page.method, page.at(), headers=FORM, follow_redirects=False)
        back = page.at() if page.method == "GET" else "/today"
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={back}"), page
        part = client.request(page.method, page.at(), headers=FORM | {"HX-Request": "true"}, follow_redirects=False)
        assert (part.status_code, part.content) == (401, b""), page


def test_no_change_is_taken_without_the_page_s_token_or_from_another_site(owner: Browser, found: list[Page]) -> None:
    changes = [page for page in found if page.method == "POST"]
    for page in changes:
        without = owner(page.method, page.at(), headers=FORM | {"X-CSRF-Token": ""})
        assert without.status_code == 403, page
        wrong = owner(page.method, page.at(), content="csrf=wrong", headers=FORM | {"X-CSRF-Token": ""})
        assert wrong.status_code == 403, page
        elsewhere = owner(page.method, page.at(), headers=FORM | {"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code == 403, page


def test_sellers_open_no_page_of_admins(seller: Browser, owner: Browser, found: list[Page]) -> None:
    admins = [page for page in found if page.least is Role.ADMIN]
    assert admins
    for page in admins:
        assert seller(page.method, page.at(), headers=FORM | {"Accept": "text/html"}).status_code == 403, page


def test_a_record_of_another_account_is_as_if_there_were_none(owner: Browser, found: list[Page], cast: Cast) -> None:
    for page in found:
        if page.has_id:
            answer = owner(page.method, page.at(UNKNOWN), headers=FORM, follow_redirects=False)
            # Either there is no such page, or the page it leads to says that there is no such record.
            assert answer.status_code in (303, 404, 422), f"{page}: {answer.status_code}"
            if page.method == "GET":
                assert answer.status_code == 404, page


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(owner: Browser, found: list[Page]) -> None:
    for page in found:
        if page.method == "GET" and not page.has_id and not page.path.endswith("/consent"):  # which leads on
            answer = owner("GET", page.at(), headers={"Accept": "text/html"})
            assert answer.status_code == 200, page
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy, page
            assert "default-src 'none'" in policy, page
            assert "script-src 'self'" in policy, page
            assert answer.headers["cache-control"] == "no-store", page
            for forbidden in (" style=", " onclick=", "<style", "javascript:", "http://www.", "https://cdn"):
                assert forbidden not in answer.text, f"{page} holds {forbidden}"
