"""`drumbeat serve` and `drumbeat worker` as real processes: started, used, told to stop."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from drumbeat.settings import Settings
from drumbeat.wiring import open_world


def test_a_first_start_serves_enrolls_and_sends_and_a_second_one_goes_on(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with served(kept) as (server, first):
        assert {stat.S_IMODE(each.stat().st_mode) for each in kept.rglob("*") if each.is_file()} == {0o600}
        assert {stat.S_IMODE(each.stat().st_mode) for each in (kept, kept / "journal")} == {0o700}
        assert sorted(first["sequence_ids"]) == ["Trial follow-up", "Welcome call"]
        second = subprocess.run(
            [sys.executable, "-m", "drumbeat", "serve"],
            env=environment(kept),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (second.returncode, second.stderr.count("\n")) == (1, 1)
        assert "Another `drumbeat serve` runs" in second.stderr
        execute = f"{first['base_url']}/api/v1/sequences/{first['sequence_ids']['Trial follow-up']}/execute"
        sent = {"contacts": [{"email": "grace@example.com", "firstName": "Grace"}]}
        answer = call(execute, {"X-API-Key": first["api_key"]}, sent)
        assert answer["data"]["sendingsCreated"] == 1
        (caught,) = until(lambda: call(f"{first['caught_url']}.json"), 2.0)
        assert (caught["to"], caught["subject"]) == ("grace@example.com", "Grace, your trial is ready")
        person = {"data": {"sequence_id": 2, "resource_type": "lead", "resource_id": 1}}
        headers = {"Authorization": f"Bearer {first['token']}", "Accept": "application/json"}
        enrolled = call(f"{first['base_url']}/v2/sequence_enrollments", headers, person)
        assert enrolled["data"]["state"] == "active"
        output = stop(server)
        assert first["token"] in output
    with served(kept) as (server, again):
        assert {**again, "base_url": "", "caught_url": ""} == {**first, "base_url": "", "caught_url": ""}
        assert first["token"] not in stop(server)


@pytest.mark.postgresql
def test_a_worker_of_its_own_stops_when_it_is_told_to(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    template = request.getfixturevalue("postgresql_template")
    with ExitStack() as after:
        url = request.getfixturevalue("postgresql_server").create(after, template=template)
        env = environment(tmp_path / "kept") | {"DRUMBEAT_DATABASE_URL": url}
        command = [sys.executable, "-m", "drumbeat", "worker"]
        early = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert early.returncode == 1
        assert "There is no Drumbeat database at" in early.stderr
        open_world(Settings(data=tmp_path / "kept", database_url=url)).close()
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            assert "The worker runs" in worker.stdout.readline()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0


def environment(kept: Path) -> dict[str, str]:
    rest = {name: value for name, value in os.environ.items() if not name.startswith("DRUMBEAT_")}
    return rest | {"DRUMBEAT_DATA": str(kept), "DRUMBEAT_PORT": "0"}


@contextmanager
def served(kept: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A real `drumbeat serve` on a free port, once it answers, and its first-run.json."""
    command = [sys.executable, "-m", "drumbeat", "serve"]
    server = subprocess.Popen(command, env=environment(kept), stdout=subprocess.PIPE, text=True)
    try:

        def first_run() -> dict[str, Any]:
            assert server.poll() is None, "the server ended by itself"
            found: dict[str, Any] = json.loads((kept / "first-run.json").read_text())
            call(f"{found['base_url']}/caught.json")
            return found

        yield server, until(first_run, 20.0)
    finally:
        server.kill()
        server.wait()


def stop(server: subprocess.Popen[str]) -> str:
    """End it as a service manager does; what it said."""
    server.send_signal(signal.SIGTERM)
    output, _ = server.communicate(timeout=30)
    assert server.returncode == 0
    return output


def call(url: str, headers: dict[str, str] | None = None, sent: object = None) -> Any:
    body = None if sent is None else json.dumps(sent).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"} | (headers or {}))
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def until(found: Callable[[], Any], seconds: float) -> Any:
    """The first thing found; the last trouble if the time runs out."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = found()
            if value:
                return value
        except (OSError, ValueError):
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() <= deadline
        time.sleep(0.02)
