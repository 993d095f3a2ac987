"""What pages' forms send and are told; and what every page shares: whole texts, messages of what was done, its list."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request
from litestar.testing import TestClient

from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import BlankField, IncorrectValue, InvalidMany, MalformedBody, MissingField
from drumbeat.domain.person import PersonKind
from drumbeat.http.web.finding import Filter
from drumbeat.http.web.forms import Form, read_form
from drumbeat.http.web.frame import own_path
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.people import (
    CONTACT,
    HOSTILE,
    HTML,
    LEAD,
    ON_SQLITE,
    fields_of,
    listed,
    see,
    send,
    somebody,
    words,
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30)
names = st.text(st.characters(categories=["L", "N"], max_codepoint=127), min_size=1, max_size=10)


def sent(body: bytes | str, kind: str = "application/x-www-form-urlencoded") -> Form:
    """A form as it came in."""
    scope: Any = {"type": "http", "headers": [(b"content-type", kind.encode())]}
    return read_form(Request(scope), body.encode() if isinstance(body, str) else body)


def parts(*named: tuple[str, bytes]) -> bytes:
    """The body of a form with files; each part's header goes on behind `form-data; `."""
    whole = b"".join(
        b"--here\r\nContent-Disposition: form-data; " + header.encode() + b"\r\n\r\n" + content + b"\r\n"
        for header, content in named
    )
    return whole + b"--here--\r\n"


MULTIPART = "multipart/form-data; boundary=here"


class TestReading:
    @given(values=st.dictionaries(names, st.lists(texts, min_size=1, max_size=3), max_size=5))
    def test_what_was_written_is_read_in_either_way_of_sending_it(self, values: dict[str, list[str]]) -> None:
        plain = sent(urlencode(values, doseq=True))
        pieces = [(f'name="{name}"', text.encode()) for name, several in values.items() for text in several]
        assert plain.values == sent(parts(*pieces), MULTIPART).values == values
        for name, several in values.items():
            assert plain.raw(name) == several[0]
            assert plain.text(name) == several[0].strip()
            assert plain.all(name) == [each.strip() for each in several]
            assert plain.is_on(name) is bool(several[0].strip())

    def test_line_ends_are_ours_and_nothing_is_kept_that_no_field_may_hold(self) -> None:
        for form in (sent("a=1%0D%0A2%0D3%0A4%00"), sent(parts(('name="a"', b"1\r\n2\r3\n4\0")), MULTIPART)):
            assert form.raw("a") == "1\n2\n3\n4"

    def test_several_fields_and_files_come_in_one_form_with_any_name_and_content(self) -> None:
        content = bytes(range(256)) * 2000
        form = sent(
            parts(
                ('name="csrf"', b"token"),
                ('name="file"; filename="a %22b%22; c.csv"\r\nContent-Type: text/csv', content),
                ('name="kind"', "Zoë".encode()),
                ('name="file"; filename="Zoë.csv"', b""),
                ('name="other"; filename=""\r\nContent-Type: application/octet-stream', b""),
            ),
            MULTIPART,
        )
        assert form.values == {"csrf": ["token"], "kind": ["Zoë"]}
        first, second = form.files["file"]
        assert (first.name, first.content_type, first.content) == ('a "b"; c.csv', "text/csv", content)
        assert (second.name, second.content_type, second.content) == ("Zoë.csv", "application/octet-stream", b"")
        assert "other" not in form.files, "no file was chosen there"

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"a=\xff", "application/x-www-form-urlencoded"),
            ("&".join(f"a{number}=1" for number in range(3001)), "application/x-www-form-urlencoded"),
            (parts(('name="a"', b"1")), "multipart/form-data"),
            (parts(('name="a"', b"1")), "multipart/form-data; boundary=elsewhere"),
            (parts(('name="a"', b"1"))[:-10], MULTIPART),
            (parts(('name="a"', b"\xff")), MULTIPART),
            (parts(*[(f'name="a{number}"', b"1") for number in range(1000)]), MULTIPART),
            (parts(('name="a"\r\nX: ' + "x" * 10_000, b"1")), MULTIPART),
            (b"", MULTIPART),
        ],
        ids=["text", "fields", "no boundary", "another boundary", "cut", "part", "parts", "header", "nothing"],
    )
    def test_what_cannot_be_read_is_refused(self, body: bytes | str, kind: str) -> None:
        with pytest.raises(MalformedBody):
            sent(body, kind)

    def test_as_many_fields_as_a_list_has_are_read(self) -> None:
        assert len(sent("&".join(f"a{number}=1" for number in range(3000))).values) == 3000


class TestFields:
    def test_a_form_begins_with_what_is_there(self) -> None:
        form = Form.of(name="Ada", seats=7, none=None, on=True, off=False, several=["a", 1])
        assert {name: form.values[name] for name in form.values if name != "was"} == {
            "name": ["Ada"], "seats": ["7"], "none": [""], "on": ["on"], "off": [""], "several": ["a", "1"],
        }  # fmt: skip
        assert (form.optional("name"), form.optional("none"), form.optional("nothing")) == ("Ada", None, None)
        assert (form.is_on("on"), form.is_on("off"), form.is_on("nothing")) == (True, False, False)
        assert form.all("nothing") == []

    @pytest.mark.parametrize("text", ["0", " 7 ", "10", "007"])
    def test_whole_numbers_are_read(self, text: str) -> None:
        assert Form.of(n=text).number("n", 0, 10) == int(text)

    @pytest.mark.parametrize("text", ["-1", "11", "1.0", "1e3", "x", "٣", "²", "1 0", "0" * 11, "9" * 5000])
    def test_what_is_no_number_within_the_limits_is_complained_about(self, text: str) -> None:
        with pytest.raises(IncorrectValue, match="Write a whole number from 0 to 10") as error:
            Form.of(n=text).number("n", 0, 10)
        assert error.value.field == "n"

    def test_a_number_may_be_blank_unless_it_is_needed(self) -> None:
        form = Form.of(blank=" ", seats="1000")
        assert (form.number("blank"), form.number("nothing"), form.needed("seats")) == (None, None, 1000)
        with pytest.raises(MissingField):
            form.needed("blank")
        with pytest.raises(IncorrectValue, match=r"from 2,000 on\."):
            form.needed("seats", 2000)

    def test_one_of_those_offered_is_chosen(self) -> None:
        form = Form.of(kind=" lead ", blank="", wrong="LEAD")
        assert form.chosen("kind", PersonKind) is LEAD
        for name in ("blank", "wrong", "nothing"):
            with pytest.raises(IncorrectValue, match="Choose one of those offered") as error:
                form.chosen(name, PersonKind)
            assert error.value.field == name

    def test_complaints_stand_beside_their_fields_and_others_above(self) -> None:
        form = Form.of(name="", email="x")
        form.files = {"file": []}
        wrong = [
            BlankField(field="name"),
            IncorrectValue("Write an address.", field="email"),
            IncorrectValue("Another one.", field="email"),
            MissingField("Choose a file.", field="file"),
            IncorrectValue("Not here.", field="elsewhere"),
        ]
        assert form.complain(InvalidMany(wrong)) is form
        assert form.complaints == {
            "name": "The field must not be blank.",
            "email": "Write an address.",
            "file": "Choose a file.",
            "": "Not here.",
        }
        assert Form.of(a="").complain(IncorrectValue("All of it.")).complaints == {"": "All of it."}


@given(
    kind=st.sampled_from([LEAD, CONTACT]),
    text=texts.map(str.strip),
    owner_id=st.integers(0, LARGEST_ID),
    import_id=st.integers(0, LARGEST_ID),
)
def test_a_list_s_address_leads_to_the_same_list(**named: Any) -> None:
    shown = Filter(**named)
    assert Filter.read(dict(parse_qsl(shown.query))) == shown == Filter.read(shown.fields)


def test_a_form_leads_to_paths_of_this_host_alone() -> None:
    for path in ("/", "/people?q=a&b=//c", "/a%0Ab"):
        assert own_path(path, "/today") == path
    elsewhere = (
        "",
        "people",
        "//x.example",
        "/\\x.example",
        "https://x.example",
        "/a\nb",
        "/\tx",
        "/ü",
        "/" + "a" * 2000,
    )
    for path in elsewhere:
        assert own_path(path, "/today") == "/today"


@ON_SQLITE
def test_hostile_texts_are_shown_as_texts(owner: Browser, world: World, cast: Cast) -> None:
    fields = dict.fromkeys(("organization_name", "title", "phone", "mobile", "status"), HOSTILE)
    details = {"website": "javascript:alert(1)", "description": HOSTILE, "tags": [HOSTILE]}
    bad = somebody(world, cast.us, HOSTILE, custom={HOSTILE: HOSTILE}, details=details, **fields)
    page = f"/people/contact/{bad.id}"
    listing = see(owner, "/people")
    assert listed(listing) == [HOSTILE]
    for text in (listing, see(owner, page), see(owner, f"{page}/edit"), see(owner, "/people", q=HOSTILE)):
        assert "<script>alert" not in text
        assert '" onload="' not in text
        assert 'href="javascript' not in text
    assert words(see(owner, page)).count("<script>alert('x')</script>") >= 8
    assert fields_of(see(owner, "/people", q=HOSTILE), "/people")["q"] == [HOSTILE]


@ON_SQLITE
def test_a_message_for_the_next_page_is_shown_once_and_none_but_ours(owner: Browser, world: World, cast: Cast) -> None:
    path = f"/people/contact/{somebody(world, cast.us, 'Lovelace', 'ada@x.example').id}"
    answer = send(owner, f"{path}/suppress")
    cookie = f"drumbeat={owner.cookie}; drumbeat-said={answer.cookies['drumbeat-said']}"
    shown = owner("GET", path, headers=HTML | {"Cookie": cookie})
    message = shown.text.split('role="status"')[1].split("</form>")[0]
    assert "and what ran for it has ended. Allow letters again" in words(message)
    assert f'action="{path}/lift"' in message
    assert 'drumbeat-said=""' in shown.headers["set-cookie"]
    assert "Max-Age=0" in shown.headers["set-cookie"]
    told = b'{"text": "Mallory was here", "undo": {"action": "%s"}}'
    for text in (
        b"%%%",
        base64.urlsafe_b64encode(b"Mallory was here"),
        base64.urlsafe_b64encode(b'{"text": 5}'),
        base64.urlsafe_b64encode(told % b"https://mallory.example/"),
        base64.urlsafe_b64encode(told % b"//mallory.example/"),
    ):
        cookie = f"drumbeat={owner.cookie}; drumbeat-said={text.decode()}"
        shown = owner("GET", "/people", headers=HTML | {"Cookie": cookie})
        assert shown.status_code == 200
        assert "allory" not in shown.text, text


@ON_SQLITE
def test_over_https_the_message_is_for_this_host_alone(
    make_client: Callable[..., TestClient[Any]], owner: Browser, world: World, cast: Cast
) -> None:
    path = f"/people/contact/{somebody(world, cast.us, 'Lovelace', 'ada@x.example').id}"
    headers = {"Cookie": f"__Host-drumbeat={owner.cookie}", "X-CSRF-Token": owner.csrf}
    client = make_client(base_url="https://drumbeat.test")
    answer = client.post(f"{path}/suppress", headers=headers, follow_redirects=False)
    kept = answer.headers["set-cookie"]
    assert kept.startswith("__Host-drumbeat-said=")
    for part in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"):
        assert part in kept
    assert "Domain" not in kept


@given(st.dictionaries(names, texts, min_size=1), st.data())
def test_what_the_sender_left_alone_is_told_from_what_they_changed(filled: dict[str, str], draw: st.DataObject) -> None:
    form = Form.of(**filled)
    changed = draw.draw(st.sets(st.sampled_from(sorted(filled))))
    values = {name: value + "x" if name in changed else value for name, value in filled.items()} | {"was": form.was}
    back = sent(urlencode(values))
    if "was" not in filled:
        assert back.touched(filled) == {name: filled[name] for name in filled if name in changed}
        assert back.was == form.was, "also when it is shown again with a complaint"


@pytest.mark.parametrize("was", ["", "null", "[]", '{"a": 1}', "{"])
def test_a_form_that_does_not_say_how_it_was_filled_counts_as_changed_throughout(was: str) -> None:
    assert sent(urlencode({"a": "1", "was": was})).touched({"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_a_box_that_was_ticked_and_is_not_any_more_was_changed() -> None:
    was = Form.of(on=True, off=False).was
    assert sent(urlencode({"was": was})).touched({"on": False, "off": False}) == {"on": False}
    assert sent(urlencode({"was": was, "on": "on", "off": "on"})).touched({"on": True, "off": True}) == {"off": True}
