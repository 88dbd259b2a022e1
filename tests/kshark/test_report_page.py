"""The page of `kshark report` in a real browser: search, folds, filters, deep links, however long or hostile."""

from base64 import b64encode
from pathlib import Path

import orjson
import pytest

from agentlog.event.escape import escape_controls
from agentlog.formatting import format_duration
from kshark.story import assign_places, build_story
from tests.browser import DESKTOP_SIZE, PHONE_SIZE, Browser
from tests.recording import make_event, make_session_end, make_tool_call, write_capture_file
from tests.running import run

EVIL = "</script><script>document.title='taken'</script><img src=http://example.invalid/x onerror=alert(1)>\u202e\u2028"
LOADED = "performance.getEntriesByName('events').length > 0"


def written(page: Path, session: str, file: Path) -> Path:
    done = run("kshark", "report", session, "--file", file, "-o", page)
    assert done.code == 0, done.err
    return page


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "story.ndjson"
    file.write_bytes(b"\n".join(value for _, value in assign_places(build_story()) if value) + b"\n")
    return file


@pytest.fixture(scope="module")
def invoice(told: Path) -> Path:
    return written(told.with_name("invoice.html"), "sess_invoice_847", told)


@pytest.mark.parametrize("size", [DESKTOP_SIZE, PHONE_SIZE])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_opens_without_scrolling_sideways_and_asks_nobody(
    browser: Browser, invoice: Path, size: tuple[int, int], dark: bool
) -> None:
    browser.open(invoice, size=size, dark=dark)
    browser.wait_for(LOADED)
    assert browser.run_script("return document.documentElement.scrollWidth <= innerWidth")
    assert (browser.read_console(), browser.read_requests()) == ([], [invoice.as_uri()])


def test_the_page_says_what_the_replay_says(browser: Browser, told: Path, invoice: Path) -> None:
    replay = run("kshark", "replay", "sess_invoice_847", "--file", told, "--format", "json")
    totals = orjson.loads(replay.out)["totals"]
    browser.open(invoice)
    browser.wait_for(LOADED)
    text = browser.find("body").text
    for said in (
        f"{totals['tool_calls']} tool calls, {totals['errors']} errors",
        f"{totals['llm_calls']} llm calls, {totals['input_tokens'] + totals['output_tokens']:,} tokens",
        f"${totals['cost_usd']:.2f}",
        f"{totals['events']} events",
    ):
        assert said in text, said


def test_a_search_counts_what_it_finds_in_everything_recorded(browser: Browser, invoice: Path) -> None:
    browser.open(invoice)
    browser.wait_for(LOADED)
    browser.press("/", *"deadline_exceeded")
    assert browser.wait_for("document.getElementById('hits').textContent").startswith("1 ")


def test_like_calls_in_a_row_are_one_row(browser: Browser, invoice: Path) -> None:
    browser.open(invoice)
    browser.wait_for(LOADED)
    browser.run_script("document.getElementById('list').scrollIntoView()")
    assert "stripe.create_invoice" in browser.wait_for("document.querySelector('#list .run')?.innerText")


def test_a_link_opens_the_event_that_it_names(browser: Browser, invoice: Path) -> None:
    browser.open(invoice, "evt_l3bg42d1")
    browser.wait_for(LOADED)
    browser.wait_for("document.body.innerText.includes('Waiting gains nothing')")


def test_each_step_has_the_number_by_which_why_knows_it(browser: Browser, invoice: Path) -> None:
    browser.open(invoice, "evt_l3bg42d1")
    browser.wait_for(LOADED)
    assert browser.wait_for("document.querySelector('.line.current .number')?.innerText") == "12"
    assert "step 12" in browser.find(".first a").text
    assert "steps 14 to 175: all rate_limit" in browser.wait_for("document.querySelector('#list .run')?.innerText")


def test_a_text_of_several_lines_keeps_them_inside_an_object_too(browser: Browser, tmp_path: Path) -> None:
    given = {"path": "a.py", "old": "def f():\r\n\treturn 1\n", "new": "def f():\n\treturn 2\n"}
    page = written(
        tmp_path / "page.html", "sess_1", write_capture_file(tmp_path / "run.ndjson", make_tool_call(1, input=given))
    )
    browser.open(page, "evt_1")
    browser.wait_for("document.querySelectorAll('.field pre').length > 3")
    keys = [each.text for each in browser.find_all(".field .key")][:3]
    values = browser.run_script(
        "return [...document.querySelectorAll('.field pre')].slice(0, 3).map((pre) => pre.textContent)"
    )
    assert keys == ["in", "in old", "in new"]
    assert values == ['{"path": "a.py"}', "def f():\n\treturn 1\n", "def f():\n\treturn 2\n"]


def test_the_way_back_leads_to_the_event_before(browser: Browser, invoice: Path) -> None:
    browser.open(invoice)
    browser.wait_for(LOADED)
    current = "document.querySelector('.line.current')?.innerText.includes(arguments[0])"
    wrong, error, _, _, dearest, _ = browser.find_all(".first a")
    wrong.click()
    browser.wait_for(current, "retry stripe.create_invoice at once")
    error.click()
    browser.wait_for(current, "rate_limit")
    dearest.click()
    browser.wait_for(current, "$0.70")
    browser.driver.back()
    browser.wait_for(current, "rate_limit")


def test_keys_go_from_error_to_error_and_open_what_they_come_to(browser: Browser, invoice: Path) -> None:
    browser.open(invoice)
    browser.wait_for(LOADED)
    browser.press("n", "n", "p", "j", "j", "o")
    browser.wait_for("document.querySelector('.details')?.innerText.includes('Waiting gains nothing')")


def test_the_table_counts_and_times_calls_as_the_replay_does(browser: Browser, told: Path, invoice: Path) -> None:
    replay = run("kshark", "replay", "sess_invoice_847", "--file", told, "--format", "json")
    found = orjson.loads(replay.out)
    browser.open(invoice)
    rows = [
        [cell.text for cell in row.find_elements("css selector", "td")] for row in browser.find_all("#latency tbody tr")
    ]
    assert len(rows) == 12
    for label, calls, errors, *_, longest, together, _strip in rows:
        own = [step["duration_ms"] for step in found["steps"] if (step["label"] or step["kind"]) == label]
        assert int(calls) == found["totals"]["calls"][label]
        assert int(errors or 0) == found["totals"]["failures"].get(label, 0)
        assert longest == format_duration(round(max(own) * 1000))
        assert together == format_duration(round(sum(own) * 1000))


def test_paper_gets_every_row(browser: Browser, invoice: Path) -> None:
    browser.open(invoice, media="print")
    browser.wait_for(LOADED)
    assert "deadline_exceeded" in browser.find_all("#list [role=listitem]")[-1].text


def test_only_errors_are_left_when_asked_for(browser: Browser, invoice: Path) -> None:
    browser.open(invoice)
    browser.wait_for(LOADED)
    browser.find("#errors").click()
    assert browser.wait_for("document.getElementById('count').textContent").startswith("165 of ")


def test_what_an_event_says_is_shown_and_does_nothing(browser: Browser, tmp_path: Path) -> None:
    evil = make_tool_call(1, EVIL, input={EVIL: EVIL}, context={"reasoning": EVIL, "model": EVIL})
    page = written(
        tmp_path / "evil.html", "sess_1", write_capture_file(tmp_path / "evil.ndjson", evil, make_session_end(2, EVIL))
    )
    browser.open(page)
    browser.wait_for(LOADED)
    assert "taken" not in browser.driver.title
    assert "<script>document.title" in browser.find("body").text
    assert browser.find_all("img") == []
    assert (browser.read_console(), browser.read_requests()) == ([], [page.as_uri()])


def test_no_character_reorders_or_hides_what_stands_beside_it(browser: Browser, tmp_path: Path) -> None:
    steering = "".join(
        c for c in map(chr, range(0x110000)) if not 0xD800 <= ord(c) < 0xE000 and escape_controls(c) != c
    )
    file = write_capture_file(
        tmp_path / "run.ndjson", make_event(1, "user_message", payload={"text": steering, "more": steering})
    )
    browser.open(written(tmp_path / "page.html", "sess_1", file), "evt_1")
    browser.wait_for("document.querySelectorAll('pre').length === 2")
    shown = browser.run_script("return document.querySelector('#list').textContent")
    assert set(shown) & set(steering) <= {"\n", "\t"}
    assert "\\u202e" in shown


def test_a_value_of_sixteen_megabytes_is_shown_piece_by_piece(browser: Browser, tmp_path: Path) -> None:
    file = write_capture_file(
        tmp_path / "run.ndjson", make_tool_call(1, output="word " * 3_200_000 + "the end"), make_session_end(2)
    )
    browser.open(written(tmp_path / "page.html", "sess_1", file), "evt_1")
    browser.wait_for("document.querySelector('pre')")
    browser.find(".more:not([hidden])").click()
    assert 60_000 < browser.run_script("return document.querySelector('#list').textContent.length") < 80_000
    browser.press("/", *"the end")
    assert browser.wait_for("document.getElementById('hits').textContent.includes('1 step')")


def test_twenty_thousand_events_are_a_few_rows_at_a_time_down_to_the_last(browser: Browser, tmp_path: Path) -> None:
    kinds = ("tool_call", "decision", "user_message", "agent_message")
    events = [make_event(n, kinds[n % 4], payload={"text": f"step {n}", "tool": f"t{n}"}) for n in range(20_000)]
    page = written(tmp_path / "long.html", "sess_1", write_capture_file(tmp_path / "long.ndjson", *events))
    browser.open(page)
    browser.wait_for(LOADED)
    browser.run_script("scrollTo(0, document.documentElement.scrollHeight)")
    browser.wait_for("document.getElementById('list').innerText.includes('step 19999')")
    assert len(browser.find_all("#list [role=listitem]")) < 200
    assert browser.read_console() == []


def test_media_are_shown_as_their_kind_and_size_and_stay_whole_as_stored(browser: Browser, tmp_path: Path) -> None:
    picture = b64encode(b"\x89PNG\r\n\x1a\n" + b"picture" * 100).decode()
    sound = b64encode(b"RIFF\x10\x20\0\0WAVE" + b"sound" * 100).decode()
    output = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        {"type": "image", "source": {"media_type": "image/x-odd", "data": "b2Rk" * 100}},
        {"type": "text", "text": f"clicked {picture} and heard {sound}"},
    ]
    page = written(
        tmp_path / "out.html", "sess_1", write_capture_file(tmp_path / "run.ndjson", make_tool_call(1, output=output))
    )
    browser.open(page, "evt_1")
    browser.wait_for("document.querySelector('.field pre')")
    text = browser.run_script("return document.querySelector('.details').innerText")
    assert "clicked [image/png, 708 bytes] and heard [audio/wav, 512 bytes]" in text
    assert '"data": "[image/x-odd, 300 bytes]"' in text
    assert picture not in text
    browser.run_script("document.querySelector('.stored').open = true")
    browser.wait_for("document.querySelector('.stored pre')?.textContent.includes(arguments[0])", picture)


def test_a_duration_that_nobody_recorded_is_not_0_in_the_table(browser: Browser, tmp_path: Path) -> None:
    calls = [make_event(n, "tool_call", payload={"tool": tool}) for n, tool in enumerate(["a", "a", "b"])]
    page = written(
        tmp_path / "out.html", "sess_1", write_capture_file(tmp_path / "run.ndjson", *calls, make_tool_call(4, "b"))
    )
    browser.open(page)
    browser.wait_for(LOADED)
    rows = {
        row.text.split()[0]: [cell.text for cell in row.find_elements("css selector", "td")][1:7]
        for row in browser.find_all("#latency tbody tr")
    }
    assert rows == {"a": ["2", "", "", "", "", ""], "b": ["2", "", "0.25 s", "0.25 s", "0.25 s", "0.25 s"]}


def test_each_of_two_events_with_one_id_has_an_address_of_its_own(browser: Browser, tmp_path: Path) -> None:
    again = make_tool_call(1, "second") | {"timestamp": "2026-01-15T15:00:00Z"}
    page = written(
        tmp_path / "out.html", "sess_1", write_capture_file(tmp_path / "run.ndjson", make_tool_call(1, "first"), again)
    )
    for address, tool in (("evt_1", "first"), ("evt_1@2", "second")):
        browser.open(page, address)
        browser.wait_for("document.querySelector('.line.current')?.innerText.includes(arguments[0])", tool)
