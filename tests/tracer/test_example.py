"""The example of the README: it runs, and a replay shows its session live."""

import subprocess

from devkafka import eventually
from tests.conftest import TopicFactory
from tests.running import make_command, make_environment
from tests.tracing import ROOT, read_records, start_program


def test_the_example_agent_is_followed_live_to_its_end(kafka: str, topic: TopicFactory) -> None:
    topic("agent-events", partitions=2)
    follow = make_command("kshark", "replay", "sess_demo_agent", "--cluster", kafka, "--follow", "--format", "text")
    agent = start_program(
        f"import runpy; runpy.run_path({str(ROOT / 'examples' / 'agent.py')!r})['main'](cluster={kafka!r})"
    )
    eventually(lambda: read_records(kafka, "agent-events"), timeout=30)
    shown = subprocess.run(follow, capture_output=True, text=True, timeout=60, env=make_environment(), check=False)
    _, err = agent.communicate(timeout=60)
    assert agent.returncode == 0, err
    assert shown.returncode == 0, shown.stderr
    for text in ("crm.find", "create the invoice", "mail-agent", "mail.send", "succeeded"):
        assert text in shown.stdout
