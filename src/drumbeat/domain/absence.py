"""The day somebody who is away says to be back, in the languages and the ways people write dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final
from unicodedata import normalize

from babel import Locale
from babel.dates import get_day_names, get_month_names

# fmt: off
_LANGUAGES: Final = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "nb", "fi", "cs", "sk", "hu", "ro", "tr", "ru", "uk",
    "bg", "el", "hr", "sl", "et", "lv", "lt", "ca", "id", "vi", "he", "ar",
)
# fmt: on
_LONGEST: Final = 5000  # characters that are read: the date stands at the beginning
_AHEAD: Final = timedelta(days=400)
_BACKWARD: Final = timedelta(days=3)

# Words before a day on which somebody is back, or until which they are away. Those that say `back` come first.
_BACK: Final = re.compile(
    r"\b(?:back|return(?:ing|s)?|available again|resume|wieder|zur[uü]ck|retour|reviens|reviendrai|rentre\w*|"
    r"regres\w*|"
    r"vuelv\w*|volver\w*|volt(?:o|arei|a|ando)|retorn\w*|torn(?:o|er\w*|ata|ato)|rientr\w*|terug|weer|wr[oó]c\w*|"
    r"powr[oó]t\w*|"
    r"dost[eę]pn\w*|tillbaka|[aå]ter|tilbage|tilbake|takaisin|paikalla|jälleen|zp[eě]t|vr[aá]t\w*|vissza\w*|"
    r"rev(?:in|eni\w*)|"
    r"d[oö]n\w*|tekrar|верн\w*|снова|выйду|поверн\w*|επιστρ\w*)\b|戻|復帰|出社|回来|返回|回到|上班|복귀|출근",
    re.IGNORECASE,
)
_UNTIL: Final = re.compile(
    r"\b(?:until|till|til|through|thru|to|bis|jusqu\W?\w*|au|hasta|al|até|ate|a|ao|fino|sino|al|tot|t/m|do|"
    r"t\.o\.m\.?|tom|"
    r"til og med|til|asti|saakka|až|ig|până|pana|la|kadar|tarihine|по|до|μέχρι|έως|until and including|and|und|et|"
    r"y|e|en|i|och|og|ja)\b"
    r"|[-–—~〜～]|まで|至|到|直到|까지",
    re.IGNORECASE,
)
_ORDINAL: Final = r"(?:st|nd|rd|th|er|[ºª°o]|-?го|\.)?"
_JOIN: Final = r"[\s,]*(?:of\s+|de\s+|del\s+|d['’]\s*|den\s+|the\s+)?"
_NUMBER_DATES: Final = (
    re.compile(r"(?<!\d)(?P<y>20\d\d)\s*[-/.年년]\s*(?P<m>\d{1,2})\s*[-/.月월]\s*(?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?<!\d)(?P<m>\d{1,2})\s*[月월]\s*(?P<d>\d{1,2})\s*[日일]?"),
    re.compile(r"(?<![\d.])(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.?(?:\s?(?P<y>20\d\d|\d\d(?![\d:.])))?(?![\d:])"),
    re.compile(r"(?<![\d/-])(?P<a>\d{1,2})(?P<sep>[/-])(?P<b>\d{1,2})(?:(?P=sep)(?P<y>20\d\d|\d\d))?(?![\d/-])"),
)
_AMERICAN: Final = re.compile(r"(?<![\d/])(?:0?[1-9]|1[0-2])/(?:1[3-9]|2\d|3[01])(?![\d])")


@dataclass(frozen=True, slots=True)
class _Found:
    day: date
    start: int
    end: int


def return_date(text: str, sent_on: date, *, month_first: bool = False) -> date | None:
    """The day of return (or the last day away, if only that is told) in an auto-reply sent on `sent_on`.

    A day without a year is the next one ahead; 1/5 is the fifth of January with `month_first`, or if another
    date of the text can only be read so.
    """
    words = normalize("NFC", text[:_LONGEST]).lower()
    found = sorted(_dates(words, sent_on, month_first=month_first), key=lambda each: each.start)
    ahead = [each for each in found if sent_on - _BACKWARD <= each.day <= sent_on + _AHEAD]
    for pattern in (_BACK, _UNTIL):
        told = [each for each in ahead if pattern.search(_before(words, each)) or _after(pattern, words, each)]
        if told:
            return told[-1].day if pattern is _UNTIL else told[0].day
    return _weekday_of_return(words, sent_on)


def _before(words: str, found: _Found) -> str:
    """The words of the same sentence right before a date, an earlier date in them left out."""
    return re.split(r"[.!?;]\s|\n\n", words[max(0, found.start - 45) : found.start])[-1]


def _after(pattern: re.Pattern[str], words: str, found: _Found) -> bool:
    """Whether a date is followed by words such as `am I back`, まで or asti."""
    after = words[found.end : found.end + 40]
    if pattern is _BACK:
        sentence = re.split(r"[.!?;,]\s|[。\n]", after.lstrip(".,"))[0]
        return _BACK.search(sentence) is not None and not re.search(r"\d", sentence)
    return _UP_TO_IT.match(after) is not None


_UP_TO_IT: Final = re.compile(
    r"\s?(?:日|일)?\s?(?:\([^)]{1,3}\)|（[^）]{1,3}）)?\s?(?:まで|까지|为止|asti|"
    r"saakka|['’]?\w{0,4} (?:tarihine )?kadar|-?ig\b)"
)


def _dates(words: str, sent_on: date, *, month_first: bool) -> Iterator[_Found]:
    pattern, months = _named_months()
    for match in pattern.finditer(words):
        day, year = match["d"] or match["d2"], match["y"] or match["y2"]
        month = months[(match["m"] or match["m2"]).rstrip(".")]
        if found := _day(year, month, int(day), sent_on):
            yield _Found(found, match.start(), match.end())
    month_first = month_first or _AMERICAN.search(words) is not None
    for form in _NUMBER_DATES:
        for match in form.finditer(words):
            if found := _numbered(match, sent_on, month_first=month_first):
                yield _Found(found, match.start(), match.end())


def _numbered(match: re.Match[str], sent_on: date, *, month_first: bool) -> date | None:
    parts = match.groupdict()
    if "a" not in parts:
        return _day(parts.get("y"), int(parts["m"]), int(parts["d"]), sent_on)
    first, second = int(parts["a"]), int(parts["b"])
    month, day = (first, second) if month_first or second > 12 else (second, first)
    if month > 12:
        month, day = day, month
    return _day(parts["y"], month, day, sent_on)


def _day(year: str | None, month: int, day: int, sent_on: date) -> date | None:
    try:
        if year:
            return date(int(year) + (2000 if len(year) == 2 else 0), month, day)
        found = date(sent_on.year, month, day)
        return found if found >= sent_on - _BACKWARD else date(sent_on.year + 1, month, day)
    except ValueError:
        return None


@lru_cache(maxsize=1)
def _named_months() -> tuple[re.Pattern[str], dict[str, int]]:
    """A pattern of dates with a month's name, and the number of each name."""
    names: dict[str, int] = {}
    for language in _LANGUAGES:
        for width in ("wide", "abbreviated"):
            for context in ("format", "stand-alone"):
                for number, name in get_month_names(width, context, Locale(language)).items():
                    word = normalize("NFC", name).lower().rstrip(".")
                    if len(word) > 2 and not word.isdigit():
                        names.setdefault(word, number)
                        names.setdefault(_unaccented(word), number)
    months = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    year = r"(?:[\s,.]*(?:de\s+|del\s+)?(?P<y{0}>20\d\d))?"
    day_first = rf"(?<!\d)(?P<d>\d{{1,2}}){_ORDINAL}{_JOIN}(?P<m>{months})\b\.?{year.format('')}"
    month_first = rf"\b(?P<m2>{months})\.?\s+(?:the\s+)?(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|:\d){year.format('2')}"
    return re.compile(f"{day_first}|{month_first}"), names


def _unaccented(word: str) -> str:
    return "".join(letter for letter in normalize("NFD", word) if not "\u0300" <= letter <= "\u036f")


def _weekday_of_return(words: str, sent_on: date) -> date | None:
    """The next Monday, if somebody is back on Monday."""
    pattern, numbers = _named_days()
    for match in pattern.finditer(words):
        before = _before(words, _Found(sent_on, match.start(), match.end()))
        if _BACK.search(before) or re.search(r"\b(?:until|till|bis|jusqu\W?\w*|hasta|até|fino|tot|do|до)\b", before):
            return sent_on + timedelta(days=(numbers[match[1]] - sent_on.weekday() - 1) % 7 + 1)
    return None


@lru_cache(maxsize=1)
def _named_days() -> tuple[re.Pattern[str], dict[str, int]]:
    names: dict[str, int] = {}
    for language in _LANGUAGES:
        for number, name in get_day_names("wide", "format", Locale(language)).items():
            word = normalize("NFC", name).lower()
            names.setdefault(word, number)
            names.setdefault(_unaccented(word), number)
    days = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"\b({days})\b"), names
