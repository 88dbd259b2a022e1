"""The ends of a partition as they were seen in the course of time. They bound when a record arrived. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_SIGHTINGS = 256
"""Above this number every second sighting is dropped. Then the bounds are earlier than they could be."""


class Sighting(NamedTuple):
    """An end, and a time before it was read, in milliseconds since 1970."""

    at_ms: float
    end: int


@dataclass
class EndHistory:
    """The ends that a partition of the source had.

    A record's own timestamp is its writer's word: the clock may be ahead, and the record may be old. But a record at an
    offset wasn't there yet when the partition ended at that offset.
    """

    sightings: deque[Sighting] = field(default_factory=deque)

    def add(self, at_ms: float, end: int) -> None:
        """Add an end that was read after ``at_ms``."""
        last = self.sightings[-1] if self.sightings else None
        if last is not None and end < last.end:
            if at_ms < last.at_ms:
                return  # an answer that was overtaken
            self.sightings.clear()  # the log lost records
        if last is not None and end == last.end:
            self.sightings[-1] = Sighting(max(at_ms, last.at_ms), end)
            return
        self.sightings.append(Sighting(at_ms, end))
        if len(self.sightings) > MAX_SIGHTINGS:
            self.sightings = deque(list(self.sightings)[::2])

    def find_arrival_bound(self, offset: int) -> float | None:
        """Return a time after which the record at ``offset`` arrived; None when unknown. Forget what lies before it."""
        while len(self.sightings) > 1 and self.sightings[1].end <= offset:
            self.sightings.popleft()
        return self.sightings[0].at_ms if self.sightings and self.sightings[0].end <= offset else None
