"""A run's own folder, which ends with the run, and takes the run's processes with it."""

import subprocess
import tempfile
from pathlib import Path

# Reading ends when our process, which alone holds the pipe's other end, is gone, however it went.
_WATCH = """
trap '' HUP INT TERM
read -r _
for pid in "$1"/*/pid; do kill -s KILL -- "-$(cat "$pid")"; done 2>/dev/null
tries=0
until rm -rf -- "$1" 2>/dev/null || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
"""


class RunFolder:
    """A new temporary folder, watched by a small process that outlives us just long enough to clean up.

    A process that is to end with the run writes the number of its process group into `FOLDER/NAME/pid`.
    """

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._watch = subprocess.Popen(
            ["sh", "-c", _WATCH, "devkafka-watch", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def remove(self) -> None:
        """End what still runs in the folder, and remove it; a second time does nothing."""
        self._watch.communicate()
