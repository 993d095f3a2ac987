"""The sink as a program of its own: the ground truth of kill tests, and the far end of benchmarks."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drumbeat.mail.smtp import Post, Security, Server
from tests.mail.desk import QUICK, Desk, letter

CONTENT = b"Message-ID: <%d@ours.example>\r\nSubject: hello\r\n\r\n.dotted\r\n"


@contextmanager
def program(*options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "drumbeat.testing.sink", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield int(running.stdout.readline()), running
        finally:
            running.kill()


def send(port: int, count: int) -> None:
    desk = Desk(letter(f"p{number}", CONTENT % number) for number in range(count))
    post = Post(Server("127.0.0.1", port, Security.NONE), QUICK)
    post.deliver(desk.take, desk.commit)
    post.close()
    assert list(desk.codes.values()) == [250] * count


def test_an_accepted_letter_is_in_the_log_when_it_is_answered(tmp_path: Path) -> None:
    with program("--log", str(tmp_path / "log")) as (port, running):
        send(port, 3)
        running.kill()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(line["message_id"] for line in lines) == [f"<{n}@ours.example>" for n in range(3)]
    assert {line["recipient"] for line in lines} == {f"p{n}@theirs.example" for n in range(3)}
    assert hashlib.sha256(CONTENT % 0).hexdigest() in {line["sha256"] for line in lines}


def test_fast_mode_tallies_message_ids_on_request_and_at_the_end() -> None:
    with program("--fast") as (port, running):
        send(port, 2)
        running.send_signal(signal.SIGUSR1)
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["letters"] == 2
        send(port, 2)
        running.send_signal(signal.SIGTERM)
        assert json.loads(running.stdout.readline())["ids"] == {"<0@ours.example>": 2, "<1@ours.example>": 2}
        assert running.wait(5) == 0
