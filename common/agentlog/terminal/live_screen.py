"""A few lines at the end of a terminal that are drawn again and again. Other output appears above them."""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO


class Screen:
    """The lines, and their stream. A log handler may write through it from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lines = stream, list[str]()
        self._lock = threading.Lock()

    @property
    def height(self) -> int:
        """The number of lines of the terminal."""
        return os.get_terminal_size(self._stream.fileno()).lines

    def draw(self, lines: Sequence[str]) -> None:
        """Replace the lines by these. Each must fit the terminal's columns."""
        with self._lock:
            self._replace(lines, above="")

    def write(self, text: str) -> None:
        """Write text above the lines, as a stream does."""
        with self._lock:
            self._replace(self._lines, above=text)

    def flush(self) -> None:
        """Do nothing: text is written at once. A stream has this method."""

    def _replace(self, lines: Sequence[str], above: str) -> None:
        back = f"\x1b[{len(self._lines)}F\x1b[J" if self._lines else ""
        self._lines = list(lines)
        self._stream.write(f"{back}{above}" + "".join(f"{line}\n" for line in lines))
        self._stream.flush()


@contextmanager
def write_log_above(screen: Screen, stream: TextIO) -> Iterator[None]:
    """Show the log's lines for ``stream`` above the screen's lines while the block runs."""
    stream_handlers = [each for each in logging.getLogger().handlers if isinstance(each, logging.StreamHandler)]
    redirected = [each for each in stream_handlers if each.stream is stream]
    for handler in redirected:
        handler.setStream(screen)
    try:
        yield
    finally:
        for handler in redirected:
            handler.setStream(stream)
