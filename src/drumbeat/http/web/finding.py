"""Which people a list of them shows, by what stands in its address: a link to it can be shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from drumbeat.domain.access import sees
from drumbeat.domain.errors import Refused
from drumbeat.domain.person import Person, PersonKind, address_hash, normalize_email, search_words, words_in
from drumbeat.http.web.forms import read_number
from drumbeat.store import imports, people, person_pages
from drumbeat.store.pages import Place
from drumbeat.store.person_pages import Sought
from drumbeat.store.search import MOST_LOOKED_AT, search
from drumbeat.store.transaction import Snapshot

MOST_CHOSEN: Final = 500
"""People ticked one by one: their ids stand in an address."""
_SHOWN = 50
_AT_A_TIME = 100
_WALKED = 500
_MOST_PAGES = 40


@dataclass(frozen=True, slots=True)
class Filter:
    """People of a kind: those a text finds, of an owner, or of an import's file; and the sequence they are for."""

    kind: PersonKind = PersonKind.CONTACT
    text: str = ""
    owner_id: int = 0
    import_id: int = 0
    sequence_id: int = 0

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> Filter:
        """The filter that an address or a form names; what it does not name rightly is not looked at."""
        kind = PersonKind.LEAD if sent.get("kind") == PersonKind.LEAD else PersonKind.CONTACT
        text = sent.get("q", "").replace("\0", "").strip()[:200]
        numbers = (read_number(sent.get(name, "")) for name in ("owner", "import", "enroll"))
        return cls(kind, text, *numbers)

    @property
    def query(self) -> str:
        """What leads to this list, as the query of its address."""
        return self.leading_to()

    def leading_to(self, after: str = "", ids: Iterable[int] = ()) -> str:
        """The same to what is behind a place in it, or with people who were chosen from it."""
        named: dict[str, object] = {**self.fields, "enroll": self.sequence_id, "after": after, "id": [*ids]}
        return urlencode({name: value for name, value in named.items() if value}, doseq=True)

    @property
    def fields(self) -> dict[str, str]:
        """What is listed, as the fields of a form."""
        named = {"kind": self.kind.value, "q": self.text, "owner": self.owner_id, "import": self.import_id}
        return {name: str(value) for name, value in named.items() if value}

    @property
    def other(self) -> Filter:
        """The same among people of the other kind; a file is of one kind."""
        kind = PersonKind.CONTACT if self.kind is PersonKind.LEAD else PersonKind.LEAD
        return replace(self, kind=kind, import_id=0)

    @property
    def is_blank(self) -> bool:
        """Whether it lists everybody."""
        return not (self.text or self.owner_id or self.import_id)


@dataclass(frozen=True, slots=True)
class Listed:
    """Some people, the place behind which the list goes on (blank: nowhere), and whether so many were looked at that no
    more were before there were as many as asked for."""

    people: list[Person]
    after: str = ""
    gave_up: bool = False


def read_ids(sent: Iterable[str]) -> list[int]:
    """Ids of people who were ticked one by one, MOST_CHOSEN at most."""
    ids = dict.fromkeys(read_number(text) for text in sent)
    return [id for id in ids if id][:MOST_CHOSEN]


def list_people(
    snapshot: Snapshot,
    hash_key: bytes,
    account_id: int,
    sought: Filter,
    after: str,
    *,
    seen_by: int | None,
    limit: int = _SHOWN,
) -> Listed:
    """A page of the people of a filter behind `after`: the newest first, those found by a text by their words."""
    if sought.import_id:
        return _of_import(snapshot, account_id, sought, after, seen_by, limit)
    if "@" in sought.text and not after and (exact := _by_address(snapshot, hash_key, account_id, sought, seen_by)):
        return Listed(exact)
    if sought.text:
        return _found(snapshot, account_id, sought, after, seen_by, limit)
    columns: dict[str, Any] = {"owner_id": sought.owner_id} if sought.owner_id else {}
    place = Place(limit=limit + 1, after=read_number(after), descending=True)
    found = person_pages.list_page(snapshot, account_id, Sought(sought.kind, columns=columns), place, seen_by=seen_by)
    return Listed(found[:limit], str(found[limit - 1].id) if len(found) > limit else "")


def _by_address(
    snapshot: Snapshot, hash_key: bytes, account_id: int, sought: Filter, seen_by: int | None
) -> list[Person]:
    """Everybody who has exactly this address; an address is found in any spelling of its letters' case."""
    try:
        hashed = address_hash(hash_key, account_id, normalize_email(sought.text))
    except Refused:
        return []
    found = person_pages.list_page(
        snapshot,
        account_id,
        Sought(sought.kind, columns={"address_hash": hashed}),
        Place(limit=_SHOWN),
        seen_by=seen_by,
    )
    return [person for person in found if sought.owner_id in (0, person.owner_id)]


def _found(snapshot: Snapshot, account_id: int, sought: Filter, after: str, seen_by: int | None, limit: int) -> Listed:
    id, _, word = after.partition(" ")
    place = (word, read_number(id)) if word else ("", 0)
    owner = sought.owner_id or None
    if owner is not None and seen_by not in (None, owner):
        return Listed([])
    kind, whose = sought.kind, owner or seen_by
    hits = search(snapshot, account_id, kind, sought.text, seen_by=whose, after=place, limit=limit + 1)
    has_next = len(hits.people) > limit
    last = hits.places[limit - 1] if has_next else hits.gave_up_at
    return Listed(hits.people[:limit], f"{last[1]} {last[0]}" if last else "", bool(last) and not has_next)


def _of_import(
    snapshot: Snapshot, account_id: int, sought: Filter, after: str, seen_by: int | None, limit: int
) -> Listed:
    job = imports.get(snapshot, account_id, sought.import_id, seen_by=seen_by)
    shown: list[Person] = []
    if job.kind is not sought.kind:
        return Listed(shown)
    words, last = words_in(sought.text), read_number(after)
    for _ in range(MOST_LOOKED_AT // _AT_A_TIME):
        ids = imports.people_of(snapshot, account_id, job.id, last, _AT_A_TIME)
        found = people.find_many(snapshot, account_id, [(job.kind, id) for id in ids])
        for id in ids:
            person = found.get((job.kind, id))
            if person is not None and sees(seen_by, person.owner_id) and _fits(person, sought, words):
                if len(shown) == limit:
                    return Listed(shown, str(last))
                shown.append(person)
            last = id
        if len(ids) < _AT_A_TIME:
            return Listed(shown)
    return Listed(shown, str(last), gave_up=True)


def _fits(person: Person, sought: Filter, words: Iterable[str]) -> bool:
    theirs = search_words(person)
    is_theirs = sought.owner_id in (0, person.owner_id)
    return is_theirs and all(any(each.startswith(word) for each in theirs) for word in words)


def walk_people(
    snapshot: Snapshot,
    hash_key: bytes,
    account_id: int,
    sought: Filter,
    after: str,
    *,
    seen_by: int | None,
    most: int,
) -> Listed:
    """The first `most` people of a filter behind `after`; where few of very many fit, fewer."""
    walked: list[Person] = []
    for _ in range(_MOST_PAGES):
        limit = min(_WALKED, most - len(walked))
        page = list_people(snapshot, hash_key, account_id, sought, after, seen_by=seen_by, limit=limit)
        walked += page.people
        after = page.after
        if not after or len(walked) == most:
            return Listed(walked, after)
    return Listed(walked, after, gave_up=True)
