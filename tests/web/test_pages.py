"""Every page as people see it: nothing that axe finds fault with, on a desk and on a phone, by day and by night."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from tests.test_serve import call, until
from tests.web.conftest import Served, Watch, keep_picture, sign_in

HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>{{ 7*7 }}'
PAGES = (
    *("/today", "/tasks", "/tasks?whose=all", "/tasks/1", "/sequences", "/sequences?show=archived", "/sequences/new"),
    *("/sequences/1", "/sequences/1/steps", "/sequences/1/settings", "/sequences/1/publish", "/sequences/3"),
    *("/people", "/people?kind=lead", "/people?kind=contact&q=img", "/people/lead/1", "/people/contact/1"),
    *("/people/new", "/people/contact/1/edit", "/people/import", "/people/import/1", "/people/import/2"),
    *("/enroll", "/enroll?kind=contact&enroll=1", "/enrollments", "/enrollments?reason=missing_merge_tags"),
    "/enrollments?sequence=1",
    *("/enrollments/1", "/enrollments/2", "/enrollments/1/letters/0/0", "/templates", "/templates/new"),
    *("/templates/1", "/reports", "/reports/1", "/reports?days=7", "/settings", "/settings/profile"),
    *("/settings/account", "/settings/users", "/settings/users/1", "/settings/keys", "/settings/mailboxes"),
    *("/settings/mailboxes/new", "/settings/mailboxes/1", "/settings/calendars", "/settings/calendars/new"),
    *("/settings/mailboxes/2", "/settings/mailboxes/2/trust", "/settings/files", "/doubts"),
    *("/settings/suppressions", "/no-such-page", "/people/contact/999999"),
)
OPEN = ("/", "/sign-in", "/sign-in/forgotten", "/password", "/docs", "/caught")
LOOKS = [(1440, "light"), (390, "dark")]
if "DRUMBEAT_TEST_SHOTS" in os.environ:
    LOOKS += [(1440, "dark"), (390, "light")]


@pytest.fixture(scope="module")
def furnished(served: Served) -> Served:
    """A little of everything, and people whose every text is hostile."""
    headers = {"X-API-Key": served.api_key}
    people = [{"email": f"person{n}@customer.example", "firstName": HOSTILE, "lastName": f"Nr {n}"} for n in range(30)]
    call(f"{served.url}/api/v1/sequences/1/execute", headers, {"contacts": people})
    lead = {"data": {"sequence_id": 2, "resource_type": "lead", "resource_id": 1}}
    token = {"Authorization": f"Bearer {served.token}", "Accept": "application/json"}
    call(f"{served.url}/v2/sequence_enrollments", token, lead)
    browser = Api(served)
    browser("POST", "/api/templates", {"name": HOSTILE, "subject": "Tea", "html": "<p><script>alert(3)</script></p>"})
    browser("POST", "/api/sequences", {"name": HOSTILE})
    browser("POST", "/api/tasks", {"content": HOSTILE, "dueAt": "2020-01-01T10:00:00Z"})
    browser.upload(f"/api/imports?kind=contact&fileName={HOSTILE_NAME}", b"Name,E-mail\nAda,ada@customer.example\n")
    browser.upload("/api/imports?kind=contact", b"Name,E-mail\nBob,bob@customer.example\nX,no address\n")
    browser("PUT", "/api/imports/2", {"status": "running"})
    browser("POST", "/api/suppressions", {"emails": ["gone@customer.example"]})
    until(lambda: len(served.letters()) >= 31, 60.0)
    until(lambda: browser("GET", "/api/imports/2")["data"]["status"] == "finished", 60.0)
    server = {"host": "smtp.tea.example", "senderEmail": "olive@tea.example", "name": HOSTILE}
    browser("POST", "/api/mailboxes", server | {"username": "olive", "password": "earl-grey"})
    _block_one(served)
    return served


HOSTILE_NAME = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.csv"


def _block_one(served: Served) -> None:
    """An enrollment that stands blocked, as one whose letter lacks a value."""
    database = Database(served.database_url)
    with database.write() as tx:
        tx.run(
            Statement("""
                UPDATE enrollments SET state = 'blocked', status = 'blocked', failure_reason = 'missing_merge_tags',
                    failure_detail = 'There is no value for person.title.' WHERE account_id = 1 AND id = 2
            """)
        )
        tx.run(Statement("UPDATE due SET due_at = NULL WHERE account_id = 1 AND enrollment_id = 2"))
    database.close()


class Api:
    """The app's API, signed in as the owner."""

    def __init__(self, served: Served) -> None:
        self._url = served.url
        sent = {"email": served.email, "password": served.password}
        request = urllib.request.Request(
            f"{served.url}/api/session", json.dumps(sent).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            cookie = answer.headers["set-cookie"].partition(";")[0]
            csrf = json.loads(answer.read())["data"]["csrfToken"]
        self._headers = {"Cookie": cookie, "X-CSRF-Token": csrf}

    def __call__(self, method: str, path: str, sent: object = None) -> Any:
        body = None if sent is None else json.dumps(sent).encode()
        return self._send(method, path, body, "application/json")

    def upload(self, path: str, content: bytes) -> Any:
        return self._send("POST", path, content, "application/octet-stream")

    def _send(self, method: str, path: str, body: bytes | None, kind: str) -> Any:
        headers = self._headers | {"Content-Type": kind}
        request = urllib.request.Request(self._url + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_no_fault_with_any_page_and_none_is_wider_than_the_screen(
    chromium: Browser, furnished: Served, watch: Watch, width: int, scheme: str
) -> None:
    if not furnished.database_url.startswith("sqlite"):
        pytest.skip("Pages look the same on both databases, where they are opened too.")
    axe, faults = Axe(), list[str]()
    with chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    ) as context:
        page = watch.attach(context.new_page())
        sign_in(page, furnished)
        for path in PAGES:
            _look(page, furnished, path, axe, faults, f"{path.strip('/')}-{width}-{scheme}")
        context.clear_cookies()
        for path in OPEN:
            _look(page, furnished, path, axe, faults, f"open-{path.strip('/')}-{width}-{scheme}")
    assert faults == []


def _look(page: Page, served: Served, path: str, axe: Axe, faults: list[str], name: str) -> None:
    answer = page.goto(served.url + path)
    assert answer is not None
    assert answer.status in (200, 404), f"{path}: {answer.status}"
    page.wait_for_function("!document.querySelector('.htmx-request')")
    keep_picture(page, name.replace("/", "_").replace("?", "_"))
    found = axe.run(page, options={"resultTypes": ["violations"], "iframes": False})
    for violation in found.response["violations"]:
        places = [node["html"][:120] for node in violation["nodes"][:3]]
        faults.append(f"{path}: {violation['id']}: {violation['help']} {places}")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        faults.append(f"{path}: {wide} pixels too wide")


def test_whatever_people_are_called_is_shown_as_text(signed_in: Page, furnished: Served) -> None:
    page = signed_in
    page.goto(f"{furnished.url}/people")
    expect(page.get_by_role("link", name=HOSTILE).first).to_be_visible()
    for path in PAGES:
        page.goto(furnished.url + path)
        assert page.locator("img").count() == 0, path
        assert page.locator("script:not([src])").count() == 0, path


def test_somebody_found_by_typing_is_opened_by_the_first_click_however_slow_it_is(
    signed_in: Page, furnished: Served
) -> None:
    page = signed_in
    page.goto(f"{furnished.url}/people")
    page.get_by_label("Search by name").fill("person7@customer.example")
    expect(page.locator("#found tbody tr")).to_have_count(1)
    page.get_by_role("link", name=HOSTILE).hover()
    page.mouse.down()
    page.wait_for_timeout(400)
    page.mouse.up()
    page.wait_for_url("**/people/contact/*")


def test_a_button_pressed_twice_does_what_it_is_for_once(signed_in: Page, furnished: Served) -> None:
    page = signed_in
    page.goto(f"{furnished.url}/sequences/new")
    page.get_by_label("Name").fill("Pressed twice")
    page.get_by_role("button", name="Go on to its steps").dblclick()
    page.wait_for_url("**/steps*")
    page.goto(f"{furnished.url}/sequences")
    expect(page.get_by_role("link", name="Pressed twice", exact=True)).to_have_count(1)


def test_what_a_page_asks_for_by_itself_waits_while_somebody_uses_what_it_would_take_away(
    signed_in: Page, furnished: Served
) -> None:
    page = signed_in
    page.goto(f"{furnished.url}/sequences")
    asked = """(by) => {
        const target = document.getElementById("main");
        const detail = {target, shouldSwap: true, requestConfig: {triggeringEvent: by && new Event(by)}};
        document.dispatchEvent(new CustomEvent("htmx:beforeSwap", {detail}));
        return detail.shouldSwap;
    }"""
    assert page.evaluate(asked, None) is True
    page.locator("#main a").first.focus()
    assert page.evaluate(asked, None) is False
    assert page.evaluate(asked, "input") is True, "what somebody asked for is shown"
    page.evaluate("document.activeElement.blur()")
    page.locator("#main h1").hover()
    page.mouse.down()
    assert page.evaluate(asked, None) is False
    page.mouse.up()
    assert page.evaluate(asked, None) is True


def test_a_page_says_when_drumbeat_does_not_answer_or_somebody_is_signed_out_and_when_it_does_again(
    chromium: Browser, furnished: Served
) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        sign_in(page, furnished)
        page.goto(f"{furnished.url}/people")
        trouble, search = page.locator("#trouble"), page.get_by_label("Search by name")
        page.route("**/people?**", lambda route: route.abort())
        search.fill("person1")
        expect(trouble).to_contain_text("did not answer")
        page.unroute("**/people?**")
        search.fill("person2")
        expect(trouble).to_have_text("")
        kept = context.cookies()
        context.clear_cookies()
        search.fill("person3")
        expect(trouble).to_contain_text("You are signed out")
        expect(search).to_have_value("person3")
        context.add_cookies(kept)  # type: ignore[arg-type]
        search.fill("person4")
        expect(trouble).to_have_text("")


def test_a_page_can_be_used_by_keyboard_alone(signed_in: Page, furnished: Served) -> None:
    page = signed_in
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(f"{furnished.url}/sequences/1/steps")
    first = page.locator("[data-steps] li").first
    name = first.get_by_label("Template").input_value()
    page.get_by_role("button", name="Move step 2 up").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-steps] li").nth(1).get_by_label("Template")).to_have_value(name)


def test_a_step_is_dragged_to_its_place(signed_in: Page, furnished: Served) -> None:
    page = signed_in
    page.goto(f"{furnished.url}/sequences/1/steps")
    steps = page.locator("[data-steps] li")
    before = [steps.nth(n).get_by_label("Template").input_value() for n in range(3)]
    steps.nth(0).locator("[data-grip]").drag_to(steps.nth(2), target_position={"x": 50, "y": 200})
    after = [steps.nth(n).get_by_label("Template").input_value() for n in range(3)]
    assert after == [before[1], before[2], before[0]]


def test_the_builder_works_without_script(chromium: Browser, furnished: Served, watch: Watch) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = watch.attach(context.new_page())
        sign_in(page, furnished)
        page.goto(f"{furnished.url}/sequences/3/steps")
        page.get_by_role("button", name="Add a letter").click()
        page.get_by_role("button", name="Add a task").click()
        expect(page.locator("[data-steps] li")).to_have_count(2)
        page.get_by_label("What is to be done").fill("Call")
        page.get_by_role("button", name="Move step 2 up").click()
        expect(page.locator("[data-steps] li").first).to_contain_text("Task 1")
        page.get_by_role("button", name="Remove step 1").click()
        expect(page.locator("[data-steps] li")).to_have_count(1)


def test_a_first_load_is_small(chromium: Browser, furnished: Served) -> None:
    with chromium.new_context() as context:
        page, sizes = context.new_page(), dict[str, int]()
        page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}) if answer.ok else None)
        sign_in(page, furnished)
        assert sum(sizes.values()) < 200_000, sizes
