"""The command `kshark`, and `python -m kshark`."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it is loaded, Ctrl-C ends it without a traceback of Python's

from .cli import main  # noqa: E402

if __name__ == "__main__":
    main()
