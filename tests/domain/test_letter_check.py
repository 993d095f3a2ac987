"""What a template is told before anybody gets its letter."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("https://www.tea.example/a", "https://tea.example/a"),
        ("https://tea.example", "See https://tea.example."),
        ("https://tea.example", "tea (https://tea.example), cake"),
        ("https://tea.example/", "“www.TEA.example”"),
        (" HTTPS://Tea.Example/?a=b ", "http://<b>tea.example</b>:443"),
        ("https://olive@tea.example", "https://<b>tea</b>.example/new!"),
        ("https://{{ person.custom.shop }}/", "https://tea.example"),
        ("https://tea.example", "https://{{ person.custom.shop }}"),
        ("https://tea.example", "https://, or so it begins"),
        ("{{ unsubscribe_url }}", "https://tea.example"),
        ("", "https://tea.example"),
    ],
)
def test_a_link_may_read_as_the_place_it_leads_to(target: str, words: str) -> None:
    assert told(html=f'<p>www.other.example <a href="{target}">{words}</a> and www.other.example</p>') == ""


def test_a_link_that_reads_as_another_place_is_told_once_with_that_place() -> None:
    html = '<a href="https://tea.example@Evil.example/x">Have (https://<b>tea</b>.example), www.tea.example'
    expected = "A link that reads https://tea.example leads to evil.example: readers are warned of that."
    assert told(html=html) == told(html=f"{html}</a>") == told(html=f"{html}<a>") == expected


@pytest.mark.parametrize(
    "html", ["<![ endif]>", "<![ if !mso ]>", "<![x", "<!x", "<?x", "<!-- x -->", "a <b", "<<!x>![x"]
)
def test_html_as_word_processors_write_it_is_checked_all_the_same(html: str) -> None:
    assert told(html=f'{html}<p>{html}<script></script><p onclick="x()">{html}').endswith("leave them out.")


PIECES = ["<", ">", "<!", "<![", "<!--", "-->", "<a ", "href='https://a.example'", "www.b", '"', "</", "&", "{{", "%}"]


@given(st.lists(st.sampled_from(PIECES)))
@settings(max_examples=200, deadline=None)
def test_broken_html_is_checked_all_the_same(pieces: list[str]) -> None:
    assert "alt text" in told(html="".join(["<img>", *pieces]))


@pytest.mark.parametrize(
    "piece",
    [
        *("<", "<a ", "<a x='", "<a href=https://a.example>www.b<b>", "</", "<!", "<![", "<!--", "<?", "<script><"),
        *("{{", "{{ x ", "{%", "{% x ", "&#", "www.", "https://", " "),
    ],
)
def test_hostile_html_is_checked_about_as_quickly_as_any_other(piece: str) -> None:
    began = time.process_time()
    told("Tea?", piece * (200_000 // len(piece)))
    told(piece * (200_000 // len(piece)), "<p>Tea</p>")
    assert time.process_time() - began < 2
