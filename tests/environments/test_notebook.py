"""A notebook: cells that are interrupted and run again, and a kernel that is restarted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from devkafka import eventually
from tests.conftest import TopicFactory
from tests.tracing import group_by_session, read_records

CELL = """
from agentlog import AgentTracer
import time
with AgentTracer({session!r}, agent_id="notebook", goal="try", cluster={cluster!r}, topic={topic!r}) as tracer:
    tracer.track_tool_call("wait", {{"n": 0}}, lambda: print("waiting", flush=True) or time.sleep({seconds}))
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[KernelManager]:
    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel(cwd=str(tmp_path), extra_arguments=["--HistoryManager.enabled=False"])
    yield kernel
    kernel.shutdown_kernel(now=True)


def connect(manager: KernelManager) -> BlockingKernelClient:
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    return client


def run_cell(client: BlockingKernelClient, code: str) -> str:
    return get_status(client, client.execute(code))


def get_status(client: BlockingKernelClient, request: str) -> str:
    """Return how a request ended. Answers to earlier requests may come before."""
    while (reply := client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != request:
        pass
    return str(reply["content"]["status"])


def test_interrupts_reruns_and_restarts_of_a_notebook(manager: KernelManager, kafka: str, topic: TopicFactory) -> None:
    name = topic()
    client = connect(manager)

    def make_cell(session: str, seconds: int) -> str:
        return CELL.format(session=session, cluster=kafka, topic=name, seconds=seconds)

    interrupted = client.execute(make_cell("interrupted", 60))
    eventually(lambda: client.get_iopub_msg(timeout=60)["msg_type"] == "stream")
    manager.interrupt_kernel()
    assert get_status(client, interrupted) == "error"
    assert run_cell(client, make_cell("rerun", 0)) == "ok"
    assert run_cell(client, make_cell("last", 0)) == "ok"
    client.stop_channels()
    manager.restart_kernel()
    client = connect(manager)
    assert run_cell(client, make_cell("restarted", 0)) == "ok"
    client.stop_channels()
    manager.shutdown_kernel()
    sessions = group_by_session(read_records(kafka, name))
    ends = {session: events[-1]["payload"].get("status") for session, events in sessions.items()}
    assert ends == {"interrupted": "cancelled", "rerun": "succeeded", "last": "succeeded", "restarted": "succeeded"}
