"""Requests a second and CPU a request of the APIs over HTTP, with 10,000 to a million enrollments in the account.

The limit beside each, in the same run: the smallest request that is authorized, GET /v2/users/self. One client that
keeps its connection; the server in a process of its own, its CPU and the database's apart.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench._machine import Place, place, row
from bench._serving import cpu_of, first_run_of, serve
from bench.growth import multiply

MAKES = 200
READS = 400
Request = tuple[str, str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enrollments", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    row("database", "enrollments", "request", "requests/s", "CPU ms ours", "database", "times the limit")
    row(*["---"] * 7)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        for count in arguments.enrollments:
            with place(kind) as where:
                measure(where, count)


class Client:
    """Speaks to the server over one connection, as an integration does."""

    def __init__(self, first_run: dict[str, Any]) -> None:
        self.sequence = next(iter(first_run["sequence_ids"].values()))
        self._address = urlsplit(first_run["base_url"]).netloc
        self.connect()
        self._token, self._key = first_run["token"], first_run["api_key"]

    def connect(self) -> None:
        """Connect anew: a server closes what is idle for long."""
        self._connection = http.client.HTTPConnection(self._address)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        credential = self._key if path.startswith("/api/") else self._token
        headers = {"Authorization": f"Bearer {credential}", "User-Agent": "bench", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer[:500]
        return json.loads(answer)


def measure(where: Place, count: int) -> None:
    """Every kind of request, with so many enrollments."""
    server = serve(where, DRUMBEAT_V2_PER_HOUR="0")
    try:
        client = Client(first_run_of(where))
        _fill(where, client, count)
        leads = [client("POST", "/v2/leads", {"data": _lead(n)})["data"]["id"] for n in range(MAKES)]
        ours = psutil.Process(server.pid)
        limit = 0.0
        for name, requests in _requests(client, count, leads):
            spent, database, wall = _spent(where, ours, client, requests)
            limit = limit or spent + database
            row(where.kind, count, name, 1 / wall, spent * 1e3, database * 1e3, (spent + database) / limit)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=40)


def _lead(number: int) -> dict[str, str]:
    return {"first_name": "Lena", "last_name": f"Lead {number}", "email": f"lead{number}@example.com"}


def _fill(where: Place, client: Client, count: int) -> None:
    """One enrollment over the API, and copies of it."""
    lead = client("POST", "/v2/leads", {"data": _lead(1_000_000)})["data"]["id"]
    first = client("POST", "/v2/sequence_enrollments", _enrolling(client, lead))["data"]["id"]
    database = where.open()
    multiply(database, 1, 1, first, count, "as enrolled")
    database.close()
    where.settle()
    client.connect()


def _enrolling(client: Client, lead: int) -> dict[str, Any]:
    return {"data": {"sequence_id": client.sequence, "resource_type": "lead", "resource_id": lead}}


def _requests(client: Client, count: int, leads: list[int]) -> Iterable[tuple[str, list[Request]]]:
    chance = random.Random(1)
    path, ids = "/v2/sequence_enrollments", [1000 + chance.randrange(1, count) for _ in range(READS)]
    yield "limit: users/self", [("GET", "/v2/users/self", None)] * READS
    yield "retrieve", [("GET", f"{path}/{id}", None) for id in ids]
    yield "list of 25", [("GET", f"{path}?per_page=25", None)] * READS
    yield "list of 25, linked, anywhere", [("GET", f"{path}?per_page=25&page=2&after={id}", None) for id in ids]
    yield "list of 100", [("GET", f"{path}?per_page=100", None)] * (READS // 2)
    last = count // 25
    yield "list of 25, by the last page's number", [("GET", f"{path}?per_page=25&page={last}", None)] * 20
    yield "enrollments of a person", [("GET", f"{path}?resource_type=lead&resource_ids={id}", None) for id in ids]
    yield "create", [("POST", path, _enrolling(client, lead)) for lead in leads]
    execute = f"/api/v1/sequences/{client.sequence}/execute"
    yield "execute, one contact", [("POST", execute, _contact(number)) for number in range(MAKES)]


def _contact(number: int) -> dict[str, Any]:
    return {"contacts": [{"email": f"contact{number}@example.com", "firstName": "Connie"}]}


def _spent(
    where: Place, ours: psutil.Process, client: Callable[..., Any], requests: list[Request]
) -> tuple[float, float, float]:
    """Seconds a request: our CPU, the database's, and by the clock. What only reads is warmed up before."""
    for request in requests[:50] if requests[0][0] == "GET" else []:
        client(*request)
    before = cpu_of(ours), where.cpu(), time.perf_counter()
    for request in requests:
        client(*request)
    after = cpu_of(ours), where.cpu(), time.perf_counter()
    ours_spent, database, wall = ((b - a) / len(requests) for a, b in zip(before, after, strict=True))
    return ours_spent, database, wall


if __name__ == "__main__":
    main()
