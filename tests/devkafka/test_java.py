"""Java and the jars: a missing program gives a clear message, and a fetch is complete or has no effect."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devkafka.java import POM, ensure_jars, find_java_program

ROOT = POM.parent.parent
FETCH = "from devkafka.java import ensure_jars; print(len(list(ensure_jars().glob('*.jar'))))"


def run_launcher(tmp_path: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the command of `make kafka` with one folder as PATH, and without jars in the cache."""
    here = {"PATH": str(path), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "devkafka"]
    return subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, check=False)


def folder_with(tmp_path: Path, **programs: str) -> Path:
    """Return a folder with programs, each a shell script, by their names."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_missing_java_is_a_message_that_says_how_to_install_it(tmp_path: Path) -> None:
    done = run_launcher(tmp_path, folder_with(tmp_path))
    assert done.returncode == 2
    assert "Kafka needs Java 17, and there is none on PATH." in done.stderr
    assert "openjdk" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_java_is_named_with_its_version(tmp_path: Path) -> None:
    done = run_launcher(tmp_path, folder_with(tmp_path, java="echo 'java version \"1.8.0_402\"' >&2"))
    assert done.returncode == 2
    assert "bin/java is Java 8.\n" in done.stderr


def test_a_java_that_does_not_run_is_said_to_be_so(tmp_path: Path) -> None:
    done = run_launcher(tmp_path, folder_with(tmp_path, java="echo 'Unable to locate a Java Runtime.' >&2; exit 1"))
    assert done.returncode == 2
    assert "bin/java doesn't run.\n" in done.stderr


def test_missing_maven_is_a_message_that_says_how_to_install_it(tmp_path: Path) -> None:
    done = run_launcher(tmp_path, folder_with(tmp_path, java=f'exec {find_java_program("java")} "$@"'))
    assert done.returncode == 2
    assert "there is no mvn on PATH" in done.stderr
    assert "maven" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_maven_says_when_it_fails_is_shown(tmp_path: Path) -> None:
    java, mvn = f'exec {find_java_program("java")} "$@"', "echo '[ERROR] no network'; exit 1"
    done = run_launcher(tmp_path, folder_with(tmp_path, java=java, mvn=mvn))
    assert done.returncode == 2
    assert "Maven couldn't fetch Kafka's jars (exit 1). It said:\n[ERROR] no network" in done.stderr
    assert not list(tmp_path.glob("**/*.jar"))


def test_two_runs_at_once_fetch_the_jars_once(tmp_path: Path) -> None:
    left_behind = tmp_path / "agentlog" / f"{ensure_jars().name}.part"
    left_behind.mkdir(parents=True)
    (left_behind / "half.jar").touch()
    here = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen([sys.executable, "-c", FETCH], env=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    ended = [each.communicate() for each in both]
    assert {int(out) for out, _ in ended} == {len(list(ensure_jars().glob("*.jar")))}
    assert [b"Fetching" in err for _, err in ended].count(True) == 1
    assert not left_behind.exists()


def test_a_cache_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    (tmp_path / ".cache").touch()
    done = run_launcher(tmp_path, folder_with(tmp_path, java=f'exec {find_java_program("java")} "$@"'))
    assert done.returncode == 2
    assert "XDG_CACHE_HOME" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("jar", ["kafka_2.13", "kafka-tools", "connect-mirror", "log4j-slf4j-impl"])
def test_the_jars_are_all_there(jar: str) -> None:
    assert list(ensure_jars().glob(f"{jar}-*.jar"))
