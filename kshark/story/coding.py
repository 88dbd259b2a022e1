"""Ordinary coding sessions: an issue, a search, and edits until the tests pass or the steps run out."""

from typing import NamedTuple

from .agents import CODER, RESEARCHER
from .session_writer import Scene, SessionWriter


class CodingTask(NamedTuple):
    """An issue and the way to its end.

    Attributes:
        ideas: what the agent tries, round by round, again from the first when they run out.
        failing: how many tests fail after each round; the task is done at 0.
        tests: the names of the tests that fail, and ``total`` how many there are.
    """

    session_id: str
    minute: float
    repository: str
    issue: str
    files: tuple[str, ...]
    symbol: str
    ideas: tuple[str, ...]
    failing: tuple[int, ...]
    tests: tuple[str, ...]
    total: int


def write_coding(scene: Scene) -> None:
    """Write all ordinary coding sessions."""
    for task in TASKS:
        _solves_task(scene.open_session(task.session_id, CODER, task.minute), task)


def _solves_task(session: SessionWriter, task: CodingTask) -> None:
    session.starts(
        f"{task.repository}: {task.issue}", repository=task.repository, branch=f"fix-{session.between(100, 999)}"
    )
    session.hears(task.issue)
    _reads_code(session, task)
    for number, failing in enumerate(task.failing):
        _edits_file(session, task, number)
        _runs_tests(session, task, failing)
        session.waits(session.rng.uniform(5, 45))
    if task.failing[-1]:
        _gives_up(session, task)
        return
    session.calls(
        "git.commit",
        {"message": task.issue},
        {"commit": f"{session.rng.getrandbits(28):07x}", "files": len(task.files)},
    )
    session.says(f"Fixed: {task.issue} All {task.total} tests pass.")
    session.ends("succeeded", result={"rounds": len(task.failing), "tests": task.total})


def _gives_up(session: SessionWriter, task: CodingTask) -> None:
    helper = session.delegates(RESEARCHER, f"has anybody else seen this: {task.issue}")
    helper.searches(task.issue, [])
    helper.gets_error("web.search", {"query": task.issue}, "http_429: the quota of the day is used up")
    session.receives(helper, error="web.search: the quota of the day is used up")
    session.fails("step_limit", f"{len(task.failing)} rounds are over and {task.failing[-1]} tests still fail")
    session.ends("failed", error="step_limit: no more rounds")


def _reads_code(session: SessionWriter, task: CodingTask) -> None:
    session.thinks(task.issue, f"First I want to see where {task.symbol} is used.")
    hits = "\n".join(f"{file}:{session.between(8, 420)}: {task.symbol}" for file in task.files)
    session.calls("shell.run", {"command": f"grep -rn {task.symbol} ."}, hits, session.between(60, 700))
    for file in task.files:
        session.calls(
            "editor.view", {"path": file}, {"lines": session.between(60, 700)}, because=f"{file} has {task.symbol}."
        )
    session.thinks(f"{len(task.files)} files read", f"I think I see it. {task.ideas[0]}")


def _edits_file(session: SessionWriter, task: CodingTask, number: int) -> None:
    idea, file = task.ideas[number % len(task.ideas)], task.files[number % len(task.files)]
    again = "" if number < len(task.ideas) else "Once more, as the other change hid this one: "
    session.thinks(f"Round {number + 1}", again + idea)
    line = session.between(8, 420)
    if session.rng.random() < 0.15:
        session.gets_error(
            "editor.replace", {"path": file, "line": line}, "no_match: the text to replace isn't in the file", 40
        )
        session.calls("editor.view", {"path": file, "from": line - 8, "to": line + 8}, {"lines": 17}, 35)
    session.calls(
        "editor.replace", {"path": file, "line": line}, {"changed_lines": session.between(1, 14)}, 42, because=idea
    )


def _runs_tests(session: SessionWriter, task: CodingTask, failing: int) -> None:
    session.calls("shell.run", {"command": "ruff check ."}, "All checks passed!", session.between(180, 940))
    seconds = session.rng.uniform(9.1, 48.0)
    passed = f"{task.total - failing} passed in {seconds:.2f}s"
    if not failing:
        session.calls("shell.run", {"command": "pytest -q"}, passed, round(seconds * 1000))
        return
    names = [task.tests[(failing + each) % len(task.tests)] for each in range(min(failing, 3))]
    path = names[0].split("::")[0]
    output = "\n".join(f"FAILED {name}" for name in names) + f"\n{failing} failed, {passed}"
    session.gets_error("shell.run", {"command": "pytest -q"}, f"exit status 1\n{output}", round(seconds * 1000))
    session.thinks(f"{failing} of {task.total} fail", f"{names[0]} tells the most. I'll read it.")
    session.calls("editor.view", {"path": path}, {"lines": session.between(40, 260)}, 38)
    session.calls("shell.run", {"command": f"grep -n {task.symbol} {path}"}, f"{session.between(2, 7)} lines")


TASKS = (
    CodingTask(
        "sess_coding_1083",
        3.3,
        "parcel-api",
        "Retry-After with a date is ignored.",
        ("parcel/http/retry.py", "parcel/http/client.py", "parcel/clock.py"),
        "retry_after",
        (
            "The header may be a number of seconds or a date, and only the number is read.",
            "The date has to be compared with the server's clock, not ours.",
            "A date in the past means now, not a negative sleep.",
            "The client caps the wait before it is parsed; the cap belongs behind it.",
        ),
        (5, 5, 3, 4, 3, 1, 1, 0),
        ("tests/test_retry.py::test_date", "tests/test_retry.py::test_past_date", "tests/test_client.py::test_cap"),
        212,
    ),
    CodingTask(
        "sess_coding_1087",
        11.0,
        "warehouse-sync",
        "Stock counts drift after the clocks change.",
        ("sync/windows.py", "sync/jobs.py", "sync/models.py", "sync/calendar.py"),
        "local_midnight",
        (
            "Days are counted as 24 hours; on two days a year that is wrong.",
            "The window is computed in local time and stored without a zone.",
            "The job for the missing hour never runs, so its counts are added to the next day.",
            "The hour that comes twice is counted twice.",
            "The fixture freezes UTC, so the test never saw the change.",
        ),
        (9, 9, 7, 8, 8, 6, 6, 5, 4, 4, 2, 2, 1, 1, 0),
        ("tests/test_windows.py::test_spring", "tests/test_windows.py::test_autumn", "tests/test_jobs.py::test_twice"),
        388,
    ),
    CodingTask(
        "sess_coding_1091",
        29.9,
        "label-printer",
        "Labels with long street names are cut off.",
        ("labels/layout.py", "labels/fonts.py"),
        "fit_text",
        (
            "The width is measured in characters, the label is as wide as its points.",
            "The font falls back to another one for accents, and that one is wider.",
            "When it doesn't fit, break at the last space and only then shrink.",
        ),
        (2, 1, 1, 0),
        ("tests/test_layout.py::test_long_street", "tests/test_layout.py::test_accents"),
        74,
    ),
    CodingTask(
        "sess_coding_1096",
        44.8,
        "route-planner",
        "The planner returns different routes for the same input.",
        ("planner/search.py", "planner/costs.py", "planner/graph.py", "planner/cache.py", "planner/cli.py"),
        "neighbours",
        (
            "Neighbours come out of a set, whose order changes from run to run.",
            "Two routes of equal cost are told apart by their memory address.",
            "The cache keeps the first answer, so the order of the questions matters.",
            "Costs are sums of floats in changing order; add them sorted.",
            "The heap compares tuples, and the third field has no order.",
            "The command line sorts its stops, the library doesn't.",
        ),
        (14, 14, 12, 13, 11, 11, 9, 10, 8, 8, 7, 7, 5, 6, 4, 4, 3, 3, 2, 1, 1, 0),
        ("tests/test_search.py::test_same_twice", "tests/test_cache.py::test_order", "tests/test_costs.py::test_sum"),
        541,
    ),
    CodingTask(
        "sess_coding_1102",
        62.6,
        "invoice-pdf",
        "Totals are off by a cent on some invoices.",
        ("pdf/totals.py", "pdf/tax.py", "pdf/rows.py"),
        "round_half",
        (
            "Each row is rounded and then the sum; the law here wants the sum rounded.",
            "Tax is computed from the rounded net amount.",
            "The amounts are floats up to the last step; they should be decimals from the start.",
            "The discount is applied to the tax, too.",
        ),
        (6, 6, 4, 5, 4, 2, 2, 1, 0),
        ("tests/test_totals.py::test_cents", "tests/test_tax.py::test_two_rates", "tests/test_rows.py::test_discount"),
        163,
    ),
    CodingTask(
        "sess_coding_1108",
        80.2,
        "search-index",
        "Memory grows by 2 GB during a reindex.",
        ("index/writer.py", "index/segments.py", "index/merge.py", "index/pool.py"),
        "flush_segment",
        (
            "Segments are kept in a list until the end; they could be written as they fill.",
            "The merge opens all files at once instead of sixteen at a time.",
            "A closure holds the whole batch for the sake of its length.",
            "The pool hands out buffers and never takes them back after an error.",
            "The limit counts documents, though their sizes differ by a thousand.",
        ),
        (3, 4, 4, 3, 5, 4, 3, 3, 4, 3, 2, 3, 3, 2, 3, 2, 2, 3, 2, 2),
        (
            "tests/test_memory.py::test_reindex",
            "tests/test_merge.py::test_open_files",
            "tests/test_pool.py::test_error",
        ),
        296,
    ),
    CodingTask(
        "sess_coding_1113",
        82.4,
        "customer-portal",
        "Sessions end after a minute behind the new proxy.",
        ("portal/auth.py", "portal/middleware.py", "portal/settings.py"),
        "session_age",
        (
            "The age is taken from a header that the proxy rewrites.",
            "Secure cookies are dropped, as the portal believes that it speaks plain HTTP.",
            "The clock of the session starts at the last request of anybody, not of this user.",
        ),
        (4, 4, 3, 3, 2, 2, 1, 1, 0),
        ("tests/test_auth.py::test_proxy", "tests/test_auth.py::test_cookie", "tests/test_middleware.py::test_scheme"),
        227,
    ),
    CodingTask(
        "sess_coding_1119",
        116.5,
        "stock-forecast",
        "The forecast for new articles is always zero.",
        ("forecast/model.py", "forecast/features.py", "forecast/defaults.py", "forecast/pipeline.py"),
        "fallback_rate",
        (
            "Articles without a history are dropped by the join and filled with zero.",
            "The default rate is looked up by article, though it is stored by group.",
            "Groups are numbers in one table and texts in the other.",
            "The features are scaled before the defaults are filled in.",
            "A forecast below one is rounded down to nothing.",
        ),
        (8, 8, 7, 5, 6, 5, 5, 3, 3, 2, 2, 1, 0),
        ("tests/test_model.py::test_new", "tests/test_features.py::test_group", "tests/test_defaults.py::test_lookup"),
        319,
    ),
)
