"""The entry point of `kshark` and `python -m kshark`."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends without a traceback

from .cli import main  # noqa: E402

if __name__ == "__main__":
    main()
