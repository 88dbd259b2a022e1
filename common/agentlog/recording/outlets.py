"""Where events go: the contract that Kafka's writer keeps, and the capture file that keeps it without Kafka."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from ..capture import write_line
from ..errors import AgentlogError, UsageError
from ..events import Place
from .records import Outbound


class Verdict(Enum):
    """Why a record that was handed over wasn't delivered."""

    REFUSED = "never to be taken: this record"
    FAILED = "not taken, nor will others be: the topic, our rights, or the producer itself"
    TAKEN_BACK = "called back before it was acknowledged"


class Outlet(Protocol):
    """Takes records in order, and tells later what became of each: see ``KafkaWriter``."""

    where: str

    def send(self, record: Outbound) -> bool: ...  # noqa: D102
    def poll(self, timeout_s: float) -> None: ...  # noqa: D102
    def take_back(self) -> None: ...  # noqa: D102
    def verdict(self, error: Any) -> Verdict: ...  # noqa: D102
    def is_well(self) -> None: ...  # noqa: D102
    def refusal(self) -> AgentlogError | None: ...  # noqa: D102
    def trouble(self) -> AgentlogError: ...  # noqa: D102
    def answers(self) -> bool: ...  # noqa: D102
    def clients(self) -> Iterator[object]: ...  # noqa: D102


class FileWriter:
    """A capture file, made when it isn't there, else continued.

    Raises:
        UsageError: it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._waiting: list[Outbound] = []
        self._wrong: OSError | None = None
        if path.suffix in (".gz", ".zst"):
            raise UsageError(f"{path}: a capture file is written unpacked; pack it when it is done.")
        try:
            self._file = path.open("ab", buffering=0)  # a forked child must find nothing here to write a second time
            with path.open("rb") as lines:
                self._lines, last = 0, b"\n"
                for self._lines, last in enumerate(lines, 1):  # noqa: B007  the last of them
                    pass
            self._torn = not last.endswith(b"\n")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}. It is to be the capture file.") from error

    def send(self, record: Outbound) -> bool:
        """Take ``record``."""
        self._waiting.append(record)
        return True

    def poll(self, timeout_s: float) -> None:  # noqa: ARG002  a file doesn't let us wait
        """Write what was taken."""
        if not self._waiting:
            return
        records, self._waiting = self._waiting, []
        first = self._lines + 1
        self._lines += len(records)
        places = (Place(None, -1, first + n, r.at_ms, r.place_headers) for n, r in enumerate(records))
        content = b"\n" * self._torn  # behind what a full disk, or the end of an earlier run, cut off
        content += b"".join(write_line(r.value, place) for r, place in zip(records, places, strict=True))
        try:
            while content:
                content = content[self._file.write(content) :]
            self._wrong = None
        except OSError as error:
            self._wrong = error
        self._torn = self._wrong is not None
        for record in records:
            record.answered(self._wrong, None)

    def take_back(self) -> None:
        """Nothing to do: nothing is under way."""

    def verdict(self, error: Any) -> Verdict:  # noqa: ARG002  it is always the file's own
        """Not written, and the next one wouldn't be either."""
        return Verdict.FAILED

    def is_well(self) -> None:
        """Nothing to forget."""

    def refusal(self) -> AgentlogError | None:
        """What went wrong when it was last written, or None."""
        return None if self._wrong is None else self.trouble()

    def trouble(self) -> AgentlogError:
        """What went wrong."""
        told = self._wrong.strerror if self._wrong else "not written"
        return UsageError(f"{self._path}: {told}. It is the capture file that events are recorded to.")

    def answers(self) -> bool:
        """Whether it is worth trying."""
        return True

    def clients(self) -> Iterator[object]:
        """Nothing that a fork harms."""
        return iter(())
