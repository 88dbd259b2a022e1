"""Sessions as JSON; docs/kshark.md specifies the fields. Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from agentlog.event import codec
from agentlog.event.event import EPOCH, MICROSECOND, Unreadable, format_timestamp
from agentlog.session.coverage import unavailable_to_json, unreadable_to_json
from agentlog.session.summary import Summary

from ..catalogue.coverage import CatalogueCoverage
from ..catalogue.query import Query, Totals


def render_json_line(row: Summary, query: Query) -> bytes:
    """Return a session as a line of JSON."""
    return codec.flatten_json(orjson.dumps(_build_row(row, query))) + b"\n"


def render_json(
    rows: Sequence[Summary], totals: Totals, query: Query, coverage: CatalogueCoverage, unreadable: Sequence[Unreadable]
) -> bytes:
    """Return the sessions, the totals and the coverage as one document."""
    encoded = orjson.dumps(
        {
            "sessions": [_build_row(row, query) for row in rows],
            "totals": totals._asdict(),
            "searched": _build_searched(coverage, query, unreadable),
        }
    )
    return codec.flatten_json(encoded) + b"\n"


def _build_row(row: Summary, query: Query) -> dict[str, Any]:
    tool, calls = row.top_tool
    return {
        "session_id": row.session_id,
        "goal": row.goal,
        "agents": row.agents,
        "started": _format_time(row.started),
        "ended": _format_time(row.ended),
        "duration_ms": (row.ended - row.started) / 1000,
        "status": query.describe_status(row),
        "events": row.events,
        "tool_calls": row.tool_calls,
        "llm_calls": row.llm_calls,
        "errors": row.errors,
        "cost_usd": row.cost_usd,
        "unpriced": row.unpriced,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "top_tool": tool,
        "top_tool_calls": calls,
        "across": query.find_crossed_edge(row),
    }


def _format_time(microseconds: int) -> str:
    return format_timestamp(EPOCH + microseconds * MICROSECOND)


def _build_searched(coverage: CatalogueCoverage, query: Query, unreadable: Sequence[Unreadable]) -> dict[str, Any]:
    start, end = query.span
    return {
        "source": coverage.source,
        "partition_count": coverage.partition_count,
        "records": coverage.records,
        "new": coverage.new_records,
        "missing_offsets": coverage.missing_offsets,
        "trimmed": coverage.trimmed,
        "catalogue": coverage.catalogue,
        "from": start.describe() if start else None,
        "to": end.describe() if end else None,
        "unreadable": [unreadable_to_json(each) for each in unreadable],
        "unavailable": unavailable_to_json(coverage.unavailable),
    }
