from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.plaintext import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi  Ada,</p>\n<p>how\nare you?</p>", "Hi Ada,\n\nhow are you?"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<div>one</div><div><div>two</div></div>", "one\ntwo"),
        ("<ul>\n <li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a  b"),
        ('see <a href="https://x.example/?a=1&amp;b=2">this</a>.', "see this (https://x.example/?a=1&b=2)."),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example"),
        ('<a href="mailto:a@x.example">write</a>', "write (mailto:a@x.example)"),
        ('<a href="https://x.example"><img src="a"></a>', "https://x.example"),
        ('<a href="#top">up</a><a name="x">x</a></a>', "upx"),
        ('<img src="a.png" alt="Our team">', "Our team"),
        ("<style>p { color: red }</style><script>if (a < b) {}</script>a", "a"),
        ("<head><title>T<body>a", "a"),
        ("<!DOCTYPE html><!-- a --><!--[if mso]><p>b</p><![endif]-->c<?d?>", "c"),
        ("a<!-- open <!-- b --> c", "a c"),
        ("1 < 2 &lt; 3 &amp; <", "1 < 2 < 3 & <"),
        ("a&nbsp;b", "a b"),
        ("", ""),
    ],
)
def test_the_words_of_html_are_kept_and_laid_out(html: str, text: str) -> None:
    assert plain_text(html) == text + "\n"


@given(st.lists(st.sampled_from(["<", ">", "<!", "<![", "<!--", "-->", "<a ", "href='", '"', "</", "&", "x"])))
@settings(max_examples=200, deadline=None)
def test_broken_html_still_has_a_text(pieces: list[str]) -> None:
    text = plain_text("".join(["<p>first</p>", *pieces]))
    assert text.startswith("first")
    assert "\n\n\n" not in text
