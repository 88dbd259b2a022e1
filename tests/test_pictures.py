"""The README's pictures are true: they show what the tools write today; `make pictures` makes them anew."""

import re
import struct
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.text import Text

from pictures.terminal import COMPARE, REPLAY, Excerpt, Part, cut, draw, run_on_terminal
from tests.running import run

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
CELL = 12.2
TERMINALS = (("replay.svg", REPLAY), ("compare.svg", COMPARE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's story."""
    path = tmp_path_factory.mktemp("story")
    assert run("kshark", "demo", "story.ndjson", cwd=path).code == 0
    return path


def title_and_lines(svg: str) -> tuple[str, list[str]]:
    """Return what a picture of a terminal says: its title, and its lines."""
    title, lines = "", defaultdict[int, str](str)
    for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        text = (each.text or "").replace("\xa0", " ")
        if each.get("class", "").endswith("-title"):
            title = text
        elif line := re.search(r"-line-(\d+)\)", each.get("clip-path", "")):
            number, column = int(line[1]), round(float(each.get("x", "0")) / CELL)
            lines[number] = lines[number].ljust(column) + text
    return title, [lines[number].rstrip() for number in range(max(lines) + 1)]


@pytest.mark.parametrize(("name", "excerpt"), TERMINALS)
def test_a_picture_of_a_terminal_shows_what_the_command_shows_today(folder: Path, name: str, excerpt: Excerpt) -> None:
    title, lines = title_and_lines((PICTURES / name).read_text())
    assert title == f"$ {excerpt.command}"
    shown = [Text.from_ansi(line).plain.rstrip() for line in run_on_terminal(excerpt.command, folder).splitlines()]
    written, at = "\n".join([*shown, ""]), 0
    parts = re.split(r"^\.\.\.$\n", "\n".join([*lines, ""]), flags=re.MULTILINE)
    assert len(lines) > 20
    for part in parts:
        assert part in written[at:], f"{part}\nisn't shown any more; run: make pictures"
        at = written.index(part, at) + len(part)


@pytest.mark.parametrize(("name", "excerpt"), TERMINALS)
def test_a_picture_made_twice_has_the_same_bytes_and_asks_no_network(folder: Path, name: str, excerpt: Excerpt) -> None:
    made = draw(excerpt, folder)
    assert made == draw(excerpt, folder)
    for svg in (made, (PICTURES / name).read_text()):
        assert not re.search(r"@font-face|@import|<image|<script|url\((?!#)", svg)


def test_the_picture_of_the_report_is_a_png_of_a_page_and_small() -> None:
    picture = (PICTURES / "report.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", picture[16:24])
    assert width == 1080
    assert 500 < height < 1000
    assert len(picture) < 150_000


def test_the_readme_has_every_picture_and_says_in_words_what_it_shows() -> None:
    images = re.findall(r"!\[([^]]*)\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert sorted(path for _, path in images) == [f"docs/pictures/{each.name}" for each in sorted(PICTURES.iterdir())]
    assert all(len(words) > 100 for words, _ in images)


def test_an_excerpt_says_by_dots_what_it_leaves_out() -> None:
    lines = ["head", "", "one", "two", "three", "", "foot"]
    assert plain(cut(lines, (Part("head", "one"), Part("two", "three"), Part("foot")))) == "head ... two ... foot"
    assert plain(cut(lines, (Part("one", "foot"),))) == "... one two three ..."


def test_an_excerpt_whose_lines_are_gone_is_an_error() -> None:
    with pytest.raises(ValueError, match="no line matches 'three' from line 2 on"):
        list(cut(["three", "two"], (Part("three", "two"), Part("three"))))


def test_a_command_that_fails_makes_no_picture(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="kshark replay sess_1 --file none ended with"):
        run_on_terminal("kshark replay sess_1 --file none", tmp_path)


def plain(lines: Iterable[str]) -> str:
    return " ".join(Text.from_ansi(line).plain for line in lines)
