"""Inputs from the field, each with what is right.

Each folder here has a ``cases.json``, and the files that its cases need. ``CASES=FOLDER`` runs those of another folder.
A case has a ``command`` for bash, which runs in an empty folder with copies of its ``files``. It says what is right:
``exit``, ``stdout``, ``stderr``, ``written`` (by file), ``json`` and ``ndjson``. ``check`` says what each may hold.
``kafka`` asks for an empty topic, and ``env`` for variables.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cases.check import check_document, check_text
from tests.running import make_environment

HERE = Path(os.environ.get("CASES", Path(__file__).parent))


class Case(NamedTuple):
    """A case, and the folder that its files are in."""

    folder: Path
    says: dict[str, Any]


def read_cases() -> dict[str, Case]:
    """Return all cases by their names."""
    lists = [(path.parent, json.loads(path.read_bytes())) for path in sorted(HERE.rglob("cases.json"))]
    return {case["name"]: Case(folder, case) for folder, cases in lists for case in cases}


CASES = read_cases()


def test_there_are_cases() -> None:
    assert CASES


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder, case = CASES[name]
    for file in case.get("files", ()):
        shutil.copy(folder / file, tmp_path)
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", case["command"]],
        cwd=tmp_path,
        env=prepare_environment(case, request.getfixturevalue),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=4 * case.get("seconds", 30),
    )
    wrong = find_wrong(case, result, tmp_path)
    assert not wrong, "\n".join([case["says"], *wrong, result.stdout.decode()[:4000], result.stderr.decode()[:4000]])


def prepare_environment(case: dict[str, Any], get_fixture: Callable[[str], Any]) -> dict[str, str]:
    """Return the variables of a case's command: this Python's tools first, and a topic if the case needs one."""
    variables = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if kafka := case.get("kafka"):
        wanted = kafka if isinstance(kafka, dict) else {"partitions": kafka}
        variables |= {"CLUSTER": get_fixture("kafka"), "TOPIC": get_fixture("topic")(**wanted)}
    return make_environment(**variables, **case.get("env", {}))


def find_wrong(case: dict[str, Any], result: subprocess.CompletedProcess[bytes], folder: Path) -> list[str]:
    """Return all that isn't as the case says."""
    out, err = result.stdout.decode(), result.stderr.decode()
    right = case.get("exit", 0)
    wrong = (
        [] if result.returncode in (right if isinstance(right, list) else [right]) else [f"exit {result.returncode}"]
    )
    never = (r"^Traceback", r"\bexit 70\b", r"\ba bug\b")  # a traceback of ours isn't indented, a recorded one is
    wrong += [f"{word} is never right" for word in never if re.search(word, f"{out}\n{err}", re.MULTILINE)]
    wrong += check_text("stdout", out, case.get("stdout", {}))
    wrong += check_text("stderr", err, case.get("stderr", {}))
    for name, expected in case.get("written", {}).items():
        wrong += check_text(name, (folder / name).read_text(), expected)
    if "json" in case:
        wrong += check_document(json.loads(out), case["json"])
    if "ndjson" in case:
        wrong += check_document([json.loads(line) for line in out.splitlines()], case["ndjson"])
    return wrong
