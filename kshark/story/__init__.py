"""The story that agentlog is shown on: two hours of agents at work, made by code, the same bytes each time.

Forty sessions or so, interleaved as production is. One of them made 847 API calls for a single invoice.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from agentlog.event.event import Place

from .batch_work import lists
from .billing import billing
from .coding import coding
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
    clock_skew,
    crashed,
    erased,
    hostile,
    late,
)
from .inefficiencies import (
    LARGE,
    REPORT_FIRST_TOKENS,
    REPORT_HISTORY,
    REPORT_STEP_TOKENS,
    REPORT_STEPS,
    SEARCHES,
    SUPPORT_SEARCH,
    large,
    report_history,
    support_search,
)
from .refunds import refunds
from .research import research
from .runaway_invoice import (
    INVOICE_847,
    INVOICE_OK,
    OK_TOOL_CALLS,
    RUNAWAY_COST_USD,
    RUNAWAY_ERRORS,
    RUNAWAY_LLM_CALLS,
    RUNAWAY_TOKENS,
    RUNAWAY_TOOL_CALLS,
    nine_calls,
    runaway,
)
from .session_writer import Scene, StoryRecord, whole_milliseconds
from .support import support
from .trip_planner import TRIP_PLANNER, VISA_CHECK, trip_planner

__all__ = [
    "BEGAN",
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
    "SUPPORT_SEARCH",
    "TRIP_PLANNER",
    "VISA_CHECK",
    "StoryRecord",
    "placed",
    "story",
]

BEGAN = datetime(2026, 1, 15, 13, tzinfo=UTC)
SEED = 847

CHAPTERS = (
    support,
    refunds,
    research,
    billing,
    coding,
    lists,
    erased,
    support_search,
    hostile,
    report_history,
    trip_planner,
    clock_skew,
    crashed,
    runaway,
    large,
    late,
    nine_calls,
)


def story(began: datetime = BEGAN, seed: int = SEED) -> list[StoryRecord]:
    """The records of the story in the order in which they reach Kafka; ``began`` is aware, and moves all of it."""
    scene = Scene(whole_milliseconds(began), seed, [])
    for chapter in CHAPTERS:
        chapter(scene)
    return [record for _, record in sorted(scene.produced, key=lambda each: each[0])]


def placed(
    records: Sequence[StoryRecord], topic: str = "agent-events", partitions: int = 12
) -> list[tuple[Place, bytes | None]]:
    """Where each record comes to lie in a new topic, with its value; None is a tombstone."""
    ends: Counter[int] = Counter()
    lying: list[tuple[Place, bytes | None]] = []
    for record in records:
        partition = record.partition(partitions)
        lying.append((Place(topic, partition, ends[partition], record.timestamp, record.headers), record.value))
        ends[partition] += 1
    return lying
