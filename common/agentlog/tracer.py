"""AgentTracer, the recorder of one agent in one session."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from .errors import UsageError
from .home import make_absolute
from .recording.delivery.accounting import Stats
from .recording.delivery.delivery import Delivery
from .recording.delivery.options import DEFAULT_SPOOL, OnOutage, RecordingOptions
from .recording.delivery.process import DELIVERIES
from .recording.delivery.target import resolve_target
from .recording.prepare.ids import new_event_id, new_session_id
from .recording.prepare.redaction import Redact
from .recording.prepare.snapshot import format_error, is_cancellation, make_error_fields
from .recording.prices import PRICES, Price
from .recording.sinks.outbound import MAX_NAME_LENGTH, Author, is_valid_name
from .recording.spans.call_spans import Delegation
from .recording.spans.context import (
    ScopeToken,
    TracerBinding,
    bind_tracer,
    enter_scope,
    find_scope,
    leave_scope,
    unbind_tracer,
)
from .recording.spans.methods import RecordingMethods
from .recording.spans.propagation import make_headers, parse_headers
from .recording.spans.recorder import Recorder
from .recording.system.fork_hooks import FORK_HOOKS

NO_PRICES: Mapping[str, Price] = MappingProxyType({})
"""The default for ``prices``: an empty mapping that nobody can change."""


class AgentTracer(RecordingMethods):
    """A recorder of one agent in one session.

        with AgentTracer(agent_id="invoice-agent", goal="Invoice Acme", cluster="us-east-1") as tracer:
            invoice = tracer.track_tool_call("stripe.create_invoice", {"amount": 4500}, lambda: create(4500))

    The ``with`` block is the session. It records ``session_start`` and ``session_end``. If an exception leaves the
    block, the session ends as ``failed``.

    Without the block, ``start()`` starts the session and ``end()`` ends it. If there is a goal, the first event
    starts the session by itself.

    Events wait in a queue, and a thread sends them. Tracers with the same options share one queue and one connection.
    With ``AGENTLOG_DISABLED=1`` in the environment, the tracer records nothing.

    Args:
        session_id: the session's id. A new one is made when it is None.
        agent_id: the name of the agent that acts.
        goal: what the session has to achieve.
        cluster: a cluster's name in the settings, or ``host:port``. None means the default of the settings.
        kafka: librdkafka's properties, in place of ``cluster``.
        file: a capture file, in place of Kafka. It holds all events when the ``with`` block ends.
        topic: the topic. None means the topic in the settings, or else ``agent-events``.
        redact: True applies the built-in rules for secrets, False applies none. A function is called with each event,
            after the built-in rules. It returns the event that is stored.
        payloads: the store for large values: a folder, or a URL such as ``s3://bucket/prefix``.
        prices: prices by model. They add to the built-in prices, or replace them.
        outage_s: how long events wait for Kafka, in seconds.
        on_outage: what happens after ``outage_s``. ``raise``: the next call raises KafkaUnavailable (or UsageError, for
            a capture file), and the events go on waiting. ``spool``: the events go to a capture file. They are sent in
            order when Kafka is back, or by a later run. ``drop``: the events are dropped and counted.
        spool: the folder for the capture files of ``on_outage="spool"``.
        queue_mb: how much memory waiting events may take, in megabytes.
        exit_s: how long the end of the process may wait for undelivered events, in seconds.

    Raises:
        SettingsError: a setting is missing or wrong.
        UsageError: a name is empty or too long, several targets are given, or the file can't be opened.
    """

    def __init__(  # noqa: PLR0913  each parameter is a setting, and callers name it
        self,
        session_id: str | None = None,
        *,
        agent_id: str,
        goal: str | None = None,
        cluster: str | None = None,
        kafka: Mapping[str, object] | None = None,
        file: str | Path | None = None,
        topic: str | None = None,
        redact: bool | Redact = True,
        payloads: str | Path | None = None,
        prices: Mapping[str, Price] = NO_PRICES,
        outage_s: float = 60.0,
        on_outage: OnOutage = "raise",
        spool: str | Path = DEFAULT_SPOOL,
        queue_mb: float = 128,
        exit_s: float = 10.0,
    ) -> None:
        # Stands first because pickle meets it first: the delivery in it raises an error that says what to do instead.
        self._recorder: Recorder | None = None
        self._author = Author(
            _check_name("session_id", session_id or new_session_id()), _check_name("agent_id", agent_id)
        )
        self._goal, self._prices = goal, {**PRICES, **prices} if prices else PRICES
        self._parent: str | None = None
        self._owns_session, self._has_started, self._has_ended = True, False, False
        self._delegation: Delegation | None = None
        self._scope_token: ScopeToken | None = None
        self._binding: TracerBinding | None = None
        if os.environ.get("AGENTLOG_DISABLED", "") in ("", "0"):
            target, topic = resolve_target(cluster, kafka, file, topic)
            options = RecordingOptions(
                target=target,
                topic=topic,
                redact=redact if callable(redact) else None,
                use_builtin_rules=bool(redact),
                payload_store=None if payloads is None else _locate_store(payloads),
                outage_timeout_s=outage_s,
                on_outage=on_outage,
                spool_folder=make_absolute(spool) if on_outage == "spool" else Path(spool),
                queue_bytes=round(queue_mb * 1024 * 1024),
                shutdown_timeout_s=exit_s,
            )
            self._attach_recorder(DELIVERIES.get_delivery(options))

    def _attach_recorder(self, delivery: Delivery) -> None:
        self._recorder, self._began_in_process = Recorder(self._author, delivery, self._parent), delivery.process
        if self._owns_session and self._goal is not None:
            self._recorder.start_session = self._start

    @classmethod
    def from_headers(cls, headers: Mapping[Any, Any], *, agent_id: str, **options: Any) -> Self:
        """Return a tracer that continues the session of another process.

        The headers name the session and the parent event. If they don't, the tracer starts a session of its own.

        Args:
            headers: the request's headers, which ``headers()`` made. Their names may be in upper or lower case, their
                values may be text or bytes.
            agent_id: the name of the agent that acts here.
            options: the other parameters of ``AgentTracer``. A ``session_id`` is used only if the headers name none.
        """
        session_id, parent = parse_headers(headers)
        fallback_session_id = options.pop("session_id", None)
        tracer = cls(session_id or fallback_session_id, agent_id=agent_id, **options)
        if session_id is not None:
            tracer._join_session(parent)
        return tracer

    def _join_session(self, parent: str | None) -> None:
        self._parent, self._owns_session = parent, False
        if self._recorder is not None:
            self._attach_recorder(self._recorder.delivery)

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return self._author.session_id

    @property
    def agent_id(self) -> str:
        """The name of the agent that acts."""
        return self._author.agent_id

    def headers(self) -> dict[str, str]:
        """Return headers that carry the session and the current parent event to another process.

        ``from_headers`` reads them there.
        """
        if self._recorder is None:
            return make_headers(self.session_id, self._parent)
        FORK_HOOKS.check()
        scope = find_scope(self._recorder)
        if scope is not None and scope.call is not None:
            scope.call.announce()
        return make_headers(self.session_id, scope.cause if scope is not None else self._recorder.root)

    def start(self, **request: Any) -> None:
        """Record ``session_start``. The ``with`` block calls this by itself.

        Args:
            request: facts about the request. They are stored in the event's payload.

        Raises:
            KafkaError: events can't be delivered, and ``on_outage="raise"``.
        """
        if self._recorder is not None and self._owns_session and not self._has_started:
            self._recorder.delivery.raise_failure()
            self._start(**request)

    def _start(self, **request: Any) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        self._has_started, recorder.start_session = True, None
        goal = {} if self._goal is None else {"goal": self._goal}
        parent = {} if recorder.root is None else {"parent_event_id": recorder.root}
        recorder.root, self._began_in_process = new_event_id(), recorder.delivery.process
        recorder.write(recorder.root, "session_start", goal | request, parent)

    def end(self, status: str | None = None, *, result: Any = None, error: str | None = None) -> None:
        """Record ``session_end``, or ``delegation_result`` for a sub-agent. Only the first call counts.

        A tracer with a known ``session_id`` ends that session even if another process started it. A tracer from
        ``from_headers`` doesn't end the session, because the caller ends it. A forked child doesn't end sessions that
        started before the fork.

        Args:
            status: ``succeeded``, ``failed`` or ``cancelled``. None means ``failed`` if there is an error, and
                ``succeeded`` if there is none.
            result: the session's result.
            error: what went wrong.
        """
        if self._record_end(status, result, error) and self._recorder is not None:
            self._recorder.delivery.flush_at_session_end()

    def _record_end(self, status: str | None = None, result: Any = None, error: str | None = None) -> bool:
        """Record the end, if it isn't recorded yet. Return whether that ended a session."""
        FORK_HOOKS.check()
        recorder = self._recorder
        if self._has_ended or recorder is None or self._began_in_process != recorder.delivery.process:
            return False
        self._has_ended = True
        status = status or ("succeeded" if error is None else "failed")
        if self._delegation is not None:
            self._delegation.output, self._delegation.error = result, error or _get_delegation_error(status)
            self._delegation.finish_reason = "cancelled" if status == "cancelled" else None
            self._delegation.finish()
        if self._owns_session:
            end_fields = {"status": status, "result": result, "error": error}
            self._record_unchecked(
                recorder, "session_end", {name: value for name, value in end_fields.items() if value is not None}, {}
            )
        return self._owns_session

    @contextmanager
    def as_current(self) -> Iterator[Self]:
        """Make it the tracer of ``agentlog.current()`` for a ``with`` block that neither starts nor ends the session.

        A tracer's own ``with`` block does this by itself.
        """
        binding = bind_tracer(self)
        try:
            yield self
        finally:
            unbind_tracer(binding)

    def __enter__(self) -> Self:
        self.start()
        self._binding = bind_tracer(self)
        if self._recorder is not None:
            self._scope_token = enter_scope(self._recorder, self._recorder.root, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None and self._recorder is not None and not self._is_error_in_end(error):
                self._record_unchecked(self._recorder, "error", make_error_fields(error), {})
            if error is None:
                has_ended_session = self._record_end()
            else:
                status = _get_status_after(error)
                has_ended_session = self._record_end(status, error=format_error(error) if status == "failed" else None)
        finally:  # Ctrl-C may come at any moment
            if self._scope_token is not None:
                leave_scope(self._scope_token)
                self._scope_token = None
            if self._binding is not None:
                unbind_tracer(self._binding)
                self._binding = None
        if self._delegation is not None:
            self._delegation.set_as_cause()
        if self._recorder is not None and (has_ended_session or self._delegation is None):
            self._recorder.delivery.flush_at_session_end()

    def _is_error_in_end(self, error: BaseException) -> bool:
        """Return whether the end already says all about ``error``, so that it needs no event of its own."""
        if self._has_ended:  # a later error doesn't change the status
            return _get_status_after(error) != "failed"
        return self._owns_session or self._delegation is not None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def sub_agent(self, agent_id: str, *, task: Any = None, session_id: str | None = None, **why: Any) -> Self:
        """Record a ``delegation``, and return the tracer of the agent that does the work.

        The end of that tracer's ``with`` block, or its ``end()``, records the ``delegation_result``.

        Args:
            agent_id: the name of the agent that does the work.
            task: the task of that agent.
            session_id: the id of a separate session for that agent. None means that it works in this session.
            why: ``reasoning`` and ``confidence``.

        Raises:
            KafkaError: events can't be delivered, and ``on_outage="raise"``.
        """
        delegation = self.delegation(agent_id, task, child_session_id=session_id, **why)
        tracer = self._make_sub_tracer(agent_id, delegation, session_id, None if session_id is None else task)
        delegation.begin()
        return tracer

    def _make_sub_tracer(
        self, agent_id: str, delegation: Delegation, session_id: str | None = None, goal: Any = None
    ) -> Self:
        """Return the tracer of the agent that does the work of ``delegation``."""
        tracer = copy(self)
        tracer._author = Author(session_id or self.session_id, _check_name("agent_id", agent_id))
        tracer._goal, tracer._scope_token, tracer._binding, tracer._delegation = goal, None, None, None
        tracer._owns_session, tracer._has_started, tracer._has_ended = session_id is not None, False, False
        if self._recorder is not None:
            tracer._delegation, tracer._parent = delegation, delegation.event_id
            tracer._attach_recorder(self._recorder.delivery)
        return tracer

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the tracer itself. So a state that ``dataclasses.asdict`` copies keeps its session."""
        return self

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all events recorded so far are delivered, safe in the spool, or counted as dropped.

        Args:
            timeout_s: how long to wait at most, in seconds. None means ``exit_s``. While an outage lasts, all
                such waits of tracers with the same options take ``exit_s`` together.

        Returns:
            False if the time was too short.
        """
        if self._recorder is None:
            return True
        delivery = self._recorder.delivery
        return delivery.flush_within_exit_time() if timeout_s is None else delivery.flush(timeout_s)

    def close(self, timeout_s: float | None = None) -> None:
        """End the session if it started here and is still open. Then wait like ``flush``.

        Args:
            timeout_s: how long to wait at most, in seconds. None means ``exit_s``.

        Raises:
            KafkaUnavailable: some events aren't delivered yet, and ``on_outage="raise"``. They are still being sent.
        """
        if self._has_started or self._delegation is not None:
            self._record_end()
        if self._recorder is not None and not self.flush(timeout_s):
            delivery = self._recorder.delivery
            if delivery.options.on_outage == "raise":
                raise delivery.explain_undelivered()

    def stats(self) -> Stats:
        """Return counts of delivered, waiting and lost events.

        They count the events of all tracers of this process that share this tracer's options.
        """
        return Stats() if self._recorder is None else self._recorder.delivery.stats()


def _locate_store(payload_store: str | Path) -> str:
    """Return ``payload_store`` with an absolute path, so that it holds when the program changes its folder."""
    location = str(payload_store)
    return location if "://" in location else str(make_absolute(location))


def _check_name(setting: str, name: str) -> str:
    if not is_valid_name(name):
        raise UsageError(f"{setting} is {name!r:.60}; it takes a text of 1 to {MAX_NAME_LENGTH} printable characters")
    return name


def _get_delegation_error(status: str) -> str | None:
    """Return the error of a ``delegation_result`` for a sub-agent's ``status``. The event itself has no status."""
    return None if status in ("succeeded", "cancelled") else status


def _get_status_after(error: BaseException) -> str:
    """Return the status of a session whose block ``error`` left."""
    if is_cancellation(error):
        return "cancelled"
    return "succeeded" if isinstance(error, SystemExit) and not error.code else "failed"
