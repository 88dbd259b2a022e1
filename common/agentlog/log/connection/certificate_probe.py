"""The reason why a broker's certificate isn't valid for us. librdkafka says only that it isn't."""

import ssl
from contextlib import suppress
from socket import create_connection
from urllib.parse import urlsplit

from ...settings.clusters import BOOTSTRAP, Cluster

TIMEOUT_S = 2.0
"""The longest time for each answer of a broker."""


def find_certificate_problem(cluster: Cluster) -> str:
    """Return what is wrong with the certificate at a bootstrap address. An empty text means that nothing was found."""
    try:
        context = ssl.create_default_context(cafile=cluster.properties.get("ssl.ca.location"))
    except OSError:  # a folder, or a file that librdkafka alone can read
        return ""
    context.check_hostname = cluster.properties.get("ssl.endpoint.identification.algorithm", "https") != "none"
    for address in cluster.properties[BOOTSTRAP].split(","):
        with suppress(OSError, ValueError):  # another address may tell more
            parts = urlsplit(address if "://" in address else f"//{address}")
            if problem := _find_problem(context, parts.hostname or "", parts.port or 9092):
                return problem
    return ""


def _find_problem(context: ssl.SSLContext, host: str, port: int) -> str:
    with create_connection((host, port), timeout=TIMEOUT_S) as connection:
        try:
            context.wrap_socket(connection, server_hostname=host).close()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""
