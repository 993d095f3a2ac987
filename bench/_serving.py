"""The product served in a process of its own, with the sample account, as benchmarks over HTTP need it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench._machine import Place


def serve(where: Place, **settings: str) -> subprocess.Popen[bytes]:
    """`drumbeat serve` without a worker and without a limit on calls."""
    environment = os.environ | {
        "DRUMBEAT_DATA": str(where.folder),
        "DRUMBEAT_DATABASE_URL": where.url,
        "DRUMBEAT_PORT": "0",
        "DRUMBEAT_WORKER": "0",
        "DRUMBEAT_EXECUTE_PER_MINUTE": "0",
        **settings,
    }
    command = [sys.executable, "-m", "drumbeat", "serve"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def first_run_of(where: Place) -> dict[str, Any]:
    """What the first start made, once the server answers."""
    path = Path(where.folder) / "first-run.json"
    for _ in range(300):
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text())
            try:
                connection = http.client.HTTPConnection(urlsplit(str(found["base_url"])).netloc)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return found
            except OSError:
                pass
        time.sleep(0.1)
    raise TimeoutError("the server did not start")


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process so far."""
    times = process.cpu_times()
    return times.user + times.system
