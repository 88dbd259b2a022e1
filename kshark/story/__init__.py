"""The demo's story: two hours of agents at work, made by code, the same bytes each time.

About forty sessions run at the same time, as in production. One of them makes 847 API calls for a single invoice.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from agentlog.event.event import Place

from .batch_work import write_batch_work
from .billing import write_billing
from .coding import write_coding
from .faults import (
    CLOCK_BEHIND_MS,
    CLOCK_SKEW,
    CRASHED,
    ERASED,
    HOSTILE,
    LATE,
    LATE_DUPLICATES,
    LATE_SECONDS,
    LATE_UNREADABLE,
    write_clock_skew,
    write_crashed,
    write_erased,
    write_hostile,
    write_late,
)
from .inefficiencies import (
    LARGE,
    REPORT_FIRST_TOKENS,
    REPORT_HISTORY,
    REPORT_STEP_TOKENS,
    REPORT_STEPS,
    SEARCHES,
    SUPPORT_SEARCH,
    write_large,
    write_report_history,
    write_support_search,
)
from .refunds import write_refunds
from .research import write_research
from .runaway_invoice import (
    INVOICE_847,
    INVOICE_OK,
    OK_TOOL_CALLS,
    RUNAWAY_COST_USD,
    RUNAWAY_ERRORS,
    RUNAWAY_LLM_CALLS,
    RUNAWAY_TOKENS,
    RUNAWAY_TOOL_CALLS,
    write_nine_calls,
    write_runaway,
)
from .session_writer import Scene, StoryRecord, to_milliseconds
from .support import write_support
from .trip_planner import TRIP_PLANNER, VISA_CHECK, write_trip_planner

__all__ = [
    "CLOCK_BEHIND_MS",
    "CLOCK_SKEW",
    "CRASHED",
    "ERASED",
    "HOSTILE",
    "INVOICE_847",
    "INVOICE_OK",
    "LARGE",
    "LATE",
    "LATE_DUPLICATES",
    "LATE_SECONDS",
    "LATE_UNREADABLE",
    "OK_TOOL_CALLS",
    "REPORT_FIRST_TOKENS",
    "REPORT_HISTORY",
    "REPORT_STEPS",
    "REPORT_STEP_TOKENS",
    "RUNAWAY_COST_USD",
    "RUNAWAY_ERRORS",
    "RUNAWAY_LLM_CALLS",
    "RUNAWAY_TOKENS",
    "RUNAWAY_TOOL_CALLS",
    "SEARCHES",
    "SEED",
    "START_TIME",
    "SUPPORT_SEARCH",
    "TRIP_PLANNER",
    "VISA_CHECK",
    "StoryRecord",
    "assign_places",
    "build_story",
]

START_TIME = datetime(2026, 1, 15, 13, tzinfo=UTC)
SEED = 847

CHAPTERS = (
    write_support,
    write_refunds,
    write_research,
    write_billing,
    write_coding,
    write_batch_work,
    write_erased,
    write_support_search,
    write_hostile,
    write_report_history,
    write_trip_planner,
    write_clock_skew,
    write_crashed,
    write_runaway,
    write_large,
    write_late,
    write_nine_calls,
)


def build_story(start_time: datetime = START_TIME, seed: int = SEED) -> list[StoryRecord]:
    """Return the story's records in the order in which they reach Kafka; ``start_time`` needs a time zone."""
    scene = Scene(to_milliseconds(start_time), seed, [])
    for chapter in CHAPTERS:
        chapter(scene)
    return [record for _, record in sorted(scene.arrivals, key=lambda each: each[0])]


def assign_places(
    records: Sequence[StoryRecord], topic: str = "agent-events", partitions: int = 12
) -> list[tuple[Place, bytes | None]]:
    """Return each record's place in a new topic, and its value; None is a tombstone."""
    ends: Counter[int] = Counter()
    placed_records: list[tuple[Place, bytes | None]] = []
    for record in records:
        partition = record.partition(partitions)
        placed_records.append(
            (Place(topic, partition, ends[partition], record.timestamp, record.headers), record.value)
        )
        ends[partition] += 1
    return placed_records
