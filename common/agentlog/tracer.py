"""AgentTracer: what an agent does, recorded in Kafka as it happens, without holding the agent up."""

import asyncio
import os
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from .errors import UsageError
from .recording.delivery.accounting import Stats
from .recording.delivery.delivery import Delivery
from .recording.delivery.options import DEFAULT_SPOOL, OnOutage, RecordingOptions
from .recording.delivery.process import DELIVERIES
from .recording.delivery.target import resolve_target
from .recording.prepare.ids import new_event_id, new_session_id
from .recording.prepare.redaction import Redact
from .recording.prepare.snapshot import format_error, make_error_fields
from .recording.prices import PRICES, Price
from .recording.sinks.outbound import MAX_NAME_LENGTH, Author, is_valid_name
from .recording.spans.call_spans import Delegation
from .recording.spans.context import ScopeToken, enter_scope, find_scope, leave_scope
from .recording.spans.methods import RecordingMethods
from .recording.spans.propagation import make_headers, parse_headers
from .recording.spans.recorder import Recorder

NO_PRICES: Mapping[str, Price] = MappingProxyType({})


class AgentTracer(RecordingMethods):
    """Records the events of one agent in one session.

        with AgentTracer(agent_id="invoice-agent", goal="Invoice Acme", cluster="us-east-1") as tracer:
            invoice = tracer.track_tool_call("stripe.create_invoice", {"amount": 4500}, lambda: create(4500))

    Its ``with`` block is the session, from ``session_start`` to ``session_end``; one that an exception leaves ends as
    ``failed``. Without the block the session starts with ``start()``, or at the first event where a goal is given,
    and ends with ``end()``. Events are queued and sent behind the caller; tracers of one process that record to the
    same place share the queue. ``AGENTLOG_DISABLED=1`` in the environment makes it do nothing.

    Args:
        session_id: made when None.
        agent_id: who acts.
        goal: what the session is to achieve.
        cluster: a name in the settings, or ``host:port``; None for the settings' default.
        kafka: librdkafka's properties in place of a cluster.
        file: a capture file in place of Kafka.
        topic: ``agent-events`` unless the settings say otherwise.
        redact: True for the ready rules, False for none, or a function that gets each event as it would be stored,
            the ready rules applied, and returns it as it shall be stored.
        payloads: the store for large values: a folder, or a URL such as ``s3://bucket/prefix``.
        prices: of further language models, or other prices, by model.
        outage_s: how long events wait for Kafka, in seconds.
        on_outage: what then happens: ``raise`` (the next call raises KafkaUnavailable, the events wait on), ``spool``
            (they go to a capture file, which is sent in order when Kafka is back, or by a later run), or ``drop``.
        spool: the folder for those files.
        queue_mb: how much may wait in memory, in megabytes.
        exit_s: how long the end of the process may be held up by what isn't delivered, in seconds.

    Raises:
        SettingsError: a setting is missing or wrong.
        UsageError: the file can't be opened.
    """

    def __init__(  # noqa: PLR0913  each is a setting of its own, named where it is set
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
        self._recorder: Recorder | None = None  # the first that pickle meets, because it says what to do instead
        self._author = Author(
            _check_name("session_id", session_id or new_session_id()), _check_name("agent_id", agent_id)
        )
        self._goal, self._prices = goal, {**PRICES, **prices}
        self._parent: str | None = None
        self._owns_session, self._has_started, self._has_ended = True, False, False
        self._delegation: Delegation | None = None
        self._scope_token: ScopeToken | None = None
        if os.environ.get("AGENTLOG_DISABLED", "") in ("", "0"):
            target, topic = resolve_target(cluster, kafka, file, topic)
            options = RecordingOptions(
                target=target,
                topic=topic,
                redact=redact if callable(redact) else None,
                use_builtin_rules=bool(redact),
                payload_store=None if payloads is None else _make_absolute(payloads),
                outage_timeout_s=outage_s,
                on_outage=on_outage,
                spool_folder=Path(spool).absolute(),
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
        """A tracer for work that another process asked for: its session, and the parent that it named.

        Without such headers it is a session of its own.

        Args:
            headers: of the request, as ``headers()`` made them; names in any case, values text or bytes.
            options: as of ``AgentTracer``; a ``session_id`` counts where the headers name none.
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
        """The session that is recorded."""
        return self._author.session_id

    @property
    def agent_id(self) -> str:
        """Who acts."""
        return self._author.agent_id

    def headers(self) -> dict[str, str]:
        """Headers that carry the session and the current parent to another process."""
        if self._recorder is None:
            return make_headers(self.session_id, self._parent)
        scope = find_scope(self._recorder)
        if scope is not None and scope.call is not None:
            scope.call.announce()
        return make_headers(self.session_id, scope.cause if scope is not None else self._recorder.root)

    def start(self, **request: Any) -> None:
        """Record ``session_start``; the ``with`` block does so by itself.

        Args:
            request: anything to be kept about the request.
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
        """Record ``session_end``, or a sub-agent's ``delegation_result``; only the first call counts.

        It ends a session that another process began, too, but none that came by headers: that is its caller's to end. A
        forked child doesn't end what was begun before the fork.

        Args:
            status: ``succeeded``, ``failed`` or ``cancelled``; when None, ``failed`` with an error, else ``succeeded``.
            result: what came out.
            error: what went wrong.
        """
        recorder = self._recorder
        if self._has_ended or recorder is None or self._began_in_process != recorder.delivery.process:
            return
        self._has_ended = True
        status = status or ("succeeded" if error is None else "failed")
        if self._delegation is not None:
            self._delegation.output, self._delegation.error = result, error or _get_delegation_error(status)
            self._delegation.finish()
        if self._owns_session:
            end_fields = {"status": status, "result": result, "error": error}
            self._record_unchecked(
                recorder, "session_end", {name: value for name, value in end_fields.items() if value is not None}, {}
            )

    def __enter__(self) -> Self:
        self.start()
        if self._recorder is not None:
            self._scope_token = enter_scope(self._recorder, self._recorder.root, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._recorder is not None and not self._is_error_in_end(error):
            self._record_unchecked(self._recorder, "error", make_error_fields(error), {})
        if error is None:
            self.end()
        else:
            status = _get_status_after(error)
            self.end(status, error=None if status == "succeeded" else format_error(error))
        if self._scope_token is not None:
            leave_scope(self._scope_token)
            self._scope_token = None
        if self._delegation is not None:
            self._delegation.set_as_cause()

    def _is_error_in_end(self, error: BaseException) -> bool:
        """Whether nothing but the end is to be recorded when ``error`` leaves the block."""
        if self._has_ended:  # with a status of its own, which what went wrong afterwards doesn't change
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

        The ``with`` block of that tracer, or its ``end()``, is the ``delegation_result``.

        Args:
            task: what it is to do.
            session_id: of a session of its own; None when it works in this one.
            why: ``reasoning`` and ``confidence``.
        """
        delegation = self.delegation(agent_id, task, child_session_id=session_id, **why)
        tracer = self._make_sub_tracer(agent_id, delegation, session_id, None if session_id is None else task)
        delegation.begin()
        return tracer

    def _make_sub_tracer(
        self, agent_id: str, delegation: Delegation, session_id: str | None = None, goal: Any = None
    ) -> Self:
        """The tracer of the agent that does the work of ``delegation``."""
        tracer = copy(self)
        tracer._author = Author(session_id or self.session_id, _check_name("agent_id", agent_id))
        tracer._goal, tracer._scope_token, tracer._delegation = goal, None, None
        tracer._owns_session, tracer._has_started, tracer._has_ended = session_id is not None, False, False
        if self._recorder is not None:
            tracer._delegation, tracer._parent = delegation, delegation.event_id
            tracer._attach_recorder(self._recorder.delivery)
        return tracer

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The tracer itself: whose state is copied, such as by ``dataclasses.asdict``, goes on with its session."""
        return self

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was recorded so far is delivered, or safe in the spool; False where time was too short.

        Args:
            timeout_s: in seconds; ``exit_s`` when None.
        """
        if self._recorder is None:
            return True
        delivery = self._recorder.delivery
        return delivery.flush(delivery.options.shutdown_timeout_s if timeout_s is None else timeout_s)

    def close(self, timeout_s: float | None = None) -> None:
        """End the session if it was started here and hasn't ended, and wait like ``flush``.

        Raises:
            KafkaUnavailable: not everything is delivered, and ``on_outage="raise"``. It goes on being sent.
        """
        if self._has_started or self._delegation is not None:
            self.end()
        if self._recorder is not None and not self.flush(timeout_s):
            delivery = self._recorder.delivery
            if delivery.options.on_outage == "raise":
                raise delivery.explain_undelivered()

    def stats(self) -> Stats:
        """What became of all that this process recorded to the same place, by whichever tracer."""
        return Stats() if self._recorder is None else self._recorder.delivery.stats()


def _make_absolute(payload_store: str | Path) -> str:
    """The store that ``payload_store`` names, also once the program has gone to another folder."""
    location = str(payload_store)
    return location if "://" in location else str(Path(location).expanduser().absolute())


def _check_name(setting: str, name: str) -> str:
    if not is_valid_name(name):
        raise UsageError(f"{setting} is {name!r:.60}; it takes a text of 1 to {MAX_NAME_LENGTH} printable characters")
    return name


def _get_delegation_error(status: str) -> str | None:
    """What a ``delegation_result``, which has no status, says of a sub-agent that ended so."""
    return None if status == "succeeded" else status


def _get_status_after(error: BaseException) -> str:
    """What a session that ``error`` left came to."""
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | GeneratorExit):
        return "cancelled"
    return "succeeded" if isinstance(error, SystemExit) and not error.code else "failed"
