"""Locales: how people of a language and a country write days, times and numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers

from drumbeat.domain.errors import IncorrectValue

DEFAULT_LOCALE: Final = "en-GB"


@lru_cache(maxsize=256)
def locale_named(name: str) -> Locale:
    """The locale of a tag such as en-GB or de-CH; IncorrectValue if there is none."""
    try:
        found = Locale.parse(name, sep="-")
    except (ValueError, UnknownLocaleError):
        found = None
    if found is None or found.language == "root":
        raise IncorrectValue(f"There is no locale {name[:40]!r}; write one such as en-GB.", field="locale")
    return found


def tag_of(locale: Locale) -> str:
    """The tag by which a locale is stored and sent."""
    return str(locale).replace("_", "-")


@lru_cache(maxsize=1)
def offered_locales() -> tuple[tuple[str, str], ...]:
    """Tags and English names of the locales that forms offer, by name: those of countries."""
    found = [locale_named(name.replace("_", "-")) for name in locale_identifiers() if name != "root"]
    named = [(tag_of(each), each.get_display_name("en") or "") for each in found if each.territory]
    return tuple(sorted((pair for pair in named if pair[1]), key=lambda pair: pair[1]))
