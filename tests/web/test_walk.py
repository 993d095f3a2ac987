"""A first day in a browser: mailbox, template, sequence, a file of people, letters out, a reply in, finished."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from tests.imap_server import PASSWORD, USER, RunningServer, running
from tests.test_serve import until
from tests.web.conftest import Served

ROWS = 1000
HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def imap() -> Iterator[RunningServer]:
    """Where replies come in."""
    with running("pymap") as server:
        yield server


def test_a_new_user_walks_from_the_first_sign_in_to_a_reply(page: Page, served: Served, imap: RunningServer) -> None:
    first_sign_in(page, served)
    connect_mailbox(page, served, imap)
    write_template(page)
    build_sequence(page)
    import_people(page)
    enroll_them(page)
    letters = until(lambda: about_tea(served) if len(about_tea(served)) == ROWS - 2 else None, 120.0)
    assert len({letter["to"] for letter in letters}) == ROWS - 2
    ada = next(letter for letter in letters if letter["to"] == "person7@customer.example")
    assert ada["subject"] == "Person7, tea?"
    reply(imap, ada)
    see_the_reply(page, served)


def first_sign_in(page: Page, served: Served) -> None:
    page.goto(served.url)
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address").fill(served.email)
    page.get_by_label("Password").fill("not it")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Password").fill(served.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Today", level=1)).to_be_visible()


def connect_mailbox(page: Page, served: Served, imap: RunningServer) -> None:
    database = Database(served.database_url)
    with database.read() as snapshot:
        (port,) = snapshot.first(Statement("SELECT port FROM mailboxes WHERE account_id = 1 AND id = 1"))  # type: ignore[misc]
    page.goto(f"{served.url}/settings/mailboxes/new")
    page.get_by_label("Sender's address").fill("olive@tea.example")
    page.get_by_label("Outgoing mail server").fill("127.0.0.1")
    page.get_by_label("Port").fill(str(port))
    page.get_by_label("Encryption").select_option("none")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("status").first).to_be_visible()
    page.get_by_label("Seconds between two letters").fill("0")
    page.get_by_role("button", name="Keep the limits").click()
    page.get_by_label("Incoming mail server").fill("127.0.0.1")
    inbox = page.locator("form", has=page.get_by_label("Incoming mail server"))
    inbox.get_by_label("Port").fill(str(imap.port))
    inbox.get_by_label("User name").fill(USER)
    inbox.get_by_label("Password").fill(PASSWORD)
    inbox.get_by_role("button", name="Let it hear").click()
    expect(page.get_by_role("status").first).to_be_visible()
    until(lambda: hears(database), 60.0)
    database.close()


def hears(database: Database) -> bool:
    """Whether the inbox has been read; until then it is made to speak plain text, as the IMAP server of the tests does
    on this machine, and which no form lets anybody ask for."""
    with database.write() as tx:
        tx.run(PLAINLY)
        return tx.first(Statement("SELECT heard_at FROM inboxes WHERE account_id = 1")) != (None,)


PLAINLY = Statement("""
    UPDATE inboxes SET security = 'none', look_at = 0, failures = 0, trouble = NULL
    WHERE account_id = 1 AND heard_at IS NULL
""")


def write_template(page: Page) -> None:
    page.get_by_role("link", name="Templates").first.click()
    page.get_by_role("link", name="New template").click()
    page.get_by_label("Name", exact=True).fill("Tea")
    page.get_by_label("Subject").fill("{{ person.first_name | default: 'Hello' }}, tea?")
    text = page.get_by_label("Text", exact=True)
    text.fill("Dear {{ person.last_nam }}")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#preview")).to_contain_text("person.last_nam")
    page.get_by_role("link", name="Templates").first.click()
    page.get_by_role("link", name="Tea", exact=True).click()
    page.get_by_label("Text", exact=True).fill("Dear ")
    page.get_by_label("Pick a merge tag").select_option("{{ person.first_name | default: 'there' }}")
    page.get_by_role("button", name="Put it in").click()
    expect(page.locator("#preview pre")).to_contain_text(re.compile("Dear \\w+"))
    page.get_by_role("button", name="Keep the changes").click()
    expect(page.get_by_role("status").first).to_contain_text("kept")


def build_sequence(page: Page) -> None:
    page.get_by_role("link", name="Sequences").first.click()
    page.get_by_role("link", name="New sequence").click()
    page.get_by_label("Name").fill("After the fair")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Add a letter").click()
    page.get_by_label("Template").select_option(label="Tea")
    page.get_by_role("button", name="Add a task").click()
    page.get_by_label("What is to be done").fill("Call {{ person.name }}")
    page.get_by_role("button", name="Move step 2 up").click()
    expect(page.locator("[data-steps] li").first).to_contain_text("Task")
    page.get_by_role("button", name="Move step 1 down").click()
    expect(page.locator("[data-steps] li").first).to_contain_text("Letter")
    expect(page.locator("#plan .step")).to_have_count(2)
    page.get_by_role("button", name="Review and publish").click()
    expect(page.get_by_text("new", exact=True)).to_have_count(2)
    page.get_by_role("button", name="Publish it").click()
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_role("status").first).to_contain_text("active")


def import_people(page: Page) -> None:
    rows = ["First name,Last name,E-mail,Plan"]
    quoted = HOSTILE.replace('"', '""')
    rows += [f'Person{n},"{quoted}",person{n}@customer.example,pro' for n in range(ROWS - 1)]
    rows += ["Nobody,At all,no address,pro"]
    page.get_by_role("link", name="People").first.click()
    page.get_by_role("link", name="Import", exact=True).first.click()
    file: Any = {"name": f"{HOSTILE}.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{HOSTILE}.csv")
    expect(page.get_by_label("What E-mail holds")).to_have_value("email")
    expect(page.get_by_label("What Plan holds")).to_have_value("own")
    page.get_by_role("button", name=f"Import {ROWS:,} rows").click()
    expect(page.get_by_role("heading", name="Taken in")).to_be_visible(timeout=60_000)
    expect(page.locator("#progress")).to_contain_text("999 new")
    expect(page.get_by_role("row", name=re.compile("no address"))).to_be_visible()


def enroll_them(page: Page) -> None:
    page.get_by_role("link", name="People").first.click()
    page.get_by_label("Search by name").fill("person7@customer.example")
    expect(page.get_by_role("link", name=f"Person7 {HOSTILE}")).to_be_visible()
    page.get_by_role("link", name=f"Person7 {HOSTILE}").click()
    page.go_back()
    page.get_by_label("Search by name").fill("person8@customer.example")
    page.get_by_role("link", name=f"Person8 {HOSTILE}").click()
    page.get_by_text("Never write to this address").click()
    page.get_by_role("button", name="Never write to person8@customer.example").click()
    expect(page.get_by_role("status").first).to_contain_text("Nothing is sent to the address any more")
    page.get_by_role("link", name="People").first.click()
    page.get_by_role("link", name="Import", exact=True).first.click()
    page.get_by_role("link", name=f"{HOSTILE}.csv").click()
    page.get_by_role("link", name="Enroll them").click()
    page.get_by_label("Sequence").select_option(label="After the fair")
    page.get_by_role("button", name="Rehearse").click()
    expect(page.get_by_text("Unsubscribed or is suppressed.").first).to_be_visible()
    page.get_by_role("button", name=f"Enroll {ROWS - 2} people").click()
    expect(page.get_by_role("status").first).to_contain_text(f"{ROWS - 2} enrolled, 1 left out")


def about_tea(served: Served) -> list[dict[str, Any]]:
    return [letter for letter in served.letters() if letter["subject"].endswith("tea?")]


def reply(imap: RunningServer, letter: dict[str, Any]) -> None:
    answer = EmailMessage()
    answer["From"] = letter["to"]
    answer["To"] = "olive@tea.example"
    answer["Subject"] = f"Re: {letter['subject']}"
    answer["Message-ID"] = "<answer@customer.example>"
    answer["In-Reply-To"] = letter["message_id"]
    answer.set_content(f"Yes please. {HOSTILE}")
    imap.deliver(answer.as_bytes().replace(b"\n", b"\r\n"))


def see_the_reply(page: Page, served: Served) -> None:
    def replied() -> bool:
        page.goto(f"{served.url}/today")
        return page.get_by_text("Yes please.").is_visible()

    until(replied, 120.0)
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    page.get_by_role("link", name=f"Person7 {HOSTILE}").click()
    expect(page.get_by_text("Finished").first).to_be_visible()
    expect(page.get_by_text("Replied").first).to_be_visible()
    page.get_by_role("link", name="The letter").click()
    expect(page.locator("pre")).to_contain_text("Dear Person7")
