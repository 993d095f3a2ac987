"""What makes mail servers and readers distrust a letter: found in a template before anybody gets it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

from drumbeat.domain.plaintext import tidy
from drumbeat.domain.template import TemplateText

_LONGEST_SUBJECT: Final = 70
_LARGEST_HTML: Final = 100_000
_ACTIVE: Final = frozenset(("script", "form", "input", "button", "iframe", "object", "embed", "video", "audio"))
_TAG = re.compile(r"\{\{[^{}]*\}\}|\{%[^{}]*%\}")
_FILLED_IN = "\N{OBJECT REPLACEMENT CHARACTER}"  # stands for the value of a merge tag
_REPLY = re.compile(r"(re|aw|fwd?|wg) ?:", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://|(?=www\.))([^\s/:?#]+)", re.IGNORECASE)
_AROUND = ".,;!()[]{}<>'\"’”»…"  # what a sentence puts behind an address


def check_letter(source: TemplateText) -> list[str]:
    """Sentences about what should be mended, in the order of the letter; none if nothing was found.

    Takes what compiled: its length is limited.
    """
    subject, html = (_TAG.sub(_FILLED_IN, part or "") for part in (source.subject, source.html))
    return [*_of_subject(subject), *_of_html(html)]


def _of_subject(subject: str) -> list[str]:
    found = []
    letters = [each for each in subject if each.isalpha()]
    if len(subject) > _LONGEST_SUBJECT:
        found.append(f"The subject has {len(subject)} characters; phones show about {_LONGEST_SUBJECT}.")
    if len(letters) > 8 and sum(each.isupper() for each in letters) > 0.7 * len(letters):
        found.append("The subject is written in capitals.")
    if subject.count("!") > 1:
        found.append("The subject has more than one exclamation mark.")
    if _REPLY.match(subject):
        found.append("The subject pretends to be an answer; let the step go on in the thread instead.")
    return found


def _of_html(html: str) -> list[str]:
    if not html:
        return []
    seen = _Seen()
    seen.feed(tidy(html))
    seen.close()
    seen.end_link()
    found = [
        f"<{tag}> does not work in letters, and mail servers take it for an attack." for tag in sorted(seen.active)
    ]
    if seen.without_words:
        found.append(f"{seen.without_words} of its images have no alt text: many readers see that instead of them.")
    if seen.images and len("".join(seen.words).split()) < 20 * seen.images:
        found.append("It is more image than text, as unwanted mail is.")
    found += [
        f"A link that reads {text} leads to {host}: readers are warned of that." for text, host in seen.misleading
    ]
    if seen.plain_links:
        found.append("A link begins with http://; write https://.")
    if seen.handlers:
        found.append("Attributes such as onclick do nothing in letters; leave them out.")
    if len(html) > _LARGEST_HTML:
        found.append("The HTML is larger than 100 kB: some mail programs cut it off.")
    return found


@dataclass
class _Seen(HTMLParser):
    active: set[str] = field(default_factory=set)
    words: list[str] = field(default_factory=list)
    misleading: list[tuple[str, str]] = field(default_factory=list)
    images: int = 0
    without_words: int = 0
    plain_links: int = 0
    handlers: int = 0
    _host: str = ""
    _link_starts: int = 0

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count what is worth a sentence."""
        given = dict(attrs)
        if tag in _ACTIVE:
            self.active.add(tag)
        if tag == "img":
            self.images += 1
            self.without_words += not given.get("alt")
        if tag == "a":
            self.end_link()
            target = (given.get("href") or "").strip()
            self.plain_links += target.lower().startswith("http://")
            led_to = _ADDRESS.match(target)
            self._host = _host(led_to[1]) if led_to else ""
            self._link_starts = len(self.words)
        self.handlers += any(name.startswith("on") for name in given)

    def handle_endtag(self, tag: str) -> None:
        """A link ends."""
        if tag == "a":
            self.end_link()

    def handle_data(self, data: str) -> None:
        """Text."""
        self.words.append(data)

    def end_link(self) -> None:
        """The text of a link should not name another place than it leads to."""
        host, self._host = self._host, ""
        named = _ADDRESS.search("".join(self.words[self._link_starts :])) if host else None
        if named and _FILLED_IN not in f"{host}{named[1]}" and _host(named[1]) not in ("", host):
            self.misleading.append((named[0].rstrip(_AROUND), host))


def _host(written: str) -> str:
    """The host of an address as it is written in a text, without what may be left out."""
    return written.rpartition("@")[2].rstrip(_AROUND).lower().removeprefix("www.")
