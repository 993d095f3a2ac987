"""Which locales there are."""

from __future__ import annotations

import pytest

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.locale import DEFAULT_LOCALE, locale_named, offered_locales, tag_of


@pytest.mark.parametrize("tag", [DEFAULT_LOCALE, "de-CH", "zh-Hans-CN", "de"])
def test_a_locale_goes_by_its_tag(tag: str) -> None:
    assert tag_of(locale_named(tag)) == tag


def test_case_makes_no_difference() -> None:
    assert tag_of(locale_named("EN-gb")) == "en-GB"


@pytest.mark.parametrize("tag", ["", "xx", "root", "en_GB", "de-DE-1996-x", "\0", "x" * 1000])
def test_what_is_no_locale_is_said_to_be_none(tag: str) -> None:
    with pytest.raises(IncorrectValue) as refused:
        locale_named(tag)
    assert refused.value.field == "locale"
    assert len(refused.value.detail or "") < 120


def test_locales_of_countries_are_offered_by_name() -> None:
    offered = dict(offered_locales())
    assert offered["de-CH"] == "German (Switzerland)"
    assert "de" not in offered
    assert list(offered.values()) == sorted(offered.values())
