"""A cluster that wants a certificate of each client, and ends each connection that doesn't log in again in time."""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from agentlog import AgentTracer
from devkafka import KafkaCluster, create_topic, eventually
from tests.kafmirror.logs import compute_digests, count_partitions
from tests.kafmirror.side import MirrorProcess
from tests.running import RunningTool, run

LIFETIME_S = 4.0
"""How long a connection lives without another log-in."""

SLOW_S = 180
"""How long a slow machine may take for what takes a second."""


class Guarded(NamedTuple):
    """The cluster, and the folder with certificates: `mine` is by the authority that it knows, `other` isn't."""

    cluster: KafkaCluster
    folder: Path

    def build_options(self, certificate: str | None = "mine", **changed: str) -> list[str]:
        """Return the options of a tool for `admin` with a certificate, without those of the cluster's name."""
        properties = {**self.cluster.client_properties("admin"), **self.name_certificate(certificate), **changed}
        return [part for name, value in properties.items() if name != BOOTSTRAP for part in ("-X", f"{name}={value}")]

    def write_settings(self, certificate: str | None = "mine") -> None:
        """Write an agentlog.toml into the folder, with the cluster as `guarded`."""
        properties = {**self.cluster.client_properties("admin"), **self.name_certificate(certificate)}
        lines = ["[clusters.guarded]", *(f'"{name}" = "{value}"' for name, value in properties.items())]
        (self.folder / "agentlog.toml").write_text("\n".join(lines))

    def name_certificate(self, certificate: str | None) -> Mapping[str, str]:
        """Return the properties that name a certificate and its key; none for None."""
        if certificate is None:
            return {}
        file = self.folder / certificate
        return {"ssl.certificate.location": f"{file}.pem", "ssl.key.location": f"{file}.key"}


BOOTSTRAP = "bootstrap.servers"


def make_certificate(folder: Path, name: str, authority: str | None = None) -> None:
    """Make NAME.pem and NAME.key, signed by an authority of the folder; None makes an authority."""
    signed_by = ["-CA", str(folder / f"{authority}.pem"), "-CAkey", str(folder / f"{authority}.key")]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(folder / f"{name}.key")]
    pem = folder / f"{name}.pem"
    if authority is None:
        command = ["openssl", "req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}", "-out", str(pem)]
        subprocess.run(command, check=True, capture_output=True)
        return
    request = str(folder / f"{name}.csr")
    ask = ["openssl", "req", *key, "-subj", f"/CN={name}", "-out", request]
    subprocess.run(ask, check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-in", request, *signed_by, "-CAcreateserial", "-days", "2", "-out", str(pem)]
    subprocess.run(sign, check=True, capture_output=True)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificate(folder, "authority")
    make_certificate(folder, "mine", "authority")
    make_certificate(folder, "stranger")
    make_certificate(folder, "other", "stranger")
    properties = {
        "listener.name.secure.ssl.client.auth": "required",
        "listener.name.secure.ssl.truststore.type": "PEM",
        "listener.name.secure.ssl.truststore.location": str(folder / "authority.pem"),
        "connections.max.reauth.ms": f"{LIFETIME_S * 1000:.0f}",
    }
    with KafkaCluster("guarded", secure=True, properties=properties) as cluster:
        yield Guarded(cluster, folder)


@pytest.mark.parametrize("certificate", [None, "other"])
def test_without_a_certificate_that_the_broker_knows_each_tool_says_that_it_wants_one(
    guarded: Guarded, kafka: str, certificate: str | None
) -> None:
    options = guarded.build_options(certificate)
    for tool, *arguments in (("kshark", "sessions"), ("kdiff", "compare", "sess_1", "sess_2")):
        ran = run(tool, *arguments, "--cluster", guarded.cluster.secure_bootstrap, *options)
        assert ran.code == 3, ran.error_text
        assert "ssl.certificate.location" in ran.error_text
    guarded.write_settings(certificate)
    ran = run("kafmirror", "plan", "--source", "guarded", "--target", kafka, cwd=guarded.folder)
    assert ran.code == 3, ran.error_text
    assert "ssl.certificate.location" in ran.error_text


@contextmanager
def run_mirror(guarded: Guarded, source: str, target: str, *options: str) -> Iterator[MirrorProcess]:
    """Run a mirror for the block. It ends cleanly, or tells what it wrote."""
    mirror = MirrorProcess(["replicate", "--source", source, "--target", target, *options], cwd=guarded.folder)
    try:
        yield mirror
        assert mirror.stop().code == 128 + signal.SIGTERM, mirror.err
    except BaseException as error:
        error.add_note(f"the mirror {'runs' if mirror.is_running else 'has ended'}, and wrote:\n{mirror.err}")
        raise
    finally:
        mirror.close()


@contextmanager
def run_tail(guarded: Guarded, topic: str) -> Iterator[RunningTool]:
    """Run a tail for the block, from the moment when it has begun."""
    cluster_options = ("--cluster", guarded.cluster.secure_bootstrap, *guarded.build_options())
    tail = RunningTool("kshark", "tail", "--topic", topic, *cluster_options)
    try:
        assert tail.read_error_line().endswith(" on; Ctrl-C ends it")
        yield tail
    finally:
        tail.kill()
        tail.wait_for_end()


def has_records(bootstrap: str, topic: str, digests: Mapping[int, tuple[int, str]]) -> bool:
    """Return whether a topic exists and holds the records with these digests."""
    return count_partitions(bootstrap, topic) > 0 and compute_digests(bootstrap, topic) == digests


def test_recorder_tail_and_mirrors_go_on_where_each_connection_must_log_in_again(guarded: Guarded, kafka: str) -> None:
    cluster = guarded.cluster
    topic = create_topic(cluster.bootstrap)
    properties = {**cluster.client_properties("admin"), **guarded.name_certificate("mine")}
    guarded.write_settings()
    with ExitStack() as running:
        running.enter_context(run_mirror(guarded, "guarded", kafka, "--topics", topic))
        eventually(lambda: count_partitions(kafka, topic), SLOW_S)
        home_options = ("--topics", topic, "--target-topic", "home-{topic}")
        running.enter_context(run_mirror(guarded, kafka, "guarded", *home_options))
        tail = running.enter_context(run_tail(guarded, topic))
        with AgentTracer("sess_1", agent_id="agent", kafka=properties, topic=topic) as tracer:
            until = time.monotonic() + 2.6 * LIFETIME_S
            while time.monotonic() < until:
                tracer.user_message("still there")
                time.sleep(0.1)
        shown = tail.read_lines_until("session_end")
        assert len({orjson.loads(line)["event_id"] for line in shown}) == len(shown) == tracer.stats().recorded
        digests = compute_digests(cluster.bootstrap, topic)
        assert [count for count, _ in digests.values()] == [len(shown)]
        for bootstrap, copy in ((kafka, topic), (cluster.bootstrap, f"home-{topic}")):
            eventually(partial(has_records, bootstrap, copy, digests), SLOW_S)
