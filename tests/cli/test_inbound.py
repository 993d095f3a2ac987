"""`drumbeat inbound classify`: a line of JSON for each message, whatever it is, and nothing is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.corpus import SAMPLES

KEYS = ["kind", "permanent", "recipient", "message_id", "until", "why"]


def _classify(given: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "drumbeat", "inbound", "classify", *options],
        input=given,
        capture_output=True,
        check=False,
    )


def test_one_message_comes_on_standard_input() -> None:
    sample = next(sample for sample in SAMPLES if sample.name == "postfix, no such user")
    told = _classify(sample.raw)
    assert told.returncode == 0
    line = json.loads(told.stdout)
    assert list(line) == KEYS
    assert (line["kind"], line["permanent"], line["recipient"]) == ("bounce", True, "lena@example.net")
    assert line["message_id"] == "<1.2s.0.0.k3mq7wexamplemark2a4b6@mail.example.com>"
    assert "User unknown" in line["why"]


def test_a_batch_is_one_line_a_path_in_order_and_a_missing_file_is_told(tmp_path: Path) -> None:
    paths = []
    for number, sample in enumerate(SAMPLES[:20]):
        paths.append(tmp_path / f"{number}.eml")
        paths[-1].write_bytes(sample.raw)
    asked = [*map(str, paths[:10]), str(tmp_path / "none.eml"), "", *map(str, paths[10:])]
    told = _classify("\n".join(asked).encode(), "--batch")
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.returncode == 1
    assert len(lines) == 21
    assert "none.eml" in lines.pop(10)["error"]
    assert [line["kind"] for line in lines] == [sample.kind for sample in SAMPLES[:20]]


def test_nothing_at_all_is_unrelated() -> None:
    assert json.loads(_classify(b"").stdout)["kind"] == "unrelated"
