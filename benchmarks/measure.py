"""The measurement of commands as whole processes: their time and memory over several runs."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Run:
    """One run: seconds of the wall clock, seconds of CPU, and the largest resident set of its processes in MB."""

    wall_s: float
    cpu_s: float
    memory_mb: float


@dataclass(frozen=True)
class Figure:
    """The medians of a command's runs, and the spread of the wall clock."""

    name: str
    runs: Sequence[Run]

    @property
    def wall_s(self) -> float:
        """The median of the wall clock, in seconds."""
        return median(run.wall_s for run in self.runs)

    def format_line(self, peer: "Figure | None" = None) -> str:
        """Format a row; with ``peer``, it also states the time as a multiple of the peer's."""
        walls = sorted(run.wall_s for run in self.runs)
        cpu, memory = median(run.cpu_s for run in self.runs), max(run.memory_mb for run in self.runs)
        ratio = f"  {self.wall_s / peer.wall_s:6.2f} x {peer.name}" if peer else ""
        spread = f"{walls[0]:.2f} to {walls[-1]:.2f}"
        return f"{self.name:<44} {self.wall_s:7.3f} s  ({spread})  cpu {cpu:6.2f} s  {memory:5.0f} MB{ratio}"


def run_once(command: str) -> Run:
    """Run a shell command to its end, and discard its output.

    Raises:
        RuntimeError: it failed; the message holds the end of its standard error.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment()
    )
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"{command}: {errors[-500:].decode(errors='replace')}")
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _environment() -> dict[str, str]:
    """Return our environment, but let Python keep its compiled files, as it does for installed programs."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_in_turn(commands: Mapping[str, str], times: int) -> dict[str, Figure]:
    """Run the commands in turn, so that other load affects all of them. The first round isn't counted."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for round_number in range(times + 1):
        for name, command in commands.items():
            run = run_once(command)
            if round_number:
                runs[name].append(run)
    return {name: Figure(name, command_runs) for name, command_runs in runs.items()}


def print_line(line: str) -> None:
    """Write a line, and flush it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
