"""Whether a topic takes records of some time and size, and keeps them; or what to do. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agentlog.formatting import duration

BATCH_BYTES = 1_048_588
"""Kafka's own ``max.message.bytes``."""


class Load(NamedTuple):
    """What is to be written.

    Attributes:
        whose: the records, as the beginning of a sentence that goes on with "older".
        move: what to do against records that are too old, as a sentence.
        oldest_ms: in milliseconds since the epoch, as ``newest_ms``.
        largest: the bytes of the largest record, its key and headers included.
        largest_where: its place, for a person.
    """

    whose: str
    move: str
    oldest_ms: int
    newest_ms: int
    largest: int = 0
    largest_where: str = ""


def refusals(topic: str, settings: Mapping[str, str], load: Load, now_ms: int) -> Iterator[str]:
    """Why ``topic`` is none for ``load``, each with what to do; nothing when all is well."""
    age_ms, ahead_ms = now_ms - load.oldest_ms, load.newest_ms - now_ms
    policy = settings.get("cleanup.policy", "delete")
    if "compact" in policy:
        yield f"{topic} is compacted: it keeps one event of a session; name another --topic"
    if "delete" in policy and 0 <= (keeps := _number(settings, "retention.ms", -1)) < age_ms:
        yield (
            f"{topic} keeps records for {duration(keeps * 1000)}, and {load.whose} older: Kafka would delete them "
            f"within minutes. {load.move}, name another --topic, or set its retention.ms to -1."
        )
    if settings.get("message.timestamp.type") == "LogAppendTime":
        yield (
            f"{topic} gives records the time of their arrival (message.timestamp.type=LogAppendTime), and theirs would "
            f"be lost; name another --topic, or set it to CreateTime"
        )
    if (before := _number(settings, "message.timestamp.before.max.ms", age_ms)) < age_ms:
        yield (
            f"{topic} refuses records more than {duration(before * 1000)} old (message.timestamp.before.max.ms), and "
            f"{load.whose} older. {load.move}, or name another --topic."
        )
    if (after := _number(settings, "message.timestamp.after.max.ms", ahead_ms)) < ahead_ms:
        yield (
            f"{topic} refuses records more than {duration(after * 1000)} ahead of its clock "
            f"(message.timestamp.after.max.ms), and the newest is {duration(ahead_ms * 1000)} ahead. {load.move}."
        )
    if (limit := largest_batch(settings)) < load.largest:
        yield (
            f"{topic} takes records of up to {limit:,} bytes (max.message.bytes), and {load.largest_where} has "
            f"{load.largest:,}; raise it to {load.largest:,} or more, or name another --topic"
        )


def largest_batch(settings: Mapping[str, str]) -> int:
    """The bytes of the largest batch that a topic takes."""
    return _number(settings, "max.message.bytes", BATCH_BYTES)


def _number(settings: Mapping[str, str], name: str, otherwise: int) -> int:
    return int(settings.get(name, otherwise))
