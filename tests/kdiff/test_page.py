"""The HTML page in a real browser, on a desktop and on a phone: it makes no request, and no event can change it."""

from pathlib import Path

import pytest

from kshark.story import assign_places, build_story
from tests.browser import DESKTOP_SIZE, PHONE_SIZE, Browser
from tests.recording import make_session_end, make_tool_call, write_capture_file
from tests.running import run

EVIL = "<script>document.title='taken'</script><img src=http://example.invalid/x onerror=alert(1)>\u202e</td></table>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    story_file = folder / "story.ndjson"
    story_file.write_bytes(b"\n".join(value for _, value in assign_places(build_story()) if value) + b"\n")
    return _written(folder / "why.html", "sess_invoice_ok", "sess_invoice_847", story_file)


def _written(page: Path, a: str, b: str, file: Path) -> Path:
    page.write_bytes(run("kdiff", "compare", a, b, "--file", file, "--format", "html").out)
    return page


@pytest.mark.parametrize("size", [DESKTOP_SIZE, PHONE_SIZE])
@pytest.mark.parametrize("dark", [False, True])
def test_the_verdict_is_read_without_scrolling_sideways_and_nobody_is_asked(
    browser: Browser, page: Path, size: tuple[int, int], dark: bool
) -> None:
    browser.open(page, size=size, dark=dark)
    assert "a loop: stripe.create_invoice 164 times in a row" in browser.find(".card.bad").text
    assert browser.run_script("return document.documentElement.scrollWidth <= innerWidth")
    assert (browser.read_console(), browser.read_requests()) == ([], [page.as_uri()])


def test_what_an_event_says_is_shown_and_does_nothing(browser: Browser, tmp_path: Path) -> None:
    sessions = {"a": "one thing", "b": "quite another"}
    own = [
        {**e, "session_id": name, "event_id": f"{name}{e['event_id']}"}
        for name, said in sessions.items()
        for e in (
            make_tool_call(1, EVIL, input={EVIL: EVIL + said}, context={"reasoning": EVIL}),
            make_session_end(2, EVIL),
        )
    ]
    page = _written(tmp_path / "evil.html", "a", "b", write_capture_file(tmp_path / "evil.ndjson", *own))
    browser.open(page)
    assert browser.driver.title == "a against b"
    assert "<script>document.title" in browser.find("body").text
    assert browser.find_all("script, img") == []
    assert (browser.read_console(), browser.read_requests()) == ([], [page.as_uri()])
