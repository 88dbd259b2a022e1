"""The whole story: a region burns down, every session is replayed from the other, goes on there, and comes home."""

import json
from pathlib import Path

from devkafka import Message, produce
from devkafka.local import settings_text
from tests.kafmirror.logs import read
from tests.kafmirror.side import Pair
from tests.running import Ran, run

SESSION, TOPIC = "sess_invoice_847", "agent-events"


def tool(folder: Path, name: str, *arguments: str) -> Ran:
    """Run a tool where the settings name both regions, without complaints."""
    ran = run(name, *arguments, cwd=folder)
    assert ran.code == 0, ran.told + ran.text
    return ran


def test_a_session_is_replayed_continued_and_brought_home(pair: Pair, tmp_path: Path) -> None:
    regions = {"us-east-1": pair.source.bootstrap, "eu-west-1": pair.target.bootstrap}
    (tmp_path / "agentlog.toml").write_text(settings_text(regions))
    away, home = ["--source", "us-east-1", "--target", "eu-west-1"], ["--source", "eu-west-1", "--target", "us-east-1"]
    tool(tmp_path, "kshark", "demo", "--cluster", "us-east-1")
    tool(tmp_path, "kafmirror", "plan", *away)
    tool(tmp_path, "kafmirror", "replicate", *away, "--once", "--lag-threshold", "0")
    assert json.loads(tool(tmp_path, "kafmirror", "verify", *away).text)["exact"]
    here = tool(tmp_path, "kshark", "replay", SESSION, "--cluster", "us-east-1").out
    assert tool(tmp_path, "kshark", "replay", SESSION, "--cluster", "eu-west-1").out == here

    pair.source.brokers[0].kill()
    failed_over = json.loads(tool(tmp_path, "kafmirror", "failover", *away).text)
    assert failed_over["source_answers"] is False
    assert tool(tmp_path, "kshark", "replay", SESSION, "--cluster", "eu-west-1").out == here
    event = {"event_id": "evt_after", "session_id": SESSION, "agent_id": "invoice-generator-v2"}
    event |= {"timestamp": "2026-01-15T23:00:00Z", "event_type": "user_message", "payload": {"text": "go on"}}
    produce(pair.target.bootstrap, TOPIC, [Message(SESSION, json.dumps(event))], {"partitioner": "murmur2_random"})

    pair.source.recover()
    brought = json.loads(tool(tmp_path, "kafmirror", "failback", *home, "--yes").text)
    assert brought["topics"] == [{"topic": TOPIC, "made_anew": False, "beyond": [], "saved": 0, "copied": 1}]
    there = tool(tmp_path, "kshark", "replay", SESSION, "--cluster", "eu-west-1").out
    assert b"evt_after" in there
    assert tool(tmp_path, "kshark", "replay", SESSION, "--cluster", "us-east-1").out == there
    assert read(pair.source.bootstrap, TOPIC) == read(pair.target.bootstrap, TOPIC)
