"""Say how long another thread stood still, in the process's own CPU time, while a tool's answer was recorded."""

import sys
import threading
import time
from typing import Any

from agentlog import AgentTracer


class Row:
    def __init__(self, number: int) -> None:
        self.number, self.name = number, f"row {number}"


LINE = "2026-01-01 12:00:00 INFO app.auth user=x path=/v1/items?page=2 took=12ms\n"
ANSWERS: dict[str, Any] = {
    "log": lambda: LINE * 70_000 + "token=abcdefghijkl\n",
    "line": lambda: (LINE * 70_000).replace("\n", " ") + "token=abcdefghijkl",
    "quoted": lambda: 'password="' + "x y " * 1_000_000,
    "spaces": lambda: "token: " + " " * 5_000_000 + "x",
    "secrets": lambda: "token=abcdefghijkl\n" * 200_000,
    "objects": lambda: [Row(number) for number in range(200_000)],
    "members": lambda: {str(number): {Row(number)} for number in range(200_000)},
}


def main(kind: str) -> None:
    """Record one answer."""
    answer, held = ANSWERS[kind](), [0.0]
    tracer = AgentTracer("s", agent_id="a", file="log.ndjson")
    tracer.user_message("x")
    tracer.flush(20)

    def take_times() -> None:
        last = time.process_time()
        while True:
            time.sleep(0.002)
            now = time.process_time()
            held.append(now - last)
            last = now

    threading.Thread(target=take_times, daemon=True).start()
    began = time.thread_time()
    tracer.track_tool_call("logs.get", {}, lambda: answer)
    called = time.thread_time() - began
    if not tracer.flush(100):
        sys.exit("the events aren't written")
    if called > 2:
        sys.exit(f"the caller waited for {called:.2f} s of CPU")
    if max(held) > 0.4:
        sys.exit(f"another thread stood still for {max(held):.2f} s of CPU")


main(sys.argv[1])
