"""The command `kafmirror`, and `python -m kafmirror`."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports below ends without a traceback

from .commands.app import main  # noqa: E402

if __name__ == "__main__":
    main()
