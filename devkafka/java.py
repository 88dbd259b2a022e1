"""Java, and Kafka's jars. Maven fetches the jars of `pom.xml` once into the user's cache folder."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from .errors import NotInstalled

POM = Path(__file__).with_name("pom.xml")
LOGGING = Path(__file__).with_name("log4j2.properties")
OLDEST_JAVA = 17


def build_java_command(main_class: str, *arguments: str, heap: str = "512m") -> list[str]:
    """Return the command that runs a Java class with Kafka's jars, for example MirrorMaker 2.

    `heap` is as in `-Xmx`, 256m or more. Raise NotInstalled if Java 17, Maven or the jars are missing.
    """
    memory = [f"-Xmx{heap}", "-Xms256m", "-XX:+UseSerialGC"]
    logging = f"-Dlog4j2.configurationFile={LOGGING}"
    return [find_java_program("java"), *memory, logging, "-cp", f"{ensure_jars()}/*", main_class, *arguments]


def prepare() -> None:
    """Check Java, and fetch the jars if they are missing. Raise NotInstalled if that fails."""
    find_java_program("java")
    ensure_jars()


@cache
def find_java_program(name: str) -> str:
    """Return the path of `java` or `keytool` of Java 17 or later, in JAVA_HOME or else on PATH; raise NotInstalled."""
    home = os.environ.get("JAVA_HOME")
    bin_folder = Path(home, "bin") if home else None
    java = shutil.which("java", path=bin_folder)
    if java is None:
        missing = f"Kafka needs Java {OLDEST_JAVA}, and there is none {_describe_search_path(home)}."
        raise NotInstalled(f"{missing}\n{_describe_installation()}")
    version = _read_java_version(java)
    if version < OLDEST_JAVA:
        problem = f"{java} is Java {version}" if version else f"{java} doesn't run"
        raise NotInstalled(f"Kafka needs Java {OLDEST_JAVA} or later; {problem}.\n{_describe_installation()}")
    program = shutil.which(name, path=bin_folder)
    if program is None:
        raise NotInstalled(f"There is {java}, and no {name} {_describe_search_path(home)}.\n{_describe_installation()}")
    return program


def _describe_search_path(home: str | None) -> str:
    return f"in JAVA_HOME, which is {home}" if home else "on PATH"


def _read_java_version(java: str) -> int:
    """Return Java's major version; 0 if it doesn't run. (The `java` of macOS may only say where to get one.)"""
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(match[1]) if match else 0


def _describe_installation() -> str:
    if sys.platform == "darwin":
        return 'Install it: brew install openjdk@17 maven && export JAVA_HOME="$(brew --prefix openjdk@17)"'
    return "Install it (Debian, Ubuntu): apt-get install openjdk-17-jre-headless maven"


def ensure_jars() -> Path:
    """Return the folder of Kafka's jars, and fetch them if it is missing. Raise NotInstalled if that fails.

    The folder's name contains the version and a hash of the pom, so a changed pom gets a new folder.
    """
    pom = POM.read_text()
    version = pom.partition("<kafka.version>")[2].partition("<")[0]
    folder = _find_cache_folder() / f"kafka-{version}-{hashlib.sha256(pom.encode()).hexdigest()[:8]}"
    if not folder.exists():
        try:
            with _lock_folder(folder):
                if not folder.exists():
                    _fetch_jars(folder)
        except OSError as error:
            raise NotInstalled(f"Kafka's jars can't be kept: {error}. XDG_CACHE_HOME names another place.") from error
    return folder


def _find_cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentlog"


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch_jars(folder: Path) -> None:
    """Let Maven copy the jars into a temporary folder, then rename that to `folder`, so that it is always complete."""
    maven = shutil.which("mvn")
    if maven is None:
        raise NotInstalled(f"Kafka's jars come through Maven, and there is no mvn on PATH.\n{_describe_installation()}")
    sys.stderr.write("Fetching Kafka's jars through Maven, this once (55 MB) ...\n")
    partial_folder = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial_folder, ignore_errors=True)
    copy = ["dependency:copy-dependencies", f"-DoutputDirectory={partial_folder}", "-DincludeScope=runtime"]
    command = [maven, "-q", "-B", "-f", str(POM), *copy]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-15:])
        raise NotInstalled(f"Maven couldn't fetch Kafka's jars (exit {result.returncode}). It said:\n{tail}")
    partial_folder.rename(folder)
