"""Headless Chromium, driven through chromedriver: what a page shows, writes on its console, asks the network for."""

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
    """One page at a time. A dialog that a page opens fails the next thing asked of it."""

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
        """Load a local file anew, in a window of ``size``; ``media`` may be ``print``."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": scheme})
        self.driver.get(page.absolute().as_uri() + (f"#{quote(fragment)}" if fragment else ""))

    def run_script(self, script: str, *arguments: object) -> Any:
        """What ``script`` returns, run in the page as the body of a function."""
        return self.driver.execute_script(script, *arguments)

    def wait_for(self, script: str, *arguments: object) -> Any:
        """What the expression ``script`` is in the page, once that is true; raises TimeoutException."""
        waiting = WebDriverWait(self.driver, 30, poll_frequency=0.02)
        return waiting.until(lambda driver: driver.execute_script(f"return {script}", *arguments), script)

    def find(self, css: str) -> WebElement:
        """The first element that ``css`` selects."""
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def find_all(self, css: str) -> list[WebElement]:
        """Every element that ``css`` selects."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def press(self, *keys: str) -> None:
        """Type ``keys`` where the focus is; selenium's `Keys` has those without a letter."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def save_screenshot(self, path: Path) -> None:
        """Write what the window shows, as PNG."""
        path.write_bytes(self.driver.get_screenshot_as_png())

    def read_console(self) -> list[str]:
        """The warnings and errors that the page wrote since the last time this was asked."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]

    def read_requests(self) -> list[str]:
        """The addresses asked for since the last time this was asked, the page's own first."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = (each["params"] for each in messages if each["method"] == "Network.requestWillBeSent")
        return [each["request"]["url"] for each in sent if each["request"]["url"] != "about:blank"]

    def reset(self) -> None:
        """Leave the page, and what it wrote and asked for."""
        self.driver.get("about:blank")
        self.read_console()
        self.read_requests()


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """A browser with a profile of its own, both gone afterwards. Raises FileNotFoundError when it isn't installed."""
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
    """The program that an environment variable names, else the first of ``names`` on PATH."""
    if named := os.environ.get(variable):
        names = (named,)
    for name in names:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError(
        f"The tests open pages in Chromium, and there is no {' or '.join(names)} on PATH. "
        f"`make test` installs it where it may; {variable} names another one."
    )
