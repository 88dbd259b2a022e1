"""The alert rules in the docs, tried with Prometheus' own tool on metrics that kafmirror serves."""

import re
import shutil
import subprocess
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from kafmirror.commands.metrics import StatusPage
from kafmirror.kafka.metadata import Partition
from kafmirror.lag.lag import Lag
from kafmirror.lag.partition_status import PartitionStatus

DOCS = Path(__file__).parents[2] / "docs" / "kafmirror.md"
CASES = """
rule_files: [rules.yml]
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series:
      - series: 'kafmirror_lag_seconds{topic="agent-events", partition="0"}'
        values: '0 0 90+30x20'
      - series: 'kafmirror_lag_seconds{topic="agent-events", partition="1"}'
        values: '0 0 NaN NaN NaN NaN NaN NaN NaN NaN NaN'
      - series: 'kafmirror_records_lost_total{topic="agent-events", partition="0"}'
        values: '0 0 0 0 0 0 50 50 50 50 50'
      - series: 'kafmirror_waiting'
        values: '0 0 1 1 1 1 1 1 1 1 1'
    alert_rule_test:
      - {alertname: MirrorBehind, eval_time: 2m, exp_alerts: []}
      - alertname: MirrorBehind
        eval_time: 4m
        exp_alerts:
          - exp_labels: {topic: agent-events, partition: "0"}
            exp_annotations: {summary: "agent-events[0] is 270 s behind"}
      - {alertname: MirrorLagUnknown, eval_time: 2m, exp_alerts: []}
      - alertname: MirrorLagUnknown
        eval_time: 4m
        exp_alerts:
          - exp_labels: {topic: agent-events, partition: "1"}
            exp_annotations: {summary: "the lag of agent-events[1] is unknown"}
      - {alertname: MirrorLostRecords, eval_time: 2m, exp_alerts: []}
      - alertname: MirrorLostRecords
        eval_time: 4m
        exp_alerts:
          - exp_labels: {topic: agent-events, partition: "0"}
            exp_annotations: {summary: "50 offsets of agent-events[0] were lost"}
      - {alertname: MirrorGone, eval_time: 4m, exp_alerts: []}
      - alertname: MirrorGone
        eval_time: 15m
        exp_alerts:
          - exp_labels: {}
            exp_annotations: {summary: "no mirror reports its state"}
"""


def read_rules() -> str:
    [rules] = re.findall(r"```yaml\n(groups:.*?)```", DOCS.read_text(), re.DOTALL)
    return str(rules)


def test_the_alerts_fire_on_a_lag_on_an_unknown_lag_and_on_silence(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "The tests try the alert rules with promtool, and there is none on PATH. Debian: prometheus"
    (tmp_path / "rules.yml").write_text(read_rules())
    (tmp_path / "cases.yml").write_text(CASES)
    command = [promtool, "test", "rules", "cases.yml"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_metric_in_the_alerts_is_served() -> None:
    page, registry = StatusPage(), CollectorRegistry()
    page.update([PartitionStatus(Partition("t", 0), Partition("t", 0), 1, 3, 1, Lag(2, 0.5))], [], [])
    registry.register(page)
    served = set(re.findall(r"^(kafmirror_\w+)", generate_latest(registry).decode(), re.MULTILINE))
    used = set(re.findall(r"\bkafmirror_\w+", read_rules()))
    assert used
    assert used <= served
