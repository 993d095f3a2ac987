"""Templates as sellers write them: kept or told what is wrong, tried for a person, with files, sent as a trial."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from drumbeat.http.pages import CAGE_POLICY
from drumbeat.operations.accounts import change_account
from drumbeat.operations.templates import LARGEST_ATTACHMENT
from drumbeat.store import accounts, templates
from drumbeat.store.templates import StoredTemplate
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.sink import At
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.work import FORM, Works, at_work, complaint, led, post, said, see, value, words

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


def test_the_letter_is_shown_for_a_person_with_what_is_missing_for_them_marked_where_it_is(
    works: Works, seller: Browser
) -> None:
    lena = works.lead(title="Boss")
    id = works.template("Lamps", "{{ person.title }}?", "Dear {{ person.first_name }}, {{ person.custom.plan }}!").id
    editor = see(seller, f"/templates/{id}")
    assert "Lena Lead would get nothing yet: there is no value for person.custom.plan" in words(editor)
    assert "<code>person.custom.plan</code>" in editor.text
    assert 'tabindex="0">Dear Lena, <mark class="mark">person.custom.plan</mark>!</pre>' in editor.text
    assert '<p class="hint" id="preview-said" role="status">One value is missing for Lena Lead.</p>' in editor.text
    typed = {"subject": "Boss {{ person.title }}", "text": "From {{ sender.name }} & co", "whom": f"lead:{lena.id}"}
    shown = post(seller, "/templates/preview", **typed)
    assert (shown.status_code, words(shown)) == (
        200,
        "No value is missing for Lena Lead. Boss Boss From Sam Seller & co",
    )
    assert "<html" not in shown.text
    broken = words(post(seller, "/templates/preview", **typed | {"text": "{{ person"}))
    assert broken == "The letter cannot be made. In text, line 1: '{{' is not closed"
    advice = words(post(seller, "/templates/preview", **typed | {"subject": SHOUTING}))
    assert "To be looked at The subject is written in capitals." in advice
    nobody = words(post(seller, "/templates/preview", **typed | {"whom": "lead:99"}))
    assert nobody.startswith("Nobody is chosen. Choose somebody, or bring people in under People")
    several = {"text": "{% if person.phone %}{{ person.organization_name }}{% endif %}{{ person.phone }}"}
    assert "2 values are missing" not in words(post(seller, "/templates/preview", **typed | several))
    assert "would get nothing yet: there is no value for person.phone." in words(
        post(seller, "/templates/preview", **typed | several)
    )
    unmade = {"text": "{{ person.phone }}{% if person.phone %}{{ 1 | divided_by: 0 }}{% endif %}"}
    assert "there is no value for person.phone" in words(post(seller, "/templates/preview", **typed | unmade))


def test_what_is_heard_of_the_letter_while_one_types_is_one_line_and_only_if_it_is_news(
    works: Works, seller: Browser
) -> None:
    typed = {"subject": "A", "text": "{{ person.phone }}{{ person.title }}", "whom": f"lead:{works.lead().id}"}
    first = post(seller, "/templates/preview", **typed)
    said = "2 values are missing for Lena Lead."
    assert f'<p hx-swap-oob="innerHTML:#preview-said">{said}</p>' in first.text
    again = post(seller, "/templates/preview", **typed | {"said": said})
    assert "oob" not in again.text
    assert f'<input type="hidden" name="said" value="{said}">' in again.text
    assert "Nothing is written yet." in post(seller, "/templates/preview", **typed | {"text": "", "subject": ""}).text
    for page in (again.text, see(seller, "/templates/new").text):
        assert "aria-live" not in page
        assert 'role="alert"' not in page


def test_the_html_has_what_is_missing_marked_too(works: Works, seller: Browser) -> None:
    typed = {"html": '<p title="{{ person.title }}">{{ person.title }}</p>', "whom": f"lead:{works.lead().id}"}
    shown = post(seller, "/templates/preview-html", subject="A", **typed)
    assert shown.text == '<p title="person.title"><mark>person.title</mark></p>'
    assert shown.headers["content-security-policy"] == CAGE_POLICY


def test_texts_that_are_too_long_are_told_so_before_anybody_looks_into_them(works: Works, seller: Browser) -> None:
    whom = f"lead:{works.lead().id}"
    for field, text, told in (
        ("html", "<a " * 70_000, "HTML: It has at most 200,000 characters."),
        ("text", "{{" * 100_001, "Text: It has at most 200,000 characters."),
        ("subject", "x" * 999, "Subject: Write at most 998 characters; these are 999."),
    ):
        typed = {"subject": "A", "text": "A", "whom": whom} | {field: text}
        assert words(post(seller, "/templates/preview", **typed)) == f"The letter cannot be made. {told}"
        assert post(seller, "/templates/preview-html", **typed).text == ""
        assert told in words(post(seller, "/templates/new/try", **typed))


@pytest.mark.parametrize("html", ["<![ endif]><p>A</p>", "<![ if !mso ]><p>A</p>", "<![x"])
def test_html_of_word_processors_is_kept_and_opened_again(works: Works, seller: Browser, html: str) -> None:
    whom = f"lead:{works.lead().id}"
    editor = led(seller, post(seller, "/templates/new", name="A", subject="A", html=html))
    assert "No value is missing for Lena Lead." in words(editor)
    assert post(seller, "/templates/preview", subject="A", html=html, whom=whom).status_code == 200
    assert post(seller, "/templates/preview-html", subject="A", html=html, whom=whom).text == html


def options(page: Any, id: str) -> list[tuple[str, str]]:
    """What a choice of a page offers, and the values of that."""
    start = page.text.index(f'id="{id}"') if f'id="{id}"' in page.text else 0
    found = re.findall(r'<option value="([^"]*)">(.*?)</option>', page.text[start:].partition("</select>")[0])
    return [(unescape(value), unescape(shown)) for value, shown in found]


def test_a_letter_can_be_looked_at_for_anybody(works: Works, seller: Browser) -> None:
    ada = works.lead("Ada")
    lena, *_ = [works.lead() for _ in range(21)]
    works.template(text="Dear {{ person.first_name }} of {{ person.organization_name | default: 'nowhere' }}")
    newest = options(see(seller, "/templates/1"), "whom")
    assert ("Lena Lead (lead)" in newest[0], f"lead:{ada.id}" in dict(newest)) == (True, False)
    named = see(seller, f"/templates/1?whom=lead:{ada.id}")
    assert options(named, "whom")[0] == (f"lead:{ada.id}", "Ada Lead (lead)")
    assert "Dear Ada of nowhere" in words(named)
    found = post(
        seller, "/templates/1/look", find=" ada ", whom=f"lead:{lena.id}", subject="Typed", text="For {{ person.name }}"
    )
    assert options(found, "whom") == [(f"lead:{ada.id}", "Ada Lead (lead)")]
    assert (value(found, "find"), value(found, "subject")) == (" ada ", "Typed")
    assert "For Ada Lead" in words(found)
    new = post(seller, "/templates/new/look", find="ada@customer.example", name="Bulbs", text="For {{ person.name }}")
    assert (value(new, "name"), "For Ada Lead" in words(new)) == ("Bulbs", True)
    assert 'action="/templates/new"' in new.text
    assert kept(works).source.subject == "Lamps"
    second = dict(options(post(seller, "/templates/1/look", find="lena"), "whom"))
    chosen = sorted(second)[1]
    again = post(seller, "/templates/1/try", find="lena", whom=chosen, text="A")
    assert (options(again, "whom")[0][0], len(options(again, "whom"))) == (chosen, 20)
    assert seller("GET", "/templates/1?whom=lead:99").status_code == 200
    assert post(seller, "/templates/99/look", find="ada").status_code == 404


def test_with_script_people_are_found_while_one_types_and_nothing_else_of_the_page_changes(
    works: Works, seller: Browser
) -> None:
    ada = works.lead("Ada")
    body = urlencode({"find": "ad"})
    part = seller("POST", "/templates/new/look", content=body, headers=FORM | {"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-trigger-after-swap"]) == (200, "found")
    assert options(part, "whom") == [(f"lead:{ada.id}", "Ada Lead (lead)")]
    body = urlencode({"find": "nobody so", "whom": f"lead:{ada.id}"})
    part = seller("POST", "/templates/new/look", content=body, headers=FORM | {"HX-Request": "true"})
    assert part.text.strip() == '<option value="">Nobody is found</option>'


def test_merge_tags_are_offered_with_how_they_are_written_the_account_s_own_fields_too(
    works: Works, seller: Browser
) -> None:
    names = ["plan", "Favourite tea", "{% odd %}", 'a"b', "true", "a.b", "7"]
    lena = works.lead(custom=dict.fromkeys(names, "green"), phone="+49 30 1234567")
    works.lead("Leo", custom={"plan": "gold"})
    offered = dict(options(see(seller, "/templates/new"), "tag"))
    assert offered["{{ person.phone }}"] == "Phone number: {{ person.phone }}"
    assert offered['{{ person.custom["Favourite tea"] }}'] == 'Favourite tea: {{ person.custom["Favourite tea"] }}'
    own = [tag for tag in offered if "custom" in tag]
    assert own == [
        *('{{ person.custom["7"] }}', '{{ person.custom["a.b"] }}', '{{ person.custom["Favourite tea"] }}'),
        *("{{ person.custom.plan }}", '{{ person.custom["true"] }}'),
    ]
    works.transact(
        lambda tx: change_account(tx, replace(accounts.get_account(tx, works.account_id), postal_address="N"))
    )
    typed = {"subject": "A", "text": "".join(offered), "whom": f"lead:{lena.id}"}
    shown = words(post(seller, "/templates/preview", **typed))
    assert "there is no value for person.organization_name, person.title." in shown
    assert shown.count("green") == 5


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
    assert "Carl" not in words(see(seller, f"/templates/{id}?whom=lead:{carl.id}"))
    assert "Carl" not in words(post(seller, f"/templates/{id}/look", find="Carl"))
    assert "Choose whose letter it is." in words(post(seller, f"/templates/{id}/try", whom=f"lead:{carl.id}"))
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
    ticked = post(seller, "/templates/1", **FIELDS | {"name": "", "detach": second.sha256})
    assert f'value="{second.sha256}" checked>' in ticked.text
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


def trial(answer: Any) -> str:
    """What an editor says of a trial."""
    found = re.search(r'<div id="trial" role="status">(.*?)</div>\s*</div>', answer.text, re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", "", found[1])).strip() if found else ""


def test_a_trial_of_what_is_typed_really_arrives_marked_as_one_and_changes_nothing_else(
    works: Works, seller: Browser
) -> None:
    leo, lena = works.lead("Leo"), works.lead()
    files = [("price.txt", b"12 EUR", "text/plain"), ("plan.txt", b"plan", "text/plain")]
    upload(seller, "/templates/new", *files, **FIELDS)
    tables = ("enrollments", "deliveries", "events", "outbox", "journal", "tasks", "due", "templates", "attachments")
    before = {table: works.count(table) for table in tables}
    typed = {
        "name": "Better lamps", "subject": "For {{ person.first_name }}", "text": "Dear\n{{ person.first_name }}",
        "whom": f"lead:{leo.id}", "detach": kept(works).attachments[1].sha256,
    }  # fmt: skip
    sent = post(seller, "/templates/1/try", **typed)
    assert (sent.status_code, trial(sent)) == (200, "A trial letter is on its way to sam@northwind.example.")
    assert (value(sent, "name"), value(sent, "subject")) == ("Better lamps", "For {{ person.first_name }}")
    assert "Dear\n{{ person.first_name }}</textarea>" in sent.text
    assert f'value="{typed["detach"]}" checked>' in sent.text
    assert options(sent, "whom")[:2] == [(f"lead:{leo.id}", "Leo Lead (lead)"), (f"lead:{lena.id}", "Lena Lead (lead)")]
    (letter,) = works.sink.letters
    assert (letter.sender, letter.recipient) == ("sam@northwind.example", "sam@northwind.example")
    read = message_from_bytes(letter.content, policy=policy.default)
    assert (read["Subject"], read["To"]) == ("[Trial] For Leo", "Sam Seller <sam@northwind.example>")
    body = read.get_body(("plain",))
    assert body is not None
    assert body.get_content().split() == ["Dear", "Leo"]
    assert [part.get_content() for part in read.iter_attachments()] == ["12 EUR"]
    assert {table: works.count(table) for table in tables} == before
    assert (kept(works).source.subject, len(kept(works).attachments)) == ("Lamps", 2)
    post(seller, "/templates/1/try", **typed)
    again = message_from_bytes(works.sink.letters[1].content, policy=policy.default)
    assert again["Message-ID"] != read["Message-ID"]


def test_a_template_is_tried_before_it_is_kept_and_files_that_were_chosen_are_asked_for_again(
    works: Works, seller: Browser
) -> None:
    whom = f"lead:{works.lead().id}"
    sent = upload(seller, "/templates/new/try", ("a.txt", b"a", "text/plain"), **FIELDS | {"whom": whom})
    assert trial(sent) == (
        "A trial letter is on its way to sam@northwind.example. "
        "Choose the files to attach again: a page cannot keep them."
    )
    assert 'action="/templates/new"' in sent.text
    assert (len(works.sink.letters), works.count("templates"), works.count("attachments")) == (1, 0, 0)


def test_with_script_a_trial_leaves_the_page_alone(works: Works, seller: Browser) -> None:
    body = urlencode(FIELDS | {"whom": f"lead:{works.lead().id}"})
    told = seller("POST", "/templates/new/try", content=body, headers=FORM | {"HX-Request": "true"})
    assert (told.status_code, words(told)) == (200, "A trial letter is on its way to sam@northwind.example.")
    body = urlencode(FIELDS | {"text": "{{ person"})
    told = seller("POST", "/templates/new/try", content=body, headers=FORM | {"HX-Request": "true"})
    assert (told.status_code, words(told)) == (200, "Choose whose letter it is.")
    assert 'class="alert alert-error"' in told.text


def test_a_trial_that_cannot_be_sent_says_why(works: Works, seller: Browser, owner: Browser, cast: Cast) -> None:
    whom = f"lead:{works.lead().id}"
    id = works.template().id

    def told(browser: Browser, whom: str = whom, text: str = "A lamp?") -> str:
        page = post(browser, f"/templates/{id}/try", name="Typed", subject="X", text=text, whom=whom)
        assert (page.status_code, value(page, "name")) == (422, "Typed")
        assert 'class="alert alert-error"' in page.text
        return trial(page)

    assert told(owner) == "You have no mailbox to send with; an admin can connect one."
    assert told(seller, "") == told(seller, "lead:99") == "Choose whose letter it is."
    assert told(seller, text="{{ person.title }}") == "There is no value for person.title."
    assert told(seller, text="{{ person") == "In text, line 1: '{{' is not closed"
    works.sink.script = {At.RCPT: "550 5.1.1 we do not know you"}
    assert told(seller).startswith("The mail server did not take it: ")
    assert "we do not know you" in told(seller)
    works.transact(lambda tx: accounts.set_mailbox(tx, works.account_id, cast.us.seller.id, None))
    assert told(seller) == "You have no mailbox to send with; an admin can connect one."
    assert works.sink.letters == []
    assert post(seller, "/templates/99/try", whom=whom, text="A").status_code == 404
