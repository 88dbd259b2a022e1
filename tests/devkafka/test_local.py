"""`make kafka` writes its own settings, never overwrites the user's, and cleans up."""

import tomllib
from pathlib import Path

import pytest

from devkafka import DevKafkaError, KafkaCluster
from devkafka.local import check_settings, format_settings, write_settings


def test_settings_name_each_cluster_and_the_first_as_default() -> None:
    settings = tomllib.loads(format_settings({"us-east-1": "127.0.0.1:1", "eu-west-1": "127.0.0.1:2"}))
    assert settings == {
        "cluster": "us-east-1",
        "clusters": {
            "us-east-1": {"bootstrap.servers": "127.0.0.1:1"},
            "eu-west-1": {"bootstrap.servers": "127.0.0.1:2"},
        },
    }


def test_settings_of_the_users_own_are_refused_and_kept(tmp_path: Path) -> None:
    (own := tmp_path / "agentlog.toml").write_text('cluster = "production"\n')
    with pytest.raises(DevKafkaError, match=r"agentlog\.toml is your own"):
        check_settings(own)
    assert own.read_text() == 'cluster = "production"\n'


def test_our_settings_are_removed_at_the_end_and_written_over_when_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "agentlog.toml"
    with write_settings(path, [KafkaCluster("us-east-1")]):
        left_behind = path.read_text()
    assert not path.exists()
    path.write_text(left_behind)
    check_settings(path)


def test_settings_that_the_user_edited_meanwhile_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "agentlog.toml"
    with write_settings(path, [KafkaCluster("us-east-1")]):
        path.write_text(edited := f"{path.read_text()}\n# mine\n")
    assert path.read_text() == edited
