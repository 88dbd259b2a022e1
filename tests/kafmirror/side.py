"""Two clusters to mirror between, and kafmirror run as a user runs it: to its end, or next to the test."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devkafka import KafkaCluster, create_topic, eventually
from tests.kafmirror.logs import Log, compute_digests, count_partitions, fill_topic, read_log, sum_end_offsets


@dataclass(frozen=True)
class CompletedRun:
    """The result of a run of kafmirror."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


class MirrorProcess:
    """A kafmirror that runs next to the test."""

    def __init__(self, arguments: list[str], cwd: Path | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with us
        self._process = subprocess.Popen(
            _make_command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=_make_environment(),
            cwd=cwd,
        )

    @property
    def err(self) -> str:
        """The text that it wrote to standard error so far."""
        self._log.seek(0)
        return self._log.read().decode()

    @property
    def is_running(self) -> bool:
        """Whether it hasn't ended."""
        return self._process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it if it runs, and close its log."""
        if self.is_running:
            self.kill()
        self._process.communicate()
        self._log.close()

    def stop(self) -> CompletedRun:
        """Let it end cleanly."""
        self.send_signal(signal.SIGTERM)
        return self.wait_for_end()

    def wait_for_end(self, timeout: float = 60) -> CompletedRun:
        """Wait for its end."""
        out, _ = self._process.communicate(timeout=timeout)
        return CompletedRun(self._process.returncode, out.decode(), self.err)

    def wait_for_output(self, text: str, timeout: float = 60) -> None:
        """Wait until it writes ``text`` to standard error."""
        try:
            eventually(lambda: text in self.err or not self.is_running, timeout)
        except TimeoutError:
            raise TimeoutError(f"not on standard error after {timeout} s: {text}\n{self.err}") from None
        assert text in self.err, self.err


@dataclass(frozen=True)
class Pair:
    """A source and a target."""

    source: KafkaCluster
    target: KafkaCluster

    def build_arguments(self, command: str, *more: str) -> list[str]:
        """Return the command line of a command for the two clusters."""
        return [command, "--source", self.source.bootstrap, "--target", self.target.bootstrap, *more]

    def run(self, command: str, *more: str) -> CompletedRun:
        """Run kafmirror to its end."""
        return run_kafmirror(self.build_arguments(command, *more))

    def replicate_once(self, topic: str, *more: str) -> CompletedRun:
        """Mirror the records that exist."""
        return self.run("replicate", "--topics", topic, "--once", *more)

    @contextmanager
    def run_mirror(self, topic: str, *more: str) -> Iterator[MirrorProcess]:
        """Run a mirror for the block."""
        mirror = MirrorProcess(self.build_arguments("replicate", "--topics", topic, *more))
        try:
            yield mirror
        except BaseException as error:
            error.add_note(f"the mirror {'runs' if mirror.is_running else 'has ended'}, and wrote:\n{mirror.err}")
            raise
        finally:
            mirror.close()

    def create_source_topic(self, *, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic in the source, and return its name."""
        return create_topic(self.source.bootstrap, partitions=partitions, config=config)

    def create_filled_topic(self, count: int) -> str:
        """Create a topic of six partitions on both sides, with ``count`` records in the source."""
        topic = self.create_source_topic(partitions=6)
        create_topic(self.target.bootstrap, topic, partitions=6)
        fill_topic(self.source.bootstrap, topic, count)
        return topic

    def wait_for_records(self, topic: str, count: int, timeout: float = 120) -> None:
        """Wait until the target holds ``count`` records."""
        eventually(lambda: sum_end_offsets(self.target.bootstrap, topic) >= count, timeout)

    def read_logs(self, topic: str) -> tuple[Log, Log]:
        """Return all records of both sides."""
        return read_log(self.source.bootstrap, topic), read_log(self.target.bootstrap, topic)

    def is_exact(self, topic: str) -> bool:
        """Return whether both sides hold the same records at the same offsets."""
        return compute_digests(self.source.bootstrap, topic) == compute_digests(self.target.bootstrap, topic)

    def wait_until_exact(self, topic: str, timeout: float = 60) -> None:
        """Wait until both sides hold the same records."""
        eventually(lambda: count_partitions(self.target.bootstrap, topic) and self.is_exact(topic), timeout)

    def count_exact_records(self, topic: str) -> int:
        """Check that both sides hold the same records at the same offsets, and return their number."""
        source, target = compute_digests(self.source.bootstrap, topic), compute_digests(self.target.bootstrap, topic)
        assert target == source
        return sum(count for count, _ in source.values())


def run_kafmirror(
    arguments: list[str], variables: Mapping[str, str] | None = None, cwd: Path | None = None
) -> CompletedRun:
    """Run kafmirror to its end."""
    environment = {**_make_environment(), **(variables or {})}
    result = subprocess.run(
        _make_command(arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        cwd=cwd,
        timeout=120,
        check=False,
    )
    return CompletedRun(result.returncode, result.stdout.decode(), result.stderr.decode())


def _make_command(arguments: list[str]) -> list[str]:
    """Return the command, with JSON as its format unless ``arguments`` say otherwise."""
    command, *more = arguments
    return [sys.executable, "-m", "kafmirror", command, "--format", "json", *more]


def _make_environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AGENTLOG_")}
    return {**clean, "AGENTLOG_DEBUG": "1", "XDG_CONFIG_HOME": "/nonexistent"}
