"""The check of the files that a cluster's TLS settings name: certificates and keys in PEM format."""

import ssl
from pathlib import Path

from ..errors import SettingsError
from .clusters import Cluster

CA, CERTIFICATE, KEY, PASSWORD, REVOKED = (
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.crl.location",
)


def check_tls_files(cluster: Cluster) -> None:
    """Check that the files can be read, that they hold what they should, and that the key fits the certificate.

    Raises:
        SettingsError: they don't.
    """
    paths = {name: Path(cluster.properties[name]) for name in (CA, CERTIFICATE, KEY, REVOKED) if _has(cluster, name)}
    for name, path in paths.items():
        is_search = name == CA and (path.is_dir() or str(path) == "probe")  # librdkafka looks for authorities itself
        if not is_search:
            _check_readable(cluster, name, path)
    for name in (CA, CERTIFICATE, REVOKED):
        if name in paths and paths[name].is_file():
            _check_certificates(cluster, name, paths[name])
    if CERTIFICATE in paths:
        _check_key(cluster, paths[CERTIFICATE], paths.get(KEY))


def _has(cluster: Cluster, name: str) -> bool:
    return bool(cluster.properties.get(name))


def _make_error(cluster: Cluster, name: str, problem: str) -> SettingsError:
    origin = cluster.origins[name]
    return SettingsError(f"{origin}: {problem}" if origin.endswith(name) else f"{origin}: {name}: {problem}")


def _check_readable(cluster: Cluster, name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise _make_error(cluster, name, f"{path}: {error.strerror}") from None


def _check_certificates(cluster: Cluster, name: str, path: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        kind = "list of revoked certificates" if name == REVOKED else "certificate"
        raise _make_error(cluster, name, f"{path} holds no {kind} in PEM format") from None


def _check_key(cluster: Cluster, certificate: Path, key: Path | None) -> None:
    password = cluster.properties.get(PASSWORD, "")
    try:  # an empty password, so that nobody is asked for one
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, lambda: password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _make_error(
                cluster, KEY if key else CERTIFICATE, f"the key in {key or certificate} isn't that of {certificate}"
            ) from None
        if key is None:
            raise _make_error(cluster, CERTIFICATE, f"{certificate} holds no private key: set {KEY} as well") from None
        problem = f"{key} holds no private key in PEM format that {PASSWORD} opens"
        raise _make_error(cluster, KEY, problem) from None
