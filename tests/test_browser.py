from pathlib import Path

import pytest
from selenium.common.exceptions import UnexpectedAlertPresentException

from tests.browser import DESKTOP_SIZE, PHONE_SIZE, Browser, run_chromium


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page #1.html"


def test_a_page_opens_in_the_size_asked_for(browser: Browser, page: Path) -> None:
    page.write_text("<!doctype html><title>t</title><h1>Here</h1>")
    for size in (DESKTOP_SIZE, PHONE_SIZE):
        browser.open(page, "part two", size=size)
        assert browser.find("h1").text == "Here"
        assert browser.run_script("return [innerWidth, innerHeight, decodeURI(location.hash)]") == [*size, "#part two"]


def test_the_colour_scheme_and_the_medium_are_those_asked_for(browser: Browser, page: Path) -> None:
    page.write_text("<!doctype html>")
    for dark, media in ((True, ""), (False, "print")):
        browser.open(page, dark=dark, media=media)
        seen = browser.run_script(
            "return [matchMedia('(prefers-color-scheme:dark)').matches, matchMedia('print').matches]"
        )
        assert seen == [dark, media == "print"]


def test_an_error_of_the_page_is_told(browser: Browser, page: Path) -> None:
    page.write_text("<!doctype html><script>missing()</script>")
    browser.open(page)
    assert ["missing is not defined" in message for message in browser.read_console()] == [True]


def test_what_a_page_asks_the_network_for_is_told(browser: Browser, page: Path) -> None:
    page.write_text("<!doctype html><img src='http://example.invalid/x.png'>")
    browser.open(page)
    assert browser.read_requests() == [page.as_uri(), "http://example.invalid/x.png"]
    assert browser.read_console() != []


def test_a_dialog_fails_the_next_thing_asked(browser: Browser, page: Path) -> None:
    page.write_text("<!doctype html><button onclick='setTimeout(() => alert(1))'>Go</button>")
    browser.open(page)
    browser.find("button").click()
    with pytest.raises(UnexpectedAlertPresentException):
        browser.wait_for("false")


@pytest.mark.parametrize("variable", ["CHROME", "CHROMEDRIVER"])
def test_a_variable_names_the_browser_and_its_driver(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "/nowhere/program")
    with pytest.raises(FileNotFoundError, match=f"no /nowhere/program on PATH.*{variable}"), run_chromium():
        pass
