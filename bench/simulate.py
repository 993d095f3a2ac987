"""Schedules of one office by their seeds, as many as you like: how many a second, and which one fails."""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path

import structlog

from bench._machine import row
from drumbeat.store import migrate
from tests.simulation.schedule import Ground, simulate

_TOLD_EVERY = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1_000_000, help="the tests run 0 to 19,999")
    parser.add_argument("--seeds", type=int, default=10_000)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="drumbeat-bench-") as name:
        url = f"sqlite:///{name}/drumbeat.db"
        migrate.upgrade(url)
        ground, began = Ground(url, Path(name)), time.monotonic()

        def told(seed: int) -> None:
            done = seed - chosen.first + 1
            if done % _TOLD_EVERY == 0 or done == chosen.seeds:
                row(done, done / (time.monotonic() - began))

        row("schedules", "a second")
        row("---", "---")
        simulate(ground, range(chosen.first, chosen.first + chosen.seeds), told)
        ground.close()


if __name__ == "__main__":
    main()
