"""The story of `make failover`: a region is lost, the work continues in the other, and comes home."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_region_is_lost_the_work_goes_on_in_the_other_and_comes_home() -> None:
    command = [sys.executable, "-m", "examples.failover"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    claims = [line for line in result.stdout.splitlines() if line.startswith("ok: ")]
    assert len(claims) == 6
    assert claims[-1].startswith("ok: the group has read all ")
