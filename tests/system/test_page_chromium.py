"""The officer's page in a real browser, started as the command that an officer's colleague runs."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chromium import BROWSER, Chromium

from finslm.audit import AuditLog, Kind, Record

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
WIDTHS = (1280, 390)


@dataclass
class Running:
    url: str
    token: str
    process: subprocess.Popen[str]


def write(folder: Path) -> None:
    """Two days of calls, one of them refused."""
    times = iter(datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=7 * n) for n in range(400))

    async def run() -> None:
        log = AuditLog.open(folder, origin="bank.example/finslm", checkpoint_interval_s=3600, clock=lambda: next(times))
        await log.append(Record(Kind.EVENT, event="SERVER_STARTED", details={"version": "0.1.0"}))
        for number in range(120):
            call = {"request_id": f"5d1f0c3a-0000-4000-8000-{number:012x}", "method": "InferenceService/Generate"}
            call |= {"principal": "loan-desk", "tenant": "retail", "task": "summarise"}
            receipt = await log.append(Record(Kind.INTENT, **call))
            end = {"status": "UNAVAILABLE", "reason": "DETECTOR_FAILED"} if number == 60 else {"status": "OK"}
            counts = {"PERSON": number % 5 + 1}
            await log.append(Record(Kind.OUTCOME, **call, **end, entity_counts=counts, intent_index=receipt.index))
        await log.close()

    asyncio.run(run())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The command, and what it printed."""
    home = tmp_path_factory.mktemp("page")
    write(home / "log")
    command = [sys.executable, "-u", "-m", "finslm", "compliance", "serve", "--dir", str(home / "log")]
    command += ["--listen", "127.0.0.1:0", "--system", "Lending assistant", "--environment", "production"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    token = re.search(r"log-in token: (\S+)", process.stdout.readline())
    url = re.search(r"page: (\S+)", process.stdout.readline())
    assert token is not None
    assert url is not None
    yield Running(url[1], token[1], process)
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def browser(page: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser that is logged in, by keyboard alone."""
    if BROWSER is None:
        pytest.skip("chromium is not there: apt-get install chromium")
    with Chromium(tmp_path_factory.mktemp("browser")) as chromium:
        chromium.view(1280)
        chromium.open(page.url, "Log in")
        chromium.type("h.lindqvist")
        chromium.press("Tab", 9)
        chromium.type(page.token)
        chromium.press("Enter", 13, "\r")
        chromium.until_title("Overview")
        yield chromium


PAGES = (
    ("?first=2026-03-01&last=2026-03-31", "Overview"),
    ("records?kind=OUTCOME", "Records"),
    ("records/122", "Record 122"),
    ("records/0", "Record 0"),
    ("verify", "Verify"),
    ("records/99999", "No such record"),
)


@pytest.mark.parametrize(("path", "title"), PAGES)
def test_every_page_is_drawn_at_both_widths(browser: Chromium, page: Running, path: str, title: str) -> None:
    """Nothing is wider than the window, every control has a name, nothing was blocked by the page's own policy."""
    del browser.events[:]
    for width in WIDTHS:
        browser.view(width)
        browser.open(page.url + path, title)
        assert browser.js("document.documentElement.scrollWidth") <= width
        assert browser.js("getComputedStyle(document.querySelector('main')).backgroundColor") == "rgb(255, 255, 255)"
        unnamed = (
            "[...document.querySelectorAll('main select, main input:not([type=hidden])')].filter(e => !e.labels.length)"
        )
        assert browser.js(f"{unnamed}.length") == 0
    said = [e["params"] for e in browser.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert [entry for entry in said if "404" not in entry["entry"]["text"]] == []
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert asked
    theirs = [url for url in asked if not url.startswith(page.url)]
    assert [url for url in theirs if not url.startswith("data:")] == []  # the browser's own pictures, of controls


def test_from_a_figure_to_the_record_behind_it(browser: Chromium, page: Running) -> None:
    """By clicks: the reason of the refused call, its record, its INTENT; and the chart leads there too."""
    browser.view(1280)
    browser.open(f"{page.url}?first=2026-03-01&last=2026-03-31", "Overview")
    assert browser.js("document.querySelector('.figures .value').textContent") == "120"
    assert browser.js("document.querySelectorAll('svg.columns rect').length") >= 2
    assert browser.js("document.querySelector('svg.columns rect.answered').getBoundingClientRect().height") > 50
    click(browser, "DETECTOR_FAILED", "Records")
    assert browser.js("document.querySelector('.list-head h2').textContent") == "1 record"
    click(browser, "122", "Record 122")
    assert "c2sp.org/tlog-proof@v1" in browser.js("document.querySelector('pre').textContent")
    assert browser.js("document.querySelectorAll('table.records tbody tr').length") == 2
    click(browser, "121", "Record 121")


def test_verify_by_its_button(browser: Chromium, page: Running) -> None:
    """It says that the log holds, and how many records were read."""
    browser.open(f"{page.url}verify", "Verify")
    browser.js("document.querySelector('main form button').click()")
    browser.until("document.querySelector('.verdict') !== null && document.readyState === 'complete'")
    words = browser.js("document.querySelector('main').innerText")
    assert "The log holds." in words
    assert "241 read, parsed and hashed" in words


def test_the_report_comes_down(browser: Chromium, page: Running, tmp_path: Path) -> None:
    """A click on PDF puts the file on the disk, and the page stays."""
    browser.open(f"{page.url}?first=2026-03-01&last=2026-03-31", "Overview")
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.js("document.querySelector('.downloads button[value=pdf]').click()")
    end = time.monotonic() + 60
    while not (found := [path for path in tmp_path.iterdir() if path.suffix == ".pdf"]):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert found[0].read_bytes().startswith(b"%PDF-")
    assert browser.js("document.title").startswith("Overview")


def test_dark_where_the_reader_wants_it(browser: Chromium, page: Running) -> None:
    """Background and text change places in lightness."""
    browser.view(1280, dark=True)
    browser.open(f"{page.url}records", "Records")
    light = "(c => Math.max(...c.match(/\\d+/g).map(Number)))(getComputedStyle(document.querySelector('main')).{})"
    assert browser.js(light.format("backgroundColor")) < 60
    assert browser.js(light.format("color")) > 180


def test_ctrl_c_ends_it(page: Running) -> None:
    """The last test of the module, with a browser or without: it answers, then ends by itself, with 0 and no fault."""
    with urllib.request.urlopen(page.url, timeout=60) as answer:  # leads to the log-in
        assert answer.url == f"{page.url}login"
    page.process.send_signal(signal.SIGINT)
    out, _ = page.process.communicate(timeout=60)
    assert page.process.returncode == 0
    assert "Traceback" not in out


def click(browser: Chromium, text: str, title: str) -> None:
    """The first link of this text, and the page behind it."""
    link = f"[...document.querySelectorAll('main a')].find(a => a.textContent === {text!r})"
    browser.js(f"{link}.click()")
    browser.until_title(title)
