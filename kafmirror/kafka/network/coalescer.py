"""Questions that are asked at the same time, answered by one request."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from kafka.future import Future

from .event_loop import EventLoop

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Settle = Callable[[Question, Answer | Exception], None]


class Coalescer(Generic[Question, Answer]):
    """A collector of single questions. All that are asked in one turn of the event loop are answered together.

    So a coroutine can ask for one partition, and a thousand of them cost one request for each broker.

    Args:
        loop: the event loop.
        answer_all: sends the requests for some questions, and calls a function with each question and its answer, or
            with the exception to raise for it.
    """

    def __init__(
        self,
        loop: EventLoop,
        answer_all: Callable[[Sequence[Question], Settle[Question, Answer]], Awaitable[None]],
    ) -> None:
        self._loop, self._answer_all = loop, answer_all
        self._waiting: dict[Question, list[Future]] = {}

    async def ask(self, question: Question) -> Answer:
        """Return the answer to a question, or raise the exception that is the answer."""
        future = Future()
        if not self._waiting:
            self._loop.spawn(self._answer_waiting)
        self._waiting.setdefault(question, []).append(future)
        answer: Answer = await future
        return answer

    async def _answer_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}

        def settle(question: Question, answer: Answer | Exception) -> None:
            for future in waiting.pop(question, ()):
                if isinstance(answer, Exception):
                    future.failure(answer)
                else:
                    future.success(answer)

        try:
            await self._answer_all(list(waiting), settle)
        except Exception as error:  # noqa: BLE001  whoever asked must get it
            for question in list(waiting):
                settle(question, error)
