"""Web servers that run agents: each request is a session, and it is whole after the server has ended."""

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from devkafka import eventually
from devkafka.ports import get_port, reserve_port
from tests.conftest import TopicFactory
from tests.hosts import find_whole_sessions, request, run_host
from tests.tracing import read_records

# Something is recorded at the import already: with --preload, that is before the workers are forked.
APP = """
import os
import agentlog
from agentlog import AgentTracer

WHERE = {"cluster": os.environ["CLUSTER"], "topic": os.environ["TOPIC"]}
shared = AgentTracer("boot", agent_id="boot", **WHERE)
shared.track_tool_call("boot", {"n": 0}, lambda: None)

@agentlog.current().tool
def count(n):
    pass

def record(session):
    with AgentTracer(session, agent_id="web", goal="answer", **WHERE):
        for n in range(5):
            count(n)

def wsgi(environ, start):
    record(environ["PATH_INFO"][1:])
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            asked = (await receive())["type"]
            if asked == "lifespan.shutdown":
                record("lifespan")
                shared.flush()  # a worker of uvicorn ends by the signal itself
            await send({"type": f"{asked}.complete"})
            if asked == "lifespan.shutdown":
                return
    record(scope["path"][1:])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""
GUNICORN = "gunicorn app:wsgi --bind 127.0.0.1:{port} --workers 2"
UVICORN = "uvicorn app:asgi --port {port} --lifespan on"
UWSGI = "uwsgi --module app:wsgi --http-socket 127.0.0.1:{port} --master --master-fifo fifo --processes 2"
SERVERS = {
    "gunicorn": GUNICORN,
    "gunicorn with threads": f"{GUNICORN} --worker-class gthread --threads 4",
    "gunicorn with gevent": f"{GUNICORN} --worker-class gevent",
    "gunicorn that loads the app before it forks": f"{GUNICORN} --preload",
    "gunicorn whose workers end after three requests": f"{GUNICORN} --max-requests 3",
    "uvicorn": UVICORN,
    "uvicorn with workers": f"{UVICORN} --workers 2",
    "uvicorn that reloads": f"{UVICORN} --reload",
    "uwsgi": UWSGI,
    "uwsgi that loads the app in each worker": f"{UWSGI} --lazy-apps",
    "uwsgi with threads": f"{UWSGI} --lazy-apps --enable-threads --threads 4",
    "uwsgi that calls Python's hooks at a fork": f"{UWSGI} --py-call-uwsgi-fork-hooks",
}


@pytest.mark.parametrize("server", SERVERS)
def test_each_requests_session_is_whole_after_the_end_of(
    server: str, kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    name = topic()
    (tmp_path / "app.py").write_text(APP)
    sessions = {f"sess_{number}" for number in range(12)}
    with closing(reserve_port()) as reservation:
        address = f"http://127.0.0.1:{get_port(reservation)}"
        command = SERVERS[server].format(port=get_port(reservation)).split()
        with run_host(tmp_path, *command, CLUSTER=kafka, TOPIC=name) as host:
            if "uwsgi" in server:  # one of its workers that has only just begun doesn't end when it is told to
                begun = "WSGI app 0" if "--lazy-apps" in command else "spawned uWSGI worker"
                eventually(lambda: host.log.count(begun) == 2, timeout=60)
            request(f"{address}/sess_0")
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda session: request(f"{address}/{session}"), sorted(sessions - {"sess_0"})))
            if "uwsgi" in server:  # SIGTERM would end a worker in the middle of its request
                (tmp_path / "fifo").write_text("q")
                host.process.wait(timeout=60)
            else:
                host.stop()
            assert find_whole_sessions(kafka, name, 5) >= sessions, host.log
            if "uvicorn" in server:
                assert "lifespan" in {record.event["session_id"] for record in read_records(kafka, name)}


def test_a_graceful_restart_of_gunicorn_loses_nothing(kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    name = topic()
    (tmp_path / "app.py").write_text(APP)
    sessions = {f"sess_{number}" for number in range(8)}
    with closing(reserve_port()) as reservation:
        address = f"http://127.0.0.1:{get_port(reservation)}"
        command = GUNICORN.format(port=get_port(reservation)).split()
        with run_host(tmp_path, *command, CLUSTER=kafka, TOPIC=name) as host:
            old = {request(f"{address}/sess_{number}") for number in range(4)}
            host.process.send_signal(signal.SIGHUP)
            eventually(lambda: request(f"{address}/extra") not in old)
            for number in range(4, 8):
                request(f"{address}/sess_{number}")
            host.stop()
            assert find_whole_sessions(kafka, name, 5) >= sessions, host.log
