"""Templates as sellers write them: kept or told what is wrong, tried for a person, with files, sent as a trial."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest

from drumbeat.http.pages import CAGE_POLICY
from drumbeat.operations.templates import LARGEST_ATTACHMENT
from drumbeat.store import accounts, templates
from drumbeat.store.templates import StoredTemplate
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.sink import At
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.work import Works, at_work, complaint, led, post, said, see, value, words

Files = list[tuple[str, tuple[str, bytes, str]]]
SHOUTING = "WE HAVE LAMPS!!"


@pytest.fixture
def works(world: World, cast: Cast, clock: FrozenClock) -> Iterator[Works]:
    """Our account at work."""
    with at_work(world, cast, clock) as works:
        yield works


def upload(browser: Browser, path: str, *files: tuple[str, bytes, str], **fields: Any) -> Any:
    """The answer to the editor's form with files chosen."""
    chosen: Files = [("new_file", file) for file in files]
    headers = {"Accept": "text/html"}
    return browser("POST", path, data=fields, files=chosen, headers=headers, follow_redirects=False)


def kept(works: Works, id: int = 1) -> StoredTemplate:
    """A template as it is kept."""
    return works.read(lambda snapshot: templates.get(snapshot, works.account_id, id))


def test_without_a_template_the_page_says_what_one_is(works: Works, seller: Browser) -> None:
    shown = words(see(seller, "/templates"))
    assert "No template yet" in shown
    assert "“Dear {{ person.first_name | default: 'friend' }}”" in shown


def test_a_new_template_is_kept_and_listed_with_the_sequences_that_send_it(works: Works, seller: Browser) -> None:
    assert "Put it in" in words(see(seller, "/templates/new"))
    sent = {
        "name": " Lamps ",
        "subject": "A lamp?",
        "text": "Dear {{ person.first_name }},\r\nA lamp?\r\n",
        "html": " ",
    }
    made = post(seller, "/templates/new", **sent)
    assert made.headers["location"] == "/templates/1"
    assert said(led(seller, made)) == "The template is kept. Use it in a sequence's step."
    source = kept(works).source
    assert (source.subject, source.text, source.html) == ("A lamp?", "Dear {{ person.first_name }},\nA lamp?\n", None)
    assert "Lamps A lamp? Two letters, A call and a letter" in words(see(seller, "/templates"))
    editor = see(seller, "/templates/1")
    assert "Sent by Two letters, A call and a letter, with the text as it was when published." in words(editor)
    assert "Dear {{ person.first_name }},\nA lamp?\n</textarea>" in editor.text


def test_what_does_not_parse_is_told_with_its_line_beside_its_field(works: Works, seller: Browser) -> None:
    works.template()
    good = {"name": "Bulbs", "subject": "A bulb?", "text": "A bulb?", "html": ""}
    for field, text, told in (
        ("text", "Dear Lena,\n\nmay I {{ offer", "ine 3: "),
        ("html", "<p>\n{{ person.first_name | shout }}</p>", "ine 2: there is no filter 'shout'"),
        ("subject", "A {% if bulb", "ine 1: "),
        ("subject", "x" * 999, ""),
        ("text", "x" * 200_001, "It has at most 200,000 characters."),
        ("name", "Lamps", "Another template has the name 'Lamps'."),
        ("name", "", ""),
    ):
        refused = post(seller, "/templates/new", **good | {field: text})
        assert refused.status_code == 422, field
        assert complaint(refused, field), field
        assert told in complaint(refused, field)
    changed = post(seller, "/templates/1", **good | {"text": "A\n{% for"})
    assert (changed.status_code, "ine 2: " in complaint(changed, "text")) == (422, True)
    empty = post(seller, "/templates/new", **good | {"text": "  "})
    assert (empty.status_code, "neither an HTML nor a text body" in complaint(empty, "text")) == (422, True)
    assert works.count("templates") == 1


def test_what_was_typed_stands_in_the_editor_again_and_the_html_is_open_where_it_is_wrong(
    works: Works, seller: Browser
) -> None:
    refused = post(seller, "/templates/new", name="<Bulbs>", subject="A & B", text="Dear </textarea>", html="{{ x")
    assert (value(refused, "name"), value(refused, "subject")) == ("<Bulbs>", "A & B")
    assert "Dear &lt;/textarea&gt;</textarea>" in refused.text
    assert '<details class="more" open><summary class="link">HTML</summary>' in refused.text
    assert works.count("templates") == 0


def test_changes_are_kept_and_a_template_that_is_deleted_is_gone(works: Works, seller: Browser) -> None:
    id = works.template().id
    changed = led(
        seller, post(seller, f"/templates/{id}", name="Bulbs", subject="Bulbs", text="A bulb?", html="<p>A</p>")
    )
    assert said(changed) == "The changes are kept. Sequences send them once they are published again."
    assert (kept(works).name, kept(works).source.html) == ("Bulbs", "<p>A</p>")
    gone = led(seller, post(seller, f"/templates/{id}/delete"))
    assert said(gone).startswith("The template is deleted.")
    assert "No template yet" in words(gone)
    assert seller("GET", f"/templates/{id}").status_code == 404
    assert post(seller, f"/templates/{id}", name="X", subject="X", text="X").status_code == 404


def test_the_letter_is_shown_for_a_person_and_what_is_missing_for_them_is_marked(works: Works, seller: Browser) -> None:
    lena = works.lead(title="Boss")
    id = works.template("Lamps", "{{ person.title }}?", "Dear {{ person.first_name }}, {{ person.custom.plan }}").id
    editor = see(seller, f"/templates/{id}")
    assert "Lena Lead would get nothing yet: there is no value for person.custom.plan" in words(editor)
    assert '<span class="mark">person.custom.plan</span>' in editor.text
    typed = {"subject": "Boss {{ person.title }}", "text": "From {{ sender.name }} & co", "whom": f"lead:{lena.id}"}
    shown = post(seller, "/templates/preview", **typed)
    assert (shown.status_code, words(shown)) == (200, "Boss Boss From Sam Seller & co")
    assert "<html" not in shown.text
    broken = words(post(seller, "/templates/preview", **typed | {"text": "{{ person"}))
    assert broken == "In text, line 1: '{{' is not closed"
    advice = words(post(seller, "/templates/preview", **typed | {"subject": SHOUTING}))
    assert "To be looked at The subject is written in capitals." in advice
    nobody = words(post(seller, "/templates/preview", **typed | {"whom": "lead:99"}))
    assert nobody == "Bring somebody under People to see the letter as they would get it."


def test_the_html_is_shown_in_a_cage(works: Works, seller: Browser) -> None:
    lena = works.lead(title="<b>Boss</b>")
    html = "<script>alert(1)</script><p>{{ person.title }}</p>"
    shown = post(seller, "/templates/preview-html", subject="X", html=html, whom=f"lead:{lena.id}")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert shown.headers["content-security-policy"] == CAGE_POLICY
    assert CAGE_POLICY.startswith("sandbox; default-src 'none'")
    assert "&lt;b&gt;Boss&lt;/b&gt;" in shown.text
    assert post(seller, "/templates/preview-html", subject="X", html=html, whom="lead:99").text == ""


def test_a_colleague_s_person_is_shown_to_nobody_who_sees_their_own_alone(works: Works, seller: Browser) -> None:
    carl = works.lead("Carl", works.colleague())
    typed = {"subject": "For {{ person.first_name }}", "text": "A", "whom": f"lead:{carl.id}"}
    assert "For Carl" in words(post(seller, "/templates/preview", **typed))
    works.let_agents_see_their_own()
    assert "Carl" not in words(post(seller, "/templates/preview", **typed))
    assert "Carl" not in words(see(seller, "/templates/new"))
    id = works.template().id
    assert said(led(seller, post(seller, f"/templates/{id}/try", whom=f"lead:{carl.id}"))) == (
        "Choose whose letter it is."
    )
    assert works.sink.letters == []


FIELDS = {"name": "Lamps", "subject": "Lamps", "text": "A lamp?", "html": ""}


def test_files_are_attached_listed_and_taken_away(works: Works, seller: Browser) -> None:
    price, plan = ('price "list".pdf', b"%PDF-1.7", "application/pdf"), ("plan.txt", b"plan", "text/plain")
    made = led(seller, upload(seller, "/templates/new", price, **FIELDS))
    assert 'Take away price "list".pdf (1 kB)' in words(made)
    assert "Lamps Lamps 1" in words(see(seller, "/templates"))
    more = led(seller, upload(seller, "/templates/1", plan, **FIELDS))
    assert "Take away plan.txt" in words(more)
    first, second = kept(works).attachments
    assert [(each.name, each.content_type, each.size) for each in (first, second)] == [
        ('price "list".pdf', "application/pdf", 8),
        ("plan.txt", "text/plain", 4),
    ]
    led(seller, upload(seller, "/templates/1", **FIELDS | {"detach": first.sha256}))
    assert kept(works).attachments == (second,)
    led(seller, post(seller, "/templates/1", **FIELDS))
    assert kept(works).attachments == (second,)


def test_what_cannot_be_attached_is_told_beside_the_files_and_nothing_is_kept(works: Works, seller: Browser) -> None:
    works.template()
    large = ("large.bin", b"x" * (LARGEST_ATTACHMENT + 1), "application/octet-stream")
    for files, told in (
        ([large], "large.bin is larger than 10 MB."),
        ([("empty.txt", b"", "text/plain")], "empty.txt is empty."),
        ([(f"{n}.txt", b"%d" % n, "text/plain") for n in range(21)], "Attach at most 20 files."),
    ):
        refused = upload(seller, "/templates/1", *files, **FIELDS)
        assert (refused.status_code, complaint(refused, "new_file")) == (422, told)
    strange = upload(seller, "/templates/1", ("mail.eml", b"From: x", "message/rfc822"), **FIELDS)
    assert (strange.status_code, "message and multipart are none here" in words(strange)) == (422, True)
    assert (kept(works).attachments, works.count("attachments")) == ((), 0)


def test_a_trial_really_arrives_marked_as_one_and_changes_nothing_else(works: Works, seller: Browser) -> None:
    lena = works.lead()
    upload(
        seller, "/templates/new", ("price.txt", b"12 EUR", "text/plain"),
        name="Lamps", subject="For {{ person.first_name }}", text="Dear {{ person.first_name }}", html="",
    )  # fmt: skip
    tables = ("enrollments", "deliveries", "events", "outbox", "journal", "tasks", "due")
    before = {table: works.count(table) for table in tables}
    sent = led(seller, post(seller, "/templates/1/try", whom=f"lead:{lena.id}"))
    assert said(sent) == "A trial letter is on its way to sam@northwind.example."
    (letter,) = works.sink.letters
    assert (letter.sender, letter.recipient) == ("sam@northwind.example", "sam@northwind.example")
    read = message_from_bytes(letter.content, policy=policy.default)
    assert (read["Subject"], read["To"]) == ("[Trial] For Lena", "Sam Seller <sam@northwind.example>")
    body = read.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Dear Lena"
    assert [part.get_content() for part in read.iter_attachments()] == ["12 EUR"]
    assert {table: works.count(table) for table in tables} == before
    assert kept(works).source.subject == "For {{ person.first_name }}"
    post(seller, "/templates/1/try", whom=f"lead:{lena.id}")
    again = message_from_bytes(works.sink.letters[1].content, policy=policy.default)
    assert again["Message-ID"] != read["Message-ID"]


def test_a_trial_that_cannot_be_sent_says_why(works: Works, seller: Browser, owner: Browser, cast: Cast) -> None:
    whom = f"lead:{works.lead().id}"
    id, vague = works.template().id, works.template("Vague", "X", "{{ person.title }}").id

    def told(browser: Browser, template_id: int, whom: str = whom) -> str:
        page = led(browser, post(browser, f"/templates/{template_id}/try", whom=whom))
        assert 'class="alert alert-error"' in page.text
        return said(page)

    assert told(owner, id) == "You have no mailbox to send with; an admin can connect one."
    assert told(seller, id, "") == told(seller, id, "lead:99") == "Choose whose letter it is."
    assert told(seller, vague) == "There is no value for person.title."
    works.sink.script = {At.RCPT: "550 5.1.1 we do not know you"}
    assert told(seller, id).startswith("The mail server did not take it: ")
    assert "we do not know you" in told(seller, id)
    works.transact(lambda tx: accounts.set_mailbox(tx, works.account_id, cast.us.seller.id, None))
    assert told(seller, id) == "You have no mailbox to send with; an admin can connect one."
    assert works.sink.letters == []
