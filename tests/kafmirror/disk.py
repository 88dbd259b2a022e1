"""A broker's disk that can be full: a small file system if we may mount one, else a limit on the size of files."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devkafka.process import Process

DISK_SIZE = "24m"


@contextmanager
def mount_small_disk(path: Path) -> Iterator[Path]:
    """Yield a folder on a file system of 24 MB for root, else an ordinary folder."""
    path.mkdir()
    if os.geteuid() != 0:
        yield path
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextmanager
def fill_disk(disk: Path, broker: Process) -> Iterator[None]:
    """Leave the broker no room on a small disk while the block runs. The caller kills the broker and starts it again.

    An ordinary folder can't be full, so the system refuses to let any file of the broker grow beyond 1 MB.
    """
    if not disk.is_mount():
        assert broker.pid
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        yield
        return
    ballast, free = disk / "ballast", os.statvfs(disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - (256 << 10)))
    try:
        yield
    finally:
        ballast.unlink()
