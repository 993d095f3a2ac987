"""How a template's letter looks for somebody while it is written, and for whom one may look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drumbeat.domain.access import sees
from drumbeat.domain.errors import DrumbeatError, Refused, TemplateSyntax
from drumbeat.domain.gaps import mark_html, pieces
from drumbeat.domain.letter_check import check_letter
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.template import TemplateText
from drumbeat.http.parts import parts_of
from drumbeat.http.web.finding import Filter, list_people
from drumbeat.http.web.forms import read_number
from drumbeat.http.web.frame import Visit
from drumbeat.http.wording import name_of
from drumbeat.operations.templates import preview
from drumbeat.store import people

_OFFERED = 20
_PARTS = {"subject": "Subject: ", "html": "HTML: ", "text": "Text: "}


def find_whom(visit: Visit, whom: str) -> Person | None:
    """Whom a field or an address names as `kind:id`; None for nobody, or somebody who is not seen."""
    kind, _, id = whom.partition(":")
    if kind not in list(PersonKind):
        return None
    number = read_number(id)
    person = people.find(visit.snapshot, visit.account_id, PersonKind(kind), number)
    return person if person is not None and sees(visit.seen_by, person.owner_id) else None


def offered_people(visit: Visit, whom: str = "", text: str = "") -> list[Person]:
    """Whom to look at letters for: those that a text finds, else the newest; first of all the one who is named."""
    hash_key = parts_of(visit.request).world.hash_key
    found: list[Person] = []
    for kind in PersonKind:
        sought = Filter(kind, text.strip()[:200])
        listed = list_people(
            visit.snapshot, hash_key, visit.account_id, sought, "", seen_by=visit.seen_by, limit=_OFFERED
        )
        found += listed.people
    chosen = find_whom(visit, whom)
    if chosen is None or (text and chosen not in found):
        return found
    return [chosen, *(person for person in found if person != chosen)]


@dataclass(frozen=True, slots=True)
class Tried:
    """How a letter looks for somebody, its subject and text in the pieces of `domain/gaps.py`; or what is in the way:
    tags without a value, or what does not parse."""

    person: Person | None
    subject: Sequence[tuple[str, bool]] = ()
    text: Sequence[tuple[str, bool]] = ()
    html: str = ""
    missing: tuple[str, ...] = ()
    trouble: str = ""
    advice: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The same in a few words, for those who hear it while they write."""
        if self.trouble:
            return "The letter cannot be made."
        if self.person is None:
            return "Nobody is chosen."
        if not (self.subject or self.text or self.missing):
            return "Nothing is written yet."
        count = len(self.missing)
        lacking = "No value is" if not count else "One value is" if count == 1 else f"{count} values are"
        return f"{lacking} missing for {name_of(self.person)}."


def tried_for(visit: Visit, source: TemplateText, person: Person | None, base_url: str) -> Tried:
    """A template's letter for a person, from whoever looks at it."""
    if person is None or not (source.subject or source.html or source.text):
        return Tried(person)
    try:
        url = f"{base_url}/u/preview"
        tried = preview(visit.snapshot, visit.account_id, visit.user, source, person, url)
    except Refused as error:
        return Tried(person, trouble=told_of(error))
    advice = tuple(check_letter(source))  # it compiled, so it is not longer than that can be done
    letter = tried.rendered or tried.marked
    if letter is None:
        return Tried(person, missing=tried.missing, advice=advice)
    subject, text, html = pieces(letter.subject), pieces(letter.text), letter.html or ""
    return Tried(person, subject, text, mark_html(html) if tried.missing else html, tried.missing, advice=advice)


def told_of(error: DrumbeatError) -> str:
    """What is in the way of a letter, with the part that it is about."""
    part = "" if isinstance(error, TemplateSyntax) else _PARTS.get(error.field or "", "")
    return part + (error.detail or error.message)
