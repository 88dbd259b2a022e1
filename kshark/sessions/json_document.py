"""Sessions as JSON; docs/kshark.md holds the contract. Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from agentlog.event import codec
from agentlog.event.event import EPOCH, MICROSECOND, Unreadable, timestamp_text
from agentlog.session.coverage import unreadable_as_json
from agentlog.session.summary import Summary

from ..catalogue.coverage import Read
from ..catalogue.query import Query, Totals


def line(row: Summary, query: Query) -> bytes:
    """A session on a line."""
    return codec.one_line(orjson.dumps(_row(row, query))) + b"\n"


def document(
    rows: Sequence[Summary], totals: Totals, query: Query, read: Read, unreadable: Sequence[Unreadable]
) -> bytes:
    """The sessions, what all that were asked for amount to, and how far it can be trusted."""
    written = orjson.dumps(
        {
            "sessions": [_row(row, query) for row in rows],
            "totals": totals._asdict(),
            "searched": _searched(read, query, unreadable),
        }
    )
    return codec.one_line(written) + b"\n"


def _row(row: Summary, query: Query) -> dict[str, Any]:
    tool, calls = row.top_tool
    return {
        "session_id": row.session_id,
        "agents": row.agents,
        "started": _time(row.started),
        "ended": _time(row.ended),
        "duration_ms": (row.ended - row.started) / 1000,
        "status": query.status(row),
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
        "across": query.across(row),
    }


def _time(microseconds: int) -> str:
    return timestamp_text(EPOCH + microseconds * MICROSECOND)


def _searched(read: Read, query: Query, unreadable: Sequence[Unreadable]) -> dict[str, Any]:
    start, end = query.span
    return {
        "source": read.what,
        "partition_count": read.partition_count,
        "records": read.records,
        "new": read.new,
        "missing_offsets": read.missing_offsets,
        "trimmed": read.trimmed,
        "catalogue": read.catalogue,
        "from": start.describe() if start else None,
        "to": end.describe() if end else None,
        "unreadable": [unreadable_as_json(each) for each in unreadable],
    }
