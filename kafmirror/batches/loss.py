"""Losses: records that retention deleted before they were copied, and the note that names them in the target. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

MAX_NOTED = 40
"""The most losses that a note keeps, the newest. A broker takes 4,096 bytes of text with an offset."""


LAST_TIME_MS = 253_402_300_799_999
"""The end of the year 9999."""


class Loss(NamedTuple):
    """Offsets of a source's partition that were lost.

    Attributes:
        first: the first offset that was lost.
        end: the offset behind the last one.
        found_at: when the loss was found, in milliseconds since 1970.
    """

    first: int
    end: int
    found_at: int

    @property
    def offsets(self) -> int:
        """The number of offsets that were lost. There were at most as many records."""
        return self.end - self.first

    def covers(self, other: "Loss") -> bool:
        """Return whether all offsets of another loss are among this one's."""
        return self.first <= other.first and other.end <= self.end

    @property
    def found_at_text(self) -> str:
        """The time when it was found, for a person."""
        return f"{datetime.fromtimestamp(self.found_at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"

    def __str__(self) -> str:
        return (
            f"retention deleted offsets {self.first} to {self.end - 1} before they were mirrored "
            f"(found {self.found_at_text})"
        )


class OffsetNote(NamedTuple):
    """What a mirror notes in the target of a partition whose offsets differ there.

    Attributes:
        target: the target's offset up to which the partition is mirrored.
        source: the same place in the source.
        losses: the losses that were accepted, in order.
    """

    target: int
    source: int
    losses: tuple[Loss, ...] = ()

    def encode(self) -> str:
        """Return the text that is committed with the target's offset: `1200 100-149@1700000000000`."""
        losses = self.losses[-MAX_NOTED:]
        return " ".join([str(self.source), *(f"{each.first}-{each.end - 1}@{each.found_at}" for each in losses)])


def parse_note(target: int, text: str) -> OffsetNote:
    """Return the note that was committed with an offset of the target.

    Raises:
        ValueError: the text isn't a mirror's.
    """
    source, *losses = text.split()
    return OffsetNote(target, int(source), tuple(_parse_loss(each) for each in losses))


def _parse_loss(text: str) -> Loss:
    offsets, _, found_at = text.partition("@")
    first, _, last = offsets.partition("-")
    return Loss(int(first), int(last) + 1, min(int(found_at), LAST_TIME_MS))


def merge_losses(*lists: Iterable[Loss]) -> list[Loss]:
    """Return all losses in order. Those that overlap become one, which was found when the first of them was."""
    merged: list[Loss] = []
    for each in sorted({loss for losses in lists for loss in losses}):
        if merged and each.first < merged[-1].end:
            last = merged[-1]
            merged[-1] = Loss(last.first, max(last.end, each.end), min(last.found_at, each.found_at))
        else:
            merged.append(each)
    return merged
