"""The imports: they point one way between rooms, tools don't import each other, pure modules know no I/O."""

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

# A room is a folder, or a module that stands beside the folders. It imports from the rooms before it alone.
ROOMS: dict[str, tuple[str, ...]] = {
    "agentlog": (
        "errors",
        "formatting",
        "atomic_file",
        "home",
        "event",
        "capture_format",
        "session",
        "analysis",
        "text",
        "settings",
        "terminal",
        "log.connection",
        "log",
        "payloads",
        "recording.prices",
        "recording.system",
        "recording.prepare",
        "recording.sinks",
        "recording.delivery",
        "recording.spans",
        "recording",
        "tracer",
        "current_tracer",
        "adapters",
    ),
    "kshark": (
        "story",
        "catalogue",
        "source",
        "view",
        "replay",
        "sessions",
        "why.diagnosis",
        "why",
        "memory",
        "report",
        "live",
        "transfer",
        "cli",
        "__main__",
    ),
    "kdiff": ("reading", "align", "judge", "show", "cli", "__main__"),
    "kafmirror": (
        "errors",
        "batches",
        "kafka.network",
        "kafka",
        "verify",
        "plan",
        "lag",
        "copy",
        "commands",
        "__main__",
    ),
}
LARGEST_ROOM = 13
# Beside these, every module of the core and of kdiff whose first line ends with "Pure."
PURE = {"agentlog.errors", "agentlog.event.event", "agentlog.event.codec", "agentlog.session.timeline"}
PURE |= {"agentlog.event.position", "agentlog.event.partitioner", "kafmirror.plan.plan"}
PURE |= {"kafmirror.batches.record_batch"}
TERMINAL = {"typer", "click", "rich", "curses"}
KAFKA = {"confluent_kafka", "kafka"}


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax trees of all modules of the core and the tools, by their full names."""
    trees = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            trees[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def is_package(name: str) -> bool:
    package, *rest = name.split(".")
    return (FOLDERS[package].joinpath(*rest) / "__init__.py").exists()


@cache
def imports(name: str) -> frozenset[str]:
    """Return the imports anywhere in a module: our modules by their full names, others by their top name."""
    return frozenset(_resolve(target) for target in _targets(name))


def _targets(name: str) -> Iterator[str]:
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = name.split(".")[: len(name.split(".")) - node.level + is_package(name)] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _resolve(target: str) -> str:
    while target not in modules() and target.split(".", maxsplit=1)[0] in FOLDERS and "." in target:
        target = target.rpartition(".")[0]
    return target if target in modules() else target.split(".")[0]


def reachable(name: str) -> set[str]:
    """Return the direct and indirect imports of a module."""
    seen: set[str] = set()
    left = [name]
    while left:
        for target in imports(left.pop()) - seen:
            seen.add(target)
            left += [target] if target in modules() else []
    return seen


def room(name: str) -> str:
    """Return the innermost room that holds a module, without the name of its tree."""
    tree, _, rest = name.partition(".")
    holds = [each for each in ROOMS[tree] if rest == each or rest.startswith(f"{each}.")]
    return max(holds, key=len, default="")


def in_rooms() -> list[str]:
    return [name for name in modules() if "." in name]


def test_the_imports_are_read_from_the_code() -> None:
    assert {"agentlog.event.event", "agentlog.event.codec", "confluent_kafka"} <= reachable("agentlog.log.topic_source")
    assert "agentlog.log.reader" in imports("agentlog.log.topic_source")
    assert modules().keys() >= {"agentlog", "agentlog.event.event", "kshark.cli", "kshark.story"}


@pytest.mark.parametrize("name", in_rooms())
def test_a_room_imports_only_rooms_before_it(name: str) -> None:
    tree = name.partition(".")[0]
    order = ROOMS[tree]
    assert room(name), f"say in {Path(__file__).name} where the room of {name} stands"
    targets = {room(target) for target in imports(name) if target.startswith(f"{tree}.")}
    assert {target for target in targets if order.index(target) > order.index(room(name))} == set()


def test_every_room_is_there() -> None:
    assert {f"{tree}.{each}" for tree, rooms in ROOMS.items() for each in rooms} <= modules().keys()


@pytest.mark.parametrize("folder", [name for name in modules() if is_package(name)])
def test_a_folder_is_small_enough_to_look_through(folder: str) -> None:
    inside = [name for name in modules() if name.rpartition(".")[0] == folder and not is_package(name)]
    assert len(inside) <= LARGEST_ROOM, f"{folder} has become a corridor: make two rooms of it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {target for target in imports(name) if target in modules()} for name in modules()}
    packages = {name: targets - {name, name.rpartition(".")[0]} for name, targets in graph.items()}
    assert len(list(TopologicalSorter(packages).static_order())) >= len(packages)


@pytest.mark.parametrize("name", [name for name in modules() if name != "agentlog"])
def test_a_tool_imports_the_core_and_itself_alone(name: str) -> None:
    tree = name.split(".", maxsplit=1)[0]
    foreign = {target.split(".")[0] for target in imports(name)} & {*TOOLS, "devkafka", "tests", "benchmarks"}
    assert foreign <= ({tree} if tree in TOOLS else set())


def test_one_package_alone_imports_each_kafka_client() -> None:
    assert {_get_room(name) for name in modules() if "confluent_kafka" in imports(name)} == {"agentlog.log"}
    assert {_get_room(name) for name in modules() if "kafka" in imports(name)} == {"kafmirror.kafka"}


def _get_room(name: str) -> str:
    return ".".join(name.split(".")[:2])


def pure() -> list[str]:
    trees = ("agentlog.", "kdiff.")
    return [name for name, tree in modules().items() if name in PURE or (name.startswith(trees) and _is_pure(tree))]


def _is_pure(tree: ast.Module) -> bool:
    return (ast.get_docstring(tree) or "").partition("\n")[0].endswith("Pure.")


@pytest.mark.parametrize("name", pure())
def test_a_pure_module_reaches_neither_kafka_nor_the_terminal(name: str) -> None:
    reached = reachable(name)
    assert reached & (KAFKA | TERMINAL) == set()
    assert {each for each in reached if each.startswith(("agentlog.log", "agentlog.terminal"))} == set()


def loaded_by(*names: str) -> set[str]:
    """Return the top names of all modules that Python loads with `names`."""
    program = f"import sys, {', '.join(names)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_importing_the_library_loads_no_terminal_and_no_kafka() -> None:
    assert loaded_by("agentlog") & (TERMINAL | KAFKA | {"deepdiff", "rapidfuzz"}) == set()


def test_importing_what_is_pure_loads_no_terminal_and_no_kafka() -> None:
    loaded = loaded_by(*pure())
    assert "msgspec" in loaded
    assert loaded & (TERMINAL | KAFKA) == set()
