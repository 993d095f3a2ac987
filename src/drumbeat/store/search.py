"""People found by the beginnings of their words, in the order of the words; as quick among millions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from drumbeat.domain.access import sees
from drumbeat.domain.person import Person, PersonKind, search_words, words_in
from drumbeat.store.people import find_many
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot

_AT_A_TIME = 100
MOST_LOOKED_AT: Final = 1_000
"""People for one page: those behind them are looked at for the next one."""
_LAST = "\U0010ffff"  # no word goes on with it


@dataclass(frozen=True, slots=True)
class Hits:
    """People that fit, each with the word and id behind which a page goes on; `gave_up_at` is the last place looked at
    where so many begin alike that not all were."""

    people: list[Person] = field(default_factory=list)
    places: list[tuple[str, int]] = field(default_factory=list)
    gave_up_at: tuple[str, int] | None = None


def search(
    snapshot: Snapshot,
    account_id: int,
    kind: PersonKind,
    text: str,
    *,
    seen_by: int | None = None,
    after: tuple[str, int] = ("", 0),
    limit: int,
) -> Hits:
    """People of a kind for whom each word of the text begins one of theirs; only those of one owner where no others
    are seen."""
    sought = sorted(words_in(text), key=lambda each: (len(each), each))
    hits = Hits()
    if not sought:
        return hits
    for looked_at, (word, id, person) in enumerate(_beginning(snapshot, account_id, kind, sought[-1], after), 1):
        if person is not None and sees(seen_by, person.owner_id) and _fits(person, sought, word):
            hits.people.append(person)
            hits.places.append((word, person.id))
        if len(hits.people) == limit:
            break
        if looked_at == MOST_LOOKED_AT:
            return replace(hits, gave_up_at=(word, id))
    return hits


def _beginning(
    snapshot: Snapshot, account_id: int, kind: PersonKind, start: str, after: tuple[str, int]
) -> Iterator[tuple[str, int, Person | None]]:
    """Everybody with a word that begins so, with that word; None for whom it outlived."""
    place = max(after, (start, 0))
    while True:
        rows = snapshot.all(
            _WORDS,
            account_id=account_id,
            kind=kind.value,
            end=start + _LAST,
            word=place[0],
            id=place[1],
            limit=_AT_A_TIME,
        )
        known = find_many(snapshot, account_id, [(kind, row.person_id) for row in rows])
        for row in rows:
            yield row.word, row.person_id, known.get((kind, row.person_id))
        if len(rows) < _AT_A_TIME:
            return
        place = rows[-1].word, rows[-1].person_id


def _fits(person: Person, sought: list[str], word: str) -> bool:
    """Whether every word that is sought begins one of theirs, and this is the first that the last of them begins."""
    theirs = search_words(person)
    is_first = min((each for each in theirs if each.startswith(sought[-1])), default=None) == word
    return is_first and all(any(each.startswith(start) for each in theirs) for start in sought)


_WORDS = Statement("""
    SELECT w.word, w.person_id FROM person_words w
    WHERE w.account_id = :account_id AND w.kind = :kind AND w.word < :end AND (w.word, w.person_id) > (:word, :id)
    ORDER BY w.word, w.person_id LIMIT :limit
""")
