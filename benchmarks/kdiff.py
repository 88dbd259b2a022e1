"""The benchmark of kdiff: 100,000 events against 100,000, the worst cases of alignment, and two small sessions.

python -m benchmarks.kdiff [--events 100000]
"""

import argparse
import difflib
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast
from uuid import UUID

import orjson
from rapidfuzz.distance import Indel

from kdiff.align.sequence import split_into_ranges

WORDS = [
    f"{a}{b}" for a in ("in", "out", "re", "pro", "con", "sub") for b in ("voice", "line", "turn", "cess", "tract")
]
CASES = ("one call in a thousand dropped", "all alike", "nothing in common", "reversed")
FRESH = "fresh ids, hashes and clocks"
"""Each text holds what no other run has: UUIDs, hashes, clocks, durations; and letters that are not ASCII."""
Tokens = list[int]
Contents = list[tuple[str, dict[str, object]]]


def main() -> None:
    """Measure everything, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    count = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        for case in CASES:
            print_process(f"whole process, {case}", *_write_pair(path, count, case))
        print_process(f"whole process, {FRESH}", *_write_pair(path, count, FRESH))
        print_process(f"whole process, {FRESH}, reversed", *_write_pair(path, count, FRESH, is_reversed=True))
        print_process("whole process, 25 x 25", *_write_pair(path, 25, CASES[0]))
    rng = random.Random(1)  # noqa: S311  a fixed seed gives the same events each time
    tokens = [_make_signature(rng, count) for _ in range(count)]
    edited = [token for token in tokens if rng.random() > 0.01]
    cases = {
        "1 % dropped": (tokens, edited),
        "all alike": ([1] * count, [1] * (count - 7)),
        "nothing in common": (tokens, [token + count * 100 for token in tokens]),
        "reversed": (tokens, tokens[::-1]),
    }
    for name, (a, b) in cases.items():
        print_alignment(name, a, b)
    for few in (5_000, 10_000, 20_000):
        print_peer(f"difflib, 1 % dropped, {few:,} x {few:,}", partial(_run_difflib, tokens[:few], edited[:few]))
    print_peer(f"rapidfuzz alone, 1 % dropped, {count:,} x {count:,}", lambda: Indel.opcodes(tokens, edited))


def _make_signature(rng: random.Random, count: int) -> int:
    """Make a signature: six of ten calls repeat often, as polls do, and the others are unique."""
    return -rng.randrange(50) if rng.random() < 0.6 else rng.randrange(count * 10)


def _write_pair(folder: Path, count: int, case: str, *, is_reversed: bool = False) -> tuple[Path, Path]:
    """Write two sessions that differ as the case says."""
    paths = folder / "a.ndjson", folder / "b.ndjson"
    contents = list(_make_contents(count, 7))
    if case == "all alike":
        contents = contents[1:2] * count
    contents_b = list(_make_contents(count, 8)) if case == "nothing in common" else contents
    contents_b = contents_b[::-1] if is_reversed or case == "reversed" else contents_b
    for path, name, own in zip(paths, "ab", (contents, contents_b), strict=True):
        path.write_bytes(b"".join(_encode_events(name, _add_fresh(own, name) if case == FRESH else own)))
    return paths


def _make_contents(count: int, seed: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield calls of about 1 KB, every third one a model call, the others tool calls."""
    rng = random.Random(seed)  # noqa: S311  likewise
    for number in range(count):
        text = " ".join(rng.choices(WORDS, k=90))
        tool = rng.choice(("crm.get", "mail.send", "orders.list"))
        tool_input = {"n": rng.randrange(count), "q": rng.choice(WORDS)}
        payload: dict[str, object] = {"tool": tool, "input": tool_input, "output": {"rows": text}}
        yield ("tool_call", payload) if number % 3 else ("llm_call", {"model": "m", "output": text})


def _add_fresh(contents: Contents, name: str) -> Contents:
    """Return the calls with ids, hashes, clocks and durations of this run in their arguments and answers."""
    rng = random.Random(f"fresh {name}")  # noqa: S311  likewise
    return [(kind, _freshen(payload, rng)) for kind, payload in contents]


def _freshen(payload: dict[str, object], rng: random.Random) -> dict[str, object]:
    text = str(cast("dict[str, object]", payload["output"])["rows"] if "tool" in payload else payload["output"])[:640]
    clock = f"{rng.randrange(10, 24)}:{rng.randrange(10, 60)}:{rng.randrange(1, 60):02}"
    note = (
        f"{clock} é: took {rng.randrange(999)}ms, run {UUID(int=rng.getrandbits(128))} of {rng.getrandbits(160):040x}"
    )
    if "tool" not in payload:
        return {**payload, "output": f"{text} {note}"}
    answer = {
        "at": f"2026-01-15T{clock}.{rng.randrange(1000):03}Z",
        "commit": f"{rng.getrandbits(160):040x}",
        "rows": f"{text} {note}",
    }
    return {
        **payload,
        "input": {"order": str(UUID(int=rng.getrandbits(128))), **cast("dict[str, object]", payload["input"])},
        "output": answer,
    }


def _encode_events(name: str, contents: Contents) -> Iterator[bytes]:
    """Yield the lines of a session with these calls. Session b drops a call in a thousand, and has other ids."""
    rng = random.Random(name)  # noqa: S311  likewise
    parent_id = None
    for number, (kind, payload) in enumerate(contents):
        event_id = f"evt_{rng.getrandbits(48):012x}"
        moment = f"2026-01-15T{number // 36000:02}:{number // 600 % 60:02}:{number // 10 % 60:02}.{number % 10}00Z"
        event: dict[str, object] = {"event_id": event_id, "session_id": name, "agent_id": "agent", "timestamp": moment}
        event |= {"event_type": kind, "payload": {**payload, "latency_ms": rng.randint(1, 999)}}
        if name == "a" or rng.random() > 0.001:
            yield orjson.dumps({**event, "context": {"parent_event_id": parent_id} if parent_id else {}}) + b"\n"
            parent_id = event_id


def print_process(name: str, a: Path, b: Path) -> None:
    """Measure the time and memory of kdiff as a whole process."""
    command = [sys.executable, "-m", "kdiff", "compare", "a", "b", "--file", str(a), "--other-file", str(b)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall, cpu = time.perf_counter() - began, used.ru_utime + used.ru_stime
    code = os.waitstatus_to_exitcode(status)
    _print_line(f"{name}: {wall:.2f} s, {cpu:.2f} s of CPU, {used.ru_maxrss / 1024:,.0f} MB, exit {code}")


def print_alignment(name: str, a: Tokens, b: Tokens) -> None:
    """Measure the alignment of two sequences of signatures."""
    began = time.perf_counter()
    equal = sum(span[1] - span[0] for is_equal, span in split_into_ranges(a, b, (0, len(a), 0, len(b))) if is_equal)
    _print_line(f"align, {name}: {time.perf_counter() - began:.2f} s, {equal:,} of {len(a):,} matched")


def print_peer(name: str, run: Callable[[], object]) -> None:
    """Measure a peer in the same run."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    run()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    _print_line(f"{name}: {time.perf_counter() - began:.2f} s, {grown:,.0f} MB more")


def _run_difflib(a: Tokens, b: Tokens) -> object:
    return difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()


def _print_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
