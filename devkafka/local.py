"""`make kafka`: two clusters on this machine, with the story loaded. They run until Ctrl-C."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .cluster import KafkaCluster, run_clusters
from .errors import DevKafkaError, NotReady

CLUSTERS = ("us-east-1", "eu-west-1")
SETTINGS_PATH = Path("agentlog.toml")
GENERATED_MARK = (
    "# Written by make kafka, which writes it anew each time and removes it when it stops. Yours? Remove this line."
)


def run(say: Callable[[str], object]) -> None:
    """Start the clusters, load the story into the first, and say what to try. Then wait for a signal.

    Raise DevKafkaError if something doesn't start, and NotReady if a broker ends by itself.
    """
    check_settings(SETTINGS_PATH)
    say(f"Starting Kafka clusters {' and '.join(CLUSTERS)} ...\n")
    with run_clusters(*map(KafkaCluster, CLUSTERS)) as clusters, write_settings(SETTINGS_PATH, clusters):
        say("Loading the story ...\n")
        load_story(CLUSTERS[0])
        say(_describe_next_steps(clusters))
        brokers = [broker for cluster in clusters for broker in cluster.brokers]
        while not (ended := [broker.describe_end() for broker in brokers if not broker.pid]):
            time.sleep(1)
        raise NotReady("\n".join(ended))


def check_settings(path: Path) -> None:
    """Raise DevKafkaError if `path` is a file that `make kafka` didn't write."""
    if path.exists() and not path.read_text(errors="replace").startswith(GENERATED_MARK):
        raise DevKafkaError(f"{path} is your own file and would be overwritten. Rename it, or use another folder.")


@contextmanager
def write_settings(path: Path, clusters: Iterable[KafkaCluster]) -> Iterator[None]:
    """Write agentlog's settings for `clusters`, with the first as default. Remove them at the end unless edited."""
    text = format_settings({cluster.name: cluster.bootstrap for cluster in clusters})
    path.write_text(text)
    try:
        yield
    finally:
        if path.exists() and path.read_text(errors="replace") == text:
            path.unlink()


def format_settings(bootstraps: dict[str, str]) -> str:
    """Return the content of an `agentlog.toml` for clusters by name, with the first as default."""
    tables = (f'\n[clusters.{name}]\n"bootstrap.servers" = "{address}"\n' for name, address in bootstraps.items())
    return f'{GENERATED_MARK}\ncluster = "{next(iter(bootstraps))}"\n{"".join(tables)}'


def load_story(cluster: str) -> None:
    """Let `kshark demo` write the story into a cluster of the settings. Raise DevKafkaError if it fails."""
    result = subprocess.run(
        [sys.executable, "-m", "kshark", "demo", "--cluster", cluster], stdin=subprocess.DEVNULL, check=False
    )
    if result.returncode:
        raise DevKafkaError(f"The story couldn't be loaded: kshark demo ended with {result.returncode}.")


def _describe_next_steps(clusters: Iterable[KafkaCluster]) -> str:
    lines = [f"  {cluster.name}  {cluster.bootstrap}" for cluster in clusters]
    kshark = _find_kshark_command()
    return "\n".join(
        [
            "Both clusters are up:",
            *lines,
            f"\n{SETTINGS_PATH} names them. In another terminal, in this folder, try:",
            f"  {kshark} clusters",
            f"  {kshark} replay sess_invoice_847",
            "\nCtrl-C stops both and deletes their data.\n",
        ]
    )


def _find_kshark_command() -> str:
    """Return the command with which a user at a shell runs the kshark of our Python."""
    own_kshark = Path(sys.executable).with_name("kshark")
    if shutil.which("kshark") == str(own_kshark) or not own_kshark.exists():
        return "kshark"
    return str(own_kshark.relative_to(Path.cwd()) if own_kshark.is_relative_to(Path.cwd()) else own_kshark)
