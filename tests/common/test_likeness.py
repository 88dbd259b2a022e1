"""The likeness of two calls: what is a retry of a failed call, and what asks for something else."""

from typing import Any

import pytest

from agentlog.analysis.failures import has_like_input
from agentlog.event import codec
from agentlog.event.event import Place, Record
from agentlog.session.timeline import Step, make_single_step
from tests.recording import encode_events, make_event


def make_step(given: Any, kind: str = "tool_call") -> Step:
    record = codec.decode(encode_events([make_event(1, kind, payload={"input": given})]), Place("t", 0, 0), "here")
    assert isinstance(record, Record)
    return make_single_step(record)


RETRIES = [
    ("make test", "make test"),
    ({"command": "make test"}, {"command": "make -k test VERBOSE=1"}),
    ({"command": "cd /repo && make test"}, {"command": "make test", "timeout": 600}),
    ({"command": "pytest -q tests/test_pool.py"}, {"command": "pytest -x -q /repo/tests/test_pool.py"}),
    ({"command": "git push"}, {"command": "git push origin main"}),
    ({"path": "/app/src/mian.py"}, {"path": "/app/src/main.py"}),
    ({"path": "src/main.py"}, {"path": "/workspace/src/main.py"}),
    ({"id": 7, "timeout_s": 30}, {"id": 7, "timeout_s": 60}),
    ({"id": 7}, {"id": 7, "force": True}),
    ({"invoice_id": "in_7", "amount": 45}, {"invoice_id": "in_7", "amount": 45.0}),
    (
        {"reservation_id": "A1", "cabin": "x", "payment": "card_1"},
        {"reservation_id": "A1", "cabin": "x", "payment": "b"},
    ),
    ('{"id": 7, "to": "a@b.c"}', {"to": "a@b.c", "id": 7}),
    ({"command": "make test 2>&1 | tail -20"}, {"command": "make test"}),
    ({"command": "cat src/mian.py"}, {"command": "cat src/main.py"}),
    ({"command": "git push origin main --force"}, {"command": "git push -u origin main"}),
    ({"path": "docs/readme.md"}, {"path": "docs/README.md"}),
    ({"path": "src/my-file.txt"}, {"path": "src/myfile.txt"}),
    ({"path": "conf/app.yaml"}, {"path": "conf/app.yml"}),
    ({"sql": "select nmae from users where id = 1"}, {"sql": "select name from users where id = 1"}),
    ({"code": " ".join(f"line{n}" for n in range(40))}, {"code": " ".join(f"line{n}" for n in range(2, 42))}),
    ({"env": "prod", "dry_run": True}, {"env": "prod", "dry_run": True, "force": True}),
    ({"env": "prod"}, {"env": "prod", "dry_run": False}),
    ({}, {"id": 7}),
    (None, {"id": 7}),
]
OTHERS = [
    ("make test", "ls"),
    ({"command": "make test"}, {"command": "ls"}),
    ({"command": "make test"}, {"command": "make lint"}),
    ({"command": "make test", "cwd": "/repo", "shell": "bash", "timeout": 60}, {"command": "ls", "cwd": "/repo"}),
    ({"command": "pip install numpy"}, {"command": "pip install pandas"}),
    ({"path": "src/a.py"}, {"path": "src/b.py"}),
    ({"command": "view", "path": "src/a.py"}, {"command": "insert", "path": "src/a.py"}),
    ({"id": 1}, {"id": 2}),
    ({"id": 1, "to": "a@b.c", "currency": "EUR", "channel": "mail"}, {"id": 2, "to": "a@b.c", "currency": "EUR"}),
    ({"room": "A"}, {"room": "B"}),
    ({"invoice": "INV-0001"}, {"invoice": "INV-0002"}),
    ({"from": "SFO", "to": "JFK"}, {"from": "JFK", "to": "SFO"}),
    ({"sql": "delete from users where id = 1"}, {"sql": "delete from users where id = 2"}),
    (
        {"command": "kubectl --context prod rollout restart deploy web -n shop"},
        {"command": "kubectl --context dev rollout restart deploy web -n shop"},
    ),
    (
        {"command": "aws s3 cp report.pdf s3://bucket/reports/2026 --acl private --region eu"},
        {"command": "aws s3 rm report.pdf s3://bucket/reports/2026 --acl private --region eu"},
    ),
    ({"command": "terraform apply -auto-approve prod"}, {"command": "terraform apply --help prod"}),
    ({"command": "terraform apply prod"}, {"command": "terraform apply --dry-run prod"}),
    ({"env": "prod"}, {"env": "prod", "dry_run": True}),
    ({"id": 7}, {"id": 7, "dryRun": True}),
    ({"command": "apt-get install libgtest"}, {"command": "apt-get uninstall libgtest"}),
    ({"command": "systemctl start web"}, {"command": "systemctl restart web"}),
    ({"command": "gpg encrypt notes"}, {"command": "gpg decrypt notes"}),
    ({"host": "node-a"}, {"host": "node-b"}),
    ({"target": "us-east"}, {"target": "us-west"}),
    ({"command": "gh pr merge 12 --squash"}, {"command": "gh pr merge 13 --squash"}),
    (
        {"sql": f"select {', '.join(f'c{n}' for n in range(30))} from t where id = 1"},
        {"sql": f"select {', '.join(f'c{n}' for n in range(30))} from t where id = 2"},
    ),
    ("delete the old files of the customer Ann", "delete the old files of the customer Bob"),
    ("ls", "ls; " + " ".join(f"word{n}" for n in range(40))),
]


@pytest.mark.parametrize(("failed", "later"), RETRIES)
def test_a_small_change_is_a_retry(failed: Any, later: Any) -> None:
    assert has_like_input(make_step(later), make_step(failed))


@pytest.mark.parametrize(("failed", "later"), OTHERS)
def test_another_target_is_no_retry(failed: Any, later: Any) -> None:
    assert not has_like_input(make_step(later), make_step(failed))


def test_a_models_calls_are_all_alike() -> None:
    assert has_like_input(make_step([{"role": "user"}], "llm_call"), make_step([], "llm_call"))


@pytest.mark.parametrize(
    "given", ["[" * 5_000, {"a": [[[[[[{"b": None}]]]]]]}, "\x00", 2**63, "x" * 100_000, "| tail " * 570 + "&"]
)
def test_any_input_is_like_itself(given: Any) -> None:
    assert has_like_input(make_step(given), make_step(given))
