from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.unsubscribe import (
    Suppression,
    check_locale,
    find_unsubscribe_token,
    footer,
    header_values,
    language,
    mailto_of,
    page_words,
    read_unsubscribe_token,
    unsubscribe_token,
)

KEY = b"k" * 32
LOCALES = ["en", "fr", "de", "es", "pt", "pl", "it", "nl"]
ids = st.integers(0, 2**63 - 1)


@given(ids, ids)
@settings(max_examples=200)
def test_a_token_names_its_account_and_enrollment(account_id: int, enrollment_id: int) -> None:
    token = unsubscribe_token(KEY, account_id, enrollment_id)
    assert read_unsubscribe_token(KEY, token) == (account_id, enrollment_id)
    assert read_unsubscribe_token(b"another key", token) is None
    assert len(token) <= 52
    assert set(token) <= set("0123456789abcdefghijklmnopqrstuvwxyz.")


@given(st.integers(0, 60), st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyzA._-\né"))
@settings(max_examples=200)
def test_a_token_changed_anywhere_is_none_of_ours(place: int, letter: str) -> None:
    token = unsubscribe_token(KEY, 12, 3456)
    changed = token[:place] + letter + token[place + 1 :]
    assert read_unsubscribe_token(KEY, changed) == ((12, 3456) if changed == token else None)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "1.2",
        "1.2." + "a" * 24,
        "z" * 13 + ".1." + "a" * 24,
        "0" + unsubscribe_token(KEY, 1, 2),
        unsubscribe_token(KEY, 1, 2).upper(),
        unsubscribe_token(KEY, 1, 2) + "\n",
        "١.٢." + "a" * 24,
        "a" * 100_000,
    ],
)
def test_what_only_looks_like_a_token_is_none_of_ours(token: str) -> None:
    assert read_unsubscribe_token(KEY, token) is None


@given(ids, ids, st.sampled_from(["unsubscribe {}", "{}", "Re: unsubscribe {} ", "AW: {}."]))
def test_a_token_is_found_within_a_subject(account_id: int, enrollment_id: int, subject: str) -> None:
    token = unsubscribe_token(KEY, account_id, enrollment_id)
    assert find_unsubscribe_token(subject.format(token)) == token


@pytest.mark.parametrize("subject", ["", "unsubscribe", "version 1.2.3", "1.2." + "a" * 23, "1.2." + "a" * 25])
def test_a_subject_without_a_token_has_none(subject: str) -> None:
    assert find_unsubscribe_token(subject) is None


def test_the_way_out_by_mail_stands_in_the_header_where_one_can_hold_it() -> None:
    token = unsubscribe_token(KEY, 1, 2)
    mailto = mailto_of("olive+tea@tea.example", token)
    assert mailto == f"olive+tea@tea.example?subject=unsubscribe%20{token}"
    assert header_values("https://x.example/u", mailto)[0].endswith(f", <mailto:{mailto}>")
    assert mailto_of("o'live!@tea.example", token) is None


def test_a_token_moved_to_another_account_is_none_of_ours() -> None:
    secret = unsubscribe_token(KEY, 1, 2).rpartition(".")[2]
    assert read_unsubscribe_token(KEY, f"2.2.{secret}") is None
    assert read_unsubscribe_token(KEY, f"1.3.{secret}") is None


@pytest.mark.parametrize("number", [-1, 2**63])
def test_a_token_is_not_made_for_what_is_no_id(number: int) -> None:
    with pytest.raises(ValueError, match="no id"):
        unsubscribe_token(KEY, number, 1)


def test_header_values_are_a_link_an_address_and_one_click() -> None:
    assert header_values("https://m.example/u/a.b", "u+a.b@m.example") == (
        "<https://m.example/u/a.b>, <mailto:u+a.b@m.example>",
        "List-Unsubscribe=One-Click",
    )
    assert header_values("http://localhost:8000/u/1", None)[0] == "<http://localhost:8000/u/1>"
    assert header_values("https://m.example/", "mailto:u@m.example?subject=stop")[0].endswith(
        ", <mailto:u@m.example?subject=stop>"
    )


@pytest.mark.parametrize(
    ("url", "mailto"),
    [
        ("", None),
        ("ftp://x", None),
        ("https://x\r\nBcc: y", None),
        ("https://x>", None),
        ("https://x y", None),
        ("https://é.example", None),
        ("https://x/" + "a" * 1000, None),
        ("https://x", ""),
        ("https://x", "u@x\r\nBcc: y"),
        ("https://x", "u@x>, <https://evil.example"),
    ],
)
def test_header_values_refuse_what_could_add_to_the_header(url: str, mailto: str | None) -> None:
    with pytest.raises(ValueError, match="List-Unsubscribe"):
        header_values(url, mailto)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("en-US", "en"), ("de_AT", "de"), ("PT-br", "pt"), ("pl", "pl"), ("tlh", "en"), ("", "en"), (None, "en")],
)
def test_a_locale_has_a_language_and_unknown_ones_english(locale: str | None, expected: str) -> None:
    assert language(locale) == expected
    assert page_words(locale) == page_words(expected)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_has_its_own_footer_and_page(locale: str) -> None:
    made = footer(locale, "https://m.example/u/1", "Acme\nMain Street 1")
    assert "https://m.example/u/1" in made.html
    assert made.text.splitlines()[0] == "-- "
    assert made.text.endswith("https://m.example/u/1\nAcme\nMain Street 1")
    words = page_words(locale)
    assert all((words.title, words.question, words.button, words.done, words.invalid))
    others = [other for other in LOCALES if other != locale]
    assert all(footer(other, "u", None) != footer(locale, "u", None) for other in others)
    assert all(page_words(other).done != words.done for other in others)


def test_a_footer_escapes_for_html_only() -> None:
    made = footer("en", "https://m.example/?a=1&b=2", "<b>A & B</b>")
    assert 'href="https://m.example/?a=1&amp;b=2"' in made.html
    assert "&lt;b&gt;A &amp; B&lt;/b&gt;" in made.html
    assert "https://m.example/?a=1&b=2\n<b>A & B</b>" in made.text


@pytest.mark.parametrize("nothing", [None, "", " \n"])
def test_a_footer_without_a_postal_address_is_one_line(nothing: str | None) -> None:
    assert len(footer("en", "https://m.example/", nothing).text.splitlines()) == 2


def test_suppressions_are_words_that_are_stored() -> None:
    assert [str(word) for word in Suppression] == ["unsubscribed", "complained", "suppressed"]


@pytest.mark.parametrize("text", ["en-US", "de", "pt_BR", "zh-Hant-TW"])
def test_a_locale_is_taken_as_it_is_written(text: str) -> None:
    assert check_locale(text) == text


@pytest.mark.parametrize("text", ["", "e", "english", "en US", "en-", "12"])
def test_what_is_no_locale_is_refused(text: str) -> None:
    with pytest.raises(IncorrectValue, match="Write a locale such as en-US or de"):
        check_locale(text)
