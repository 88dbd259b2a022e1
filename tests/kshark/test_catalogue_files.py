"""The paths of catalogues."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.errors import UsageError
from agentlog.home import expand_home, find_home
from agentlog.log.admin import TopicIdentity
from kshark.catalogue.files import locate_catalogue, locate_catalogue_folder
from tests.recording import make_event, write_capture_file
from tests.running import run

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=24)
IDS = TEXTS | st.sampled_from(["..", "/x+y", "a/../b"])


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a user without HOME and without an entry in passwd, as containers do."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)


@pytest.mark.usefixtures("no_home")
def test_a_user_without_a_home_has_no_catalogue() -> None:
    assert locate_catalogue_folder() is None
    assert locate_catalogue(TopicIdentity("c", "t")) is None


@pytest.mark.usefixtures("no_home")
def test_a_path_in_a_home_that_is_not_there_is_refused() -> None:
    assert expand_home("run.ndjson") == Path("run.ndjson")
    with pytest.raises(UsageError, match="the user has no home; name the whole path"):
        expand_home("~/run.ndjson")


def test_a_home_that_is_no_absolute_path_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    assert find_home() is None


def test_a_tilde_that_the_shell_left_is_the_home_for_each_tool(tmp_path: Path) -> None:
    write_capture_file(tmp_path / "run.ndjson", make_event(1, "session_start"))
    home = {"HOME": str(tmp_path)}
    assert run("kshark", "replay", "sess_1", "--file=~/run.ndjson", variables=home).code == 0
    done = run(
        "kdiff", "compare", "sess_1", "sess_1", "--file=~/run.ndjson", "--other-file=~/run.ndjson", variables=home
    )
    assert done.code == 0, done.err
    assert run("kshark", "export", "sess_1", "--file=~/run.ndjson", "--output=~/out.ndjson", variables=home).code == 0
    assert (tmp_path / "out.ndjson").exists()


def test_completion_that_cannot_be_installed_is_no_bug(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.touch()
    named_shell = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # else typer looks for a shell above the tests
    done = run("kshark", "--install-completion", "bash", variables={"HOME": str(home), **named_shell})
    assert done.code == 2
    assert b"--show-completion writes what belongs there" in done.err


@given(IDS, IDS)
def test_a_catalogue_lies_in_its_folder_whatever_the_ids_are(cluster_id: str, topic_id: str) -> None:
    path, folder = locate_catalogue(TopicIdentity(cluster_id, topic_id)), locate_catalogue_folder()
    assert path is not None
    assert folder is not None
    assert path.parent.parent.resolve() == folder.resolve()
    assert path.parent.resolve().parent == folder.resolve()


@given(IDS, IDS, IDS, IDS)
def test_two_topics_have_two_catalogues(cluster: str, topic: str, other_cluster: str, other_topic: str) -> None:
    one, other = TopicIdentity(cluster, topic), TopicIdentity(other_cluster, other_topic)
    assert (locate_catalogue(one) == locate_catalogue(other)) == (one == other)
