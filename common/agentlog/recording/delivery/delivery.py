"""The caller's side of the queue between the agent and Kafka."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ...errors import AgentlogError, KafkaUnavailable
from ...payloads import open_store
from ..sinks.outbound import OutboundEvent
from ..sinks.sink import Sink
from ..sinks.unopened_sink import UnopenedSink
from ..system.fork_hooks import FORK_HOOKS
from ..system.held_logs import write_held_records
from ..system.hosts import may_end_without_notice
from ..system.native_threads import RLock
from ..system.running_time import running_time
from ..system.wakeup import Wakeup
from .accounting import Stats, Waiter
from .event_queue import RESUME_SHARE, EventQueue, OpenCall
from .options import RecordingOptions
from .sender import Sender

STORE_GRACE_S = 4.0
"""How long the process's end waits for the payload store after ``exit_s``, in seconds."""

GRACE_S = 5.0
"""How long the process's end waits until the remaining events are spooled or dropped, in seconds."""

STOP_SENDING_TIMEOUT_S = 1.0
"""How long the process's end waits to learn which events of an earlier run's spool have arrived, in seconds."""

_log = logging.getLogger("agentlog.recording")


class Delivery(EventQueue):
    """The way from the tracers with the same options to their sink.

    Args:
        options: the options of these tracers.
        on_first_event: called when this process records its first event.

    Raises:
        AgentlogError: the sink or the payload store can't be opened.
    """

    def __init__(self, options: RecordingOptions, on_first_event: Callable[[], None]) -> None:
        super().__init__(options)
        self._on_first_event = on_first_event
        self._queue_limit = options.queue_bytes
        self._sink: Sink | None = self._open_first_sink()
        if options.payload_store is not None:
            open_store(options.payload_store)
        self._new_sender()

    def _open_first_sink(self) -> Sink:
        try:
            return self.options.open_sink()
        except KafkaUnavailable as error:  # the client's threads can't be started now; the first event tries again
            _log.warning("events wait: %s", error)
            return UnopenedSink(self.options.where, error)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a tracer can't be sent to another process; send its headers(), and use from_headers() there")

    def _new_sender(self) -> None:
        self._start_lock = RLock()  # re-entrant: a signal handler may record while its thread holds it
        self._sender: Sender | None = None
        self._was_closed_in_time: bool | None = None
        self._late_budget_s = self.options.shutdown_timeout_s
        self._outage_number: int | None = None
        self._waited_in_outage_s = 0.0

    def before_fork(self) -> None:
        """Close the connection before a fork, because a child can never take locks that the client's threads hold."""
        self._start_lock.acquire()
        if self._sender is not None:
            self._sender.pause()
        elif self._sink is not None:
            self._sink.close()

    def after_fork(self) -> None:
        """Resume in the parent."""
        if self._sender is not None:
            self._sender.resume()
        self._start_lock.release()

    def after_fork_in_child(self) -> None:
        """Start with an empty queue and no connection, because the parent keeps its own."""
        if self._sender is not None:
            self._sender.abandon()
        if self._sink is not None:
            self._sink.abandon()
        self._sink = None
        self.clear()
        self._new_sender()

    def put(self, record: OutboundEvent) -> None:
        """Queue ``record``. Wait only if the memory is full although Kafka takes events."""
        write_held_records()
        sender = self._sender
        if sender is None or not sender.worker.has_thread:
            sender = self._start_sender()
        has_room = self.queued_bytes + record.size <= self._queue_limit  # the rest of ``has_room``, for each event
        if has_room or self.has_room(record.size) or self._wait_for_room(sender, record):
            self.append(record)
            if sender.is_asleep:
                sender.wake()
        else:
            self.count_refused()
            sender.drop_overflow(record)
        if self._was_closed_in_time is not None and not sender.worker.is_current():
            self._deliver_late()

    def watch_call(self, event_id: str, call: OpenCall) -> None:
        """Watch a running call, so that it is announced if it takes long."""
        if self._sender is None:
            self._start_sender()
        self.open_calls[event_id] = call

    def raise_failure(self) -> None:
        """Raise the failure, if events can't be delivered.

        Raises:
            KafkaError: events can't be delivered, and ``on_outage="raise"``.
        """
        FORK_HOOKS.check()
        failure = self.failure  # read once, because the sender's thread may reset it
        if failure is not None:
            raise type(failure)(str(failure))

    def _start_sender(self) -> Sender:
        """Return the sender, and start its thread if that is possible now. Never raises into the agent."""
        with self._start_lock:
            if self._sender is None:
                sender = Sender(self, self._take_sink())
                self._sender = self._sender or sender  # a signal handler may have set it meanwhile
            sender = self._sender
            sender.worker.start()
        self._on_first_event()
        return sender

    def _take_sink(self) -> Sink:
        sink, self._sink = self._sink, None
        if sink is not None and not sink.is_closed:
            return sink
        try:
            return self.options.open_sink()
        except AgentlogError as error:
            return UnopenedSink(self.options.where, error)

    def _wait_for_room(self, sender: Sender, record: OutboundEvent) -> bool:
        """Wait for room in memory. Return False as soon as events are no longer delivered."""
        if sender.worker.is_current():
            return True
        sender.wake()
        while not self.has_room(record.size, RESUME_SHARE):
            if not sender.ledger.is_progressing():
                if self.options.on_outage != "spool":
                    return False
                sender.spill_now()
            self.room_wakeups.append(wakeup := Wakeup())
            sender.worker.wait_for(wakeup, 0.05)
        return True

    def flush_within_exit_time(self) -> bool:
        """Flush for at most ``exit_s``. While an outage lasts, all these waits together take no longer than that.

        So a server that closes twenty tracers in an outage waits once.

        Returns:
            False if the time was too short.
        """
        began, number = running_time(), self._get_outage_number()
        waited_s = self._waited_in_outage_s if number is not None and number == self._outage_number else 0.0
        is_settled = self.flush(max(0.0, self.options.shutdown_timeout_s - waited_s))
        self._outage_number, self._waited_in_outage_s = self._get_outage_number(), waited_s + running_time() - began
        return is_settled

    def _get_outage_number(self) -> int | None:
        return None if self._sender is None else self._sender.outage_number

    def flush(self, timeout_s: float) -> bool:
        """Wait until all events recorded so far are delivered, spooled, or dropped and reported.

        Args:
            timeout_s: how long to wait at most, in seconds.

        Returns:
            False if the time was too short.
        """
        return self._wait(timeout_s)

    def _wait(self, timeout_s: float, *, ends_at_failure: bool = False) -> bool:
        """Wait like ``flush``. With ``ends_at_failure``, wait no longer once the next call raises."""
        FORK_HOOKS.check()
        sender = self._sender
        if sender is None:
            return True
        if sender.worker.is_current():  # a generator's block that ends in a collection of garbage there
            return False
        waiter = Waiter(self.queued_count, ends_at_failure=ends_at_failure)
        sender.ledger.waiters.append(waiter)
        sender.worker.start()
        sender.wake()
        is_settled = sender.worker.wait_for(waiter.wakeup, timeout_s)
        write_held_records()
        return is_settled

    def flush_at_session_end(self) -> None:
        """Wait until a capture file holds the session. Wait for Kafka only if this process may end without notice.

        In an outage, nothing is waited for once the next call raises.
        """
        if self.failure is None and (isinstance(self.options.target, Path) or may_end_without_notice()):
            self._wait(self.options.shutdown_timeout_s, ends_at_failure=True)

    def close(self, began: float) -> None:
        """Deliver the remaining events at the end of the process, in bounded time. Spool or report the rest.

        Args:
            began: when the process began to end, in running time, in seconds.
        """
        sender = self._sender
        if sender is None:
            self._was_closed_in_time = True
            return
        sender.resume()  # a signal may end the process during a fork, while the sender is paused
        self._was_closed_in_time = self.flush(max(0.0, began + self.options.shutdown_timeout_s - running_time()))
        if not self._was_closed_in_time:
            sender.give_up_store()
            if not self.flush(STORE_GRACE_S if sender.waits_for_store else 0.0):
                sender.give_up()
                if not self.flush(GRACE_S):
                    sender.log_held_up(self.stats().queued)
        if self.options.on_outage == "spool":
            sender.stop_sending(STOP_SENDING_TIMEOUT_S)
        sender.log_unrecorded_losses()
        write_held_records()

    def deliver_at_once(self) -> None:
        """Deliver each event within its call from now on, because the process has delivered its events and ends."""
        self._was_closed_in_time = True

    def _deliver_late(self) -> None:
        """Deliver an event recorded after ``close``, by a thread or a later exit handler.

        It has to happen within the recording call, because nothing else runs after it.
        """
        now = running_time()
        if self._was_closed_in_time:
            self.close(now)
        elif self._late_budget_s > 0:
            self.close(-math.inf)
            self._late_budget_s -= running_time() - now

    def explain_undelivered(self) -> AgentlogError:
        """Return an error that says why events aren't delivered yet."""
        stats = self.stats()
        cause = self._sender.explain_failure() if self._sender else None
        message = f"{stats.queued:,} events are not delivered yet; they are still being sent"
        return type(cause)(f"{cause}; {message}") if cause else KafkaUnavailable(message)

    def stats(self) -> Stats:
        """Return the counts of the events of this process."""
        FORK_HOOKS.check()
        sender = self._sender
        if sender is None:
            return Stats()
        return sender.stats()
