"""The benchmark of kdiff's verdicts: known faults are put into copies of real sessions, and the verdict must name them.

python -m benchmarks.verdicts SESSIONS.ndjson[.gz] [--skip 40] [--seed 1]

B is always a copy with new event ids and times, whose own ids are renamed: once to others of their kind, once to UUIDs
on both sides. Without a fault the verdict must be "same"; with one, decisive must be the step with the fault.
"""

import argparse
import copy
import gzip
import random
import re
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from agentlog.event import codec
from agentlog.event.event import Place, Record
from agentlog.session.timeline import build_timeline
from kdiff.align.payload_compare import Payloads
from kdiff.align.step_groups import StepGroup, StepGroups, group_steps
from kdiff.judge.compare import compare
from kdiff.judge.verdict import Verdict, reach_verdict
from kdiff.reading.normalize import IgnoreRules
from kdiff.reading.side_effects import Effect, ToolPatterns, judge_effect
from kdiff.reading.signature import SignatureBuilder
from kdiff.reading.spill import open_spill

Event = dict[str, Any]
Session = list[Event]
Fault = Callable[[Session, int, random.Random], bool]
FAULTS_PER_SESSION = 2
MIN_TAIL_CHARS = 4
"""An id whose last part is shorter can hardly be renamed without meeting another one."""
MIN_CUT_STEPS = 4
RULES = IgnoreRules()


def main() -> None:
    """Read the sessions, and print how often the verdict is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sessions", type=Path)
    parser.add_argument("--skip", type=int, default=0, help="leave the first sessions out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--misses", action="store_true", help="name each wrong verdict")
    options = parser.parse_args()
    sessions = list(read_sessions(options.sessions).values())[options.skip :]
    rng = random.Random(options.seed)  # noqa: S311  a fixed seed gives the same faults each time
    _print(f"{len(sessions)} sessions, seed {options.seed}")
    for spelling, make_id in (("ids of their kind", make_like), ("ids as UUIDs", make_uuid)):
        rights: dict[str, list[bool]] = defaultdict(list)
        for session in sessions:
            for name, is_right, told in judge_session(session, make_id, rng):
                rights[name].append(is_right)
                if options.misses and not is_right:
                    _print(f"  wrong: {session[0]['session_id']}, {spelling}, {name}: {told}")
        for name, each in rights.items():
            _print(f"{spelling}, {name}: {sum(each)} of {len(each)}")


def read_sessions(path: Path) -> dict[str, Session]:
    """Read a capture file, packed or not."""
    data = path.read_bytes()
    sessions: dict[str, Session] = defaultdict(list)
    for line in (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines():
        event = orjson.loads(line)
        event.pop("_record", None)
        sessions[event["session_id"]].append(event)
    return sessions


def judge_session(
    session: Session, make_id: Callable[[str, random.Random], str], rng: random.Random
) -> Iterator[tuple[str, bool, str]]:
    """Yield the name of each trial, whether its verdict is right, and what the verdict says."""
    ids = find_ids(session)
    a = session if make_id is make_like else replace_words(session, {each: make_uuid(each, rng) for each in ids})
    ids_a = find_ids(a)
    b = replace_words(copy_with_new_events(a), {each: make_id(each, rng) for each in ids_a})
    for name, other in (("itself", a), ("copy with new events", copy_with_new_events(a)), ("copy with new ids", b)):
        verdict = judge(a, other)
        yield name, verdict.kind.value == "same", verdict.kind.value
    calls = [n for n, event in enumerate(b) if changes_state(event)]
    for name, put in FAULTS.items():
        for at in rng.sample(calls, min(FAULTS_PER_SESSION, len(calls))):
            faulty = copy.deepcopy(b)
            if put(faulty, at, rng):
                verdict = judge(a, faulty)
                is_right = (
                    verdict.decisive is None if put is put_reads else is_named(verdict, a[at]["event_id"], faulty, at)
                )
                yield name, is_right, describe(verdict)


def find_ids(session: Session) -> list[str]:
    """Return the texts that stand in members named id, or ..._id, of calls and of their answers."""
    found: dict[str, None] = {}
    stack: list[Any] = [event["payload"] for event in reversed(session) if event["event_type"] == "tool_call"]
    while stack:
        value = stack.pop()
        if isinstance(value, str) and value[:1] in ("{", "["):
            try:
                value = orjson.loads(value)
            except ValueError:
                continue
        if isinstance(value, list):
            stack += value
        elif isinstance(value, dict):
            stack += value.values()
            texts = (each for name, each in value.items() if isinstance(each, str) and re.fullmatch(r"(.*_)?id", name))
            found |= dict.fromkeys(
                each for each in texts if len(each.rpartition("_")[2]) >= MIN_TAIL_CHARS and " " not in each
            )
    return list(found)


def make_like(name: str, rng: random.Random) -> str:
    """Make another id of the same kind: the last part gets other letters and digits."""
    head, mark, tail = name.rpartition("_")
    letters = "BCDFGHJKLMNPQRSTVWXZ"
    return head + mark + "".join(rng.choice(letters if each.isalpha() else "0123456789") for each in tail)


def make_uuid(_name: str, rng: random.Random) -> str:
    """Make a UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def replace_words(session: Session, names: dict[str, str]) -> Session:
    """Return a copy of a session in which words are replaced wherever they stand."""
    if not names:
        return copy.deepcopy(session)
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?![\w-])")
    text = pattern.sub(lambda match: names[match[0]], orjson.dumps(session).decode())
    replaced: Session = orjson.loads(text)
    return replaced


def copy_with_new_events(session: Session) -> Session:
    """Return a copy of a session under another name, with other event ids and times."""
    copied = copy.deepcopy(session)
    names = {event["event_id"]: f"evt_{uuid.uuid5(uuid.UUID(int=7), event['event_id']).hex[:12]}" for event in copied}
    for event in copied:
        event["event_id"], event["session_id"] = names[event["event_id"]], "copy"
        event["timestamp"] = (datetime.fromisoformat(event["timestamp"]) + timedelta(days=3, seconds=77)).isoformat()
        for holder, member in ((event.get("context") or {}, "parent_event_id"), (event["payload"], "call_id")):
            if holder.get(member) in names:
                holder[member] = names[holder[member]]
    return copied


def changes_state(event: Event) -> bool:
    """Whether an event is a call that changes state and succeeded."""
    payload = event["payload"]
    if event["event_type"] != "tool_call" or payload.get("error") or str(payload.get("output")).startswith("Error"):
        return False
    return judge_effect("tool_call", payload["tool"], payload, ToolPatterns()).effect is Effect.CHANGES


def put_wrong_id(session: Session, at: int, rng: random.Random) -> bool:
    """Let a call name another thing that the session knows, of the same kind."""
    given = session[at]["payload"]["input"]
    named = [name for name, value in given.items() if name.endswith("id") and isinstance(value, str)]
    known = find_ids(session)
    for name in rng.sample(named, len(named)):
        others = [each for each in known if each != given[name] and _shape(each) == _shape(given[name])]
        if others:
            given[name] = rng.choice(others)
            return True
    return False


def put_made_up_id(session: Session, at: int, rng: random.Random) -> bool:
    """Let a call name a thing that doesn't exist."""
    given = session[at]["payload"]["input"]
    named = [name for name, value in given.items() if name.endswith("id") and isinstance(value, str)]
    if named:
        name = rng.choice(named)
        given[name] = make_uuid("", rng) if len(given[name]) == len(make_uuid("", rng)) else make_like(given[name], rng)
    return bool(named)


def put_other_amount(session: Session, at: int, rng: random.Random) -> bool:
    """Change a number in a call's arguments."""
    given = session[at]["payload"]["input"]
    places = [
        (each, key) for each in _find_objects(given) for key, value in each.items() if type(value) in (int, float)
    ]
    if places:
        holder, key = rng.choice(places)
        holder[key] += rng.randint(1, 9)
    return bool(places)


def put_missing(session: Session, at: int, _rng: random.Random) -> bool:
    """Leave a call out."""
    del session[at]
    return True


def put_error(session: Session, at: int, _rng: random.Random) -> bool:
    """Let a call fail."""
    session[at]["payload"].pop("output", None)
    session[at]["payload"]["error"] = "timeout: no answer"
    return True


def put_again(session: Session, at: int, _rng: random.Random) -> bool:
    """Make a call of another tool that changes state."""
    extra = copy.deepcopy(session[at])
    extra |= {"event_id": "evt_extra", "payload": {"tool": "issue_voucher", "input": {"amount": 50}, "output": "ok"}}
    session.insert(at, extra)
    return True


def put_other_tool(session: Session, at: int, _rng: random.Random) -> bool:
    """Call another tool."""
    session[at]["payload"]["tool"] = "ledger.post"
    return True


def put_loop(session: Session, at: int, _rng: random.Random) -> bool:
    """Make a call 50 times more."""
    for number in range(50):
        session.insert(at + 1, {**copy.deepcopy(session[at]), "event_id": f"evt_again_{number}"})
    return True


def put_early_end(session: Session, at: int, _rng: random.Random) -> bool:
    """Leave out all that comes after a call, if that is enough to matter."""
    is_enough = len(session) - at > MIN_CUT_STEPS
    del session[at + 1 :]
    return is_enough


def put_reads(session: Session, at: int, _rng: random.Random) -> bool:
    """Make three more calls that only read: no verdict may name them."""
    for number in range(3):
        payload = {"tool": "cards.list", "input": {"page": number}, "output": "none"}
        session.insert(at, {**copy.deepcopy(session[at]), "event_id": f"evt_read_{number}", "payload": payload})
    return True


FAULTS: dict[str, Fault] = {
    "wrong id": put_wrong_id,
    "made-up id": put_made_up_id,
    "other amount": put_other_amount,
    "missing call": put_missing,
    "failed call": put_error,
    "extra call": put_again,
    "other tool": put_other_tool,
    "loop of 50": put_loop,
    "early end": put_early_end,
    "three more reads (not decisive)": put_reads,
}


def _shape(name: str) -> str:
    head, mark, tail = name.rpartition("_")
    return (head if tail.isdigit() and len(tail) > 4 else "") + mark + re.sub(r"[A-Za-z]|\d", "x", tail)


def _find_objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _find_objects(each)


def judge(a: Session, b: Session) -> Verdict:
    """Compare two sessions."""
    with open_spill() as spill:
        groups_a, groups_b = (
            _group(a, SignatureBuilder(spill, RULES, ToolPatterns())),
            _group(b, SignatureBuilder(spill, RULES, ToolPatterns())),
        )
        payloads = Payloads(RULES, groups_a, groups_b)
        return reach_verdict(compare(groups_a, groups_b, payloads), payloads)


def _group(session: Session, builder: SignatureBuilder) -> StepGroups:
    records = []
    for line, event in enumerate(session, 1):
        record = codec.decode(orjson.dumps(event), Place(None, -1, line), str(line))
        if not isinstance(record, Record):
            raise TypeError(record.reason)
        records.append(builder.build_signature(record))
    return group_steps(build_timeline("s", records), builder.spill)


def is_named(verdict: Verdict, original_id: str, faulty: Session, at: int) -> bool:
    """Whether the decisive divergence is at the fault: at its step in B, or at the one of A that B lacks."""
    decisive = verdict.decisive
    if decisive is None:
        return False
    fault_id = faulty[at]["event_id"] if at < len(faulty) else ""
    return _get_id(decisive.b) == fault_id or (
        _get_id(decisive.a) == original_id and decisive.kind in ("missing", "error")
    )


def _get_id(group: StepGroup | None) -> str | None:
    return group.step.event.event_id if group is not None else None


def describe(verdict: Verdict) -> str:
    """Describe a verdict in one line."""
    return f"{verdict.decisive.kind}, {verdict.decisive.why}" if verdict.decisive is not None else verdict.kind.value


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
