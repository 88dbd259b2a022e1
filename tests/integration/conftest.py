"""Settings that name the tests' clusters."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, kafka: str) -> Path:
    """A folder whose `agentlog.toml` names the shared cluster `local`, and nothing else."""
    (tmp_path / "agentlog.toml").write_text(f'[clusters.local]\n"bootstrap.servers" = "{kafka}"\n')
    return tmp_path
