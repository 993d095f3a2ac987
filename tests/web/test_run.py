"""A run's page in a real browser: what is asked for again changes all of it at once, never under somebody's hand."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.test_serve import call, until
from tests.web.conftest import Served, Watch

_POLL = 11_000


def test_a_run_s_page_agrees_with_itself_when_it_is_asked_for_again(
    signed_in: Page, served: Served, watch: Watch
) -> None:
    page = signed_in
    people = [{"email": "run@customer.example", "firstName": "Runa"}]
    call(f"{served.url}/api/v1/sequences/1/execute", {"X-API-Key": served.api_key}, {"contacts": people})
    page.clock.install()
    page.goto(f"{served.url}/enrollments")
    page.get_by_role("link", name="Runa").click()
    here = page.url
    until(lambda: "Letter sent" in page.goto(here).text() or None, 30.0)  # type: ignore[union-attr]
    page.locator("summary", has_text="Stop…").click()
    elsewhere = watch.attach(page.context.new_page())
    elsewhere.goto(here)
    elsewhere.locator("summary", has_text="Stop…").click()
    elsewhere.get_by_role("button", name="Stop it").click()
    expect(elsewhere.get_by_role("status").first).to_contain_text("It is stopped.")
    with page.expect_response(here):
        page.clock.run_for(_POLL)
    expect(page.get_by_role("button", name="Stop it")).to_be_visible()
    page.get_by_role("heading", name="Runa").click()
    page.evaluate("document.activeElement.blur()")
    with page.expect_response(here):
        page.clock.run_for(_POLL)
    expect(page.locator("#run .badge").first).to_have_text("Finished")
    expect(page.get_by_role("button", name="Stop it")).to_have_count(0)
    expect(page.locator("#run")).to_contain_text("Stopped by hand")
    expect(page.locator("[hx-get]")).to_have_count(0)
