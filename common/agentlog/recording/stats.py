"""What became of the events that a process recorded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of the events that this process recorded to one place.

    ``recorded`` is always the sum of ``delivered``, ``queued``, ``spooled`` and ``dropped``.

    Attributes:
        queued: events in memory.
        spooled: events in the spool file, not delivered yet.
        dropped: events that are lost.
        resent: events that earlier runs had spooled, and that this one delivered.
        shortened: large values that were shortened, because no payload store was named or to be had.
        bytes: of all events that were prepared to leave, as stored.
        largest: bytes of the largest event, before its large values were moved out.
        oldest_queued_s: for how long the oldest event in memory has waited, in seconds; 0.0 when there is none.
    """

    recorded: int = 0
    delivered: int = 0
    queued: int = 0
    spooled: int = 0
    dropped: int = 0
    resent: int = 0
    shortened: int = 0
    bytes: int = 0
    largest: int = 0
    oldest_queued_s: float = 0.0
