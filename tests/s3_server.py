"""A real S3 server over a folder. It is S3Proxy (Apache licence), fetched once through Maven like Kafka's jars."""

import hashlib
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from devkafka import eventually
from devkafka.java import find_java_program
from devkafka.ports import get_port, reserve_port

POM = Path(__file__).with_name("s3proxy") / "pom.xml"
KEY, SECRET = "local-identity", "local-credential"


def _ensure_jars() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentlog"
    folder = cache / f"s3proxy-{hashlib.sha256(POM.read_bytes()).hexdigest()[:8]}"
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={part}", "-DincludeScope=runtime"]
        subprocess.run(["mvn", "-q", "-B", "-f", str(POM), *copy], check=True, cwd=POM.parent)
        part.rename(folder)
    return folder


@contextmanager
def run_s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """Run a server with one bucket, `bucket`. Yield the environment variables for its clients."""
    (folder / "data" / "bucket").mkdir(parents=True)
    with ExitStack() as exit_stack:
        endpoint = f"http://127.0.0.1:{get_port(exit_stack.enter_context(reserve_port()))}"
        settings = {
            "s3proxy.endpoint": endpoint,
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": KEY,
            "s3proxy.credential": SECRET,
            "jclouds.provider": "filesystem-nio2",
            "jclouds.identity": "none",
            "jclouds.credential": "none",
            "jclouds.filesystem.basedir": str(folder / "data"),
        }
        config = folder / "s3proxy.properties"
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        options = ["-Xmx128m", "-XX:+UseSerialGC", "-cp", f"{_ensure_jars()}/*", "org.gaul.s3proxy.Main"]
        with (folder / "log").open("wb") as log:
            command = [find_java_program("java"), *options, "--properties", str(config)]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        exit_stack.callback(process.wait)
        exit_stack.callback(process.kill)
        eventually(lambda: _is_answering(endpoint, process), timeout=60)
        yield {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }


def _is_answering(endpoint: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "the S3 server ended"
    try:
        urllib.request.urlopen(endpoint, timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
