"""What tests that are made from the OpenAPI document share: its operations, and a caller for each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

UNKNOWN = 2_000_000_001
"""An id nobody has, in any account."""


@dataclass(frozen=True)
class Operation:
    """One route of the document."""

    method: str
    path: str
    told: dict[str, Any]
    components: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def path_names(self) -> list[str]:
        """The parameters in its path."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def query_ids(self) -> list[str]:
        """The query's parameters that take ids."""
        return [each["name"] for each in self.told["parameters"] if each["in"] == "query" and is_id(each["name"])]

    def body_ids(self) -> Iterator[tuple[str | int, ...]]:
        """The places of ids in the body, such as ("data", "lead_id") or ("steps", 0, "emailTemplateId")."""
        for content in self.told.get("requestBody", {}).get("content", {}).values():
            yield from self._ids(content["schema"], ())

    def _ids(self, schema: dict[str, Any], place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
        if "$ref" in schema:
            schema = self.components[schema["$ref"].rsplit("/", 1)[1]]
        for name, inner in schema.get("properties", {}).items():
            if inner.get("readOnly"):
                continue
            if is_id(name):
                yield (*place, name)
            else:
                yield from self._ids(inner, (*place, name))
        for inner in schema.get("anyOf", ()):
            yield from self._ids(inner, place)
        if "items" in schema:
            yield from self._ids(schema["items"], (*place, 0))


def is_id(name: str) -> bool:
    """Whether a field or parameter is called like one that holds ids."""
    return re.search(r"(^|_)ids?$|[a-z]B?Ids?$", name) is not None


def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation of the document that needs a credential or a session."""
    return [
        Operation(method.upper(), path, told, document["components"]["schemas"])
        for path, methods in sorted(document["paths"].items())
        for method, told in sorted(methods.items())
        if "security" in told
    ]


Call = Callable[..., Any]
