"""What the caller's threads and the sender's thread share: the queue between them, and a few numbers."""

import os
import secrets
import socket
import threading
from collections import deque
from typing import Protocol

from ...errors import AgentlogError
from ..sinks.outbound import HeaderList, OutboundEvent
from .options import RecordingOptions, sanitize_name
from .wakeup import Wakeup

RESUME_SHARE = 0.75
"""Who waits for room goes on when no larger share of the memory is in use: not for one event alone, because threads
that take turns get little done."""


class OpenCall(Protocol):
    """A call that may have to be announced."""

    began: int

    def announce(self) -> None:
        """Record its ``call_started`` unless that was done."""
        ...


class EventQueue:
    """Events that were recorded and not taken up yet.

    Attributes:
        process: what this recording process is called in the header ``agentlog.process``.
        headers: of each event recorded here.
        open_calls: calls that run and weren't announced, the oldest first.
        failure: why events can't be delivered, where the agent's next call is to raise it.
        queued_count: how many events found room, and ``refused_count`` how many didn't.
        queued_bytes: how much they take in memory until they are settled.
        room_wakeups: for room, who is told when much of the memory is free.
    """

    def __init__(self, options: RecordingOptions) -> None:
        self.options = options
        self.clear()

    def clear(self) -> None:
        """Begin anew, as a process of its own."""
        self.process = make_process_name()
        self.headers: HeaderList = [("agentlog.process", self.process.encode())]
        self.queue: deque[OutboundEvent] = deque()
        self.open_calls: dict[str, OpenCall] = {}
        self.failure: AgentlogError | None = None
        self.queued_count = self.refused_count = self.queued_bytes = 0
        self.room_wakeups: deque[Wakeup] = deque()
        self.lock = threading.RLock()  # a signal's handler may record while the same thread records

    def append(self, record: OutboundEvent) -> None:
        """Queue ``record``."""
        try:
            with self.lock:  # and nothing called: who lost the interpreter in here would hold all others up
                self.queued_count += 1
                self.queued_bytes += record.size
        finally:  # also when a signal's handler raises: what is counted and never comes would be waited for
            self.queue.append(record)

    def count_refused(self) -> None:
        """Count an event that found no room."""
        with self.lock:
            self.refused_count += 1

    def release_bytes(self, size: int) -> None:
        """Note that events of ``size`` bytes aren't in memory any more."""
        with self.lock:
            self.queued_bytes -= size
        while self.room_wakeups and self.has_room(0, RESUME_SHARE):
            self.room_wakeups.popleft().set()

    def has_room(self, size: int, share: float = 1.0) -> bool:
        """Whether ``size`` bytes more may wait in a ``share`` of the memory; one event always may."""
        return self.queued_bytes + size <= self.options.queue_bytes * share or not self.queued_bytes


def make_process_name() -> str:
    """The host, the process's id, and what sets it apart from an earlier one with the same id."""
    host = sanitize_name(socket.gethostname().split(".")[0])
    return f"{host or 'host'}-{os.getpid()}-{secrets.token_hex(3)}"
