"""A certificate for brokers on this machine, signed by an authority that exists for one run."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import DevKafkaError
from .java import find_java_program

KEYSTORE_PASSWORD = "only-for-this-run"  # noqa: S105 (keytool wants one; the key lives as long as the run's folder)


@dataclass(frozen=True)
class Certificate:
    """The key store of a broker (PKCS12, `KEYSTORE_PASSWORD`), and the authority's certificate (PEM) for clients."""

    keystore: Path
    ca_file: Path


def make_certificate(folder: Path) -> Certificate:
    """Create an authority, and its certificate for 127.0.0.1 and localhost, in `folder`, with Java's keytool."""
    certificate = Certificate(folder / "broker.p12", folder / "ca.pem")
    key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "365"]
    _run_keytool(certificate, "-genkeypair", "-alias", "ca", "-dname", "CN=devkafka CA", "-ext", "bc:c=ca:true", *key)
    names = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1,dns:localhost"]
    _run_keytool(certificate, "-genkeypair", "-alias", "broker", "-signer", "ca", *names, *key)
    _run_keytool(certificate, "-exportcert", "-rfc", "-alias", "ca", "-file", str(certificate.ca_file))
    _run_keytool(certificate, "-delete", "-alias", "ca")
    return certificate


def _run_keytool(certificate: Certificate, *arguments: str) -> None:
    store = ["-keystore", str(certificate.keystore), "-storetype", "PKCS12", "-storepass", KEYSTORE_PASSWORD]
    done = subprocess.run(
        [find_java_program("keytool"), *arguments, *store], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DevKafkaError(f"keytool {arguments[0]} failed: {done.stdout}{done.stderr}")
