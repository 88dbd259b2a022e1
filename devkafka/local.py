"""`make kafka`: two clusters on this machine with the story loaded, up until Ctrl-C."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .cluster import KafkaCluster, running
from .errors import DevKafkaError, NotReady

CLUSTERS = ("us-east-1", "eu-west-1")
SETTINGS = Path("agentlog.toml")
MARK = "# Written by make kafka, which writes it anew each time and removes it when it stops. Yours? Remove this line."


def run(say: Callable[[str], object]) -> None:
    """Start the clusters, load the story into the first, say what to try, and wait until a broker or a signal ends it.

    Raises DevKafkaError when something doesn't start, and NotReady when a broker ends by itself.
    """
    check_settings(SETTINGS)
    say(f"Starting Kafka clusters {' and '.join(CLUSTERS)} ...\n")
    with running(*map(KafkaCluster, CLUSTERS)) as clusters, settings_file(SETTINGS, clusters):
        say("Loading the story ...\n")
        load_story(CLUSTERS[0])
        say(_what_to_try(clusters))
        brokers = [broker for cluster in clusters for broker in cluster.brokers]
        while not (ended := [broker.ended() for broker in brokers if not broker.pid]):
            time.sleep(1)
        raise NotReady("\n".join(ended))


def check_settings(path: Path) -> None:
    """Raise DevKafkaError when `path` is a file that somebody else wrote."""
    if path.exists() and not path.read_text(errors="replace").startswith(MARK):
        raise DevKafkaError(f"{path} is your own, and would be overwritten: rename it, or start from another folder.")


@contextmanager
def settings_file(path: Path, clusters: Iterable[KafkaCluster]) -> Iterator[None]:
    """Write agentlog's settings for `clusters`, the first as the default; remove them at the end unless edited."""
    text = settings_text({cluster.name: cluster.bootstrap for cluster in clusters})
    path.write_text(text)
    try:
        yield
    finally:
        if path.exists() and path.read_text(errors="replace") == text:
            path.unlink()


def settings_text(bootstraps: dict[str, str]) -> str:
    """Return the content of an `agentlog.toml` for clusters by name, the first as the default."""
    tables = (f'\n[clusters.{name}]\n"bootstrap.servers" = "{address}"\n' for name, address in bootstraps.items())
    return f'{MARK}\ncluster = "{next(iter(bootstraps))}"\n{"".join(tables)}'


def load_story(cluster: str) -> None:
    """Let `kshark demo` write the story into a cluster that the settings name; raises DevKafkaError when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "kshark", "demo", "--cluster", cluster], stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise DevKafkaError(f"The story couldn't be loaded: kshark demo ended with {done.returncode}.")


def _what_to_try(clusters: Iterable[KafkaCluster]) -> str:
    lines = [f"  {cluster.name}  {cluster.bootstrap}" for cluster in clusters]
    kshark = _kshark()
    return "\n".join(
        [
            "Both clusters are up:",
            *lines,
            f"\n{SETTINGS} names them. In another terminal, in this folder, try:",
            f"  {kshark} clusters",
            f"  {kshark} replay sess_invoice_847",
            "\nCtrl-C stops both; their data goes with them.\n",
        ]
    )


def _kshark() -> str:
    """Return how a user at a shell calls the kshark that belongs to our Python."""
    ours = Path(sys.executable).with_name("kshark")
    if shutil.which("kshark") == str(ours) or not ours.exists():
        return "kshark"
    return str(ours.relative_to(Path.cwd()) if ours.is_relative_to(Path.cwd()) else ours)
