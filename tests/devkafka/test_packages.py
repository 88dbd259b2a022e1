"""The system's programs that make's commands need: installed if we may, else listed all at once, at the start."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devkafka.java import POM

ROOT = POM.parent.parent
SCRIPT = ROOT / "devkafka" / "packages.sh"
ALWAYS_THERE = ("sh", "cat", "sed", "grep", "cut", "sort", "paste", "tr", "env", "id", "true")
NEEDS = re.findall(r"^(\S+) +(\S+) +(\S+,?) {2,}(.+)$", SCRIPT.read_text().partition("<<'END'\n")[2], re.MULTILINE)
OLD_JAVA, JAVA = (f"echo 'openjdk version \"{version}\"' >&2" for version in ("11.0.2", "17.0.15"))
APT_GET = """PATH=/usr/bin:/bin
echo "apt-get $*" >>{calls}
for word; do
  case $word in
    update) touch {listed} ;;
    -* | install | DPkg*) ;;
    *) [ ! -d {archive}/$word ] || [ ! -e {listed} ] || {{ cp {archive}/$word/* {programs}; continue; }}
       echo "E: Unable to locate package $word" >&2
       exit 100 ;;
  esac
done"""
APT_CACHE = """[ ! -d {archive}/$2 ] || [ ! -e {listed} ] || echo "  Candidate: 1.0" """


class Machine:
    """A machine with Python and the standard programs of a system. Its programs and its packages lie in folders."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs, self.archive = folder, folder / "programs", folder / "archive"
        self.calls, self.listed = folder / "calls", folder / "listed"
        self.programs.mkdir()
        for name in ALWAYS_THERE:
            (self.programs / name).symlink_to(shutil.which(name) or name)
        (self.programs / "python3").symlink_to(sys.executable)

    def add(self, name: str, script: str = "", folder: Path | None = None) -> None:
        path = (folder or self.programs) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def add_apt(self, *, listed: bool = True, without: tuple[str, ...] = (), **more: str) -> None:
        """Let apt offer all packages except ``without``. It knows them after an update, or at once if ``listed``."""
        for program, packages, _, _ in NEEDS:
            for package in {*packages.split(",")} - {*without}:
                self.add(program, JAVA, self.archive / package)
        for package, program in more.items():
            self.add(program, JAVA, self.archive / package.replace("_", "-"))
        if listed:
            self.listed.touch()
        for name, script in (("apt-get", APT_GET), ("apt-cache", APT_CACHE)):
            self.add(name, script.format(**vars(self)))

    def be_root(self, *, really: bool = True) -> None:
        self.add("id", f"echo {0 if really else 1000}")

    def run(self, *commands: str, **variables: str) -> subprocess.CompletedProcess[str]:
        here = {"PATH": str(self.programs), "VENV": str(self.folder / "none"), **variables}
        return subprocess.run(
            [self.programs / "sh", SCRIPT, *commands], env=here, capture_output=True, text=True, check=False
        )

    @property
    def installed(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def named(text: str) -> list[str]:
    """Return the missing programs that a message names."""
    return re.findall(r"^  (\S+)  +\w", text.partition("Run this")[0], re.MULTILINE)


def programs_of(command: str) -> list[str]:
    return [program for program, _, commands, _ in NEEDS if command in commands.split(",")]


def test_every_command_in_the_table_is_one_of_make() -> None:
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert NEEDS
    assert {command for _, _, commands, _ in NEEDS for command in commands.split(",")} <= made


def test_this_machine_has_what_the_tests_need() -> None:
    done = subprocess.run(["sh", SCRIPT, "test", "soak"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_is_asked_of_apt_when_nothing_is_missing(machine: Machine) -> None:
    machine.add_apt()
    machine.be_root()
    for program in programs_of("bench"):
        machine.add(program, JAVA)
    done = machine.run("bench")
    assert (done.returncode, done.stdout, done.stderr, machine.installed) == (0, "", "", [])


@pytest.mark.parametrize("command", ["kafka", "failover", "test", "soak", "bench", "pictures"])
def test_all_that_a_command_lacks_is_named_at_once(machine: Machine, command: str) -> None:
    done = machine.run(command)
    assert done.returncode == 2
    assert done.stderr.startswith(f"make {command}: what is missing on this machine:\n")
    assert named(done.stderr) == programs_of(command) != []
    assert "apt-get" not in done.stderr


def test_two_commands_are_asked_for_together(machine: Machine) -> None:
    assert named(machine.run("soak", "pictures").stderr) == ["java", "mvn", "chromium", "chromedriver"]


@pytest.mark.parametrize("command", ["demo", "check"])
def test_some_commands_need_python_alone(machine: Machine, command: str) -> None:
    assert machine.run(command).returncode == 0
    (machine.programs / "python3").unlink()
    assert named(machine.run(command).stderr) == ["python3"]


def test_without_rights_the_message_ends_with_the_command_that_installs_all(machine: Machine) -> None:
    machine.add_apt()
    machine.be_root(really=False)
    (machine.programs / "python3").unlink()
    machine.add("less")
    done = machine.run("test")
    assert done.returncode == 2
    assert done.stderr.endswith(
        "Run this as root, and then make again:\n  apt-get update && apt-get install -y --no-install-recommends "
        "chromium chromium-driver chromium-sandbox maven openjdk-17-jre-headless openssl procps prometheus "
        "python3-venv redis-server\n"
    )
    assert machine.installed == []


def test_a_sudo_that_asks_for_a_password_is_not_used(machine: Machine) -> None:
    machine.add_apt()
    machine.be_root(really=False)
    machine.add("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    done = machine.run("kafka")
    assert (done.returncode, machine.installed) == (2, [])
    assert "password" not in done.stderr


@pytest.mark.parametrize("root", [True, False])
def test_root_and_a_sudo_without_password_install_what_is_missing_and_say_so_first(
    machine: Machine, root: bool
) -> None:
    machine.add_apt()
    machine.be_root(really=root)
    if not root:
        machine.add("sudo", 'shift; exec "$@"')
    done = machine.run("kafka")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "make kafka: installing what is missing: maven openjdk-17-jre-headless\n"
    [call] = machine.installed
    assert call.endswith(" install maven openjdk-17-jre-headless")
    assert machine.run("kafka").stdout == ""


def test_the_lists_of_packages_are_fetched_where_there_are_none(machine: Machine) -> None:
    machine.add_apt(listed=False)
    machine.be_root()
    assert machine.run("kafka").returncode == 0
    assert [set(call.split()) & {"update", "install"} for call in machine.installed] == [{"update"}, {"install"}]


def test_a_debian_without_java_17_gets_its_default(machine: Machine) -> None:
    machine.add_apt(without=("openjdk-17-jre-headless",), default_jre_headless="java")
    machine.be_root()
    assert machine.run("kafka").returncode == 0
    assert machine.installed[-1].endswith(" install default-jre-headless maven")


def test_what_apt_says_when_it_fails_is_shown_with_the_command(machine: Machine) -> None:
    machine.add_apt(without=("maven",))
    machine.be_root()
    done = machine.run("kafka")
    assert done.returncode == 2
    assert "E: Unable to locate package maven" in done.stderr
    assert "Run this as root" in done.stderr


def test_ubuntu_whose_chromium_is_a_snap_is_told_so_and_nothing_is_installed(machine: Machine) -> None:
    machine.add_apt(without=("chromium", "chromium-driver", "chromium-sandbox"), chromium_browser="chromium-browser")
    machine.be_root()
    done = machine.run("test")
    assert done.returncode == 2
    assert "only as a snap" in done.stderr
    assert "CHROMEDRIVER" in done.stderr
    assert "chromium" not in done.stderr.partition("Run this")[2]
    assert machine.installed == []


def test_an_old_java_is_missing_java(machine: Machine) -> None:
    machine.add("java", OLD_JAVA)
    machine.add("mvn")
    assert named(machine.run("kafka").stderr) == ["java"]


def test_a_variable_that_names_the_wrong_place_is_told_and_no_package_is_installed(machine: Machine) -> None:
    machine.add_apt()
    machine.be_root()
    machine.add("mvn")
    machine.add("chromedriver")
    done = machine.run("kafka", "pictures", JAVA_HOME="/nowhere", CHROME="/nowhere/chrome")
    assert done.returncode == 2
    assert named(done.stderr) == ["/nowhere/bin/java", "/nowhere/chrome"]
    assert machine.installed == []


def test_variables_may_name_java_and_the_browser(machine: Machine, tmp_path: Path) -> None:
    machine.add("java", JAVA, tmp_path / "jdk 17" / "bin")
    machine.add("my-chrome")
    machine.add("my-driver", folder=tmp_path / "driver")
    machine.add("mvn")
    places = {"JAVA_HOME": f"{tmp_path}/jdk 17", "CHROME": "my-chrome", "CHROMEDRIVER": f"{tmp_path}/driver/my-driver"}
    assert machine.run("kafka", "pictures", **places).returncode == 0


def test_an_old_python_is_named_with_its_version_and_no_package_is_installed(machine: Machine) -> None:
    machine.add_apt()
    machine.be_root()
    machine.add("python3", '[ "$1" != --version ] || { echo Python 3.9.2; exit 0; }; exit 1')
    done = machine.run("test")
    assert (done.returncode, machine.installed) == (2, [])
    assert done.stderr == (
        "agentlog needs Python 3.11 or later, and python3 is Python 3.9.2.\n"
        "Name another one: make test PYTHON=python3.12\n"
    )


def test_an_environment_that_is_made_needs_no_other_python(machine: Machine, tmp_path: Path) -> None:
    (machine.programs / "python3").unlink()
    machine.add("pip", folder=tmp_path / "venv" / "bin")
    assert machine.run("check", VENV=str(tmp_path / "venv")).returncode == 0


def test_make_names_what_is_missing_before_it_makes_anything(machine: Machine, tmp_path: Path) -> None:
    (project := tmp_path / "project" / "devkafka").mkdir(parents=True)
    shutil.copy(SCRIPT, project)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, project.parent)
    for name in ("make", "find"):
        (machine.programs / name).symlink_to(shutil.which(name) or name)
    here = {"PATH": str(machine.programs)}
    done = subprocess.run(
        ["make", "check", "test"], cwd=project.parent, env=here, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert named(done.stderr) == programs_of("test")
    assert sorted(path.name for path in project.parent.iterdir()) == ["Makefile", "devkafka", "pyproject.toml"]
