"""The editor of letters in a real browser: what is sent while one types, that nothing typed is lost, and no script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.test_serve import call
from tests.web.conftest import Served, Watch, sign_in

FILE: Any = {"name": "price.txt", "mimeType": "text/plain", "buffer": b"twelve euros" * 1000}


@pytest.fixture(scope="module")
def office(served: Served) -> Served:
    """Thirty contacts, of whom Person0 is among the oldest."""
    people = [{"email": f"person{n}@customer.example", "firstName": f"Person{n}"} for n in range(30)]
    call(f"{served.url}/api/v1/sequences/1/execute", {"X-API-Key": served.api_key}, {"contacts": people})
    return served


def noted(page: Page, path: str) -> list[Request]:
    """What the page asks of a path from now on."""
    asked: list[Request] = []
    page.on("request", lambda each: asked.append(each) if each.url.endswith(path) else None)
    return asked


def test_the_html_is_shown_while_one_types_by_its_texts_alone_and_leaves_no_trail(
    signed_in: Page, office: Served
) -> None:
    page = signed_in
    page.goto(f"{office.url}/templates")
    page.get_by_role("link", name="New template").click()
    asked, looked = noted(page, "/templates/preview-html"), noted(page, "/templates/preview")
    length = page.evaluate("history.length")
    letter = page.frame_locator("iframe[name=letter]")
    page.get_by_label("Attach files").set_input_files(FILE)
    page.get_by_label("Subject").fill("Tea?")
    page.get_by_label("Text", exact=True).fill("Dear {{ person.first_name }}")
    expect(page.locator("#preview pre")).to_contain_text(re.compile(r"Dear \w+"))
    expect(page.locator("iframe[name=letter]")).to_be_hidden()
    page.locator("summary", has_text="HTML").click()
    html = page.get_by_label("HTML", exact=True)
    for number in range(3):
        html.fill(
            f"<p style='color: red'>No {number} for {{{{ person.first_name }}}}, {{{{ person.custom.nothing }}}}</p>"
        )
        expect(letter.locator("p")).to_contain_text(re.compile(rf"No {number} for \w+"))
    expect(letter.locator("mark")).to_have_text("person.custom.nothing")
    assert page.evaluate("history.length") == length
    assert letter.locator("p").evaluate("each => getComputedStyle(each).color") == "rgb(255, 0, 0)"
    for request in [*asked, *looked]:
        assert b"twelve" not in (request.post_data_buffer or b"")
        assert b"new_file" not in (request.post_data_buffer or b"")
    expect(page.locator("#preview-said")).to_contain_text("One value is missing for ")
    html.fill(" ")
    expect(letter.locator("p")).to_have_count(0)
    expect(page.locator("iframe[name=letter]")).to_be_hidden()
    assert len(asked) == 3, "of a letter of plain text there is no HTML to show"


def test_one_looks_for_anybody_and_tries_the_letter_without_losing_what_was_typed(
    signed_in: Page, office: Served
) -> None:
    page = signed_in
    page.goto(f"{office.url}/templates/new")
    page.get_by_label("Attach files").set_input_files(FILE)
    page.get_by_label("Name", exact=True).fill("Unkept")
    page.get_by_label("Subject").fill("Tea for {{ person.first_name }}?")
    page.get_by_label("Text", exact=True).fill("Have some")
    page.get_by_label("Find somebody").fill("person0@customer.example")
    page.get_by_label("Find somebody").press("Enter")
    expect(page.locator("#preview")).to_contain_text("Tea for Person0?")
    expect(page.get_by_label("How it looks for")).to_contain_text("Person0 (contact)")
    page.get_by_role("button", name="Send me a trial").click()
    expect(page.locator("#trial")).to_contain_text("A trial letter is on its way to")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Unkept")
    assert page.get_by_label("Attach files").evaluate("field => field.files.length") == 1
    assert "[Trial] Tea for Person0?" in [letter["subject"] for letter in office.letters()]
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page).to_have_url(f"{office.url}/templates/new")


def test_without_script_one_finds_people_and_sends_a_trial_too(chromium: Browser, office: Served, watch: Watch) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = watch.attach(context.new_page())
        sign_in(page, office)
        page.goto(f"{office.url}/templates/new")
        page.get_by_label("Subject").fill("Cake for {{ person.first_name }}?")
        page.get_by_label("Text", exact=True).fill("Have some")
        page.get_by_label("Find somebody").fill("person1@customer.example")
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.locator("#preview")).to_contain_text("Cake for Person1?")
        page.get_by_role("button", name="Send me a trial").click()
        expect(page.locator("#trial")).to_contain_text("A trial letter is on its way to")
        expect(page.get_by_label("Subject")).to_have_value("Cake for {{ person.first_name }}?")
        page.get_by_role("button", name="Show the HTML").click()
        assert "[Trial] Cake for Person1?" in [letter["subject"] for letter in office.letters()]
