"""Twenty thousand schedules of one office: no letter twice, none lost, nothing after a stop."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.simulation.schedule import Ground, Schedule, simulate

SCHEDULES = 20_000
AT_ONCE = 1_000


@pytest.fixture
def ground(sqlite_template: Path, tmp_path: Path) -> Iterator[Ground]:
    """The office, and nobody who writes down what happens in it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    shutil.copyfile(sqlite_template, tmp_path / "drumbeat.db")
    ground = Ground(f"sqlite:///{tmp_path}/drumbeat.db", tmp_path)
    yield ground
    ground.close()
    structlog.reset_defaults()


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_whatever_is_interleaved_no_letter_goes_twice_and_none_is_lost(ground: Ground, first: int) -> None:
    simulate(ground, range(first, first + AT_ONCE))


def test_a_seed_does_the_same_again(ground: Ground) -> None:
    ran = []
    for _ in range(2):
        schedule = Schedule(ground, 4711)
        schedule.run()
        ran.append((schedule.trace, ground.rows() | {"outbox": []}))  # its batches are named by chance
    assert ran[0] == ran[1]


def test_a_failure_is_told_with_its_seed_and_what_was_done(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(schedule: Schedule) -> None:
        raise AssertionError("planted")

    monkeypatch.setattr(Schedule, "_verify", fails)
    with pytest.raises(AssertionError) as failed:
        Schedule(ground, 11).run()
    assert failed.value.__notes__[0].startswith("seed 11: ")
