from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NoReturn, cast

import httpx
import pytest
from litestar.exceptions import HTTPException

from drumbeat.domain.errors import PortUnavailable
from drumbeat.http.bodies import whole_bodies
from drumbeat.http.server import free_port

Started = tuple["subprocess.Popen[str]", str, str]


@pytest.fixture
def port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def started(tmp_path: Path, sqlite_template: Path, port: int) -> Iterator[Started]:
    """A server in a process of its own, its address, and a token."""
    command = [sys.executable, "-m", "tests.http.serving", str(tmp_path), f"sqlite:///{tmp_path}/x.db", str(port)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    token = running.stdout.readline().split()[1]
    address = f"http://127.0.0.1:{port}"
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as waiting:
        assert waiting.get(f"{address}/health").status_code == 200
    yield running, address, token
    running.kill()
    running.wait()


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_request_at_work_finishes_then_the_worker_stops(started: Started, asked: signal.Signals) -> None:
    running, address, _ = started
    assert running.stdout is not None
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(httpx.get, f"{address}/docs")
        assert running.stdout.readline() == "at work\n"
        running.send_signal(asked)
        assert answer.result().status_code == 200
    assert running.stdout.read().splitlines() == ["answered", "worker stopped", "ended"]
    assert running.wait(10) == 0


def test_it_speaks_the_contract_over_a_socket(started: Started) -> None:
    _, address, token = started
    path = f"{address}/v2/sequence_enrollments"
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "tests"}
    answer = httpx.get(path, headers=headers)
    assert answer.json()["items"] == []
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert httpx.get(path, headers=headers | {"User-Agent": ""}).status_code == 400
    large = httpx.post(path, headers=headers, content=b" " * 2_000_000)
    assert large.status_code == 413
    assert large.json()["meta"]["http_status"] == "413 Request Entity Too Large"
    told = httpx.head(path, headers=headers)
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["content-type"] == answer.headers["content-type"]
    assert httpx.head(f"{path}/404", headers=headers).status_code == 404
    head = httpx.head(f"{address}/health")
    assert (head.status_code, head.content) == (200, b"")


def test_idle_and_slow_clients_keep_nobody_out(started: Started, port: int) -> None:
    _, address, token = started
    with ExitStack() as open_:
        for _ in range(300):
            slow = open_.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
            slow.sendall(f"{unfinished(token)}12".encode())
        assert httpx.get(f"{address}/health").status_code == 200


@pytest.mark.parametrize("rest", ["Content-Length: 99\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n"])
def test_a_body_that_breaks_off_is_its_sender_s_fault(started: Started, port: int, rest: str) -> None:
    _, _, token = started
    with closing(socket.create_connection(("127.0.0.1", port))) as sender:
        sender.sendall(f"{unfinished(token)}{rest}".encode())
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(100).startswith(b"HTTP/1.1 400 ")


def unfinished(token: str) -> str:
    """The beginning of a request."""
    lines = ["POST /v2/sequence_enrollments HTTP/1.1", "Host: localhost", "User-Agent: tests"]
    lines += [f"Authorization: Bearer {token}", "Content-Type: application/json", ""]
    return "\r\n".join(lines)


def test_a_body_that_dawdles_is_a_timeout() -> None:
    async def never() -> NoReturn:
        await asyncio.sleep(60)
        raise AssertionError

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    with pytest.raises(HTTPException, match=r"within 0\.01 seconds") as caught:
        asyncio.run(whole_bodies(0.01)(reads)(cast(Any, {}), never, cast(Any, None)))
    assert caught.value.status_code == 408


def arrive(*pieces: tuple[float, int], within_seconds: float = 0.5, least_rate: int = 1_000) -> int:
    """How many bytes arrive of a body whose pieces come after so many seconds each; 408 if it dawdles."""
    coming, arrived = iter(pieces), 0

    async def receive() -> dict[str, Any]:
        pause, size = next(coming, (0, 0))
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": b"x" * size, "more_body": size > 0}

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        nonlocal arrived
        while (message := await receive())["more_body"]:
            arrived += len(message["body"])

    asyncio.run(whole_bodies(within_seconds, least_rate)(reads)(cast(Any, {}), cast(Any, receive), cast(Any, None)))
    return arrived


def test_a_large_body_may_take_as_long_as_its_size_does_at_the_least_rate() -> None:
    assert arrive(*[(0.1, 1_000)] * 8) == 8_000


@pytest.mark.parametrize("pieces", [[(0.1, 10)] * 20, [(0, 100_000), (2, 1)]], ids=["slowly", "with a pause"])
def test_a_body_that_comes_too_slowly_or_pauses_is_a_timeout(pieces: list[tuple[float, int]]) -> None:
    with pytest.raises(HTTPException, match="or 1,000 bytes each second") as caught:
        arrive(*pieces)
    assert caught.value.status_code == 408


def test_an_address_in_use_is_refused_with_its_name(port: int) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(PortUnavailable, match=f"127.0.0.1:{port}: Address already in use"):
            free_port("127.0.0.1", port)


def test_an_address_that_was_just_left_is_free(port: int) -> None:
    with closing(socket.socket()) as left:
        left.bind(("127.0.0.1", port))
        left.listen()
    free_port("127.0.0.1", port)
    with closing(socket.socket()) as again:
        again.bind(("127.0.0.1", port))
        assert again.getsockname()[1] == port
