"""The shrinking of events over the size limit. Their largest values go to the payload store, or are shortened."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from ...event.event import MAX_EVENT_BYTES
from ...event.media import Medium, may_hold_media, replace_media
from ...payloads import (
    PREVIEW_CHARACTERS,
    PayloadStore,
    StoreUsedBeforeForkError,
    make_object_name,
    make_reference,
    summarize_store_error,
)
from ..system.native_threads import sleep
from ..system.running_time import running_time
from .snapshot import to_plain
from .thread_pool import Future, WorkerPool

WORKER_COUNT = 4
"""How many threads store values."""
RETRY_DELAY_S = 1.0
"""How long a thread waits before it asks a failing store again, in seconds."""
_MIN_MOVED_BYTES = 400
"""The smallest value that is worth moving. A reference takes about as many bytes."""
_OUTLINE_FIELDS = ("tool", "model", "latency_ms", "call_id", "call_type", "parent_event_id")
_MAX_KNOWN_URLS = 10_000
"""For how many stored values the URL is remembered, so that equal values are stored once."""

_log = logging.getLogger("agentlog.recording")


class ShrunkEvent(NamedTuple):
    """An event within the size limit.

    Attributes:
        value: the event as JSON.
        shortened_count: how many of its values were shortened because they couldn't be stored.
    """

    value: bytes
    shortened_count: int


class EventShrinker:
    """A shrinker of large events.

    Args:
        open_store: opens the payload store, on first use in this process. None if there is no store.
        outage_timeout_s: how long values wait for a store that can't be reached, in seconds. After that, the store is
            asked once for each value until it answers again.

    Attributes:
        is_giving_up: whether the store is asked only once for each value, because the process ends.
    """

    def __init__(self, open_store: Callable[[], PayloadStore] | None, outage_timeout_s: float) -> None:
        self._open_store, self._outage_timeout_s = open_store, outage_timeout_s
        self._store: PayloadStore | None = None
        self._urls: dict[str, str] = {}
        self._workers = WorkerPool(WORKER_COUNT, "agentlog-payloads") if open_store is not None else None
        self._failing_since: float | None = None
        self.is_giving_up = False

    def shrink(self, value: bytes) -> "ShrunkEvent | Future[ShrunkEvent]":
        """Return the event ``value`` within the limit, or a future of it that waits for the store."""
        return (
            shorten_event(value)
            if self._workers is None
            else self._workers.submit(_shrink_event, value, self._store_payload)
        )

    def _store_payload(self, name: str, content: bytes) -> str | None:
        """Store ``content`` and return its URL. Return None if the store couldn't be reached in time."""
        if name in self._urls:
            return self._urls[name]
        while True:
            try:
                self._store = self._store or (self._open_store() if self._open_store else None)
                url = self._store.put(name, content) if self._store else None
            except Exception as error:  # noqa: BLE001  each store's library has its own errors
                if isinstance(error, StoreUsedBeforeForkError) or self._has_timed_out():
                    _log.warning(
                        "a payload of %d bytes was shortened, because the store failed: %s",
                        len(content),
                        summarize_store_error(error),
                    )
                    return None
                sleep(RETRY_DELAY_S)
            else:
                self._failing_since = None
                return self._remember_url(name, url)

    def _has_timed_out(self) -> bool:
        now = running_time()
        self._failing_since = self._failing_since or now
        is_overdue = now - self._failing_since >= self._outage_timeout_s
        # Without threads, this runs in the sender's own, which doesn't wait for the store.
        return is_overdue or self.is_giving_up or self._workers is None or not self._workers.has_threads

    def _remember_url(self, name: str, url: str | None) -> str | None:
        if url is not None:
            if len(self._urls) >= _MAX_KNOWN_URLS:
                self._urls.clear()
            self._urls[name] = url
        return url


def shorten_event(value: bytes) -> ShrunkEvent:
    """Return the event ``value`` within the limit, without a store."""
    return _shrink_event(value, lambda _name, _content: None)


def _shrink_event(value: bytes, store_payload: Callable[[str, bytes], str | None]) -> ShrunkEvent:
    event = orjson.loads(value)
    keeper = _ValueKeeper(store_payload)
    excess = len(value) - MAX_EVENT_BYTES
    if may_hold_media(value.decode()):
        event |= {part: replace_media(event[part], keeper.keep_text) for part in ("payload", "context")}
        excess = len(_to_json(event)) - MAX_EVENT_BYTES
    for fields, name, content, suffix in _find_large_values(event):
        if excess <= 0:
            break
        fields[name] = keeper.keep(content, suffix)
        excess = len(_to_json(event)) - MAX_EVENT_BYTES
    if excess > 0:  # many fields, none of them large
        shortened = keeper.keep(_to_json(event["payload"]), ".json")
        event["payload"] = _select_outline(event["payload"]) | {"shortened": shortened}
        event["context"] = _select_outline(event["context"])
    return ShrunkEvent(_to_json(event), keeper.shortened_count)


class _ValueKeeper:
    """Keeps values in the store, and makes the references to them.

    Attributes:
        shortened_count: how many values could not be stored.
    """

    def __init__(self, store_payload: Callable[[str, bytes], str | None]) -> None:
        self._store_payload = store_payload
        self.shortened_count = 0

    def keep(self, content: bytes, suffix: str, preview: str | None = None) -> dict[str, Any]:
        """Store ``content``, and return the reference that stands in its place."""
        url = self._store_payload(make_object_name(content, suffix), content)
        self.shortened_count += url is None
        return make_reference(url, content, preview)

    def keep_text(self, text: str, marked: str, medium: Medium | None) -> Any:
        """Keep a text that is a medium, or holds one. If it can't be stored, the words beside the media stay."""
        if len(text) < _MIN_MOVED_BYTES:
            return text
        reference = self.keep(text.encode(), ".txt", medium.kind if medium else marked[:PREVIEW_CHARACTERS])
        return reference if medium or reference["$ref"] is not None else marked


def _find_large_values(event: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, bytes, str]]:
    """Return the values of payload and context that are worth moving, the largest first."""
    large_values = []
    for fields in (event["payload"], event["context"]):
        for name, value in fields.items():
            content, suffix = (value.encode(), ".txt") if isinstance(value, str) else (_to_json(value), ".json")
            if len(content) > _MIN_MOVED_BYTES:
                large_values.append((fields, name, content, suffix))
    return iter(sorted(large_values, key=lambda each: -len(each[2])))


def _select_outline(fields: dict[str, Any]) -> dict[str, Any]:
    """Return only the fields that readers need to place the event in its session."""
    return {name: fields[name] for name in _OUTLINE_FIELDS if name in fields}


def _to_json(value: Any) -> bytes:
    """Return ``value`` as JSON. Levels that are too deep for orjson are replaced by a note."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(to_plain(value))
