"""The notice that a live view has fallen behind the topic, or has caught up."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agentlog.formatting import format_count, format_duration
from agentlog.log.reader import Message
from agentlog.log.topic_stream import TopicStream

NOTICE_INTERVAL_S = 5.0
MIN_LAG_RECORDS = 2_000
"""Up to this number of waiting records there is no notice, because they are shown a moment later."""


@dataclass
class LagNotice:
    """A notice every five seconds while a view is behind, and one when it has caught up.

    Attributes:
        say: writes a notice.
        is_behind: whether the last notice said that the view is behind.
        newest_ms: the newest timestamp shown, in milliseconds since the epoch.
        last_check_s: the time of the last check, by the monotonic clock.
    """

    say: Callable[[str], None]
    is_behind: bool = False
    newest_ms: int = 0
    last_check_s: float = field(default_factory=time.monotonic)

    def check_lag(self, stream: TopicStream, batch: list[Message]) -> None:
        """Check the lag after ``batch`` was shown."""
        self.newest_ms = max((message.timestamp()[1] for message in batch), default=self.newest_ms)
        if time.monotonic() - self.last_check_s < NOTICE_INTERVAL_S:
            return
        self.last_check_s, waiting = time.monotonic(), stream.lag
        if waiting > MIN_LAG_RECORDS:
            age = format_duration(max(round(time.time() * 1e6) - self.newest_ms * 1000, 0))
            self.say(
                f"behind: {format_count(waiting, 'record')} waiting; the newest event shown was recorded {age} ago"
            )
        elif self.is_behind:
            self.say("caught up: new events are shown at once")
        self.is_behind = waiting > MIN_LAG_RECORDS
