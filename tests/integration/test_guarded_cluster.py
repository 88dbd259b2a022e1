"""A cluster that wants a certificate of each client tells that to whoever has none, or one that it doesn't know."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from devkafka import KafkaCluster
from tests.running import run


class Guarded(NamedTuple):
    """The cluster, and the folder with certificates: `mine` is by the authority that it knows, `other` isn't."""

    cluster: KafkaCluster
    folder: Path

    def build_options(self, certificate: str | None = "mine", **changed: str) -> list[str]:
        """Return the options of a tool for `admin` with a certificate, without those of the cluster's name."""
        properties = {**self.cluster.client_properties("admin"), **self.name_certificate(certificate), **changed}
        return [part for name, value in properties.items() if name != BOOTSTRAP for part in ("-X", f"{name}={value}")]

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
    settings = {**guarded.cluster.client_properties("admin"), **guarded.name_certificate(certificate)}
    lines = ["[clusters.guarded]", *(f'"{name}" = "{value}"' for name, value in settings.items())]
    (guarded.folder / "agentlog.toml").write_text("\n".join(lines))
    ran = run("kafmirror", "plan", "--source", "guarded", "--target", kafka, cwd=guarded.folder)
    assert ran.code == 3, ran.error_text
    assert "ssl.certificate.location" in ran.error_text
