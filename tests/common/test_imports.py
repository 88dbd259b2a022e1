"""Imports point one way: the core knows no tool, no tool another, and what is pure neither Kafka nor the terminal."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("kshark", "kdiff", "kafmirror")
FOLDERS = {"agentlog": ROOT / "common" / "agentlog", **{tool: ROOT / tool for tool in TOOLS}}

# A module of the core imports from its own layer and those before it. Where does yours stand?
LAYERS: tuple[set[str], ...] = (
    {"errors", "events", "wording", "untrusted"},
    {"codec", "capture", "steps", "order", "lanes", "session", "positions", "partitions"},
    {"properties", "settingsfile", "given", "clusters"},
    {"kafka", *(f"kafka.{name}" for name in ("client", "reader", "admin", "writer", "stretch"))},
    {"sources", "watch", "stream", "topics", "newfile", "coverage", "describe", "calls", "payloads"},
    {"glances", "summary", "sums"},
    {
        f"recording.{name}"
        for name in ("snapshot", "secrets", "prices", "usage", "scope", "ids", "stats", "workers", "bell")
    },
    {
        f"recording.{name}"
        for name in ("search", "redaction", "records", "outlets", "large", "spool", "spare", "ledger", "kafkawriter")
    },
    {
        f"recording.{name}"
        for name in ("target", "wire", "options", "intake", "preparer", "spools", "handover", "sender", "delivery")
    },
    {"recording.process", "recording.recorder"},
    {f"recording.{name}" for name in ("span", "calls", "generators", "decorate", "verbs")} | {"recording", "tracer"},
    {"adapters", *(f"adapters.{name}" for name in ("streams", "calling", "openai", "anthropic"))},
    {"adapters.langchain", "adapters.openai_agents"},
    {"output", "cli", "naming", "screen"},
)
# Beside these whatever of the core and of kdiff says of itself that it is. What renders for a terminal may be, and
# knows rich.
PURE = {
    "agentlog.errors",
    "agentlog.events",
    "agentlog.codec",
    "agentlog.session",
    "agentlog.positions",
    "agentlog.partitions",
    "kafmirror.plan",
    "kafmirror.batches",
}
TERMINAL = {"typer", "click", "rich", "curses"}
KAFKA = {"confluent_kafka", "kafka"}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the core and of the tools by its full name, read and not run."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def is_package(name: str) -> bool:
    package, *rest = name.split(".")
    return (FOLDERS[package].joinpath(*rest) / "__init__.py").exists()


@cache
def imports(name: str) -> frozenset[str]:
    """What a module imports anywhere in it: our modules by their full names, others by their top name."""
    return frozenset(_resolved(target) for target in _targets(name))


def _targets(name: str) -> Iterator[str]:
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = name.split(".")[: len(name.split(".")) - node.level + is_package(name)] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _resolved(target: str) -> str:
    while target not in modules() and target.split(".", maxsplit=1)[0] in FOLDERS and "." in target:
        target = target.rpartition(".")[0]
    return target if target in modules() else target.split(".")[0]


def reached(name: str) -> set[str]:
    """What a module imports, and what that imports, and so on."""
    seen: set[str] = set()
    left = [name]
    while left:
        for target in imports(left.pop()) - seen:
            seen.add(target)
            left += [target] if target in modules() else []
    return seen


def core() -> list[str]:
    return [name.removeprefix("agentlog.") for name in modules() if name.startswith("agentlog.")]


def test_every_import_is_found() -> None:
    assert {"agentlog.events", "agentlog.codec", "confluent_kafka"} <= reached("agentlog.topics")
    assert "agentlog.kafka.reader" in imports("agentlog.topics")
    assert modules().keys() >= {"agentlog", "agentlog.events", "kshark.cli", "kshark.story"}


@pytest.mark.parametrize("name", core())
def test_the_core_imports_no_layer_above_its_own(name: str) -> None:
    places = {module: number for number, layer in enumerate(LAYERS) for module in layer}
    assert name in places, f"say in {Path(__file__).name} in which layer agentlog.{name} stands"
    ours = {target.removeprefix("agentlog.") for target in imports(f"agentlog.{name}") if target in modules()}
    assert {target for target in ours if places.get(target, 0) > places[name]} == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {target for target in imports(name) if target in modules()} for name in modules()}
    packages = {name: targets - {name, name.rpartition(".")[0]} for name, targets in graph.items()}
    assert len(list(TopologicalSorter(packages).static_order())) >= len(packages)


@pytest.mark.parametrize("name", [name for name in modules() if name != "agentlog"])
def test_a_tool_imports_the_core_and_itself_alone(name: str) -> None:
    own = name.split(".", maxsplit=1)[0]
    foreign = {target.split(".")[0] for target in imports(name)} & {*TOOLS, "devkafka", "tests", "benchmarks"}
    assert foreign <= ({own} if own in TOOLS else set())


def test_one_package_alone_knows_confluent_kafka() -> None:
    assert {name.rpartition(".")[0] for name in modules() if "confluent_kafka" in imports(name)} == {"agentlog.kafka"}
    allowed = {f"kafmirror.{name}" for name in ("loop", "wire", "transfer", "topics", "groups")}
    assert {name for name in modules() if "kafka" in imports(name)} <= allowed


def pure() -> list[str]:
    held = ("agentlog.", "kdiff.")
    return [name for name, tree in modules().items() if name in PURE or (name.startswith(held) and _says(tree))]


def _says(tree: ast.Module) -> bool:
    return (ast.get_docstring(tree) or "").partition("\n")[0].endswith("Pure.")


@pytest.mark.parametrize("name", pure())
def test_what_is_pure_knows_neither_kafka_nor_the_terminal(name: str) -> None:
    assert reached(name) & (KAFKA | TERMINAL | {"agentlog.kafka", "agentlog.cli", "agentlog.output"}) == set()


def loaded_by(*names: str) -> set[str]:
    """The top names of all that Python has loaded once it has imported `names`."""
    program = f"import sys, {', '.join(names)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_importing_the_library_loads_no_terminal_and_no_kafka() -> None:
    assert loaded_by("agentlog") & (TERMINAL | KAFKA | {"deepdiff", "rapidfuzz"}) == set()


def test_importing_what_is_pure_loads_no_terminal_and_no_kafka() -> None:
    loaded = loaded_by(*pure())
    assert "msgspec" in loaded
    assert loaded & (TERMINAL | KAFKA) == set()
