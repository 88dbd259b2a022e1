"""The queue between the agent and Kafka: the caller's side, which only takes a copy and goes on."""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from ..errors import AgentlogError, KafkaUnavailable
from ..payloads import open_store
from .intake import Intake, OpenCall
from .ledger import Waiter
from .options import Options
from .outlets import Outlet
from .records import Entry
from .sender import Sender
from .stats import Stats

STORE_GRACE_S = 4.0
GRACE_S = 5.0
"""What giving up may take: the store is waited for no longer than the former, all else than the latter."""


class Delivery(Intake):
    """Everything between tracers that share the same options and what takes their events.

    Args:
        started: called when the first event of this process is recorded.
    """

    def __init__(self, options: Options, started: Callable[[], None]) -> None:
        super().__init__(options)
        self._started = started
        self._outlet: Outlet | None = options.outlet()
        if options.payloads is not None:
            open_store(options.payloads)
        self._new_sender()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a tracer can't be sent to another process; send its headers(), and use from_headers() there")

    def _new_sender(self) -> None:
        self._starting = threading.Lock()
        self._sender: Sender | None = None

    def after_fork(self) -> None:
        """Begin anew in a child: what was queued is the parent's, and so is its connection."""
        abandoned = list(self._outlet.clients()) if self._outlet is not None else []
        if self._sender is not None:
            abandoned += self._sender.abandon()
        for client in abandoned:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))  # freeing it would wait for threads that aren't here
        self._outlet = None
        self.clear()
        self._new_sender()

    def put(self, entry: Entry) -> None:
        """Queue ``entry``; waits only where memory is full although Kafka takes events."""
        sender = self._sender or self._start()
        if not self.has_room(entry.size) and not self._made_room(sender, entry):
            self.refuse()
            sender.overflowed(entry)
            return
        self.append(entry)
        if sender.asleep:
            sender.wake()

    def open(self, event_id: str, call: OpenCall) -> None:
        """Watch a call that runs: it is announced when it takes long."""
        if self._sender is None:
            self._start()
        self.opens[event_id] = call

    def check(self) -> None:
        """Let the agent know that its events can't be delivered.

        Raises:
            KafkaError: as `on_outage="raise"` has it.
        """
        if self.failure is not None:
            raise type(self.failure)(str(self.failure))

    def _start(self) -> Sender:
        with self._starting:
            if self._sender is None:
                outlet, self._outlet = self._outlet or self.options.outlet(), None
                self._sender = Sender(self, outlet)
                self._sender.start()
                self._started()
            return self._sender

    def _made_room(self, sender: Sender, entry: Entry) -> bool:
        """Wait for room while events are being delivered; False as soon as none are."""
        if threading.current_thread() is sender:
            return True
        sender.wake()
        while not self.has_room(entry.size, 0.9):  # not for one event alone: threads that take turns get little done
            if not sender.ledger.progressing():
                if self.options.on_outage != "spool":
                    return False
                sender.press()
            sender.ledger.made_room.clear()
            sender.ledger.made_room.wait(0.05)
        return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything recorded so far is delivered, spooled, or dropped and reported."""
        sender = self._sender
        if sender is None or not sender.is_alive():
            return not self.queue
        waiter = Waiter(self.queued)
        sender.ledger.waiters.append(waiter)
        sender.wake()
        return waiter.reached.wait(timeout_s)

    def close(self, began: float) -> None:
        """The end of the process: deliver what there is, in bounded time; spool or report what is left.

        Args:
            began: when the process began to end, on the monotonic clock, in seconds.
        """
        sender = self._sender
        if sender is None or not sender.is_alive():
            return
        if not self.flush(max(0.0, began + self.options.exit_s - time.monotonic())):
            sender.give_up_store()
            if not self.flush(STORE_GRACE_S if sender.waits_for_store else 0.0):
                sender.give_up()
                self.flush(GRACE_S)
        sender.tell_untold_losses()

    def undelivered(self) -> AgentlogError:
        """Why something isn't delivered yet."""
        stats = self.stats()
        why = self._sender.why() if self._sender else None
        told = f"{stats.queued:,} events are not delivered yet; they wait, and go on being sent"
        return type(why)(f"{why}; {told}") if why else KafkaUnavailable(told)

    def stats(self) -> Stats:
        """What became of everything so far."""
        sender = self._sender
        if sender is None:
            return Stats()
        return sender.stats(self.recorded)
