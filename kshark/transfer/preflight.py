"""The check that a topic accepts and keeps records of a given time and size. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agentlog.formatting import format_duration

DEFAULT_MAX_BATCH_BYTES = 1_048_588
"""Kafka's default for ``max.message.bytes``."""


class WritePlan(NamedTuple):
    """The records to write.

    Attributes:
        subject: the beginning of a sentence about the records, which continues with "older".
        remedy: a sentence that says what to do about records that are too old.
        oldest_ms: the oldest timestamp, in milliseconds since the epoch.
        newest_ms: the newest timestamp, in milliseconds since the epoch.
        largest_bytes: the size of the largest record with its key and headers.
        largest_place: the name of the largest record, for messages.
    """

    subject: str
    remedy: str
    oldest_ms: int
    newest_ms: int
    largest_bytes: int = 0
    largest_place: str = ""


def find_preflight_errors(topic: str, settings: Mapping[str, str], plan: WritePlan, now_ms: int) -> Iterator[str]:
    """Yield each reason why ``topic`` can't hold the records of ``plan``, and what to do about it."""
    age_ms, ahead_ms = now_ms - plan.oldest_ms, plan.newest_ms - now_ms
    policy = settings.get("cleanup.policy", "delete")
    if "compact" in policy:
        yield f"{topic} is compacted, so it keeps one event of each session; name another --topic"
    if "delete" in policy and 0 <= (retention_ms := _read_number(settings, "retention.ms", -1)) < age_ms:
        yield (
            f"{topic} keeps records for {format_duration(retention_ms * 1000)}, and {plan.subject} older: "
            f"Kafka would delete them within minutes. {plan.remedy}, name another --topic, or set its "
            f"retention.ms to -1."
        )
    if settings.get("message.timestamp.type") == "LogAppendTime":
        yield (
            f"{topic} replaces timestamps by the time of arrival (message.timestamp.type=LogAppendTime); "
            f"name another --topic, or set it to CreateTime"
        )
    if (before := _read_number(settings, "message.timestamp.before.max.ms", age_ms)) < age_ms:
        yield (
            f"{topic} refuses records more than {format_duration(before * 1000)} old "
            f"(message.timestamp.before.max.ms), and {plan.subject} older. {plan.remedy}, or name another --topic."
        )
    if (after := _read_number(settings, "message.timestamp.after.max.ms", ahead_ms)) < ahead_ms:
        yield (
            f"{topic} refuses records more than {format_duration(after * 1000)} ahead of its clock "
            f"(message.timestamp.after.max.ms), and the newest is {format_duration(ahead_ms * 1000)} ahead. "
            f"{plan.remedy}."
        )
    if (limit := find_max_batch_bytes(settings)) < plan.largest_bytes:
        yield (
            f"{topic} takes records of up to {limit:,} bytes (max.message.bytes), and {plan.largest_place} has "
            f"{plan.largest_bytes:,}; raise it to {plan.largest_bytes:,} or more, or name another --topic"
        )


def find_max_batch_bytes(settings: Mapping[str, str]) -> int:
    """Return the size in bytes of the largest batch that a topic accepts."""
    return _read_number(settings, "max.message.bytes", DEFAULT_MAX_BATCH_BYTES)


def _read_number(settings: Mapping[str, str], name: str, default: int) -> int:
    return int(settings.get(name, default))
