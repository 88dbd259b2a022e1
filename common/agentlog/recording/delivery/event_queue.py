"""The queue between the callers' threads and the sender's thread."""

import os
import secrets
import socket
from collections import deque
from typing import Protocol

from ...errors import AgentlogError
from ..sinks.outbound import HeaderList, OutboundEvent
from ..system.native_threads import RLock
from ..system.wakeup import Wakeup
from .options import RecordingOptions, sanitize_name

RESUME_SHARE = 0.75
"""Callers that wait for room resume when memory use falls to this share of the limit. If they resumed for room of one
event, the threads would take turns at each event and get little done."""


class OpenCall(Protocol):
    """A running call that may have to be announced.

    Attributes:
        began: when it began, on the performance counter, in nanoseconds.
    """

    began: int

    def announce(self) -> None:
        """Record its ``call_started``, once."""
        ...


class EventQueue:
    """The events that the sender hasn't taken yet.

    Attributes:
        process: the name of this recording process in the header ``agentlog.process``.
        headers: the headers of each event recorded here.
        open_calls: the running calls that aren't announced, by ``event_id``, the oldest first.
        failure: why events can't be delivered, if the agent's next call has to raise it. Else None.
        queued_count: how many events found room.
        refused_count: how many events found no room.
        queued_bytes: how much memory the unsettled events take, in bytes.
        room_wakeups: the wakeups of callers that wait for room.
    """

    def __init__(self, options: RecordingOptions) -> None:
        self.options = options
        self.clear()

    def clear(self) -> None:
        """Empty the queue, and take a new name for this process."""
        self.process = make_process_name()
        self.headers: HeaderList = [("agentlog.process", self.process.encode())]
        self.queue: deque[OutboundEvent] = deque()
        self.open_calls: dict[str, OpenCall] = {}
        self.failure: AgentlogError | None = None
        self.queued_count = self.refused_count = self.queued_bytes = 0
        self.room_wakeups: deque[Wakeup] = deque()
        self.lock = RLock()  # re-entrant: a signal handler may record while its thread records

    def append(self, record: OutboundEvent) -> None:
        """Queue ``record``."""
        try:
            with self.lock:  # calls no function: a thread that lost the interpreter here would block all others
                self.queued_count += 1
                self.queued_bytes += record.size
        finally:  # also if a signal handler raises: ``flush`` would wait for a counted event that never comes
            self.queue.append(record)

    def count_refused(self) -> None:
        """Count an event that found no room."""
        with self.lock:
            self.refused_count += 1

    @property
    def recorded_count(self) -> int:
        """How many events were recorded."""
        return self.queued_count + self.refused_count

    def release_bytes(self, size: int) -> None:
        """Subtract ``size`` bytes of settled events, and wake callers if there is enough room."""
        with self.lock:
            self.queued_bytes -= size
        while self.room_wakeups and self.has_room(0, RESUME_SHARE):
            self.room_wakeups.popleft().set()

    def has_room(self, size: int, share: float = 1.0) -> bool:
        """Return whether ``size`` more bytes fit into this ``share`` of the memory. A single event always fits."""
        return self.queued_bytes + size <= self.options.queue_bytes * share or not self.queued_bytes


def make_process_name() -> str:
    """Return a name for this process: the host, the process id, and a random part, because ids are used again."""
    host = sanitize_name(socket.gethostname().split(".")[0])
    return f"{host or 'host'}-{os.getpid()}-{secrets.token_hex(3)}"
