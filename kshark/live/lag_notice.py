"""Whether a live view keeps up with what comes in: it never falls behind without a word."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agentlog.formatting import format_count, format_duration
from agentlog.log.reader import Message
from agentlog.log.topic_stream import TopicStream

NOTICE_INTERVAL_S = 5.0
MIN_LAG_RECORDS = 2_000
"""So many records may wait: a moment later they are shown."""


@dataclass
class LagNotice:
    """Says every five seconds how far behind a view is, and once when it has caught up."""

    say: Callable[[str], None]
    is_behind: bool = False
    newest_ms: int = 0
    last_check_s: float = field(default_factory=time.monotonic)

    def check_lag(self, stream: TopicStream, batch: list[Message]) -> None:
        """Take notice of a batch that was shown."""
        self.newest_ms = max((message.timestamp()[1] for message in batch), default=self.newest_ms)
        if time.monotonic() - self.last_check_s < NOTICE_INTERVAL_S:
            return
        self.last_check_s, waiting = time.monotonic(), stream.lag
        if waiting > MIN_LAG_RECORDS:
            age = format_duration(max(round(time.time() * 1e6) - self.newest_ms * 1000, 0))
            self.say(f"behind: {format_count(waiting, 'record')} wait; what is shown was recorded {age} ago")
        elif self.is_behind:
            self.say("caught up: what is shown is what comes in")
        self.is_behind = waiting > MIN_LAG_RECORDS
