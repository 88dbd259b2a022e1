"""The whole story as `make failover` tells it: a region is lost, the work goes on in the other, and comes home."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_region_is_lost_the_work_goes_on_in_the_other_and_comes_home() -> None:
    command = [sys.executable, "-m", "examples.failover"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    claims = [line for line in told.stdout.splitlines() if line.startswith("ok: ")]
    assert len(claims) == 6
    assert claims[-1].startswith("ok: the group has read all ")
