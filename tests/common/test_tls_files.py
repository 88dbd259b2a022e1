"""A file of the TLS settings that is missing, or that doesn't hold what it should, is named with its setting."""

import subprocess
from pathlib import Path

import pytest

from agentlog.errors import SettingsError
from agentlog.settings.clusters import Settings
from agentlog.settings.tls_files import check_tls_files


def make_pair(folder: Path, name: str, *options: str) -> None:
    """Make a certificate NAME.pem that signs itself, and its key NAME.key."""
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *(options or ("-nodes",))]
    command = ["openssl", "req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}", *files]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_pair(folder, "mine")
    make_pair(folder, "other")
    make_pair(folder, "locked", "-passout", "pass:open sesame")
    (folder / "both.pem").write_bytes((folder / "mine.pem").read_bytes() + (folder / "mine.key").read_bytes())
    (folder / "garbage").write_bytes(b"\xff\x00 garbage")
    (folder / "folder").mkdir()
    return folder


def check(folder: Path, files: dict[str, str], **properties: str) -> None:
    """Check a cluster whose TLS settings name these files of the folder."""
    locations = {f"ssl.{name}.location": str(folder / file) for name, file in files.items()}
    settings = [f"{name}={value}" for name, value in {**locations, **properties}.items()]
    check_tls_files(Settings({}, None).get_cluster("localhost:1", settings))


GOOD: dict[str, dict[str, str]] = {
    "nothing": {},
    "an authority": {"ca": "mine.pem"},
    "a folder of authorities": {"ca": "folder"},
    "a certificate and its key": {"certificate": "mine.pem", "key": "mine.key"},
    "both in one file": {"certificate": "both.pem"},
}


@pytest.mark.parametrize("name", GOOD)
def test_good_files_are_accepted(folder: Path, name: str) -> None:
    check(folder, GOOD[name])


BAD: dict[str, tuple[dict[str, str], str]] = {
    "no authority": ({"ca": "gone.pem"}, "ssl.ca.location: .*gone.pem: No such file"),
    "an authority that isn't PEM": ({"ca": "garbage"}, "ssl.ca.location: .*garbage holds no certificate in PEM"),
    "no certificate": ({"certificate": "gone.pem", "key": "mine.key"}, "ssl.certificate.location: .*No such file"),
    "a certificate that isn't PEM": (
        {"certificate": "garbage", "key": "mine.key"},
        "ssl.certificate.location: .*garbage holds no certificate in PEM format",
    ),
    "a folder as certificate": (
        {"certificate": "folder", "key": "mine.key"},
        "ssl.certificate.location: .*Is a directory",
    ),
    "no key": ({"certificate": "mine.pem", "key": "gone.key"}, "ssl.key.location: .*gone.key: No such file"),
    "a key that isn't PEM": ({"certificate": "mine.pem", "key": "garbage"}, "ssl.key.location: .*holds no private key"),
    "another's key": (
        {"certificate": "mine.pem", "key": "other.key"},
        "ssl.key.location: the key in .*other.key isn't that of .*mine.pem",
    ),
    "a certificate without a key": ({"certificate": "mine.pem"}, "holds no private key: set ssl.key.location as well"),
    "a locked key without a password": (
        {"certificate": "locked.pem", "key": "locked.key"},
        "ssl.key.location: .*that ssl.key.password opens",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_setting(folder: Path, name: str) -> None:
    files, wanted = BAD[name]
    with pytest.raises(SettingsError, match=wanted):
        check(folder, files)


def test_the_password_opens_a_locked_key_and_a_wrong_one_is_never_shown(folder: Path) -> None:
    files = {"certificate": "locked.pem", "key": "locked.key"}
    check(folder, files, **{"ssl.key.password": "open sesame"})
    with pytest.raises(SettingsError, match=r"ssl.key.password opens") as refused:
        check(folder, files, **{"ssl.key.password": "hunter2"})
    assert "hunter2" not in str(refused.value)
