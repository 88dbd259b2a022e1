"""Whether a topic takes records of some time and size, and keeps them; or what to do. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agentlog.formatting import format_duration

DEFAULT_MAX_BATCH_BYTES = 1_048_588
"""Kafka's own ``max.message.bytes``."""


class WritePlan(NamedTuple):
    """What is to be written.

    Attributes:
        subject: the records, as the beginning of a sentence that goes on with "older".
        remedy: what to do against records that are too old, as a sentence.
        oldest_ms: in milliseconds since the epoch, as ``newest_ms``.
        largest_bytes: the bytes of the largest record, its key and headers included.
        largest_place: its place, for a person.
    """

    subject: str
    remedy: str
    oldest_ms: int
    newest_ms: int
    largest_bytes: int = 0
    largest_place: str = ""


def find_preflight_errors(topic: str, settings: Mapping[str, str], plan: WritePlan, now_ms: int) -> Iterator[str]:
    """Why ``topic`` is none for ``plan``, each with what to do; nothing when all is well."""
    age_ms, ahead_ms = now_ms - plan.oldest_ms, plan.newest_ms - now_ms
    policy = settings.get("cleanup.policy", "delete")
    if "compact" in policy:
        yield f"{topic} is compacted: it keeps one event of a session; name another --topic"
    if "delete" in policy and 0 <= (retention_ms := _read_number(settings, "retention.ms", -1)) < age_ms:
        yield (
            f"{topic} keeps records for {format_duration(retention_ms * 1000)}, and {plan.subject} older: Kafka would delete them "
            f"within minutes. {plan.remedy}, name another --topic, or set its retention.ms to -1."
        )
    if settings.get("message.timestamp.type") == "LogAppendTime":
        yield (
            f"{topic} gives records the time of their arrival (message.timestamp.type=LogAppendTime), and theirs would "
            f"be lost; name another --topic, or set it to CreateTime"
        )
    if (before := _read_number(settings, "message.timestamp.before.max.ms", age_ms)) < age_ms:
        yield (
            f"{topic} refuses records more than {format_duration(before * 1000)} old (message.timestamp.before.max.ms), and "
            f"{plan.subject} older. {plan.remedy}, or name another --topic."
        )
    if (after := _read_number(settings, "message.timestamp.after.max.ms", ahead_ms)) < ahead_ms:
        yield (
            f"{topic} refuses records more than {format_duration(after * 1000)} ahead of its clock "
            f"(message.timestamp.after.max.ms), and the newest is {format_duration(ahead_ms * 1000)} ahead. {plan.remedy}."
        )
    if (limit := find_max_batch_bytes(settings)) < plan.largest_bytes:
        yield (
            f"{topic} takes records of up to {limit:,} bytes (max.message.bytes), and {plan.largest_place} has "
            f"{plan.largest_bytes:,}; raise it to {plan.largest_bytes:,} or more, or name another --topic"
        )


def find_max_batch_bytes(settings: Mapping[str, str]) -> int:
    """The bytes of the largest batch that a topic takes."""
    return _read_number(settings, "max.message.bytes", DEFAULT_MAX_BATCH_BYTES)


def _read_number(settings: Mapping[str, str], name: str, default: int) -> int:
    return int(settings.get(name, default))
