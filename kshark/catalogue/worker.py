"""The worker process, which reads a share of a topic: `python -m kshark.catalogue.worker`.

It reads its task from standard input and writes the sessions into a store of its own. It ends when its parent ends.
"""

import gc
import logging
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from agentlog.log.reader import KafkaReader
from agentlog.session.failure_rules import FailureRules, get_failure_rules, set_failure_rules
from agentlog.settings.clusters import Cluster

from .assignment import Assignment
from .store import PartitionProgress, Store

STORE_FILE = "share.sqlite"
_log = logging.getLogger("agentlog.catalogue")


class WorkerTask(msgspec.Struct):
    """A worker's task: the share to read, the path of the store to write, and the rules for what means failed."""

    cluster: Cluster
    share: Assignment
    path: str
    failure_rules: FailureRules


class WorkerProcess:
    """A worker, for the process that started it.

    Attributes:
        path: the store into which the worker writes its share.
    """

    def __init__(self, cluster: Cluster, assignment: Assignment) -> None:
        self._partitions = sorted(assignment.ends)
        self._folder = tempfile.TemporaryDirectory(prefix="kshark-")
        self.path = Path(self._folder.name, STORE_FILE)
        self._task = WorkerTask(cluster, assignment, str(self.path), get_failure_rules())

    def __enter__(self) -> Self:
        try:
            self._process = self._start_process()
        except OSError:
            self._folder.cleanup()
            raise
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it died; wait() reports it
                self._process.stdin.write(msgspec.json.encode(self._task) + b"\n")
                self._process.stdin.flush()
        return self

    @staticmethod
    def _start_process() -> "subprocess.Popen[bytes]":
        # -P: no import from the user's folder. start_new_session: a terminal's signals go to the parent alone.
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def wait(self) -> int | None:
        """Wait for the end and return how many records the worker read; None if it failed."""
        output = self._process.stdout.read() if self._process.stdout is not None else b""
        if self._process.wait() == 0:
            return int(output)
        _log.info("a worker that read partitions %s failed; they are read without it", self._partitions)
        return None


def main() -> None:
    """Do the task that standard input gives."""
    gc.disable()  # as in agentlog.terminal.run
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=WorkerTask)
    set_failure_rules(task.failure_rules)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    records = 0

    def count_records(count: int) -> None:
        nonlocal records
        records += count

    progress = {p: PartitionProgress(0, start) for p, start in task.share.starts.items()}
    with Store(Path(task.path), is_durable=False) as store, KafkaReader(task.cluster) as reader:
        store.write_progress(progress)
        task.share.read_partitions(reader, store, progress, count_records)
    sys.stdout.write(str(records))


def _exit_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):  # without the buffer, whose lock would block our own exit
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
