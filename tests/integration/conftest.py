"""The settings for the tests' clusters."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, kafka: str) -> Path:
    """Return a folder with an `agentlog.toml` that names only the shared cluster, as `local`."""
    (tmp_path / "agentlog.toml").write_text(f'[clusters.local]\n"bootstrap.servers" = "{kafka}"\n')
    return tmp_path
