"""What tests of every page of the app share: the pages, and an address of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from litestar import Litestar

from drumbeat.domain.account import Role
from drumbeat.http.openapi import PAGE

OPEN = frozenset(("/sign-in", "/sign-in/forgotten"))
"""Pages for whoever is not signed in."""
# What ids in a path's parts belong to, where the part before does not say it in the plural.
_KINDS = {"kind": "contact", "position": "0", "attempt": "0"}


@dataclass(frozen=True)
class Page:
    """One address of the app, and the least role that may use it."""

    method: str
    path: str
    least: Role

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, id: int = 1) -> str:
        """Its address with this id in every place of one."""
        return re.sub(r"\{(\w+)\}", lambda found: _KINDS.get(found[1], str(id)), self.path)

    @property
    def has_id(self) -> bool:
        """Whether it is about one record."""
        return "{id}" in self.path


def pages(app: Litestar) -> Iterator[Page]:
    """Every page that is not open to everybody."""
    for route in sorted(app.routes, key=lambda route: route.path):
        path = re.sub(r":\w+\}", "}", route.path_format)
        for handler in getattr(route, "route_handlers", ()):
            if PAGE in handler.opt and path not in OPEN:
                for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                    yield Page(method, path, handler.opt[PAGE])
