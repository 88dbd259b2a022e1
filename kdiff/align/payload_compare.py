"""Comparison of the payloads of two steps. A payload is read from the disk when it is needed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

from rapidfuzz import fuzz

from agentlog.event.event import Event
from agentlog.session.step import Step

from ..reading.normalize import METRICS, IgnoreRules, normalize_text
from ..reading.signature import CALL_KINDS, READ_KINDS, extract_text, has_noise
from .id_index import IdIndex
from .payload_diff import (
    Change,
    ComparisonContext,
    Ids,
    Path,
    find_innermost,
    find_role_conflicts,
    is_equal,
    is_same_leaf,
)
from .step_groups import StepGroup, StepGroups, load_step, read_event
from .volatile_roles import VolatileRoles

_ARGUMENT = {"tool_call": "input", "retrieval": "query", "delegation": "task", "memory_write": "value"}
"""The member of a payload that holds what a call is given."""
_NAMES = ("tool", "key", "to_agent_id")
"""The members of a payload that hold the name of a call. Equal ones may hold different random ids."""
_FREE_TEXT = {
    "llm_call": ("output", "input", "error", "text"),
    "agent_message": ("text",),
    "user_message": ("text",),
    "decision": ("action", "text", "alternatives"),
    "delegation": ("task",),
    "delegation_result": ("result",),
    "session_end": ("result", "error"),
    "error": ("message",),
}
"""The members of a payload that a model or a person wrote as text."""
_SAME_CALL = 88.0
"""Two calls whose arguments are this similar, in percent, count as one call that changed, even under another name."""
_OTHER_THING = 4.0
"""The weight of two calls of equal form about different things: half of what those about one thing weigh, at most."""
_RELATED = 0.55
"""Texts less similar than this share (0 to 1) have nothing in common. Then those closest in order are paired."""

MAX_COMPARED = 2_000
"""The number of differing pairs that are compared path by path. All others are compared by signature."""
MAX_CHANGES = 100
"""The greatest number of changes that are searched for in one payload."""
PAYLOAD = ("payload",)


class Payloads:
    """Compares the payloads of two sessions' step groups. The order of comparisons matters: each learns roles of ids.

    Attributes:
        uncompared: the number of pairs that differ and were not compared path by path.
    """

    def __init__(self, rules: IgnoreRules, a: StepGroups, b: StepGroups) -> None:
        self.rules = rules
        self._a, self._b = a, b
        self._index = IdIndex(a.groups, b.groups)
        self._ids = Ids(self._index.find_sides, self._index.find_read, self._index.find_alike)
        self._fresh_partners: dict[StepGroup, StepGroup] = {}
        self._volatiles = VolatileRoles(a.groups, b.groups)
        self._compared = self.uncompared = 0
        self._cached_text = lru_cache(maxsize=1_000)(self._read_text)
        self._cached_similarity = lru_cache(maxsize=20_000)(self._measure_similarity)

    def read_event(self, group: StepGroup) -> Event:
        """Read a step's event with its whole payload."""
        return read_event(group)

    def load_step(self, group: StepGroup) -> Step:
        """Load a step with its whole event."""
        return load_step(group)

    def read_text(self, group: StepGroup) -> str:
        """Read a step's message, or a call's arguments, as one text."""
        return self._cached_text(group)

    def read_argument(self, group: StepGroup) -> Any:
        """Read the arguments of a call, as recorded."""
        return self.read_event(group).payload.get(_ARGUMENT.get(group.kind, ""))

    def _read_text(self, group: StepGroup) -> str:
        return extract_text(group.kind, self.read_event(group).payload)

    def _measure_similarity(self, a: StepGroup, b: StepGroup) -> float:
        return fuzz.ratio(self.read_text(a)[:2000], self.read_text(b)[:2000])

    def weigh_pair(self, a: StepGroup, b: StepGroup) -> float:  # noqa: PLR0911  one kind of pair a line
        """Return how well two steps match; 0 if they don't."""
        if a.is_call != b.is_call or (a.kind != b.kind and not a.is_call):
            return 0.0
        if a.signature.call_hash == b.signature.call_hash:
            if not a.is_call:
                return 6.0
            return (14.0 if a.changes_state else 12.0) if self.may_be_about_the_same_things(a, b) else _OTHER_THING
        if a.kind in ("session_start", "session_end"):
            return 8.0
        if not a.is_call and a.name == b.name and a.signature.result_form_hash == b.signature.result_form_hash:
            return 6.0
        same_name = a.name == b.name and a.kind == b.kind
        percent = self.measure_similarity(a, b)
        similarity = percent / 100
        if a.is_call and same_name and a.signature.call_form_hash == b.signature.call_form_hash:
            return 8.0 + similarity if self.may_be_about_the_same_things(a, b) else _OTHER_THING
        if a.is_call and same_name:
            return 3 + 5 * similarity
        if a.is_call:
            return 4 * similarity if percent >= _SAME_CALL and len(self.read_text(a)) > 2 else 0.0
        if a.step.event.agent_id != b.step.event.agent_id and not same_name:
            return 0.0
        return 1 + 4 * similarity if similarity >= _RELATED else 1.0

    def may_be_about_the_same_things(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether no ids in the arguments of two calls of equal form are known to have different roles."""
        if self._volatiles.are_probably_others(a, b):
            return False
        if not a.signature.call_id_count or a.signature.call_id_count != b.signature.call_id_count:
            return True
        return not any(self._index.is_another(x, y) for x, y in zip(a.call_ids, b.call_ids, strict=True))

    def are_about_the_same_things(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether two calls of equal form are about the same things: an id in their arguments is known to be."""
        is_known = any(self._index.is_counterpart(x, y) for x, y in zip(a.call_ids, b.call_ids, strict=False))
        return is_known and self.may_be_about_the_same_things(a, b)

    def measure_similarity(self, a: StepGroup, b: StepGroup) -> float:
        """Return how similar the texts or the arguments of two steps are, in percent."""
        return self._cached_similarity(a, b)

    def find_changes(self, a: StepGroup, b: StepGroup) -> tuple[list[Change], list[Change]]:
        """Return the changes in the arguments of two steps, and the changes in their results and texts."""
        if self.is_same(a, b):
            return [], []
        self._learn_fresh(a, b)
        payload_a, payload_b = self.read_event(a).payload, self.read_event(b).payload
        argument = _ARGUMENT.get(a.kind, "") if a.kind == b.kind else ""
        if self._compared >= MAX_COMPARED:
            return self._compare_signatures(a, b, argument)
        self._compared += 1
        is_announced = a.step.is_open != b.step.is_open
        written, observed = self._describe_origin(a, b)
        task = replace(written, is_free_text=a.kind == "delegation" and not is_announced)
        names = _NAMES if a.label != b.label and a.name == b.name else ()
        arguments = _compare_members(payload_a, payload_b, [*names, argument] if argument else names, task)
        if is_announced:
            return arguments, []
        texts = _FREE_TEXT.get(a.kind, ()) if a.kind == b.kind else ()
        rest = [
            name for name in (*payload_a, *payload_b) if name not in (argument, *names, *texts) and name not in METRICS
        ]
        is_other_question = bool(arguments) and a.signature.result_form_hash != b.signature.result_form_hash
        if arguments and not a.changes_state:
            observed = replace(observed, volatiles=VolatileRoles())  # the times of other things: nothing is learnt
        observed = replace(observed, has_noise=has_noise(a.kind), is_other_question=is_other_question)
        answer = replace(observed, is_creation=not arguments and a.changes_state)
        answers = _compare_members(payload_a, payload_b, rest, answer)
        return arguments, answers + _compare_members(payload_a, payload_b, texts, replace(observed, is_free_text=True))

    def is_same(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether two steps differ in ids alone, and the ids have the same roles. Only signatures are read."""
        x, y = a.signature, b.signature
        if (
            a.step.is_open != b.step.is_open
            or x.call_form_hash != y.call_form_hash
            or x.result_form_hash != y.result_form_hash
        ):
            return False
        if a.is_call and x.call_hash == y.call_hash and self._ids.are_names_renamed and self._names_another(a, b):
            return False
        if (x.call_id_count or x.result_id_count or y.call_id_count or y.result_id_count) and not self._match_ids(a, b):
            return False
        return self._match_volatiles(a, b)

    def _match_ids(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether the ids of two steps of equal form have one role."""
        if self._index.is_fresh(a, b) and self._match_fresh(a, b):
            return True
        self._learn_fresh(a, b)
        written, answer = self._describe_origin(a, b, is_creation=a.changes_state)
        return self._ids.match_steps((a.call_ids, b.call_ids, written), (a.result_ids, b.result_ids, answer))

    def _match_volatiles(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether two calls of equal form name the same things by their times. What their answers tell is learnt."""
        if not self._volatiles.are_named:
            return True
        if not self._volatiles.match(a.call_volatiles, b.call_volatiles, (a.index, b.index)):
            return False
        results = a.result_volatiles, b.result_volatiles
        self._volatiles.learn(*results)
        return len(results[0]) == len(results[1])

    def _match_fresh(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether two steps match whose ids stand in no other step. Their partners are noted, not the ids."""
        x, y, partners = a.signature, b.signature, self._fresh_partners
        if x.call_id_count != y.call_id_count or x.result_id_count != y.result_id_count:
            return False
        if partners.get(a, b) is not b or partners.get(b, a) is not a:
            return False
        if not self._ids.match_fresh(a.all_ids, b.all_ids):
            return False
        partners[a], partners[b] = b, a
        return True

    def _learn_fresh(self, a: StepGroup, b: StepGroup) -> None:
        """Learn the ids of two steps that were matched as fresh ones, before one of them is compared again."""
        for group in (a, b):
            partner = self._fresh_partners.get(group)
            if partner is not None:
                one, other = (group, partner) if group is a else (partner, group)
                self._ids.learn_all(one.all_ids, other.all_ids)

    def _names_another(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether two calls of equal form name a process, a port or a host that is another thing in B than in A."""
        self._learn_fresh(a, b)
        argument = _ARGUMENT.get(a.kind, "")
        value, other = self.read_argument(a), self.read_argument(b)
        context = self._describe_origin(a, b)[0]
        return is_equal(value, other) and any(find_role_conflicts(value, context, (*PAYLOAD, argument)))

    def _describe_origin(
        self, a: StepGroup, b: StepGroup, *, is_creation: bool = False
    ) -> tuple[ComparisonContext, ComparisonContext]:
        """Describe the origin of what two steps were given, and of all else in them."""
        steps = (a.index, b.index)
        clocks = (a.step.event.timestamp, b.step.event.timestamp)
        written = ComparisonContext(
            self.rules, self._ids, steps, clocks, volatiles=self._volatiles, is_written=True, is_call=a.is_call
        )
        return written, ComparisonContext(
            self.rules,
            self._ids,
            steps,
            clocks,
            self._volatiles,
            is_observation=a.kind != "agent_message",
            is_written=a.kind not in READ_KINDS,
            is_creation=is_creation,
        )

    def _compare_signatures(self, a: StepGroup, b: StepGroup, argument: str) -> tuple[list[Change], list[Change]]:
        self.uncompared += 1
        if argument and a.signature.call_hash != b.signature.call_hash:
            return [Change(f"payload.{argument}", "not compared", "not compared")], []
        return [], [Change("payload", "not compared", "not compared")]

    def is_reworded(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether two texts that count as the same have different words."""
        return (
            a.kind not in CALL_KINDS
            and a.signature.call_hash != b.signature.call_hash
            and normalize_text(self.read_text(a), self.rules).literal
            != normalize_text(self.read_text(b), self.rules).literal
        )


def _compare_members(
    a: Mapping[str, Any], b: Mapping[str, Any], names: Iterable[str], context: ComparisonContext
) -> list[Change]:
    return find_changes(_select_members(a, names), _select_members(b, names), context, PAYLOAD, MAX_CHANGES)


def find_changes(a: Any, b: Any, context: ComparisonContext, path: Path, limit: int) -> list[Change]:
    """Return the changes between two values at ``path``, at most ``limit``.

    deepdiff is loaded only if several parts of two objects, or of two lists, differ.
    """
    if context.rules.ignores(path):
        return []
    a, b, path = find_innermost(a, b, context, path)
    if is_equal(a, b):
        return list(islice(find_role_conflicts(a, context, path), limit))
    if type(a) is not type(b) or not isinstance(a, dict | list):
        return [] if is_same_leaf(a, b, context, path) else [Change(".".join(path), a, b)]
    from .diff_operators import search_changes  # noqa: PLC0415  deepdiff takes a while to load

    return search_changes(a, b, context, path, limit)


def _select_members(payload: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: payload[name] for name in names if name in payload}
