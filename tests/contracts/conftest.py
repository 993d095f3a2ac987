"""The contracts are tested over the same world and client as the routes."""

from tests.http.conftest import api, app, cast, client, happen, new_lead, rival, world

__all__ = ["api", "app", "cast", "client", "happen", "new_lead", "rival", "world"]
