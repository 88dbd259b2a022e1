"""The benchmark of kshark report, 20,000 events in Chromium: `python -m benchmarks.report [EVENTS]`.

The peer is a page that shows the same events as a plain table.
"""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from tests.browser import Browser, run_chromium

from .measure import Figure, print_line, run_once

START_TIME = datetime(2026, 1, 15, tzinfo=UTC)
WORDS = ("ledger", "account", "invoice", "customer", "settle", "refund", "audit", "period", "balance", "entry")
TOOLS = ("ledger.read", "ledger.post", "bank.statement", "crm.find", "mail.send")


def make_events(count: int) -> Iterator[dict[str, Any]]:
    """Yield a session of ``count`` events of about 1 KB: calls of five tools, some model calls and decisions."""
    rng = random.Random(7)  # noqa: S311  a fixed seed, no secret

    def text(length: int) -> str:
        return " ".join(f"{rng.choice(WORDS)}-{rng.randrange(10_000)}" for _ in range(length))

    for number in range(count):
        kind = "decision" if number % 40 == 7 else "llm_call" if number % 20 == 3 else "tool_call"
        latency = rng.lognormvariate(4, 1)
        payload: dict[str, Any] = {"latency_ms": latency, "input": {"account": number % 977, "note": text(20)}}
        payload |= {"output": {"rows": [text(4) for _ in range(8)]}}
        if kind == "llm_call":
            payload |= {"model": "claude-sonnet-4-5", "input_tokens": 2_000, "output_tokens": 150, "cost_usd": 0.008}
        elif kind == "decision":
            payload = {"action": text(5), "alternatives": [text(3), text(3)]}
        else:
            payload |= {"tool": rng.choice(TOOLS)} | ({"error": "rate_limit: slow down"} if number % 50 == 9 else {})
        yield {
            "event_id": f"evt_{number:09}",
            "session_id": "sess_large",
            "agent_id": "reconciler-v3",
            "timestamp": f"{START_TIME + timedelta(milliseconds=number * 300):%Y-%m-%dT%H:%M:%S.%f}Z",
            "event_type": kind,
            "payload": payload,
            "context": {"reasoning": text(6), "confidence": 0.9},
        }


def render_plain_table(session_events: list[dict[str, Any]]) -> str:
    """Render the peer: a table with a row for each event, and the event as JSON in a fold."""
    rows = "".join(
        f"<tr><td>{each['timestamp']}<td>{each['event_type']}<td><details><summary>{each['event_id']}</summary>"
        f"<pre>{escape(orjson.dumps(each, option=orjson.OPT_INDENT_2).decode())}</pre></details>"
        for each in session_events
    )
    return f"<!doctype html><meta charset=utf-8><table>{rows}</table><script>performance.mark('steps')</script>"


SCROLL_SCRIPT = """
const done = arguments[arguments.length - 1];
const frames = [];
let last = performance.now();
const next = (now) => {
  frames.push(now - last);
  last = now;
  scrollTo(0, (document.documentElement.scrollHeight * frames.length) / 60);
  if (frames.length <= 60) requestAnimationFrame(next);
  else done(frames.slice(1).sort((a, b) => a - b));
};
requestAnimationFrame(next);
"""
FIND_SCRIPT = """
const done = arguments[arguments.length - 1];
const field = document.getElementById("find");
const hits = document.getElementById("hits");
const began = performance.now();
new MutationObserver(() => hits.textContent.endsWith("...") || done(performance.now() - began))
  .observe(hits, { childList: true });
field.value = arguments[0];
field.dispatchEvent(new Event("input"));
"""
MARK_EXPRESSION = "performance.getEntriesByName('{}')[0]?.startTime"


@dataclass(frozen=True)
class PageTiming:
    """The timing of a page: milliseconds until it was painted and usable, and per frame while scrolling."""

    painted: float
    usable: float
    frame: float
    longest: float
    memory_mb: float


def measure_page(browser: Browser, page: Path) -> PageTiming:
    """Measure a page: open it, and scroll it from its top to its end in 60 steps."""
    browser.driver.set_script_timeout(120)
    browser.open(page)
    usable = browser.wait_for(MARK_EXPRESSION.format("steps"))
    painted = browser.wait_for(MARK_EXPRESSION.format("first-contentful-paint"))
    frames = browser.driver.execute_async_script(SCROLL_SCRIPT)
    return PageTiming(painted, usable, median(frames), frames[-1], read_memory_mb(browser))


def read_memory_mb(browser: Browser) -> float:
    """Return the resident set of the largest of the browser's renderers, which shows the page, in MB."""
    profile = f"--user-data-dir={browser.driver.capabilities['chrome']['userDataDir']}"
    sizes = [0.0]
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            if "--type=renderer" in command and profile in command:
                sizes.append(int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return max(sizes)


def main(count: int = 20_000) -> None:
    """Write both pages, then measure each five times, in turn."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        session_events = list(make_events(count))
        pages = {"kshark report": folder / "report.html", "a plain table": folder / "table.html"}
        (folder / "run.ndjson").write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in session_events))
        pages["a plain table"].write_text(render_plain_table(session_events))
        page = f"report sess_large --file {folder}/run.ndjson -o {pages['kshark report']}"
        print_line(
            Figure("kshark report", [run_once(f"{sys.executable} -m kshark {page}") for _ in range(5)]).format_line()
        )
        timings: dict[str, list[PageTiming]] = {each: [] for each in pages}
        for _ in range(5):
            for each, path in pages.items():
                with run_chromium() as browser:  # a new browser, so that only this page is in memory
                    timings[each].append(measure_page(browser, path))
        for each, page_timings in timings.items():
            show_page(each, pages[each], page_timings)
        with run_chromium() as browser:
            show_search(browser, pages["kshark report"])


def show_page(name: str, page: Path, page_timings: list[PageTiming]) -> None:
    """Print a row of figures for a page."""
    figures = {
        field: median(getattr(each, field) for each in page_timings) for field in PageTiming.__dataclass_fields__
    }
    print_line(
        f"{name:<16} {page.stat().st_size / 1e6:5.1f} MB  painted {figures['painted']:5.0f} ms"
        f"  usable {figures['usable']:5.0f} ms  frame {figures['frame']:4.0f} ms, longest {figures['longest']:5.0f} ms"
        f"  {figures['memory_mb']:5.0f} MB"
    )


def show_search(browser: Browser, page: Path) -> None:
    """Print the time until the events can be searched, and the time of a search through all of them."""
    browser.open(page)
    ready = browser.wait_for(MARK_EXPRESSION.format("events"))
    took = [browser.driver.execute_async_script(FIND_SCRIPT, f"{word}-77") for word in WORDS[:5]]
    print_line(f"all events unpacked after {ready:.0f} ms, searched in {median(took):.0f} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
