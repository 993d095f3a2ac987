"""A process that is told to stop hears it whatever it is at."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

IN_THE_MIDST = """
import os, sys
from drumbeat.worker.stopping import stop_when_told

stop = stop_when_told()
with stop._cond:  # as a wait for it holds it while it begins and ends
    os.kill(os.getpid(), int(sys.argv[1]))
    os.kill(os.getpid(), int(sys.argv[1]))
assert stop.wait(20)
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_midst_of_a_wait_for_it_stops_and_never_locks(number: signal.Signals) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IN_THE_MIDST, str(int(number))], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "stopped\n"), ran.stderr
