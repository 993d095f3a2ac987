"""The text of an HTML letter for those who read no HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_SPACE: Final = re.compile(r"\s+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_DECLARATION: Final = re.compile(r"<[!?][^<>]*>")
_LOOSE: Final = re.compile(r"<(?!/?[A-Za-z][^<>]*>)")
_DROPPED: Final = frozenset({"script", "style", "title"})
# fmt: off
_LINES: Final = frozenset({
    "address", "article", "aside", "blockquote", "dd", "div", "dl", "dt", "fieldset", "footer", "form",
    "header", "hr", "li", "main", "nav", "ol", "pre", "section", "table", "tbody", "tfoot", "thead", "tr",
    "ul",
})
# fmt: on
_PARAGRAPHS: Final = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6"])


def plain_text(html: str) -> str:
    """The words of the HTML: blocks on lines of their own, links as `text (url)`, no scripts or styles."""
    reader = _Reader()
    reader.feed(tidy(html))
    reader.close()
    lines = (line.strip() for line in "".join(reader.pieces).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


def tidy(html: str) -> str:
    """The HTML without what breaks or slows the parser: comments, declarations, a `<` that opens no tag."""
    before, *comments = html.split("<!--")
    html = before + "".join(comment.partition("-->")[2] for comment in comments)
    return _LOOSE.sub("&lt;", _DECLARATION.sub("", html))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.dropping: str | None = None
        self.link = ""
        self.link_starts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self.dropping = tag
        elif tag == "body":
            self.dropping = None
        elif tag == "a":
            self.link = dict(attrs).get("href") or ""
            self.link_starts = len(self.pieces)
        elif tag == "img":
            self.handle_data(dict(attrs).get("alt") or "")
        elif tag == "br":
            self.pieces.append("\n")
        self._break(tag)
        if tag == "li":
            self.pieces.append("- ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.dropping:
            self.dropping = None
        elif tag == "a":
            self._end_link()
        self._break(tag)

    def handle_data(self, data: str) -> None:
        words = _SPACE.sub(" ", data)
        if self.dropping is None and not (words == " " and self._at_line_start()):
            self.pieces.append(words)

    def _break(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self.pieces.append("\n\n")
        elif tag in _LINES and not self._at_line_start():
            self.pieces.append("\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")

    def _at_line_start(self) -> bool:
        return not self.pieces or self.pieces[-1].endswith("\n")

    def _end_link(self) -> None:
        shown = "".join(self.pieces[self.link_starts :]).strip()
        url, self.link = self.link.strip(), ""
        if url.partition(":")[0].lower() in ("http", "https", "mailto") and shown not in (url, url[7:]):
            self.pieces.append(f" ({url})" if shown else url)
