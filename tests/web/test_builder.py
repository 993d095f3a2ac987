"""The builder as people use it: steps come back, moves keep the focus, nothing typed is lost, letters are current."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, expect

from tests.web.conftest import Served, Watch, sign_in


@pytest.fixture
def builder(signed_in: Page, served: Served) -> Page:
    """The steps of the sequence that a first start brings: three letters."""
    signed_in.goto(f"{served.url}/sequences/1/steps")
    return signed_in


def steps(page: Page) -> Locator:
    """The steps that are sent."""
    return page.locator("[data-step]")


def templates(page: Page) -> list[str]:
    """What each step sends."""
    return [steps(page).nth(n).get_by_label("Template").input_value() for n in range(steps(page).count())]


def test_a_step_that_was_taken_away_comes_back_where_it_was(builder: Page) -> None:
    before = templates(builder)
    builder.get_by_role("button", name="Remove step 2").click()
    expect(steps(builder)).to_have_count(2)
    expect(builder.get_by_text("Letter 2 goes with the next save.")).to_be_visible()
    undo = builder.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    expect(builder.locator("#planned")).to_contain_text("2 steps")
    undo.click()
    assert templates(builder) == before
    expect(builder.get_by_role("button", name="Remove step 2")).to_be_focused()
    expect(builder.locator("#planned")).to_contain_text("3 steps")


def test_a_step_that_was_taken_away_is_not_kept(builder: Page) -> None:
    before = templates(builder)
    builder.get_by_role("button", name="Remove step 1").click()
    builder.get_by_role("button", name="Save the draft").click()
    expect(builder.get_by_text("The draft is saved")).to_be_visible()
    assert templates(builder) == before[1:]
    builder.get_by_text("Discard the draft…").click()
    builder.get_by_role("button", name="Discard it").click()
    expect(steps(builder)).to_have_count(3)


def test_buttons_are_called_by_the_place_of_their_step_and_keep_the_focus(builder: Page) -> None:
    moved = steps(builder).nth(1)
    builder.get_by_role("button", name="Move step 2 up").click()
    expect(builder.get_by_role("button", name="Move step 1 down")).to_be_focused()
    builder.keyboard.press("Enter")
    expect(builder.get_by_role("button", name="Move step 2 down")).to_be_focused()
    expect(moved.get_by_role("button", name="Remove step 2")).to_be_visible()


def test_what_was_changed_is_not_left_without_a_question(context: BrowserContext, served: Served) -> None:
    page, asked = context.new_page(), list[str]()

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    sign_in(page, served)
    page.goto(f"{served.url}/sequences/1/steps")
    page.get_by_label("For somebody enrolled on").fill("2030-01-07")
    page.get_by_role("link", name="Templates").first.click()
    page.wait_for_url("**/templates")
    assert asked == [], "the start is only looked at"
    page.go_back()
    page.get_by_label("Wait").first.fill("7")
    page.get_by_role("link", name="Templates").first.click()
    expect(page.get_by_label("Wait").first).to_have_value("7")
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("The draft is saved")).to_be_visible()
    assert asked == ["beforeunload"], "what is sent is not lost"


def test_a_template_that_was_changed_is_not_left_without_a_question(context: BrowserContext, served: Served) -> None:
    page, asked = context.new_page(), list[str]()
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    sign_in(page, served)
    for change, questions in ((("How it looks for", "Find somebody"), 0), (("Subject",), 1)):
        page.goto(f"{served.url}/templates/1")
        for label in change:
            field = page.get_by_label(label, exact=True)
            field.fill("Lamps") if label != "How it looks for" else field.select_option(index=1)
        page.get_by_role("link", name="Reports").first.click()
        page.wait_for_url("**/reports")
        assert asked == ["beforeunload"] * questions


def test_a_letter_that_is_open_is_shown_anew_when_something_of_it_changes(builder: Page) -> None:
    asked: list[str] = []
    builder.on("request", lambda request: asked.append(request.url) if "/letter" in request.url else None)
    first = steps(builder).first
    chosen = first.get_by_label("Template").input_value()
    first.get_by_label("Template").select_option("")
    first.get_by_text("See the letter").click()
    expect(first.get_by_text("Choose a template first.")).to_be_visible()
    first.get_by_label("Template").select_option(chosen)
    expect(first.locator("pre")).to_be_visible()
    assert len(asked) == 2
    first.get_by_text("See the letter").click()
    expect(first.locator("pre")).to_be_hidden()
    builder.get_by_label("Letters are shown as for").select_option(index=1)
    expect(builder.locator("#planned")).to_contain_text("3 steps")
    assert len(asked) == 2, "one that is closed asks for nothing"
    with builder.expect_response("**/letter?*") as again:
        first.get_by_text("See the letter").click()
    assert again.value.url != asked[1], "for somebody else"


def test_another_builder_s_draft_is_overwritten_by_a_decision_alone(builder: Page, served: Served) -> None:
    other = builder.context.new_page()
    other.goto(f"{served.url}/sequences/1/steps")
    other.get_by_label("Wait").first.fill("9")
    other.get_by_role("button", name="Save the draft").click()
    expect(other.get_by_text("The draft is saved")).to_be_visible()
    builder.get_by_label("Wait").first.fill("5")
    builder.get_by_role("button", name="Review and publish").click()
    expect(builder.get_by_role("alert")).to_contain_text("Somebody else kept another draft")
    expect(builder.get_by_label("Wait").first).to_have_value("5")
    builder.get_by_role("button", name="Keep mine anyway").click()
    expect(builder.get_by_text("The draft is saved")).to_be_visible()
    expect(builder.get_by_label("Wait").first).to_have_value("5")


def test_the_plan_and_letters_are_seen_without_script(chromium: Browser, served: Served, watch: Watch) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = watch.attach(context.new_page())
        sign_in(page, served)
        page.goto(f"{served.url}/sequences/1/steps")
        page.get_by_label("For somebody enrolled on").fill("2027-03-01")
        page.get_by_role("button", name="Show the plan").click()
        expect(page.locator("#plan caption").first).to_have_text("March 2027")
        steps(page).nth(1).get_by_text("See the letter").click()
        steps(page).nth(1).get_by_role("button", name="Show it").click()
        expect(steps(page).nth(1).locator("pre")).to_be_visible()
        expect(page.get_by_label("For somebody enrolled on")).to_have_value("2027-03-01")


def test_a_new_step_is_led_to(builder: Page) -> None:
    builder.get_by_role("button", name="Add a task").click()
    builder.wait_for_url("**#step-4")
    expect(steps(builder)).to_have_count(4)
    expect(builder.get_by_label("What is to be done")).to_be_in_viewport()
