"""Progress on standard error, for commands that take longer than a second."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .output import get_width
from .text_width import clip_text

PROGRESS_AFTER_S = 1.0


@contextmanager
def show_progress(describe: Callable[[], str]) -> Iterator[None]:
    """Show ``describe()`` on standard error while the block runs, if it takes longer than a second."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_draw_progress, args=(describe, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _draw_progress(describe: Callable[[], str], done: threading.Event) -> None:
    if done.wait(PROGRESS_AFTER_S):
        return
    while not done.wait(0.1):
        _draw_status(clip_text(describe(), get_width(sys.stderr) - 1))
    _draw_status("")


def _draw_status(text: str) -> None:
    sys.stderr.write(f"\r{text}\x1b[K")
    sys.stderr.flush()
