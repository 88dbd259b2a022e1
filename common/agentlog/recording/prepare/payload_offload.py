"""Events over the limit: their largest values go to the payload store behind the caller, or are shortened."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple

import orjson

from ...event.event import MAX_EVENT
from ...payloads import PayloadStore, StoreLost, first_line, name_of, reference
from .snapshot import plain
from .thread_pool import Workers

WORKERS = 4
RETRY_S = 1.0
_WORTH_MOVING = 400
_OUTLINE = ("tool", "model", "latency_ms", "call_id", "call_type", "parent_event_id")
_KNOWN = 10_000

_log = logging.getLogger("agentlog.recording")


class Shrunk(NamedTuple):
    """An event within the limit, and how many of its values were shortened because they couldn't be stored."""

    value: bytes
    shortened: int


class Shrinker:
    """Makes large events small enough.

    Args:
        open_store: opens the payload store, on first use in this process; None when there is none.
        patience_s: how long a store that can't be reached is asked again, in seconds; from then on each value is tried
            once, until it can be reached again.

    Attributes:
        giving_up: whether it is asked no more than once, because the process ends.
    """

    def __init__(self, open_store: Callable[[], PayloadStore] | None, patience_s: float) -> None:
        self._open, self._patience_s = open_store, patience_s
        self._store: PayloadStore | None = None
        self._urls: dict[str, str] = {}
        self._workers = Workers(WORKERS, "agentlog-payloads") if open_store is not None else None
        self._failing_since: float | None = None
        self.giving_up = False

    def shrink(self, value: bytes) -> "Shrunk | Future[Shrunk]":
        """The event ``value`` within the limit: at once without a store, else when its values lie there."""
        return shortened(value) if self._workers is None else self._workers.submit(_shrunk, value, self._stored)

    def _stored(self, name: str, content: bytes) -> str | None:
        """The URL that ``content`` got; None when the store wasn't to be had in time."""
        if name in self._urls:
            return self._urls[name]
        while True:
            try:
                self._store = self._store or (self._open() if self._open else None)
                url = self._store.put(name, content) if self._store else None
            except Exception as error:  # noqa: BLE001  each store's library has its own errors
                if isinstance(error, StoreLost) or self._out_of_patience():
                    _log.warning("a payload of %d bytes was shortened: the store: %s", len(content), first_line(error))
                    return None
                time.sleep(RETRY_S)
            else:
                self._failing_since = None
                return self._remembered(name, url)

    def _out_of_patience(self) -> bool:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return self.giving_up or now - self._failing_since >= self._patience_s

    def _remembered(self, name: str, url: str | None) -> str | None:
        if url is not None:
            if len(self._urls) >= _KNOWN:
                self._urls.clear()
            self._urls[name] = url
        return url


def shortened(value: bytes) -> Shrunk:
    """The event ``value`` within the limit, without a store."""
    return _shrunk(value, lambda _name, _content: None)


def _shrunk(value: bytes, stored: Callable[[str, bytes], str | None]) -> Shrunk:
    event = orjson.loads(value)
    shortened, over = 0, len(value) - MAX_EVENT
    for holder, field, content, suffix in _largest(event):
        if over <= 0:
            break
        url = stored(name_of(content, suffix), content)
        holder[field] = reference(url, content)
        shortened += url is None
        over = len(_json(event)) - MAX_EVENT
    if over > 0:  # many fields, none of them large
        whole = _json(event["payload"])
        url = stored(name_of(whole, ".json"), whole)
        event["payload"] = _outline(event["payload"]) | {"shortened": reference(url, whole)}
        event["context"] = _outline(event["context"])
        shortened += url is None
    return Shrunk(_json(event), shortened)


def _largest(event: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, bytes, str]]:
    """The values of payload and context that are worth moving, the largest first."""
    found = []
    for holder in (event["payload"], event["context"]):
        for name, value in holder.items():
            content, suffix = (value.encode(), ".txt") if isinstance(value, str) else (_json(value), ".json")
            if len(content) > _WORTH_MOVING:
                found.append((holder, name, content, suffix))
    return iter(sorted(found, key=lambda each: -len(each[2])))


def _outline(fields: dict[str, Any]) -> dict[str, Any]:
    """Of too many fields, those without which the event can't be placed."""
    return {name: fields[name] for name in _OUTLINE if name in fields}


def _json(value: Any) -> bytes:
    """``value`` as JSON; cut off where it is nested deeper than can be written."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(plain(value))
