"""The command `kdiff`, and `python -m kdiff`."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while kdiff is loading: no traceback

from .cli.app import main  # noqa: E402

if __name__ == "__main__":
    main()
