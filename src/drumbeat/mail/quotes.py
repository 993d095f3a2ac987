"""What somebody wrote themselves: a message's text without the quoted letter and the signature."""

from __future__ import annotations

import re
from typing import Final

import quotequail
from mailparser_reply import EmailReplyParser

LONGEST: Final = 10_000  # characters: the libraries' time grows with the square
_LONGEST_LINE: Final = 2_000
_LANGUAGES: Final = ["en", "de", "fr", "it", "ja", "nl", "pl", "sv", "cs", "da", "es", "ko", "zh"]
_SENT_FROM: Final = re.compile(
    r"^(?:sent from (?:my|mail|yahoo|outlook|gmail)|von meinem|gesendet (?:von|mit)|envoy[eé] (?:de|depuis)|"
    r"enviado (?:desde|do|de)|inviato da|verzonden (?:vanaf|met)|"
    r"wys[lł]ane z|skickat fr[aå]n|sendt fra|l[aä]hetetty|get outlook for|outlook f[uü]r|отправлено с|iphoneから送信|"
    r"发自我的)[^\n]{0,80}\s*\Z",
    re.IGNORECASE | re.MULTILINE,
)
_SIGNATURE: Final = re.compile(r"^-- ?$", re.MULTILINE)
_BLANK_LINES: Final = re.compile(r"\n(?:[ \t]*\n){2,}")
_QUOTED_LINE: Final = re.compile(r"^\s*>")
_INTRODUCED: Final = re.compile(
    r"^(?:on\b|am\b|le\b|el\b|em\b|il\b|op\b|w dniu|den\b|dne\b|em\b|\d{4}).{5,120}:\s*\Z|"
    r"^[-_]{5,}\s*[\w ]+\s*[-_]{5,}\s*\Z",
    re.IGNORECASE,
)


def split_quotes(text: str) -> tuple[str, bool]:
    """The writer's own words, and whether another message is quoted beside them."""
    lines = [line[:_LONGEST_LINE] for line in _BLANK_LINES.sub("\n\n", text[:LONGEST]).split("\n")]
    text = "\n".join(lines)
    has_quote = any(_QUOTED_LINE.match(line) for line in lines) or quotequail.unwrap(text) is not None
    cut = [each for each in (_cut_by_reply_parser(text), _cut_by_quotequail(text)) if each]
    own = min(cut, key=len) if cut else "\n".join(line for line in lines if not _QUOTED_LINE.match(line))
    own = "\n".join(line for line in _SIGNATURE.split(own, maxsplit=1)[0].split("\n") if not _QUOTED_LINE.match(line))
    return _SENT_FROM.sub("", own.strip()).strip(), has_quote


def _cut_by_reply_parser(text: str) -> str:
    return (EmailReplyParser(languages=_LANGUAGES).parse_reply(text) or "").strip()


def _cut_by_quotequail(text: str) -> str:
    own = "".join(part for is_own, part in quotequail.quote(text) if is_own).strip()
    lines = own.split("\n")
    return "\n".join(lines[:-1]).strip() if len(lines) > 1 and _INTRODUCED.match(lines[-1].strip()) else own
