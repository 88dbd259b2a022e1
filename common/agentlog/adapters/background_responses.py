"""The answers of OpenAI's Responses that the service makes in the background, and that are fetched later."""

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from openai import AsyncStream, Stream

from ..recording.prepare.token_usage import get_field
from ..recording.spans.call_spans import LLMCall
from ..recording.spans.methods import RecordingMethods
from .method_wrapper import MethodKind, parse_raw_response
from .recorded_stream import ignore_read_errors, record_stream

MAX_REMEMBERED_RESPONSES = 10_000
"""How many responses are remembered, so that each is recorded once and follows from the call that asked for it."""
UNFINISHED = frozenset({"queued", "in_progress"})


class _Response(NamedTuple):
    """A response in the background.

    Attributes:
        session_id: the session of the call that asked for it.
        event_id: the event of that call.
        is_finished: whether its end is recorded.
    """

    session_id: str
    event_id: str
    is_finished: bool


class BackgroundResponses:
    """The responses in the background that a client asked for or fetched.

    A fetched answer is a call of the model, recorded once, when it has ended. What is fetched before that is no event.

    Args:
        tracer: the tracer that records them.
    """

    def __init__(self, tracer: RecordingMethods) -> None:
        self._tracer = tracer
        self._responses: OrderedDict[str, _Response] = OrderedDict()

    def remember(self, call: LLMCall, answer: Any) -> None:
        """Remember an answer in the background, and whether it has ended."""
        if not get_field(answer, "background") or call.recorder is None:
            return
        known = self._responses.get(answer.id)
        event_id = call.event_id if known is None else known.event_id
        self._responses[answer.id] = _Response(
            call.recorder.author.session_id, event_id, answer.status not in UNFINISHED
        )
        while len(self._responses) > MAX_REMEMBERED_RESPONSES:
            self._responses.popitem(last=False)

    def record_fetch(self, method: Callable[..., Any], kind: MethodKind) -> Callable[..., Any]:
        """Return ``method``, which fetches or cancels a response, so that it records an answer that has ended."""

        @functools.wraps(method)
        def fetch(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            response_id = kwargs.get("response_id", args[0] if args else None)
            if inspect.isawaitable(result):
                return self._await(result, response_id, kind)
            return self._record(result, response_id, kind)

        return fetch

    async def _await(self, result: Any, response_id: Any, kind: MethodKind) -> Any:
        return self._record(await result, response_id, kind)

    def _record(self, result: Any, response_id: Any, kind: MethodKind) -> Any:
        known = self._responses.get(response_id)
        if known is not None and known.is_finished:
            return result
        if isinstance(result, Stream | AsyncStream):
            return record_stream(result, self._begin(response_id, known), kind.make_collector())
        with ignore_read_errors():
            answer = parse_raw_response(result)
            if get_field(answer, "background") and answer.status not in UNFINISHED:
                call = self._begin(response_id, known)
                kind.set_answer(call, answer)
                call.finish()
        return result

    def _begin(self, response_id: Any, known: _Response | None) -> LLMCall:
        call = self._tracer.llm_call("unknown", {"response_id": response_id})
        session_id = None if call.recorder is None else call.recorder.author.session_id
        call.begin(cause=known.event_id if known is not None and known.session_id == session_id else None)
        return call
