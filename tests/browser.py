"""Headless Chromium, driven through chromedriver: a page's content, its console and its network requests."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
DESKTOP_SIZE = (1280, 900)
PHONE_SIZE = (400, 800)
FLAGS = (
    "--headless",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-first-run",
)


class Browser:
    """A browser with one page at a time. If a page opens a dialog, the next call fails."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(
        self,
        page: Path,
        fragment: str = "",
        *,
        size: tuple[int, int] = DESKTOP_SIZE,
        dark: bool = False,
        media: str = "",
    ) -> None:
        """Load a local file in a window of ``size``; ``media`` may be ``print``."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": scheme})
        self.driver.get(page.absolute().as_uri() + (f"#{quote(fragment)}" if fragment else ""))

    def run_script(self, script: str, *arguments: object) -> Any:
        """Run ``script`` in the page as the body of a function, and return its result."""
        return self.driver.execute_script(script, *arguments)

    def wait_for(self, script: str, *arguments: object) -> Any:
        """Wait until the expression ``script`` is true in the page, and return its value. Raise TimeoutException."""
        waiting = WebDriverWait(self.driver, 30, poll_frequency=0.02)
        return waiting.until(lambda driver: driver.execute_script(f"return {script}", *arguments), script)

    def find(self, css: str) -> WebElement:
        """Return the first element that ``css`` selects."""
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def find_all(self, css: str) -> list[WebElement]:
        """Return all elements that ``css`` selects."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def press(self, *keys: str) -> None:
        """Type ``keys`` into the element with the focus; selenium's `Keys` has special keys."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def save_screenshot(self, path: Path) -> None:
        """Write the content of the window as PNG."""
        path.write_bytes(self.driver.get_screenshot_as_png())

    def read_console(self) -> list[str]:
        """Return the warnings and errors that the page wrote to the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]

    def read_requests(self) -> list[str]:
        """Return the addresses requested since the last call, the page's own first."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = (each["params"] for each in messages if each["method"] == "Network.requestWillBeSent")
        return [each["request"]["url"] for each in sent if each["request"]["url"] != "about:blank"]

    def reset(self) -> None:
        """Leave the page, and drop its console messages and requests."""
        self.driver.get("about:blank")
        self.read_console()
        self.read_requests()


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Run a browser with a new profile until the end of the block. Raise FileNotFoundError if it isn't installed."""
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        driver = Chrome(_make_options(profile), Service(_find_program("CHROMEDRIVER", "chromedriver")))
        try:
            yield Browser(driver)
        finally:
            driver.quit()


def _make_options(profile: str) -> ChromeOptions:
    options = ChromeOptions()
    options.binary_location = _find_program("CHROME", *CHROMIUM)
    sandbox = () if os.geteuid() else ("--no-sandbox",)
    for flag in (*FLAGS, *sandbox, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return options


def _find_program(variable: str, *names: str) -> str:
    """Return the program that an environment variable names, else the first of ``names`` on PATH."""
    if named := os.environ.get(variable):
        names = (named,)
    for name in names:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError(
        f"The tests open pages in Chromium, and there is no {' or '.join(names)} on PATH. "
        f"`make test` installs it if it may; the variable {variable} names another one."
    )
