"""One SQL text for both databases, and how a batch of rows travels in it."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

Record = Any
"""A row: a named tuple of the columns selected."""

Rows = Sequence[Record]


class Statement:
    """One SQL text for both databases.

    `:name` is a parameter. `{name: column type, ...}` is a table made of one JSON parameter (a list of
    rows): a batch travels as one value. `{lock}` is FOR UPDATE, `{skip locked}` FOR UPDATE SKIP LOCKED and
    `{share OF ...}` FOR SHARE on PostgreSQL; on SQLite the writer is alone anyway. `{in: subselect :in}`
    compares with an array on PostgreSQL, where IN could fall into a sequential scan under a generic plan, and
    for the same reason `{key: table.column = batch.column}` joins a batch by its keys and names them as an
    array too.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.record: Any = None
        self.batches = frozenset(re.findall(r"\{(\w+):\s", text)) - {"in", "key"}

    @cached_property
    def sqlite(self) -> str:
        """The text for sqlite3."""
        text = re.sub(r"\{(?:lock|skip locked|share)\b[^}]*\}", "", self.text)
        text = re.sub(r"\{in:\s(.*?) :in\}", r"IN (\1)", text, flags=re.DOTALL)
        text = re.sub(r"\{key: ([^}]*)\}", r"\1", text)
        return re.sub(r"\{(\w+): ([^}]*)\}", lambda m: _json_each(m[1], m[2]), text)

    @cached_property
    def postgresql(self) -> str:
        """The text for psycopg."""
        text = self.text.replace("%", "%%")
        text = re.sub(r"\{lock( OF \w+)?\}", r"FOR UPDATE\1", text)
        text = re.sub(r"\{skip locked( OF \w+)?\}", r"FOR UPDATE\1 SKIP LOCKED", text)
        text = re.sub(r"\{share( OF [\w, ]+)\}", r"FOR SHARE\1", text)
        text = re.sub(r"\{in:\s(.*?) :in\}", r"= ANY(ARRAY(\1))", text, flags=re.DOTALL)
        batches = {m[3]: _json_array(m[1], m[2]) for m in re.finditer(r"\{(\w+): ([^}]*)\} AS (\w+)", text)}
        text = re.sub(r"\{key: (\S+) = (\w+)\.(\w+)\}", lambda m: _keyed(m[1], m[2], m[3], batches[m[2]]), text)
        text = re.sub(r"\{(\w+): ([^}]*)\}", lambda m: _json_array(m[1], m[2]), text)
        return re.sub(r"(?<!:):(\w+)", r"%(\1)s", text)


def _json_each(name: str, columns: str) -> str:
    picked = (f"value ->> {i} AS {column.split()[0]}" for i, column in enumerate(columns.split(", ")))
    return f"(SELECT {', '.join(picked)} FROM json_each(:{name}))"


def _json_array(name: str, columns: str) -> str:
    picked = []
    for i, column in enumerate(columns.split(", ")):
        label, kind = column.split()
        value = f"(value ->> {i})"
        picked.append(f"{value if kind == 'text' else f'{value}::{kind}'} AS {label}")
    return f"(SELECT {', '.join(picked)} FROM jsonb_array_elements(:{name}::jsonb))"


def _keyed(column: str, alias: str, key: str, batch: str) -> str:
    return f"{column} = {alias}.{key} AND {column} = ANY(ARRAY(SELECT {key} FROM {batch} AS keys))"


class Insertion:
    """Rows added to one table: executemany on SQLite, where it costs a third; one JSON value on PostgreSQL.

    Columns are given as "name type, ..."; the types are PostgreSQL's.
    """

    def __init__(self, table: str, columns: str) -> None:
        named = [column.split() for column in columns.replace("\n", " ").split(",")]
        names = ", ".join(name for name, _ in named)
        self.sqlite = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(named))})"
        listed = ", ".join(f"{name} {kind}" for name, kind in named)
        self.postgresql = Statement(f"INSERT INTO {table} ({names}) SELECT * FROM {{rows: {listed}}} AS rows")


def record_of(names: Iterable[str]) -> Any:
    """The kind of row that has these columns."""
    made: Any = namedtuple
    return made("Record", names, rename=True)
