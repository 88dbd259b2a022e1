"""The accuracy of kshark why on failures that people labelled: `python -m benchmarks.why FOLDER`.

FOLDER holds dialogues of several agents, a JSON file each, as "Which Agent Causes Task Failures and When?" published
them (github.com/mingyin1/Agents_Failure_Attribution, the folder Who&When): a ``history`` of messages, and the
``mistake_step`` that decided the failure. The rules were made with the dialogues of even numbers.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from agentlog.analysis.causality import CauseGraph
from agentlog.event import codec
from agentlog.event.event import Place, Record
from agentlog.session.timeline import Timeline, build_timeline
from kshark.why.diagnosis.diagnosis import Diagnosis
from kshark.why.diagnosis.rules import diagnose

from .measure import print_line

START_TIME = datetime(2026, 1, 15, tzinfo=UTC)
TERMINAL = re.compile(r"terminal", re.I)
WORKERS = frozenset({"WebSurfer", "FileSurfer"})
FAILED_RUN = re.compile(r"exitcode: [1-9]|.{0,40}exited with Unix exit code (?!0\b)", re.S)
RUN = re.compile(r"exitcode:|The script ran", re.S)


@dataclass(frozen=True)
class Judgement:
    """What kshark why says of a dialogue whose decisive step is known.

    Attributes:
        is_right: the labelled step is the diagnosis' step, or the decision that led to it.
        is_candidate: the labelled step is a candidate.
        chance: the share of the dialogue's steps that are candidates.
    """

    is_sure: bool
    is_right: bool
    is_candidate: bool
    candidate_count: int
    chance: float


def make_events(dialogue: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a dialogue as a session: a call for each run of code or work in a browser, a message for all else."""
    yield _make_event(0, "manager", "session_start", {"goal": dialogue["question"]})
    request = ""
    for number, message in enumerate(dialogue["history"], 1):
        name, content = message.get("name") or message["role"], message["content"]
        agent = name.split(" (")[0]
        is_run = TERMINAL.search(agent) is not None and RUN.match(content) is not None
        if is_run or agent in WORKERS:
            failure = {"error": content} if is_run and FAILED_RUN.match(content) else {"output": content}
            yield _make_event(number, agent, "tool_call", {"tool": agent, "input": request, **failure})
        elif agent == "human":
            yield _make_event(number, agent, "user_message", {"text": content})
        elif "(thought)" in name:
            yield _make_event(number, agent, "decision", {"action": content})
        else:
            yield _make_event(number, agent, "agent_message", {"text": content})
            request = content
    yield _make_event(len(dialogue["history"]) + 1, "manager", "session_end", {"status": "failed"})


def _make_event(number: int, agent: str, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_id": f"evt_{number}",
        "session_id": "dialogue",
        "agent_id": agent,
        "timestamp": f"{START_TIME + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}Z",
        "event_type": kind,
        "payload": payload,
        "context": {"parent_event_id": f"evt_{number - 1}"} if number else {},
    }


def load_dialogue(dialogue: dict[str, Any]) -> Timeline:
    """Return a dialogue as a timeline. Its message N, from 0, is step N + 2."""
    values = [orjson.dumps(event) for event in make_events(dialogue)]
    decoded = [codec.decode(value, Place("dialogue", 0, offset), str(offset)) for offset, value in enumerate(values)]
    return build_timeline("dialogue", [each for each in decoded if isinstance(each, Record)])


def judge(timeline: Timeline, label: int) -> Judgement:
    """Compare the diagnosis with the step that people labelled."""
    diagnosis: Diagnosis = diagnose(timeline, CauseGraph(timeline))
    named = {step.number for step in (diagnosis.step, diagnosis.decision) if step is not None}
    candidates = {each.step.number for each in diagnosis.candidates} or named
    return Judgement(
        diagnosis.is_sure,
        label in named,
        label in candidates,
        len(candidates),
        len(candidates) / (len(timeline.steps) - 2),
    )


def judge_files(paths: Iterable[Path]) -> list[Judgement]:
    """Judge the dialogues of some files."""
    dialogues = [orjson.loads(path.read_bytes()) for path in paths]
    return [judge(load_dialogue(dialogue), int(dialogue["mistake_step"]) + 2) for dialogue in dialogues]


def describe(name: str, judgements: Sequence[Judgement]) -> str:
    """Return a line: how often sure, how often right then, and how often the step is among the candidates."""
    sure, count = [each for each in judgements if each.is_sure], len(judgements)
    within = [each for each in judgements if not each.is_sure]
    return (
        f"{name:<26} {count:4} failures   sure {len(sure):3}, right {sum(each.is_right for each in sure):3}   "
        f"not sure {len(within):3}, among the candidates {sum(each.is_candidate for each in within):3} "
        f"(by chance {sum(each.chance for each in within):.0f}; "
        f"{sum(each.candidate_count for each in within) / max(len(within), 1):.1f} steps each)"
    )


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    """Judge each folder of dialogues, those with an odd number apart from those that the rules were made with."""
    for folder in sorted(path for path in Path(arguments[0]).iterdir() if path.is_dir()):
        paths = sorted(folder.glob("*.json"))
        for name, remainder in (("even", 0), ("odd", 1)):
            judgements = judge_files(path for path in paths if int(path.stem) % 2 == remainder)
            print_line(describe(f"{folder.name}, {name}", judgements))


if __name__ == "__main__":
    main()
