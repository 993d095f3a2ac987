"""Leads that became contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drumbeat.domain.access import sees
from drumbeat.domain.errors import NotFound
from drumbeat.store import pages
from drumbeat.store.pages import Place
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Insertion, Record, Statement
from drumbeat.store.transaction import Snapshot, Tx

COLUMNS = frozenset(("lead_id", "individual_id", "organization_id", "creator_id"))


@dataclass(frozen=True, slots=True)
class Conversion:
    """A lead that became a person, an organization, or a person in an organization; both are contacts."""

    account_id: int
    id: int
    lead_id: int
    individual_id: int | None
    organization_id: int | None
    creator_id: int
    created_at: datetime


def add(tx: Tx, conversion: Conversion) -> None:
    """Store a new conversion; its id is given."""
    at = to_stamp(conversion.created_at)
    contacts = (conversion.individual_id, conversion.organization_id)
    tx.insert(_ADD, [(conversion.account_id, conversion.id, conversion.lead_id, *contacts, conversion.creator_id, at)])


def get(snapshot: Snapshot, account_id: int, id: int, *, seen_by: int | None = None) -> Conversion:
    """The conversion, or NotFound; also where only what `seen_by` made is seen, and somebody else made it."""
    row = snapshot.first(_GET, account_id=account_id, id=id)
    if row is None or not sees(seen_by, row.creator_id):
        raise NotFound(f"There is no lead conversion {id}.")
    return _conversion(row)


def list_page(
    snapshot: Snapshot,
    account_id: int,
    ids: list[int] | None,
    columns: Mapping[str, int],
    place: Place,
    *,
    seen_by: int | None = None,
) -> list[Conversion]:
    """A page of conversions, of those named and with these values in columns of COLUMNS; only what `seen_by` made."""
    assert columns.keys() <= COLUMNS
    where = ["r.account_id = :account_id", *(f"r.{column} = :{column}" for column in sorted(columns))]
    given: dict[str, Any] = {"account_id": account_id, **columns}
    if ids is not None:
        where.append("r.id {in: SELECT id FROM {ids: id int} AS named :in}")
        given["ids"] = [[id] for id in ids]
    if seen_by is not None:
        where.append("r.creator_id = :seen_by")
        given["seen_by"] = seen_by
    rows = snapshot.all(pages.statement("lead_conversions", where, place), **given, **pages.parameters(place))
    return [get(snapshot, account_id, row[0]) for row in rows]


def _conversion(row: Record) -> Conversion:
    return Conversion(**{**row._asdict(), "created_at": from_stamp(row.created_at)})


_ADD = Insertion(
    "lead_conversions",
    "account_id int, id int, lead_id int, individual_id int, organization_id int, creator_id int, created_at bigint",
)
_GET = Statement("""
    SELECT account_id, id, lead_id, individual_id, organization_id, creator_id, created_at FROM lead_conversions
    WHERE account_id = :account_id AND id = :id
""")
