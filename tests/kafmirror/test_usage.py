"""Wrong options are refused with a sentence before any cluster is asked."""

from pathlib import Path

import pytest

from tests.running import run

NOBODY = ("--source", "127.0.0.1:1", "--target", "127.0.0.1:2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replicate", *NOBODY, "--lag-threshold", "soon"), "--lag-threshold 'soon' isn't understood"),
        (("status", *NOBODY, "--lag-threshold", "1.5"), "--lag-threshold '1.5' isn't understood"),
        (("verify", *NOBODY, "--digest", "--sample", "0.1"), "--digest reads all records in one run"),
        (("verify", *NOBODY, "--digest", "--resume", "verify.json"), "--digest reads all records in one run"),
        (("plan", *NOBODY, "--target-topic", "copies"), "--target-topic 'copies' must contain {topic}"),
        (("plan", "--source", "127.0.0.1:1", "--target", "127.0.0.1:1"), "--source and --target are the same"),
        (("plan", *NOBODY, "-X", "ssl.cipher.suites=DEFAULT"), "doesn't support ssl.cipher.suites"),
        (("plan", *NOBODY, "-X", "sasl.mechanism=OAUTHBEARER"), "kafmirror supports sasl.mechanism PLAIN"),
        (("plan", *NOBODY, "-X", "enable.ssl.certificate.verification=false"), "accepts only 'true'"),
    ],
)
def test_a_wrong_option_is_refused_with_a_sentence(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ran = run("kafmirror", *arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, b""), ran.error_text
    assert said in ran.error_text
    assert "Traceback" not in ran.error_text
