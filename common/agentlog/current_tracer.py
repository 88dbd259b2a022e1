"""The tracer of the current session, for code that all sessions share.

client = record_openai(OpenAI(), agentlog.current())
"""

from collections.abc import Callable, Mapping
from typing import Any

from .recording.prices import PRICES, Price
from .recording.sinks.outbound import Author
from .recording.spans.context import find_bound_tracer
from .recording.spans.decorators import BeginSpan, get_function_name, record_function
from .recording.spans.methods import RecordingMethods
from .recording.spans.recorder import Recorder
from .tracer import AgentTracer


class CurrentTracer(RecordingMethods):
    """A tracer that stands for the session whose ``with`` block is around the call. ``current`` returns it.

    It has all methods of that session's ``AgentTracer``. Outside of any session, nothing is recorded, and functions are
    called as they are.
    """

    @property
    def _recorder(self) -> Recorder | None:  # type: ignore[override]
        tracer = find_bound_tracer()
        return None if tracer is None else tracer._recorder

    @property
    def _prices(self) -> Mapping[str, Price]:  # type: ignore[override]
        tracer = find_bound_tracer()
        return PRICES if tracer is None else tracer._prices

    def __getattr__(self, name: str) -> Any:
        tracer = find_bound_tracer()
        return getattr(_IDLE_TRACER if tracer is None else tracer, name)

    def headers(self) -> dict[str, str]:
        """Return the headers of the current session, or none outside of any session."""
        tracer = find_bound_tracer()
        return {} if tracer is None else tracer.headers()

    def _decorator(self, function: Any, begin: Callable[[str], BeginSpan]) -> Any:
        def decorate(function: Any) -> Any:
            return record_function(function, begin(get_function_name(function)))

        return decorate if function is None else decorate(function)


def _make_idle_tracer() -> AgentTracer:
    """Return a tracer without a session, which records nothing."""
    tracer = AgentTracer.__new__(AgentTracer)
    tracer._recorder, tracer._author, tracer._parent, tracer._prices = None, Author("", ""), None, PRICES
    tracer._owns_session, tracer._has_started, tracer._has_ended = False, False, False
    tracer._goal = tracer._delegation = tracer._scope_token = tracer._binding = None
    return tracer


_CURRENT_TRACER = CurrentTracer()
_IDLE_TRACER = _make_idle_tracer()


def current() -> CurrentTracer:
    """Return the tracer of the session whose ``with`` block is around each later call.

    It can be asked for before there is any session, for example at the top of a module.
    """
    return _CURRENT_TRACER
