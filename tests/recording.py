"""Made-up events in the recorder's form, for capture files and topics of the tests."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from devkafka import Message

Event = dict[str, Any]

START_TIME = datetime(2026, 1, 15, 14, 0, tzinfo=UTC)


def make_event(number: int, event_type: str = "tool_call", **fields: Any) -> Event:
    """Make event `number` of session `sess_1`, recorded `number` seconds after 14:00."""
    moment = (START_TIME + timedelta(seconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    base_fields = {"event_id": f"evt_{number}", "session_id": "sess_1", "agent_id": "agent", "timestamp": moment}
    return {**base_fields, "event_type": event_type, "payload": {}, "context": {}, **fields}


def make_tool_call(number: int, tool: str = "mail.send", /, **fields: Any) -> Event:
    """Make a tool call of 250 ms. A call's fields go into the payload, all other fields into the event."""
    payload = {name: fields.pop(name) for name in ("input", "output", "error", "latency_ms") if name in fields}
    return make_event(number, "tool_call", payload={"tool": tool, "latency_ms": 250, **payload}, **fields)


def make_call_started(number: int, call_id: str, tool: str = "mail.send") -> Event:
    """Make the announcement of the call `call_id`."""
    return make_event(number, "call_started", payload={"call_id": call_id, "call_type": "tool_call", "tool": tool})


def make_session_end(number: int, status: str = "succeeded") -> Event:
    """Make the end of the session."""
    return make_event(number, "session_end", payload={"status": status})


SESSION_EVENTS = [
    make_event(0, "session_start", payload={"goal": "send mail"}),
    make_call_started(1, "evt_2"),
    make_tool_call(2),
    make_tool_call(2),
    make_session_end(3),
]
"""A session of five records, one of them a copy."""


def encode_events(events: Iterable[Event]) -> bytes:
    """Encode events as the content of a capture file."""
    return b"".join(orjson.dumps(each) + b"\n" for each in events)


def write_capture_file(path: Path, *events: Event) -> Path:
    """Write a capture file, and return its path."""
    path.write_bytes(encode_events(events))
    return path


def make_messages(events: Iterable[Event], partition: int | None = None) -> list[Message]:
    """Make a Kafka record of each event, with the session as key and the event's time."""
    return [
        Message(
            each["session_id"],
            orjson.dumps(each),
            round(datetime.fromisoformat(each["timestamp"]).timestamp() * 1000),
            partition=partition,
        )
        for each in events
    ]
