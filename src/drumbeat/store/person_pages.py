"""Pages of leads or contacts as lists show them, and those that an upsert means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drumbeat.domain.person import Person, PersonKind
from drumbeat.store import pages
from drumbeat.store.pages import Place
from drumbeat.store.people import find_many
from drumbeat.store.transaction import Snapshot

COLUMNS = frozenset(
    (
        *("first_name", "last_name", "organization_name", "address_hash", "phone", "mobile", "status"),
        *("owner_id", "creator_id", "source_id", "organization_id", "is_organization"),
    )
)


@dataclass(frozen=True, slots=True)
class Sought:
    """Which people of a kind are wanted: by id, by columns of COLUMNS, by what `values_to_find` names, by name."""

    kind: PersonKind
    ids: Sequence[int] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None


def list_page(
    snapshot: Snapshot, account_id: int, sought: Sought, place: Place, *, seen_by: int | None = None
) -> list[Person]:
    """A page of people in the place's order; only those of one owner where no others are seen."""
    where, given = conditions(account_id, sought, seen_by)
    listed = snapshot.all(pages.statement("people", where, place), **given, **pages.parameters(place))
    keys = [(sought.kind, row[0]) for row in listed]
    found = find_many(snapshot, account_id, keys)
    return [found[key] for key in keys]


def conditions(account_id: int, sought: Sought, seen_by: int | None = None) -> tuple[list[str], dict[str, Any]]:
    """What a statement asks of each row, and the parameters of that."""
    where = ["r.account_id = :account_id", "r.kind = :kind"]
    given: dict[str, Any] = {"account_id": account_id, "kind": sought.kind.value}
    if sought.ids is not None:
        where.append("r.id {in: SELECT id FROM {ids: id int} AS named :in}")
        given["ids"] = [[id] for id in sought.ids]
    if seen_by is not None:
        where.append("r.owner_id = :seen_by")
        given["seen_by"] = seen_by
    for column in sorted(sought.columns):
        assert column in COLUMNS
        where.append(f"r.{column} = :{column}")
        given[column] = sought.columns[column]
    for number, (name, value) in enumerate(sorted(sought.values.items())):
        where.append(_BY_VALUE.format(n=number))
        given |= {f"field{number}": name, f"value{number}": value}
    if sought.name is not None:
        where.append(_BY_NAME)
        given |= {"name": sought.name, "names": _names(sought.name)}
    return where, given


def _names(name: str) -> list[list[str]]:
    """Every last and first name that a whole name may be made of."""
    words = name.split(" ")
    return [[" ".join(words[i:]), " ".join(words[:i])] for i in range(1, len(words))]


_BY_VALUE = """r.id {{in: SELECT v.person_id FROM person_values v
    WHERE v.account_id = :account_id AND v.kind = :kind AND v.field = :field{n} AND v.value = :value{n} :in}}"""
# An organization's name, a first and a last one, or the only one somebody has.
_BY_NAME = """r.id {in: SELECT o.id FROM people o
    WHERE o.account_id = :account_id AND o.kind = :kind AND o.organization_name = :name AND o.is_organization
    UNION SELECT p.id FROM {names: last_name text, first_name text} AS named
    JOIN people p ON p.account_id = :account_id AND p.kind = :kind
        AND p.last_name = named.last_name AND p.first_name = named.first_name
    UNION SELECT l.id FROM people l
    WHERE l.account_id = :account_id AND l.kind = :kind AND l.last_name = :name AND l.first_name IS NULL
    UNION SELECT f.id FROM people f
    WHERE f.account_id = :account_id AND f.kind = :kind AND f.last_name IS NULL AND f.first_name = :name :in}"""
