"""The recorded stream. It passes on a model's answer chunk by chunk, and records it at its end."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self

from ..recording.spans.call_spans import LLMCall

CLOSED_EARLY = "closed_early"
"""The finish of an answer whose stream the program closed before its end."""

_log = logging.getLogger("agentlog.recording")


@contextmanager
def ignore_read_errors() -> Iterator[None]:
    """Suppress errors while a library's answer is read, because they must not break the agent."""
    try:
        yield
    except Exception:  # noqa: BLE001  a newer version of the library may have another form of answer
        _log.debug("an answer couldn't be read", exc_info=True)


@contextmanager
def finish_on_error(call: LLMCall) -> Iterator[None]:
    """End ``call`` if an exception leaves the block, and raise it on."""
    try:
        yield
    except BaseException as error:
        call.finish(error)
        raise


class AnswerCollector(Protocol):
    """A collector that puts an answer together from its chunks."""

    def add(self, chunk: Any) -> None:
        """Add the next chunk."""

    def apply_to(self, call: LLMCall) -> None:
        """Set the call's output, model and usage from the chunks so far."""


class _RecordedBase:
    """The common part of sync and async streams. It passes all other attributes on to the library's stream."""

    def __init__(self, stream: Any, call: LLMCall, collector: AnswerCollector) -> None:
        self._stream, self._call, self._collector = stream, call, collector
        self._is_finished = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def response(self) -> Any:
        """The library's response. A stream helper closes the response, and not the stream."""
        return _RecordedResponse(self._stream.response, self._end)

    def _collect(self, chunk: Any) -> Any:
        with ignore_read_errors():
            self._collector.add(chunk)
        return chunk

    def _end(self, error: BaseException | None = None) -> None:
        if not self._is_finished:
            self._is_finished = True
            with ignore_read_errors():
                self._collector.apply_to(self._call)
            has_ended = isinstance(error, StopIteration | StopAsyncIteration)
            if error is None and self._call.finish_reason is None:
                self._call.finish_reason = CLOSED_EARLY
            self._call.finish(None if has_ended else error)

    def close(self) -> Any:
        """Close the library's stream and end the call. For an async stream, await the result."""
        closing = self._stream.close()
        self._end()
        return closing

    def __del__(self) -> None:
        self._end()


class _RecordedResponse:
    """A stream's HTTP response. Closing it ends the call."""

    def __init__(self, response: Any, on_close: Callable[[], None]) -> None:
        self._response, self._on_close = response, on_close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    def close(self) -> None:
        """Close the library's response and end the call."""
        self._response.close()
        self._on_close()

    async def aclose(self) -> None:
        """Close the library's response and end the call."""
        await self._response.aclose()
        self._on_close()


class RecordedStream(_RecordedBase):
    """A recorded stream that is read with ``for``."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._collect(next(self._stream))
        except BaseException as error:
            self._end(error)
            raise

    def __enter__(self) -> Self:
        self._stream.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._stream.__exit__(kind, error, trace)
        self._end(error)


class RecordedAsyncStream(_RecordedBase):
    """A recorded stream that is read with ``async for``."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return self._collect(await anext(self._stream))
        except BaseException as error:
            self._end(error)
            raise

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        await self._stream.__aexit__(kind, error, trace)
        self._end(error)


def record_stream(stream: Any, call: LLMCall, collector: AnswerCollector) -> Any:
    """Return a stream, sync or async, that passes on ``stream`` and records it in ``call``."""
    kind = RecordedAsyncStream if hasattr(stream, "__aiter__") else RecordedStream
    return kind(stream, call, collector)
