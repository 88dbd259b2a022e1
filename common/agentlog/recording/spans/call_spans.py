"""The kinds of spans: calls of tools, models and searches, and delegations."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar, cast

from ..prepare.finish import extract_finish
from ..prepare.ids import new_event_id
from ..prepare.token_usage import extract_usage
from ..prices import Price, Usage, compute_cost_usd
from .context import set_cause
from .recorder import Recorder
from .span import Span

T = TypeVar("T")

_log = logging.getLogger("agentlog.recording")

_ANNOUNCED_FIELDS = ("tool", "model", "query", "input")


class CallSpan(Span):
    """A call of a tool, recorded as one event when it ends."""

    __slots__ = ()
    event_type = "tool_call"
    output_field = "output"

    def _on_begin(self) -> None:
        self.recorder.delivery.watch_call(self.event_id, self)

    def _reset(self) -> None:
        self.recorder.delivery.open_calls.pop(self.event_id, None)
        super()._reset()

    def _defer_begin(self) -> int:
        is_announced = self.recorder.delivery.open_calls.pop(self.event_id, None) is None
        return 0 if is_announced else time.perf_counter_ns()

    def announce(self) -> None:
        """Record ``call_started``, once. So a live view shows the running call, and a crash doesn't hide it."""
        if self.recorder.delivery.open_calls.pop(self.event_id, None) is None:
            return
        self._announce_outer()
        announced_fields = {name: self._payload[name] for name in _ANNOUNCED_FIELDS if name in self._payload}
        so_far_ms = (time.perf_counter_ns() - self.began) // 1_000 / 1_000
        payload = {"call_id": self.event_id, "call_type": self.event_type, **announced_fields, "latency_ms": so_far_ms}
        self.recorder.write(new_event_id(), "call_started", payload, self._context)

    def _on_end(self, error_message: str | None, latency_ms: float) -> None:
        self.recorder.delivery.open_calls.pop(self.event_id, None)
        payload = {**self._payload}
        if error_message is None or self.output is not None:
            payload[self.output_field] = self.output
        if error_message is not None:
            payload["error"] = error_message
        try:
            self._add_result(payload)
        except Exception:  # noqa: BLE001  a wrong number or price must not lose the call itself
            _log.exception("the tokens and cost of a call of %s couldn't be recorded", payload.get("model"))
        if self.finish_reason is not None:
            payload["finish_reason"] = self.finish_reason
        payload["latency_ms"] = latency_ms
        if self._outer is not None:
            self._outer.announce()
        self.recorder.write(self.event_id, self.event_type, payload, self._context)
        if self.sets_cause:
            set_cause(self.recorder, self.event_id)

    def _add_result(self, payload: dict[str, Any]) -> None: ...


class Retrieval(CallSpan):
    """A search in the agent's documents, recorded as one event when it ends."""

    __slots__ = ()
    event_type = "retrieval"
    output_field = "documents"

    @property
    def documents(self) -> Any:
        """The documents found. The same as ``output``."""
        return self.output

    @documents.setter
    def documents(self, documents: Any) -> None:
        self.output = documents


class LLMCall(CallSpan):
    """A call of a language model, recorded as one event when it ends.

    If the token counts aren't set, they are read from the output, as long as it is a provider's answer.

    Attributes:
        model: the model that answered.
        input_tokens: the tokens of the input, ``cached_tokens`` and ``cache_write_tokens`` included.
        output_tokens: the tokens of the answer.
        cached_tokens: the input tokens that the provider read from its prompt cache.
        cache_write_tokens: the input tokens that the provider wrote to its prompt cache.
        cost_usd: the cost in US dollars. If it isn't set, it is computed from the prices. A model without a price has
            no cost.
    """

    __slots__ = (
        "_prices",
        "_usage",
        "cache_write_tokens",
        "cached_tokens",
        "cost_usd",
        "input_tokens",
        "model",
        "output_tokens",
    )
    event_type = "llm_call"
    sets_cause = True

    def __init__(
        self, recorder: Recorder, payload: dict[str, Any], context: dict[str, Any], prices: Mapping[str, Price]
    ) -> None:
        super().__init__(recorder, payload, context)
        self._prices = prices
        self.model: str | None = payload["model"]
        self._clear_usage()

    def _clear_usage(self) -> None:
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.cached_tokens: int | None = None
        self.cache_write_tokens: int | None = None
        self.cost_usd: float | None = None
        self._usage = Usage(0, 0)

    def _reset(self) -> None:
        super()._reset()
        self._clear_usage()

    def set_usage(self, usage: Usage) -> None:
        """Set the token counts, and the cost if the provider says it and the program hasn't set it."""
        self._usage = usage
        self.cost_usd = usage.cost_usd if self.cost_usd is None else self.cost_usd
        self.input_tokens, self.output_tokens = usage.input, usage.output
        self.cached_tokens, self.cache_write_tokens = usage.cached, usage.cache_write or None

    def set_finish(self, answer: Any) -> None:
        """Set how a provider's answer ended, and its error if it says that it failed."""
        finish = extract_finish(answer)
        self.finish_reason, self.error = finish.reason or self.finish_reason, finish.error or self.error

    def _add_result(self, payload: dict[str, Any]) -> None:
        if self.model is not None:
            payload["model"] = self.model
        self._add_finish(payload)
        if self.input_tokens is None and not isinstance(self.output, str) and (usage := extract_usage(self.output)):
            self.set_usage(usage)
        if self.cost_usd is None and self.input_tokens is not None and self.output_tokens is not None:
            usage = self._usage._replace(
                input=self.input_tokens,
                output=self.output_tokens,
                cached=self.cached_tokens or 0,
                cache_write=self.cache_write_tokens or 0,
            )
            self.cost_usd = compute_cost_usd(str(self.model), usage, self._prices)
        for name in ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "cost_usd"):
            if (value := getattr(self, name)) is not None:
                payload[name] = value if isinstance(value, int) else float(value)

    def _add_finish(self, payload: dict[str, Any]) -> None:
        """Read how the answer ended from the output, if that is a provider's answer."""
        if self.finish_reason is None and not isinstance(self.output, str):
            self.set_finish(self.output)
            if self.error is not None:
                payload.setdefault("error", self.error)


class Delegation(Span):
    """A task for another agent, recorded as one event at the beginning and one with the result.

    The result has no latency. Readers compute an event's beginning from its latency, so the result would seem to begin
    before the work that led to it.
    """

    __slots__ = ("_result_id",)

    def __init__(self, recorder: Recorder, payload: dict[str, Any], context: dict[str, Any]) -> None:
        super().__init__(recorder, payload, context)
        self._result_id = ""

    def _reset(self) -> None:
        super()._reset()
        self._result_id = ""

    def _on_begin(self) -> None:
        self._announce_outer()
        self.recorder.write(self.event_id, "delegation", self._payload, self._context)

    def _on_end(self, error_message: str | None, latency_ms: float) -> None:  # noqa: ARG002  a span's signature
        if self._result_id:
            return
        self._result_id = new_event_id()
        payload: dict[str, Any] = {"from_agent_id": self._payload["to_agent_id"]}
        if error_message is None or self.output is not None:
            payload["result"] = self.output
        if error_message is not None:
            payload["error"] = error_message
        if self.finish_reason is not None:
            payload["finish_reason"] = self.finish_reason
        self.recorder.write(self._result_id, "delegation_result", payload, {"parent_event_id": self.event_id})
        self.set_as_cause()

    def set_as_cause(self) -> None:
        """Make the result the parent of the delegating agent's next event."""
        set_cause(self.recorder, self._result_id)


class NonRecordingSpan(LLMCall, Retrieval):
    """A span of any kind for switched-off recording. It calls functions and records nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        self.recorder, self.is_gone = cast(Recorder, None), False
        self.event_id = self.model = ""
        self.output = self.error = self.finish_reason = self.cost_usd = None
        self.input_tokens = self.output_tokens = self.cached_tokens = self.cache_write_tokens = None
        self.began = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, function: Callable[[], T]) -> T:
        """Call ``function`` and return its result."""
        return function()

    def open_scope(self, recorder: Recorder | None = None) -> None:
        """Do nothing."""

    def set_input(self, value: Any) -> None:
        """Do nothing."""

    def begin(self, parent_span: Span | None = None, *, cause: str | None = None, raise_on_outage: bool = True) -> None:
        """Do nothing."""

    def finish(self, error: BaseException | None = None) -> None:
        """Do nothing."""

    def announce(self) -> None:
        """Do nothing."""
