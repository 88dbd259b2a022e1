"""Events over the limit: their largest values go to the payload store behind the caller, or are shortened."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple

import orjson

from ...event.event import MAX_EVENT_BYTES
from ...payloads import (
    PayloadStore,
    StoreUsedBeforeForkError,
    make_object_name,
    make_reference,
    summarize_store_error,
)
from .snapshot import to_plain
from .thread_pool import WorkerPool

WORKER_COUNT = 4
RETRY_DELAY_S = 1.0
_MIN_MOVED_BYTES = 400
_OUTLINE_FIELDS = ("tool", "model", "latency_ms", "call_id", "call_type", "parent_event_id")
_MAX_KNOWN_URLS = 10_000

_log = logging.getLogger("agentlog.recording")


class ShrunkEvent(NamedTuple):
    """An event within the limit, and how many of its values were shortened because they couldn't be stored."""

    value: bytes
    shortened_count: int


class EventShrinker:
    """Makes large events small enough.

    Args:
        open_store: opens the payload store, on first use in this process; None when there is none.
        outage_timeout_s: how long a store that can't be reached is asked again, in seconds; from then on each value is tried
            once, until it can be reached again.

    Attributes:
        is_giving_up: whether it is asked no more than once, because the process ends.
    """

    def __init__(self, open_store: Callable[[], PayloadStore] | None, outage_timeout_s: float) -> None:
        self._open_store, self._outage_timeout_s = open_store, outage_timeout_s
        self._store: PayloadStore | None = None
        self._urls: dict[str, str] = {}
        self._workers = WorkerPool(WORKER_COUNT, "agentlog-payloads") if open_store is not None else None
        self._failing_since: float | None = None
        self.is_giving_up = False

    def shrink(self, value: bytes) -> "ShrunkEvent | Future[ShrunkEvent]":
        """The event ``value`` within the limit: at once without a store, else when its values lie there."""
        return (
            shorten_event(value)
            if self._workers is None
            else self._workers.submit(_shrink_event, value, self._store_payload)
        )

    def _store_payload(self, name: str, content: bytes) -> str | None:
        """The URL that ``content`` got; None when the store wasn't to be had in time."""
        if name in self._urls:
            return self._urls[name]
        while True:
            try:
                self._store = self._store or (self._open_store() if self._open_store else None)
                url = self._store.put(name, content) if self._store else None
            except Exception as error:  # noqa: BLE001  each store's library has its own errors
                if isinstance(error, StoreUsedBeforeForkError) or self._has_timed_out():
                    _log.warning(
                        "a payload of %d bytes was shortened: the store: %s", len(content), summarize_store_error(error)
                    )
                    return None
                time.sleep(RETRY_DELAY_S)
            else:
                self._failing_since = None
                return self._remember_url(name, url)

    def _has_timed_out(self) -> bool:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return self.is_giving_up or now - self._failing_since >= self._outage_timeout_s

    def _remember_url(self, name: str, url: str | None) -> str | None:
        if url is not None:
            if len(self._urls) >= _MAX_KNOWN_URLS:
                self._urls.clear()
            self._urls[name] = url
        return url


def shorten_event(value: bytes) -> ShrunkEvent:
    """The event ``value`` within the limit, without a store."""
    return _shrink_event(value, lambda _name, _content: None)


def _shrink_event(value: bytes, store_payload: Callable[[str, bytes], str | None]) -> ShrunkEvent:
    event = orjson.loads(value)
    shortened_count, excess = 0, len(value) - MAX_EVENT_BYTES
    for fields, name, content, suffix in _find_large_values(event):
        if excess <= 0:
            break
        url = store_payload(make_object_name(content, suffix), content)
        fields[name] = make_reference(url, content)
        shortened_count += url is None
        excess = len(_to_json(event)) - MAX_EVENT_BYTES
    if excess > 0:  # many fields, none of them large
        payload_json = _to_json(event["payload"])
        url = store_payload(make_object_name(payload_json, ".json"), payload_json)
        event["payload"] = _select_outline(event["payload"]) | {"shortened": make_reference(url, payload_json)}
        event["context"] = _select_outline(event["context"])
        shortened_count += url is None
    return ShrunkEvent(_to_json(event), shortened_count)


def _find_large_values(event: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, bytes, str]]:
    """The values of payload and context that are worth moving, the largest first."""
    large_values = []
    for fields in (event["payload"], event["context"]):
        for name, value in fields.items():
            content, suffix = (value.encode(), ".txt") if isinstance(value, str) else (_to_json(value), ".json")
            if len(content) > _MIN_MOVED_BYTES:
                large_values.append((fields, name, content, suffix))
    return iter(sorted(large_values, key=lambda each: -len(each[2])))


def _select_outline(fields: dict[str, Any]) -> dict[str, Any]:
    """Of too many fields, those without which the event can't be placed."""
    return {name: fields[name] for name in _OUTLINE_FIELDS if name in fields}


def _to_json(value: Any) -> bytes:
    """``value`` as JSON; cut off where it is nested deeper than can be written."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(to_plain(value))
