"""The docs show what the tool really does."""

import re
import shlex
from pathlib import Path

import pytest

from kshark.cli import app
from tests.recording import make_tool_call, write_capture_file
from tests.running import run, run_in_process

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "docs" / "kshark.md").read_text()


def commands(text: str) -> list[str]:
    """Return the commands on capture files behind a prompt, without their comments."""
    shown = re.findall(r"^\$ (kshark .*--file story\.ndjson.*)$", text, re.MULTILINE)
    return [line.partition("#")[0].strip() for line in shown]


@pytest.mark.parametrize("line", ["kshark why sess_invoice_847", "kshark memory sess_crashed"])
def test_the_guide_shows_what_is_written(story_file: Path, line: str) -> None:
    arguments = (*shlex.split(line), "--file", "story.ndjson")
    written = run(*arguments, cwd=story_file.parent, variables={"COLUMNS": "80"}).text
    (block,) = re.findall(rf"^\$ {line} --file.*?\n```\n\n```\n(.*?)\n```", GUIDE, re.DOTALL | re.MULTILINE)
    at = 0
    for part in block.split("\n...\n"):
        assert part in written[at:], part
        at = written.index(part, at) + len(part)


CALLED = (
    ("parse", 12, "block"),
    ("block", 34, "statement"),
    ("statement", 56, "expression"),
    ("expression", 78, "expect"),
)
TRACEBACK = (
    'Traceback (most recent call last):\n  File "app.py", line 1, in <module>\n    edit("app.py")\n'
    '  File "edit.py", line 31, in edit\n    check(path)\n  File "check.py", line 7, in check\n    parse(path)\n'
    + "".join(f'  File "parse.py", line {line}, in {name}\n    {inner}()\n' for name, line, inner in CALLED)
    + '  File "parse.py", line 90, in expect\n    raise SyntaxError(message)\nSyntaxError: unexpected indent\n'
)


def test_the_guide_shows_what_values_of_several_lines_look_like(tmp_path: Path) -> None:
    old, new = (
        "def load(path):\n    return open(path)\n",
        "def load(path):\n    with open(path) as file:\n        return file.read()\n",
    )
    edit = make_tool_call(1, "edit", input={"path": "app.py", "old": old, "new": new}, error=TRACEBACK)
    file = write_capture_file(tmp_path / "run.ndjson", edit)
    written = run("kshark", "replay", "sess_1", "--file", file, "--format", "text").text
    (block,) = re.findall(r"^```\n(1  14:00:00\.750 .*?)\n```", GUIDE, re.DOTALL | re.MULTILINE)
    assert f"\n\n{block}\n\n" in written


@pytest.mark.parametrize("line", commands(README + GUIDE))
def test_a_command_of_the_docs_works(story_file: Path, line: str) -> None:
    done = run_in_process(app, *shlex.split(line.partition(" > ")[0])[1:], cwd=story_file.parent)
    assert done.code == 0
    assert done.out or "\nwrote " in done.error_text


def test_there_are_such_commands() -> None:
    assert len(commands(README)) >= 5


def read_section(title: str) -> str:
    """Return the part of the guide below a heading."""
    return GUIDE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("command", app.commands)
def test_the_guide_has_a_section_for_every_command(command: str) -> None:
    assert read_section(f"kshark {command}") != ""


@pytest.mark.parametrize("command", app.commands)
def test_the_guide_names_every_option(command: str) -> None:
    section = read_section(f"kshark {command}") + read_section("Common options")
    options = [[*each.opts, *each.secondary_opts] for each in app.commands[command].params if each.opts[0][0] == "-"]
    assert [names for names in options if not any(f"`{name}" in section for name in names)] == []


@pytest.mark.parametrize("command", app.commands)
def test_help_fits_a_terminal_and_shows_examples(command: str) -> None:
    done = run("kshark", command, "--help", variables={"COLUMNS": "100"})
    assert done.code == 0
    assert f"kshark {command}" in done.text
    assert max(map(len, done.lines)) <= 100
