"""A failover and a failback on two real clusters: a region is lost, the other takes over, and the first comes back.

`make failover` runs it. A line that begins with $ is a command as you would type it. If a claim isn't true, the story
ends with an error.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaError

from agentlog import AgentTracer
from devkafka import DevKafkaError, KafkaCluster, eventually, run_clusters
from devkafka.local import format_settings

EAST, WEST = "us-east-1", "eu-west-1"
AWAY, HOME = f"--source {EAST} --target {WEST}", f"--source {WEST} --target {EAST}"
RUNAWAY, MONTH_END = "sess_invoice_847", "sess_month_end"
GROUP, PARTITIONS = "billing", 12

Places = set[tuple[int, int]]


def main() -> None:
    """Tell the story in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder, run_clusters(KafkaCluster(EAST), KafkaCluster(WEST)) as (east, west):
        os.chdir(folder)
        at = {EAST: east.bootstrap, WEST: west.bootstrap}
        switch_to(EAST, at)
        read = both_regions_answer(at)
        us_east_1_burns_down(east)
        switch_to(WEST, at)
        read |= the_work_goes_on(at, read)
        home_again(east)
        switch_to(EAST, at)
        all_is_as_it_should_be(at, read)


def both_regions_answer(at: Mapping[str, str]) -> Places:
    """Fill us-east-1, mirror it, and read both regions."""
    say("An afternoon of agents in us-east-1; an agent at work; a consumer group that has read its first 500 events.")
    show(f"kshark demo --cluster {EAST}", shape="")
    send_invoices("Acme Corp", goal="Send the invoices of January")
    read = read_on(at[EAST], 500)
    show(f"kafmirror plan {AWAY} --topics agent-events", first=4)

    say("A mirror runs and takes the group along. Both regions answer the same, to the offset.")
    with mirror(f"kafmirror replicate {AWAY} --topics agent-events --lag-threshold 10s --groups {GROUP}"):
        until(f"kafmirror status {AWAY} --lag-threshold 0")
        show(f"kafmirror verify {AWAY}", last=2)
        show(f"kshark replay {RUNAWAY} --cluster {WEST}", first=6)
        same_in_both(RUNAWAY)
        show(f"kdiff compare {RUNAWAY} {RUNAWAY} --cluster {EAST} --other-cluster {WEST}", first=5)
    return read


def us_east_1_burns_down(east: KafkaCluster) -> None:
    """Record one event that isn't mirrored, kill us-east-1, and let eu-west-1 take over."""
    say("The mirror is stopped, the agent sends one more invoice, and us-east-1 is gone.")
    send_invoices("Tern Shipping")
    east.brokers[0].kill()
    show(f"kafmirror failover {AWAY} --groups {GROUP}")


def the_work_goes_on(at: Mapping[str, str], read: Places) -> Places:
    """Replay, record and consume in eu-west-1."""
    say("In eu-west-1 the agent goes on with its session, and the group with the event behind the last one it read.")
    send_invoices("Juniper Labs", "Kestrel Air", is_last=True)
    show(f"kshark replay {MONTH_END}")
    more = read_on(at[WEST], 500)
    check("the group reads no event twice", not more & read)
    return more


def home_again(east: KafkaCluster) -> None:
    """Bring the topic back to us-east-1, mirror in the other direction until the switch, and switch."""
    say("us-east-1 is back. What only it holds is saved first; then it gets what happened in eu-west-1.")
    east.recover()
    show(f"kafmirror failback {HOME}", expect=1)
    show(f"kafmirror failback {HOME} --save never-mirrored.ndjson --yes", last=4)
    show(f"kshark replay {MONTH_END} --file never-mirrored.ndjson")

    say("The mirror runs the other way until the switch.")
    with mirror(f"kafmirror replicate {HOME} --groups {GROUP}"):
        until(f"kafmirror status {HOME} --lag-threshold 0")
    show(f"kafmirror failover {HOME} --groups {GROUP}", last=7)


def all_is_as_it_should_be(at: Mapping[str, str], read: Places) -> None:
    """Verify the mirror, compare the sessions, and let the group read the rest."""
    say("Nothing is lost, nothing is doubled, and the group has read every event once, in three places.")
    show(f"kafmirror verify {HOME}", last=2)
    same_in_both(RUNAWAY)
    same_in_both(MONTH_END)
    rest = read_on(at[EAST], None)
    check("the group reads no event twice", not rest & read)
    every = read_on(at[WEST], None, group="auditor")
    check(f"the group has read all {len(every)} events", rest | read == every)


def send_invoices(*customers: str, goal: str | None = None, is_last: bool = False) -> None:
    """Run an agent that sends invoices. A `goal` begins its session, `is_last` ends it. agentlog.toml says where."""
    tracer = AgentTracer(MONTH_END, agent_id="invoice-agent", goal=goal)
    for customer in customers:
        tracer.track_tool_call("invoice.send", {"customer": customer}, lambda: "sent")
    if is_last:
        tracer.end()
    if not tracer.flush():
        sys.exit(f"The invoices to {', '.join(customers)} weren't recorded.")


def read_on(bootstrap: str, count: int | None, group: str = GROUP) -> Places:
    """Let a consumer group read its next `count` events, or all if None, and return their places."""
    settings = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.subscribe(["agent-events"])
    places, ended = Places(), set[int]()
    while len(ended) < PARTITIONS and len(places) != count:
        message = consumer.poll(30)
        if message is None:
            sys.exit(f"Group {group} gets no events.")
        if message.error() is None:
            places.add((message.partition(), message.offset()))
        elif message.error().code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
    consumer.commit(asynchronous=False)
    consumer.close()
    return places


def switch_to(first: str, at: Mapping[str, str]) -> None:
    """Write agentlog.toml with `first` as the default cluster."""
    Path("agentlog.toml").write_text(format_settings({first: at[first], **at}))


def say(text: str) -> None:
    """Write a paragraph of the story."""
    sys.stdout.write(f"\n# {text}\n")


def show(command: str, *, expect: int = 0, first: int = 0, last: int = 0, shape: str = "--format text") -> None:
    """Run a command, and show its output, or only the `first` or `last` lines of it."""
    ran = subprocess.run(tool(f"{command} {shape}"), text=True, capture_output=True, check=False)
    lines = (ran.stdout or ran.stderr).rstrip().splitlines()
    if first and len(lines) > first:
        lines = [*lines[:first], "..."]
    elif last and len(lines) > last:
        lines = ["...", *lines[-last:]]
    sys.stdout.write("\n".join([f"\n$ {command}", *lines, ""]))
    sys.stdout.flush()
    if ran.returncode != expect:
        sys.exit(f"{command} ended with {ran.returncode}, not {expect}")


def until(command: str) -> None:
    """Repeat a command until it ends with 0, and show it."""
    eventually(lambda: not subprocess.run(tool(command), capture_output=True, check=False).returncode, timeout=120)
    show(command, last=2)


@contextmanager
def mirror(command: str) -> Iterator[None]:
    """Run a mirror beside the block."""
    sys.stdout.write(f"\n$ {command} 2> mirror.log &\n")
    with (
        Path("mirror.log").open("wb") as log,
        subprocess.Popen(tool(command), stdout=subprocess.DEVNULL, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def tool(command: str) -> list[str]:
    """Return the arguments that run a command with this Python."""
    return [sys.executable, "-m", *command.split()]


def same_in_both(session: str) -> None:
    """Check that a session has the same bytes at the same offsets in both regions."""
    east, west = (
        subprocess.run(tool(f"kshark replay {session} --cluster {each}"), capture_output=True, check=True).stdout
        for each in (EAST, WEST)
    )
    count = len(east.splitlines())
    check(f"{session}: {count} events, the same bytes at the same offsets in both regions", east == west)


def check(claim: str, holds: bool) -> None:
    """Write the claim if it holds, else end the story."""
    if not holds:
        sys.exit(f"It isn't true: {claim}")
    sys.stdout.write(f"ok: {claim}\n")


if __name__ == "__main__":
    try:
        main()
    except (DevKafkaError, TimeoutError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
