"""A run's own folder, which ends with the run, and takes the run's processes with it."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Reading ends when our process, which alone holds the pipe's other end, is gone, however it went.
_WATCHDOG_SCRIPT = """
trap '' HUP INT TERM
read -r _
for pid in "$1"/*/pid; do kill -s KILL -- "-$(cat "$pid")"; done 2>/dev/null
tries=0
until rm -rf -- "$1" 2>/dev/null || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
"""


@contextmanager
def create_run_folder(prefix: str) -> Iterator[Path]:
    """Yield a new temporary folder, watched by a small process that outlives us just long enough to clean up."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    command = ["sh", "-c", _WATCHDOG_SCRIPT, "devkafka-watch", str(path)]
    devnull = subprocess.DEVNULL
    watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=devnull, stderr=devnull, start_new_session=True)
    try:
        yield path
    finally:
        watchdog.communicate()
