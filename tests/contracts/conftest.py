"""The contracts are tested over the same world and client as the routes, and over a served Drumbeat."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.http.conftest import api, app, app_over, cast, client, happen, new_lead, rival, world

__all__ = ["api", "app", "app_over", "cast", "client", "happen", "new_lead", "rival", "world"]


@pytest.fixture
def served(tmp_path: Path, database_url: str) -> Iterator[tuple[str, str]]:
    """The address of a Drumbeat in a process of its own, and a token."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "tests.http.serving", str(tmp_path), database_url, port]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    token = running.stdout.readline().split()[1]
    address = f"http://127.0.0.1:{port}"
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as waiting:
        assert waiting.get(f"{address}/health").status_code == 200
    yield address, token
    running.kill()
    running.wait()
