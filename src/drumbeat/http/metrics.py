"""/metrics: how the installation stands, for Prometheus and whatever reads its format."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime

from litestar import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drumbeat import __version__
from drumbeat.domain.errors import NotFound, Unauthorized
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.store.figures import Figures, figures


@readable("/metrics", opt=described("How the installation stands", answer="text/plain", refusals=(401, 404, 503)))
def show_metrics(request: AnyRequest) -> Response[bytes]:
    """Counts of all accounts together, read from the tables at this instant; only with DRUMBEAT_METRICS_TOKEN set, and
    for whoever sends it as a Bearer token."""
    world = parts_of(request).world
    wanted = world.settings.metrics_token
    if not wanted:
        raise NotFound("Set DRUMBEAT_METRICS_TOKEN to be told how Drumbeat stands.")
    kind, _, given = request.headers.get("authorization", "").strip().partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), wanted.encode()):
        raise Unauthorized("Send the header Authorization: Bearer <DRUMBEAT_METRICS_TOKEN>.")
    with world.database.read() as snapshot:
        found, now = figures(snapshot), snapshot.now
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Standing(found, now))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Standing(Collector):
    """The figures, as the client library wants them."""

    def __init__(self, found: Figures, now: datetime) -> None:
        self._found, self._now = found, now

    def collect(self) -> Iterator[Metric]:
        """Each figure with what it means."""
        found = self._found
        late = 0.0 if found.due_since is None else max((self._now - found.due_since).total_seconds(), 0.0)
        yield _labelled("drumbeat_build_info", "Which version this is.", "version", {__version__: 1})
        yield GaugeMetricFamily("drumbeat_due", "Enrollments that are due and that no worker has taken yet.", found.due)
        yield GaugeMetricFamily("drumbeat_due_seconds", "For how long the one that waits longest has been due.", late)
        yield _labelled(
            "drumbeat_letters", "Letters at work, and those whose fate is unknown.", "status", found.letters
        )
        yield _labelled("drumbeat_blocked", "Blocked enrollments by their reason.", "reason", found.blocked)
        yield _labelled("drumbeat_mailboxes", "Mailboxes: on, off, held or waiting.", "state", found.mailboxes)
        yield _labelled("drumbeat_inboxes", "Inboxes: heard, or in trouble.", "state", found.inboxes)
        yield _counted("drumbeat_facts", "What happened to enrollments, as counted for reports.", found.happened)
        meaning = "Whether nothing is sent until `drumbeat reconcile`."
        yield GaugeMetricFamily("drumbeat_quarantined", meaning, float(found.is_quarantined))
        yield GaugeMetricFamily("drumbeat_uncounted", "Batches of facts that are not counted yet.", found.untold)
        yield GaugeMetricFamily("drumbeat_imports", "Files that are being taken in.", found.imports)
        yield GaugeMetricFamily("drumbeat_notices", "Letters to users that wait.", found.notices)


def _labelled(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def _counted(name: str, meaning: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=["fact"])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family
