"""Help: it fits 80 columns, names every option, shows examples that can be run, and loads little."""

import re
import shlex
import subprocess
import sys

import pytest
from typer.core import TyperGroup

import kafmirror.commands.app
import kdiff.cli.app
import kshark.cli
from agentlog.terminal.command import new_app
from tests.running import run, run_in_process

APPS: dict[str, TyperGroup] = {
    "kshark": kshark.cli.app,
    "kdiff": kdiff.cli.app.app,
    "kafmirror": kafmirror.commands.app.app,
}
COMMANDS = [(tool, name) for tool, app in APPS.items() for name in app.commands]
PAGES = [*((tool,) for tool in APPS), *COMMANDS]
HEAVY = {"pydantic", "rich", "click", "confluent_kafka", "kafka", "hyperscan", "msgspec", "orjson", "logging"}

CHOICES = re.compile(r"  --\S+ <\S+>")
"""An option with the values that it takes, which stand on one line."""


def read_help(page: tuple[str, ...], **variables: str) -> list[str]:
    """The lines of a page's help."""
    tool, *words = page
    done = run_in_process(APPS[tool], *words, "--help", variables=variables)
    assert (done.code, done.err) == (0, b"")
    return done.lines


def list_examples(page: tuple[str, ...]) -> list[str]:
    """The examples of a page's help, each a line."""
    return [line.strip() for line in read_help(page) if line.startswith(f"  {page[0]} ")]


@pytest.mark.parametrize("columns", ["60", "80", "100", "200"])
@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_no_line_is_wider_than_80_columns_and_only_what_cannot_be_broken_than_a_narrower_terminal(
    page: tuple[str, ...], columns: str
) -> None:
    lines = read_help(page, COLUMNS=columns)
    assert max(map(len, lines)) <= 80
    too_wide = [line for line in lines if len(line) > int(columns)]
    assert [line for line in too_wide if line.strip() not in list_examples(page) and not CHOICES.fullmatch(line)] == []


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_each_example_is_understood(page: tuple[str, ...]) -> None:
    tool, *words = page
    examples = [re.split(r" +(?:[|>]|# )", line)[0] for line in list_examples(page)]
    assert examples
    for example in examples:
        _, command, *arguments = shlex.split(example)
        assert not words or words == [command]
        APPS[tool].commands[command].make_context(command, arguments)  # raises for what it doesn't understand


@pytest.mark.parametrize("page", COMMANDS, ids=" ".join)
def test_help_names_every_option(page: tuple[str, str]) -> None:
    tool, command = page
    words = re.split(r"[\s,/]+", "\n".join(read_help(page)).partition("\nOptions:\n")[2])
    names = {name for each in APPS[tool].commands[command].params for name in [*each.opts, *each.secondary_opts]}
    assert {name for name in names if name.startswith("-")} <= set(words)


@pytest.mark.parametrize("tool", APPS)
def test_a_tool_lists_its_commands_with_the_whole_first_sentence_of_their_help(tool: str) -> None:
    lines = [line.split(maxsplit=1) for line in read_help((tool,)) if line]
    for command in APPS[tool].commands:
        assert [command, read_help((tool, command))[2].strip()] in lines


def test_what_stands_in_brackets_is_shown() -> None:
    lines = [" ".join(line.split()) for line in read_help(("kshark", "replay"))]
    assert "[default: text; ndjson into a pipe]" in lines
    assert any("text|tree|ndjson|json|markdown" in line for line in lines)


def test_h_is_short_for_help() -> None:
    assert run_in_process(kshark.cli.app, "tail", "-h").lines == read_help(("kshark", "tail"))


def loaded_by(tool: str, *arguments: str) -> set[str]:
    """The top names of all that Python has loaded at the end of a command."""
    program = (
        f"import atexit, runpy, sys; sys.argv = ['{tool}', *{list(arguments)}]\n"
        "atexit.register(lambda: print('loaded', *{name.split('.')[0] for name in sys.modules}, file=sys.stderr))\n"
        f"runpy.run_module('{tool}', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    return set(done.stderr.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_help_loads_nothing_that_only_a_command_needs(page: tuple[str, ...]) -> None:
    loaded = loaded_by(*page, "--help")
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_a_command_loads_neither_pydantic_nor_rich() -> None:
    loaded = loaded_by("kshark", "replay", "x", "--file", "/dev/null", "--type", "a", "--max-chars", "5")
    assert "orjson" in loaded
    assert loaded & {"pydantic", "rich"} == set()


@pytest.mark.parametrize("arguments", [[], ["replay", "--folow"], ["replay", "x", "--format", "xml"]])
def test_a_usage_error_is_plain_text_on_standard_error_with_2(arguments: list[str]) -> None:
    ci = {"GITHUB_ACTIONS": "true", "CI": "true", "FORCE_COLOR": "1", "TERMINAL_WIDTH": "200"}
    done = run("kshark", *arguments, variables=ci)
    assert (done.code, done.out) == (2, b"")
    assert done.error_text.startswith("Usage: kshark ")
    assert "--help" in done.error_text
    assert done.error_text.isascii()
    assert "\x1b" not in done.error_text


def test_a_command_is_named_after_its_function_and_takes_its_options() -> None:
    received = []

    def import_(verbose: bool = False) -> None:
        """Take them."""
        received.append(verbose)

    assert run_in_process(new_app("A tool.", import_), "import", "--verbose").code == 0
    assert received == [True]


@pytest.mark.parametrize(("arguments", "code"), [("--help", 0), ("replay --help", 0), ("nonsense", 2)])
def test_help_that_cannot_be_written_is_no_bug(arguments: str, code: int) -> None:
    command = f"{sys.executable} -m kshark {arguments}"
    assert subprocess.run(f"{command} >/dev/full 2>&1", shell=True, check=False).returncode == 2
    piped = ["bash", "-c", f"{command} 2>&1 | true; exit ${{PIPESTATUS[0]}}"]
    assert subprocess.run(piped, check=False).returncode in (0, code)
