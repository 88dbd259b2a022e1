"""The command line: `make pictures` makes the README's pictures from the demo's story."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.browser import run_chromium

from .terminal import COMPARE, REPLAY, draw

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
WIDTH = 1080


def main() -> None:
    """Write all pictures, and print their names and sizes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _run("kshark", "demo", "story.ndjson", folder=folder)
        for file, excerpt in (("replay.svg", REPLAY), ("compare.svg", COMPARE)):
            (PICTURES / file).write_text(draw(excerpt, folder))
        _run("kshark", "report", "sess_invoice_847", "--file", "story.ndjson", "-o", "report.html", folder=folder)
        photograph(folder / "report.html", PICTURES / "report.png")
    for path in sorted(PICTURES.iterdir()):
        sys.stdout.write(f"docs/pictures/{path.name}  {path.stat().st_size / 1000:.0f} KB\n")


def _run(tool: str, *arguments: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", tool, *arguments], cwd=folder, stderr=subprocess.DEVNULL, check=True)


def photograph(page: Path, picture: Path) -> None:
    """Write the part of a report above its tables as PNG: the totals, where it went wrong, and the timeline."""
    with run_chromium() as browser:
        browser.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.open(page, size=(WIDTH, 1000))
        tables = browser.wait_for("document.querySelector('#tables h2')?.getBoundingClientRect().top")
        browser.open(page, size=(WIDTH, int(tables) - 12))
        browser.wait_for("document.querySelector('#tables h2')")
        browser.save_screenshot(picture)


main()
