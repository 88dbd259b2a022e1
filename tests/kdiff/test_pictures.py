"""Pictures in base64 are compared by their hash and size, and shown by their kind and size."""

import base64
import random

import orjson
import pytest

from kdiff.align.payload_diff import Change
from kdiff.judge.verdict import VerdictKind
from kdiff.reading.normalize import IgnoreRules, normalize_text
from kdiff.show.json_document import encode_divergence
from kdiff.show.phrases import format_change

PNG = b"\x89PNG\r\n\x1a\n"


def _picture(seed: int, size: int = 300_000) -> str:
    return base64.b64encode(PNG + random.Random(seed).randbytes(size)).decode()


WRAPS = [
    lambda picture: picture,
    lambda picture: f"data:image/png;base64,{picture}",
    lambda picture: {"type": "image", "data": picture, "mimeType": "image/png"},
    lambda picture: [{"type": "text", "text": "done in 0.12s"}, {"type": "image", "data": picture}],
    lambda picture: f"<img src='data:image/png;base64,{picture}'> in 3 rows",
]


@pytest.mark.parametrize("wrap", WRAPS)
def test_another_picture_is_found_and_the_same_is_none(wrap, new_script, compare_events):
    a, same, other = (
        new_script(name).calls("page.screenshot", {}, wrap(_picture(seed))).ends().events
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert compare_events(a, same).verdict.kind is VerdictKind.SAME
    found = compare_events(a, other)
    assert found.kinds == ["changed"]
    (change,) = found.decisive.changes
    shown = format_change(change)
    assert shown[0] != shown[1]
    assert all("[image/png, 300,008 bytes]" in each and len(each) < 200 for each in shown)
    document = encode_divergence(found.decisive)["changes"][0]
    written = orjson.dumps(document)
    assert len(written) < 400
    assert written.count(b"image/png") == 2


def test_a_picture_holds_no_words_that_pass_for_ids_or_clocks():
    normalized = normalize_text(_picture(1), IgnoreRules(), should_mask_noise=True)
    assert len(normalized.form) < 100
    assert normalized.id_hashes == ()


def test_two_pictures_of_one_size_are_told_apart_when_they_are_shown():
    a, b = format_change(Change("payload.output", _picture(1), _picture(2)))
    assert a.startswith("[image/png, 300,008 bytes] sha256 ") or '"[image/png' in a
    assert a != b
