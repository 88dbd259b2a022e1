"""Fixtures of the recorder's tests: the services of models, and a tracer that records to a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_server import run_model_server
from tests.tracing import Recording


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with run_model_server() as address:
        yield address


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "run.ndjson")
