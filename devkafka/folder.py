"""The folder of a run. It is removed at the end of the run, and the run's processes are killed."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Only our process holds the other end of the pipe. So the reading ends when our process ends, for whatever reason.
_WATCHDOG_SCRIPT = """
trap '' HUP INT TERM
read -r _
for pid in "$1"/*/pid; do kill -s KILL -- "-$(cat "$pid")"; done 2>/dev/null
tries=0
until rm -rf -- "$1" 2>/dev/null || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
"""


@contextmanager
def create_run_folder(prefix: str) -> Iterator[Path]:
    """Yield a new temporary folder. A small process watches over it and cleans up when our process has ended."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    command = ["sh", "-c", _WATCHDOG_SCRIPT, "devkafka-watch", str(path)]
    devnull = subprocess.DEVNULL
    watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=devnull, stderr=devnull, start_new_session=True)
    try:
        yield path
    finally:
        watchdog.communicate()
