"""What shells complete: commands, options, their values, and sessions that a catalogue knows, without any cluster."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from agentlog.session.coverage import SearchReport
from kshark.catalogue.capture_index import CaptureIndexer
from kshark.catalogue.files import open_catalogue
from kshark.cli import app
from tests.recording import make_event, write_capture_file
from tests.running import CompletedRun, make_environment, run_in_process

IDS = ["team-alpha", "team-beta", "run_1", "run_2", "run_$(reboot)", "job:alpha"]
SHELLS = [shell for shell in ("bash", "zsh", "fish") if shutil.which(shell)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings of a cluster `near` that is nowhere, and a catalogue of its sessions."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "agentlog.toml").write_text('[clusters.near]\n"bootstrap.servers" = "127.0.0.1:1"\n')
    (folder / "only.gz").touch()
    file = write_capture_file(folder / "run.ndjson", *(make_event(n, session_id=each) for n, each in enumerate(IDS)))
    with open_catalogue(folder / "agentlog" / "catalogue" / "cluster" / "topic.sqlite") as store:
        with CaptureIndexer(str(file), SearchReport("")) as indexer:
            indexer.index_into(store)
        with store.transaction():
            store.write_about({"bootstrap.servers": "127.0.0.1:1", "topic": "agent-events"})
    return folder


def ask(home: Path, line: str, request: str = "complete_bash") -> CompletedRun:
    """Ask as the script for bash does; a line ends with what isn't complete."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    variables = {"_KSHARK_COMPLETE": request, "XDG_CACHE_HOME": str(home), **words}
    return run_in_process(app, cwd=home, variables=variables)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kshark s", ["sessions", "stats"]),
        ("kshark replay --fo", ["--follow", "--format"]),
        ("kshark replay --follow --fo", ["--format"]),
        ("kshark replay --type a --ty", ["--type"]),
        ("kshark replay --format t", ["text", "tree"]),
        ("kshark tail --color ", ["auto", "always", "never"]),
        ("kshark sessions --status ", ["running", "succeeded", "failed", "cancelled", "never-ended", "other"]),
        ("kshark replay --max-chars ", []),
        ("kshark replay r", ["run_2", "run_1"]),
        ("kshark replay -c near -t agent-events r", ["run_2", "run_1"]),
        ("kshark replay -c near -t elsewhere r", []),
        ("kshark replay -f run.ndjson r", []),
        ("kshark export -o x run_1 run_2 t", ["team-beta", "team-alpha"]),
        ("kshark replay run_1 r", []),
        ("kshark why -c nosuch r", []),
    ],
)
def test_a_word_is_completed_to_what_may_stand_there(home: Path, line: str, expected: list[str]) -> None:
    done = ask(home, line)
    assert (done.code, done.err) == (0, b"")
    assert done.text.split() == expected


@pytest.mark.parametrize("line", ["kshark ", "kshark replay ", "kshark replay --format ", "kshark nosuch "])
def test_completion_is_asked_for_in_either_order_of_words(home: Path, line: str) -> None:
    assert ask(home, line, "bash_complete") == ask(home, line, "complete_bash")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_written_in_either_order_of_words(shell: str) -> None:
    scripts = [
        run_in_process(app, variables={"_KSHARK_COMPLETE": request})
        for request in (f"{shell}_source", f"source_{shell}")
    ]
    assert scripts[0] == scripts[1]
    assert "_KSHARK_COMPLETE" in scripts[0].text


def complete_line(shell: str, home: Path, typed: str, line: str) -> str:
    """The line that stands at an interactive prompt once it was typed, and Tab was pressed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = make_environment(XDG_CACHE_HOME=str(home), HOME=str(home), PATH=path, TERM="dumb", INPUTRC="/dev/null")
    if shell == "fish":
        script = f"_KSHARK_COMPLETE=fish_source kshark | source; complete -C {shlex.quote(typed)}"
        done = subprocess.run(
            ["fish", "-c", script], cwd=home, env=variables, capture_output=True, text=True, check=True
        )
        (answer,) = done.stdout.splitlines()
        return f"{typed.rpartition(' ')[0]} {answer.split()[0]}"
    start, setup = {
        "bash": (["--norc", "--noprofile", "-i"], 'bind "set enable-bracketed-paste off"'),
        "zsh": (["-f", "-i"], "unsetopt zle_bracketed_paste; bindkey -e; autoload -U compinit; compinit -D -u"),
    }[shell]
    child = pexpect.spawn(shell, start, cwd=home, env=variables, encoding="utf-8", dimensions=(24, 200), timeout=30)
    child.sendline(f'{setup}; eval "$(_KSHARK_COMPLETE={shell}_source kshark)"; echo rea""dy')
    child.expect("ready\r\n")
    child.send(f"{typed}\t")
    child.expect_exact(line[len(typed) :])  # the rest of the line comes once the shell has its answer
    child.sendline("\x01echo line: \x05 .")
    child.expect(r"\nline: (.*?) *\.\r\n")
    child.close(force=True)
    return str(child.match[1])


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("kshark sess", "kshark sessions"),
        ("kshark why --fu", "kshark why --full"),
        ("kshark replay --format ma", "kshark replay --format markdown"),
        ("kshark replay --follow team-a", "kshark replay --follow team-alpha"),
        ("kshark replay -c near team-a", "kshark replay -c near team-alpha"),
        ("kshark replay --file onl", "kshark replay --file only.gz"),
    ],
)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_a_line(shell: str, home: Path, typed: str, line: str) -> None:
    assert complete_line(shell, home, typed, line) == line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("kshark why job:a", "kshark why job:alpha"),
        ("kshark why -c 127.0.0.1:1 team-a", "kshark why -c 127.0.0.1:1 team-alpha"),
    ],
)
@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell != "bash"])  # bash takes a word apart at a colon
def test_a_shell_completes_a_line_with_a_colon(shell: str, home: Path, typed: str, line: str) -> None:
    assert complete_line(shell, home, typed, line) == line
