"""Places without a value, marked in a letter where they are."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drumbeat.domain.gaps import fill_gaps, mark_html, pieces
from drumbeat.domain.template import TemplateText, compile_template

VALUES: dict[str, Any] = {
    "person": {"first_name": "Lena", "title": None, "custom": {"plan": ""}},
    "account": {"name": "Northwind"},
}
MISSING = ["person.title", "person.custom.plan", "person.custom.a\\.b", "sender.name"]
HTML = (
    """<a title="{{ person.title }}">{{ sender.name | upcase }}</a><p>{{ person.custom["a.b"] }}, {{ account.name }}"""
)


def rendered(html: str = HTML, text: str = "") -> tuple[str, str]:
    """What becomes of a template's bodies for want of a few values."""
    letter = compile_template(TemplateText("Tea", html, text or None)).render(fill_gaps(VALUES, MISSING))
    return letter.html or "", letter.text


def test_a_place_without_a_value_is_marked_in_the_text_beside_the_values_there_are() -> None:
    _, text = rendered(text="{{ person.title }} {{ person.first_name }}: {{ person.custom.plan }}!")
    assert pieces(text) == [("person.title", True), (" Lena: ", False), ("person.custom.plan", True), ("!", False)]


def test_html_has_it_marked_where_it_is_read_and_plain_inside_a_tag() -> None:
    marked = mark_html(rendered()[0])
    assert marked == (
        '<a title="person.title"><mark>SENDER.NAME</mark></a><p><mark>person.custom.a\\.b</mark>, Northwind'
    )
    assert ("SENDER.NAME", True) in pieces(rendered()[1])


def test_a_field_that_looks_like_html_stays_text() -> None:
    html = compile_template(TemplateText("", '{{ person.custom["<b>"] }}', None)).render(
        fill_gaps({"person": "nobody"}, ["person.custom.<b>"])
    )
    assert mark_html(html.html or "") == "<mark>person.custom.&lt;b&gt;</mark>"


def test_the_values_themselves_stay_as_they_are() -> None:
    fill_gaps(VALUES, MISSING)
    assert VALUES["person"]["custom"] == {"plan": ""}
    assert "sender" not in VALUES


@given(st.text(alphabet="\ue000\ue001<>ab"))
def test_no_mark_of_ours_is_left_whatever_filters_made_of_it(text: str) -> None:
    shown = "".join(words for words, _ in pieces(text)) + mark_html(text)
    assert not {"\ue000", "\ue001"} & set(shown)
