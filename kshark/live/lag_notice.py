"""Whether a live view keeps up with what comes in: it never falls behind without a word."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agentlog.formatting import counted, duration
from agentlog.log.reader import Message
from agentlog.log.topic_stream import TopicStream

EVERY_S = 5.0
WORTH_SAYING = 2_000
"""So many records may wait: a moment later they are shown."""


@dataclass
class Pace:
    """Says every five seconds how far behind a view is, and once when it has caught up."""

    say: Callable[[str], None]
    behind: bool = False
    newest_ms: int = 0
    looked: float = field(default_factory=time.monotonic)

    def look(self, stream: TopicStream, batch: list[Message]) -> None:
        """Take notice of a batch that was shown."""
        self.newest_ms = max((message.timestamp()[1] for message in batch), default=self.newest_ms)
        if time.monotonic() - self.looked < EVERY_S:
            return
        self.looked, waiting = time.monotonic(), stream.behind
        if waiting > WORTH_SAYING:
            age = duration(max(round(time.time() * 1e6) - self.newest_ms * 1000, 0))
            self.say(f"behind: {counted(waiting, 'record')} wait; what is shown was recorded {age} ago")
        elif self.behind:
            self.say("caught up: what is shown is what comes in")
        self.behind = waiting > WORTH_SAYING
