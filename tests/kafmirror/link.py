"""A slow and lossy network to a cluster: a TCP proxy on 127.0.0.1 that delays data and loses segments.

As with real TCP, a lost segment and everything behind it in its connection arrives a round trip later.
"""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

CHUNK, SEGMENT = 64 << 10, 1448


class Link:
    """A proxy from ``port`` to ``target_port``. It is fast until ``slow_down`` is called.

    Attributes:
        question_count: how often clients have sent something. A client that waits for each answer sends each question
            by itself.
    """

    def __init__(self) -> None:
        self.target_port = self.port = self.lost_segments = self.question_count = 0
        self._round_trip = self._loss = 0.0
        self._random = random.Random(1)
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._listen()])
        self._listening, self._stopped = threading.Event(), asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def slow_down(self, round_trip: float, loss: float) -> Iterator[None]:
        """Delay data by ``round_trip`` seconds per round trip, and lose the share ``loss`` of segments."""
        self._round_trip, self._loss = round_trip, loss
        try:
            yield
        finally:
            self._round_trip = self._loss = 0.0

    def break_connections(self) -> None:
        """Break all connections; new ones can be made."""
        self._loop.call_soon_threadsafe(self._break_connections)

    def _break_connections(self) -> None:
        for each in self._connections:
            each.cancel()

    async def _listen(self) -> None:
        async with await asyncio.start_server(self._handle_connection, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._listening.set()
            await self._stopped.wait()
            self._break_connections()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _handle_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        far_writer = None
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._forward(reader, far_writer, is_question=True))
                tasks.create_task(self._forward(far_reader, writer))
        except (asyncio.CancelledError, OSError, ExceptionGroup):
            pass  # one end is closed, so close the other
        finally:
            self._connections.discard(task)
            for each in (writer, far_writer):
                if each is not None:
                    each.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_question: bool = False
    ) -> None:
        due = 0.0
        while data := await reader.read(CHUNK):
            self.question_count += is_question
            due = max(due + 1e-6, self._loop.time() + self._round_trip / 2) + self._draw_loss_delay(len(data))
            self._loop.call_at(due, writer.write, data)
            await writer.drain()
        await asyncio.sleep(due - self._loop.time())
        writer.write_eof()

    def _draw_loss_delay(self, count: int) -> float:
        """Return for how long lost segments among ``count`` bytes delay a connection."""
        lost = sum(self._random.random() < self._loss for _ in range(0, count, SEGMENT))
        self.lost_segments += lost
        return lost * self._round_trip
