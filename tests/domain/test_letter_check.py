"""What a template is told before anybody gets its letter."""

from __future__ import annotations

import pytest

from drumbeat.domain.letter_check import check_letter
from drumbeat.domain.template import TemplateText


def told(subject: str = "Tea?", html: str | None = None) -> str:
    return " ".join(check_letter(TemplateText(subject, html, "Tea is ready.")))


def test_a_plain_letter_is_told_nothing() -> None:
    html = '<p>Dear {{ person.first_name }}, <a href="https://tea.example/new">tea</a> is <b>ready</b>. <a>Here</a></p>'
    assert told("{{ person.first_name }}, tea?", html) == ""


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("x" * 71, "71 characters"),
        ("TEA IS READY NOW", "capitals"),
        ("Tea! Now!", "exclamation"),
        ("Re: our talk", "pretends to be an answer"),
    ],
)
def test_a_subject_that_looks_like_unwanted_mail_is_told(subject: str, words: str) -> None:
    assert words in told(subject)


def test_a_merge_tag_in_a_subject_counts_as_little_as_its_value_is_long() -> None:
    assert told("{{ person.custom.a_field_with_a_very_long_name_that_nobody_sees | default: 'tea' }} is ready") == ""


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<script>1</script>", "<script> does not work"),
        ('<img src="https://tea.example/a.png">', "no alt text"),
        ('<img alt="Tea" src="https://tea.example/a.png">', "more image than text"),
        ('<a href="https://evil.example">www.tea.example</a>', "leads to evil.example"),
        ('<a href="http://tea.example">Tea</a>', "begins with http://"),
        ('<p onclick="x()">Tea</p>', "onclick"),
        (f"<p>{'tea ' * 30_000}</p>", "larger than 100 kB"),
    ],
)
def test_html_that_mail_servers_distrust_is_told(html: str, words: str) -> None:
    assert words in told(html=html)


def test_a_link_may_read_as_the_place_it_leads_to() -> None:
    assert told(html='<a href="https://www.tea.example/a">https://tea.example/a</a> and www.other.example') == ""
