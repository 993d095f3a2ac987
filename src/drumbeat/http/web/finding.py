"""Which people a list of them shows, by what stands in its address: a link to it can be shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from drumbeat.domain.access import sees
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.errors import Refused
from drumbeat.domain.person import Person, PersonKind, address_hash, normalize_email, search_words, words_in
from drumbeat.store import imports, people, person_pages
from drumbeat.store.pages import Place
from drumbeat.store.person_pages import Sought
from drumbeat.store.search import search
from drumbeat.store.transaction import Snapshot

_SHOWN = 50
_WALKED = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """People of a kind: those a text finds, of an owner, or of an import's file."""

    kind: PersonKind = PersonKind.CONTACT
    text: str = ""
    owner_id: int = 0
    import_id: int = 0

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> Filter:
        """The filter that an address or a form names; what it does not name rightly is not looked at."""
        kind = PersonKind.LEAD if sent.get("kind") == PersonKind.LEAD else PersonKind.CONTACT
        text = sent.get("q", "").replace("\0", "").strip()[:200]
        return cls(kind, text, read_number(sent, "owner"), read_number(sent, "import"))

    @property
    def query(self) -> str:
        """What leads to this list, as the query of its address."""
        return urlencode(self.fields)

    @property
    def fields(self) -> dict[str, str]:
        """The same as the fields of a form."""
        named = {"kind": self.kind.value, "q": self.text, "owner": self.owner_id, "import": self.import_id}
        return {name: str(value) for name, value in named.items() if value}

    @property
    def is_blank(self) -> bool:
        """Whether it lists everybody."""
        return not (self.text or self.owner_id or self.import_id)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of people, what the next one's address adds, and whether there may be more than were looked at."""

    people: list[Person]
    after: str = ""
    gave_up: bool = False


def read_number(sent: Mapping[str, str], name: str) -> int:
    """A parameter that is an id, or 0."""
    text = sent.get(name, "")
    is_id = text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= LARGEST_ID
    return int(text) if is_id else 0


def list_people(
    snapshot: Snapshot,
    hash_key: bytes,
    account_id: int,
    sought: Filter,
    after: str,
    *,
    seen_by: int | None,
    limit: int = _SHOWN,
    thorough: bool = False,
) -> Listed:
    """A page of the people of a filter behind `after`: the newest first, those found by a text by their words."""
    if sought.import_id:
        return _of_import(snapshot, account_id, sought, after, seen_by, limit)
    if "@" in sought.text and not after and (exact := _by_address(snapshot, hash_key, account_id, sought, seen_by)):
        return Listed(exact)
    if sought.text:
        return _found(snapshot, account_id, sought, after, seen_by, limit, thorough=thorough)
    columns: dict[str, Any] = {"owner_id": sought.owner_id} if sought.owner_id else {}
    place = Place(limit=limit + 1, after=read_number({"": after}, ""), descending=True)
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


def _found(
    snapshot: Snapshot, account_id: int, sought: Filter, after: str, seen_by: int | None, limit: int, *, thorough: bool
) -> Listed:
    id, _, word = after.partition(" ")
    place = (word, read_number({"": id}, "")) if word else ("", 0)
    owner = sought.owner_id or None
    if owner is not None and seen_by not in (None, owner):
        return Listed([])
    hits = search(
        snapshot,
        account_id,
        sought.kind,
        sought.text,
        seen_by=owner or seen_by,
        after=place,
        limit=limit + 1,
        thorough=thorough,
    )
    has_next = len(hits.people) > limit
    last_word, last_id = hits.places[limit - 1] if has_next else ("", 0)
    return Listed(hits.people[:limit], f"{last_id} {last_word}" if has_next else "", hits.gave_up)


def _of_import(
    snapshot: Snapshot, account_id: int, sought: Filter, after: str, seen_by: int | None, limit: int
) -> Listed:
    job = imports.get(snapshot, account_id, sought.import_id, seen_by=seen_by)
    if job.kind is not sought.kind:
        return Listed([])
    words = words_in(sought.text)
    ids = imports.people_of(snapshot, account_id, job.id, read_number({"": after}, ""), limit + 1)
    found = people.find_many(snapshot, account_id, [(job.kind, id) for id in ids[:limit]])
    shown = [found[job.kind, id] for id in ids[:limit] if (job.kind, id) in found]
    seen = [
        person
        for person in shown
        if sees(seen_by, person.owner_id)
        and sought.owner_id in (0, person.owner_id)
        and all(any(each.startswith(word) for each in search_words(person)) for word in words)
    ]
    return Listed(seen, str(ids[limit - 1]) if len(ids) > limit else "")


def walk_people(
    snapshot: Snapshot, hash_key: bytes, account_id: int, sought: Filter, *, seen_by: int | None
) -> Iterator[Person]:
    """Everybody of a filter."""
    after = ""
    while True:
        page = list_people(snapshot, hash_key, account_id, sought, after, seen_by=seen_by, limit=_WALKED, thorough=True)
        yield from page.people
        if not page.after:
            return
        after = page.after
