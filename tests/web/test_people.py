"""People in a real browser: who is ticked stays so, with script and without; an import is watched to its end."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.test_serve import call
from tests.web.conftest import Served, Watch, sign_in


@pytest.fixture(scope="module")
def crowd(served: Served) -> Served:
    """Sixty contacts: Person0 to Person59, the last the newest."""
    people = [{"email": f"person{n}@customer.example", "firstName": f"Person{n}"} for n in range(60)]
    call(f"{served.url}/api/v1/sequences/1/execute", {"X-API-Key": served.api_key}, {"contacts": people})
    return served


def test_who_is_ticked_stays_so_while_one_searches_and_turns_the_page(signed_in: Page, crowd: Served) -> None:
    page = signed_in
    page.goto(f"{crowd.url}/people")
    chosen = page.locator("[data-chosen]")
    expect(chosen).to_be_hidden()
    length = page.evaluate("history.length")
    page.get_by_label("Choose Person59").check()
    page.get_by_label("Choose Person58").check()
    expect(chosen).to_have_text(re.compile("2 chosen"))
    page.get_by_label("Search by name").fill("person7@")
    expect(page.locator("#found tbody tr")).to_have_count(1)
    expect(page.locator("#told")).to_have_text("1 found")
    assert "csrf" not in page.url
    expect(chosen).to_have_text(re.compile("2 chosen"))
    page.get_by_label("Choose Person7").check()
    page.get_by_label("Search by name").fill("")
    expect(page.locator("#found tbody tr")).to_have_count(50)
    expect(page.get_by_label("Choose Person59")).to_be_checked()
    assert page.evaluate("history.length") == length, "typing leaves no trail of pages"
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_label("Choose Person7")).to_be_checked()
    expect(chosen).to_have_text(re.compile("3 chosen"))
    here = page.locator("#found tbody tr").count()
    page.get_by_label("Choose all on this page").check()
    expect(page.get_by_label("Choose Person0")).to_be_checked()
    expect(chosen).to_have_text(re.compile(f"{here + 2} chosen"))
    page.get_by_label("Choose all on this page").uncheck()
    expect(chosen).to_have_text(re.compile("2 chosen"))
    page.get_by_role("button", name="Enroll those chosen").click()
    expect(page.locator("main")).to_contain_text("2 people that you chose.")
    assert "csrf" not in page.url
    page.get_by_role("link", name="People", exact=True).last.click()
    expect(chosen).to_have_text(re.compile("2 chosen"))
    page.get_by_role("link", name="clear").click()
    expect(chosen).to_be_hidden()


def test_who_is_ticked_stays_so_without_script(chromium: Browser, crowd: Served, watch: Watch) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = watch.attach(context.new_page())
        sign_in(page, crowd)
        page.goto(f"{crowd.url}/people")
        expect(page.get_by_label("Choose all on this page")).to_be_hidden()
        page.get_by_label("Choose Person59").check()
        page.get_by_role("button", name="Next page").click()
        page.get_by_label("Choose Person3").check()
        page.get_by_label("Search by name").fill("person4@")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("[data-chosen]")).to_contain_text("2 chosen")
        page.get_by_label("Choose Person4").check()
        assert "csrf" not in page.url
        page.get_by_role("button", name="Enroll those chosen").click()
        expect(page.locator("main")).to_contain_text("3 people that you chose.")
        expect(page.get_by_role("heading", name="What would happen")).to_be_visible()


def test_leads_are_looked_for_by_what_contacts_were(signed_in: Page, crowd: Served) -> None:
    page = signed_in
    page.goto(f"{crowd.url}/people")
    page.get_by_label("Search by name").fill("person1@")
    expect(page.locator("#found tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Leads", exact=True).click()
    expect(page.get_by_label("Search by name")).to_have_value("person1@")
    expect(page.locator("#found")).to_contain_text("Nobody fits.")
    page.get_by_role("link", name="1 contact fits").click()
    expect(page.get_by_role("link", name="Person1", exact=True)).to_be_visible()


def test_whoever_watches_an_import_sees_it_end(signed_in: Page, served: Served) -> None:
    page = signed_in
    rows = ["E-mail", *(f"row{n}@customer.example" for n in range(2000)), "no address"]
    page.goto(f"{served.url}/people/import")
    file: Any = {"name": "rows.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("button", name="Import 2,001 rows").click()
    expect(page.locator("#told")).to_contain_text("Being taken in")
    expect(page.get_by_role("row", name=re.compile("no address"))).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="Taken in")).to_be_visible()
    expect(page.get_by_text("Cancel the rest")).to_have_count(0)
    expect(page.locator("[hx-trigger]")).to_have_count(0)
