"""What the caller's threads and the sender's thread share: the queue between them, and a few numbers."""

import os
import secrets
import socket
import threading
from collections import deque
from typing import Protocol

from ..errors import AgentlogError
from .options import Options, bare
from .records import Entry


class OpenCall(Protocol):
    """A call that may have to be announced."""

    began: int

    def announce(self) -> None:
        """Record its ``call_started`` unless that was done."""
        ...


class Intake:
    """Events that were recorded and not taken up yet.

    Attributes:
        process: what this recording process is called in the header ``agentlog.process``.
        opens: calls that run and weren't announced, the oldest first.
        failure: why events can't be delivered, where the agent's next call is to raise it.
        recorded: how many events were recorded; ``queued`` of them found room.
        queued_bytes: how much they take in memory until they are settled.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clear()

    def clear(self) -> None:
        """Begin anew, as a process of its own."""
        self.process = process_name()
        self.queue: deque[Entry] = deque()
        self.opens: dict[str, OpenCall] = {}
        self.failure: AgentlogError | None = None
        self.recorded = self.queued = self.queued_bytes = 0
        self.lock = threading.RLock()  # a signal's handler may record while the same thread records

    def append(self, entry: Entry) -> None:
        """Queue ``entry``."""
        with self.lock:
            self.recorded += 1
            self.queued += 1
            self.queued_bytes += entry.size
            self.queue.append(entry)

    def refuse(self) -> None:
        """Count an event that found no room."""
        with self.lock:
            self.recorded += 1

    def settled(self, size: int) -> None:
        """Note that events of ``size`` bytes aren't in memory any more."""
        with self.lock:
            self.queued_bytes -= size

    def has_room(self, size: int, share: float = 1.0) -> bool:
        """Whether ``size`` bytes more may wait in a ``share`` of the memory; one event always may."""
        return self.queued_bytes + size <= self.options.queue_bytes * share or not self.queued_bytes


def process_name() -> str:
    """The host, the process's id, and what sets it apart from an earlier one with the same id."""
    host = bare(socket.gethostname().split(".")[0])
    return f"{host or 'host'}-{os.getpid()}-{secrets.token_hex(3)}"
