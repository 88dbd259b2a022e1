"""What two moves hold, read from the shelf when it is asked for: their texts, their ids, their difference."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from rapidfuzz import fuzz

from agentlog.event import codec
from agentlog.event.event import Event, Unreadable

from ..reading.normalize import METRICS, IgnoreRules, normalize_text
from ..reading.signature import CALL_KINDS, extract_text
from .payload_diff import Change, Ids, Side, changes
from .step_groups import StepGroup, StepGroups

_MADE_OF = {"tool_call": "input", "retrieval": "query", "delegation": "task", "memory_write": "value"}
_FREE = {
    "llm_call": ("output", "input", "error", "text"),
    "agent_message": ("text",),
    "user_message": ("text",),
    "decision": ("action", "text", "alternatives"),
    "delegation": ("task",),
    "delegation_result": ("result",),
    "session_end": ("result", "error"),
    "error": ("message",),
}
_AGREES = 88.0
"""Two payloads whose texts share this much, in percent, are one call with something changed, whatever its name."""


DEEP = 2_000
"""So many pairs that differ are compared path by path; the rest of two sessions that differ everywhere is not."""
MOST_CHANGES = 100
_LIKE = 0.55
"""Below this share two texts have nothing to say to each other, and the nearest ones stand side by side."""


class Payloads:
    """Compares what moves hold. Ids are learnt in the order in which pairs are compared.

    Attributes:
        shallow: how many pairs differ and were not compared path by path.
    """

    def __init__(self, rules: IgnoreRules, a: StepGroups, b: StepGroups) -> None:
        self.rules = rules
        self._a, self._b = a, b
        self._seen: tuple[Sequence[int], Sequence[int]] | None = None
        self._ids = Ids(self._occurs)
        self._deep = self.shallow = 0
        self._text = lru_cache(maxsize=1_000)(self._read_text)
        self._alike = lru_cache(maxsize=20_000)(self._measure)

    def event(self, move: StepGroup) -> Event:
        """A move's event, whole."""
        found = codec.decode(move.value, move.signature.place, "")
        if isinstance(found, Unreadable):
            raise TypeError(found.reason)
        return found.event

    def text(self, move: StepGroup) -> str:
        """What a move says, or is given, as one text."""
        return self._text(move)

    def given(self, move: StepGroup) -> Any:
        """What a call is given, as recorded."""
        return self.event(move).payload.get(_MADE_OF.get(move.kind, ""))

    def _read_text(self, move: StepGroup) -> str:
        return extract_text(move.kind, self.event(move).payload)

    def _measure(self, a: StepGroup, b: StepGroup) -> float:
        return fuzz.ratio(self._text(a)[:2000], self._text(b)[:2000])

    def weigh(self, a: StepGroup, b: StepGroup) -> float:  # noqa: PLR0911  one kind of pair a line
        """How well two moves answer to each other; 0 where they don't."""
        if a.is_call != b.is_call or (a.kind != b.kind and not a.is_call):
            return 0.0
        if a.signature.call_hash == b.signature.call_hash:
            return (14.0 if a.changes_state else 12.0) if a.is_call else 6.0
        if a.kind in ("session_start", "session_end"):
            return 8.0
        same_name = a.label == b.label and a.kind == b.kind
        if a.is_call and same_name and a.signature.call_form_hash == b.signature.call_form_hash:
            return 8.0 + self._alike(a, b) / 100
        share = self._alike(a, b) / 100
        if a.is_call:
            return (
                3 + 5 * share if same_name else 4 * share if share * 100 >= _AGREES and len(self.text(a)) > 2 else 0.0
            )
        if a.step.event.agent_id != b.step.event.agent_id and not same_name:
            return 0.0
        return 1 + 4 * share if share >= _LIKE else 1.0

    def share(self, a: StepGroup, b: StepGroup) -> float:
        """How much of what they are given two calls share, in percent."""
        return self._alike(a, b)

    def differences(self, a: StepGroup, b: StepGroup) -> tuple[list[Change], list[Change]]:
        """What differs in what two moves were given, and in what they answered or say."""
        if self.same(a, b):
            return [], []
        own_a, own_b = self.event(a).payload, self.event(b).payload
        given = _MADE_OF.get(a.kind, "") if a.kind == b.kind else ""
        if self._deep >= DEEP:
            return self._shallow(a, b, given)
        self._deep += 1
        if a.step.is_open != b.step.is_open:
            return self._compare(_only(own_a, (given,)), _only(own_b, (given,))), []
        own = {"free": a.kind == "delegation"}
        first = self._compare(_only(own_a, (given,)), _only(own_b, (given,)), **own) if given else []
        free = _FREE.get(a.kind, ()) if a.kind == b.kind else ()
        rest = [name for name in (*own_a, *own_b) if name not in (given, *free) and name not in METRICS]
        told = a.kind != "agent_message"
        second = self._compare(_only(own_a, rest), _only(own_b, rest), told=told, made=not first and a.changes_state)
        third = self._compare(_only(own_a, free), _only(own_b, free), told=told, free=True)
        return first, second + third

    def same(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether all is the same but for ids, and those answer to each other: the quick way, by signatures alone."""
        x, y = a.signature, b.signature
        if (
            a.step.is_open != b.step.is_open
            or x.call_form_hash != y.call_form_hash
            or x.result_form_hash != y.result_form_hash
        ):
            return False
        if x.call_hash == y.call_hash and x.result_hash == y.result_hash:
            return True
        told = a.kind != "agent_message"
        return self._ids.answer_all(a.call_ids, b.call_ids, told=False, made=False) and self._ids.answer_all(
            a.result_ids, b.result_ids, told=told, made=told and a.changes_state
        )

    def _shallow(self, a: StepGroup, b: StepGroup, given: str) -> tuple[list[Change], list[Change]]:
        """By signature alone, for sessions that differ nearly everywhere."""
        self.shallow += 1
        if given and a.signature.call_hash != b.signature.call_hash:
            return [Change(f"payload.{given}", "not looked into", "not looked into")], []
        return [], [Change("payload", "not looked into", "not looked into")]

    def _compare(self, a: Mapping[str, Any], b: Mapping[str, Any], **how: bool) -> list[Change]:
        try:
            found = changes(a, b, Side(self.rules, self._ids, **how), ("payload",))
            return list(islice(found, MOST_CHANGES))
        except RecursionError:
            return [Change("payload", "nested too deep to be compared", "nested too deep to be compared")]

    def worded_otherwise(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether two texts that count as the same are not the same word for word."""
        return (
            a.kind not in CALL_KINDS
            and a.signature.call_hash != b.signature.call_hash
            and normalize_text(self.text(a), self.rules).literal != normalize_text(self.text(b), self.rules).literal
        )

    def _occurs(self, mark: int) -> tuple[bool, bool]:
        if self._seen is None:
            self._seen = self._all_ids(self._a.groups), self._all_ids(self._b.groups)
        return _holds(self._seen[0], mark), _holds(self._seen[1], mark)

    def _all_ids(self, every: Iterable[StepGroup]) -> Sequence[int]:
        return array("q", sorted({mark for move in every for ids in (move.call_ids, move.result_ids) for mark in ids}))


def _holds(ordered: Sequence[int], mark: int) -> bool:
    at = bisect_left(ordered, mark)
    return at < len(ordered) and ordered[at] == mark


def _only(payload: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: payload[name] for name in names if name in payload}
