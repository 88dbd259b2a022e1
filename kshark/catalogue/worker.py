"""A process that reads a share of a topic beside the one that was asked: `python -m kshark.catalogue.worker`.

It is told what to read on standard input, adds that up in a store of its own, and ends with whoever started it.
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
from agentlog.settings.clusters import Cluster

from .assignment import Share
from .store import Mark, Store

FILE = "share.sqlite"
_log = logging.getLogger("agentlog.catalogue")


class Task(msgspec.Struct):
    """What a helper is to do: read a share, and keep what comes of it at a path."""

    cluster: Cluster
    share: Share
    path: str


class Helper:
    """A helper as who started it sees it.

    Attributes:
        path: the store into which it adds up its share.
    """

    def __init__(self, cluster: Cluster, share: Share) -> None:
        self._partitions = sorted(share.ends)
        self._folder = tempfile.TemporaryDirectory(prefix="kshark-")
        self.path = Path(self._folder.name, FILE)
        self._task = Task(cluster, share, str(self.path))

    def __enter__(self) -> Self:
        try:
            self._process = self._started()
        except OSError:
            self._folder.cleanup()
            raise
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it died: end() tells
                self._process.stdin.write(msgspec.json.encode(self._task) + b"\n")
                self._process.stdin.flush()
        return self

    @staticmethod
    def _started() -> "subprocess.Popen[bytes]":
        # -P: what lies in the user's folder isn't imported; a session of its own: signals are for who started it.
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

    def end(self) -> int | None:
        """How many records it read, once it is done; None where it failed."""
        told = self._process.stdout.read() if self._process.stdout is not None else b""
        if self._process.wait() == 0:
            return int(told)
        _log.info("a helper that read partitions %s failed; they are read without it", self._partitions)
        return None


def main() -> None:
    """Do what standard input says."""
    gc.disable()  # as in agentlog.cli.run
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    threading.Thread(target=_end_with_whoever_started_us, daemon=True).start()
    records = 0

    def heard(count: int) -> None:
        nonlocal records
        records += count

    marks = {p: Mark(0, start) for p, start in task.share.starts.items()}
    with Store(Path(task.path), lasting=False) as store, KafkaReader(task.cluster) as reader:
        store.put_marks(marks)
        task.share.read(reader, store, marks, heard)
    sys.stdout.write(str(records))


def _end_with_whoever_started_us() -> None:
    while os.read(sys.stdin.fileno(), 1):  # past the buffer, whose lock would stand in the way of our own end
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
