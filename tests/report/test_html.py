"""The page as text, and what it does in a browser.

The tests with a browser are skipped where there is none; with ``BENCHMARK_REQUIRE_BROWSER=1``, as
in continuous integration, they fail instead.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from benchmark.report.document import to_document
from benchmark.report.html import to_html
from benchmark.report.leaderboard import Board, boards
from benchmark.report.markdown import to_markdown
from benchmark.results.record import RunRecord
from tests.report.study import FULL, SAMPLED, SEARCH, ranks, write
from tests.results.records import record

FOREIGN = '<script>alert(1)</script> & "x"'
SVG = "http://www.w3.org/2000/svg"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    """The study, a model with a foreign name, and one that lacks a protocol in one seed."""
    folder = tmp_path_factory.mktemp("results")
    curve = [{"epoch": 1, "seconds": 1.5, "rec": 0.25}, {"epoch": 2, "seconds": 3.0, "rec": 0.5}]
    users = [number // 2 for number in range(60)]
    return [
        *write(folder),
        record(
            folder,
            FOREIGN,
            {FULL: ranks(30, 2), SEARCH: ranks(31, 4)},
            users,
            curve=curve,
            parameters=2_000_000,
        ),
        record(folder, "partial", {FULL: ranks(32, 5), SAMPLED: ranks(33, 5)}, users, seed=1),
        record(folder, "partial", {SAMPLED: ranks(34, 5)}, users, seed=2),
    ]


@pytest.fixture(scope="module")
def made(runs: list[RunRecord]) -> list[Board]:
    return boards(runs)


@pytest.fixture(scope="module")
def text(made: list[Board]) -> str:
    return to_html(made)


class Reader(HTMLParser):
    """Collects tags, and the cells of each table by its caption."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._in_cell = False
        self._caption: str | None = None
        self._rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._rows = []
        elif tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._in_cell = True

    def handle_data(self, data: str) -> None:
        if self._caption is not None:
            self._caption += data
        elif self._in_cell:
            self._rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            assert self._caption is not None
            self.tables[self._caption], self._caption = self._rows, None
        elif tag in ("td", "th"):
            self._in_cell = False


def test_every_table_of_the_markdown_is_in_the_page(made: list[Board], text: str) -> None:
    shown = Reader(text).tables
    sections = re.findall(r"^### (.*)\n\n((?:\|.*\n?)+)", to_markdown(made), re.MULTILINE)
    assert len(sections) > 6
    for title, table in sections:
        head, _, *body = [
            [cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()
        ]
        found = [[cell.replace("tier ", "") for cell in row] for row in shown[title]]
        assert found == [head, *([cell.replace("**", "") for cell in row] for row in body)]


def test_pairs_and_intervals_are_in_the_page(made: list[Board], text: str) -> None:
    shown = Reader(text).tables
    (name,) = (n for n in shown if n.startswith("Recommendation, whole catalogue: NDCG@10"))
    (table,) = (
        t
        for t in to_document(made)["tables"]
        if (t["task"], t["protocol"], t["slice"], t["metric"]) == (*FULL, "all", "ndcg@10")
    )
    assert len(shown[name]) == 1 + len(table["pairs"])
    for row, pair in zip(shown[name][1:], table["pairs"], strict=True):
        assert row[:2] == [pair["a"], pair["b"]]
        assert row[3:6] == [str(pair[count]) for count in ("win", "tie", "loss")]
        assert row[2] == "{difference:+.4f} ({low:+.4f} to {high:+.4f})".format(**pair)
        assert row[6] == "{effect:+.2f} ({effect_low:+.2f} to {effect_high:+.2f})".format(**pair)
        assert [float(p.replace("<", "")) for p in row[7:9]] == pytest.approx(
            [pair["p"], pair["p_holm"]], abs=1e-4
        )
        assert row[9] == (f"{pair['seeds']} †" if pair["seeds"] < 3 else "3")
    means = {
        r["model"]: "{mean:.4f} ({low:.4f} to {high:.4f})".format(**r)
        for r in table["rows"]
        if r["mean"] is not None
    }
    reach = {
        row[0]: row[1] for row in shown["NDCG@10 (whole catalogue) with 95% intervals, by user"]
    }
    assert means.items() <= reach.items()


def test_the_front_holds_what_nothing_beats(tmp_path: Path) -> None:
    places = {"rec": (0, 4), "same": (0, 4), "search": (4, 0), "beaten": (4, 4), "weaker": (0, 5)}
    made = boards(
        record(tmp_path, name, {FULL: [rec] * 6, SEARCH: [search] * 6})
        for name, (rec, search) in places.items()
    )
    assert set(_data(to_html(made))[0]["front"]) == {"rec", "same", "search"}


def test_order_of_the_records_changes_no_byte(runs: list[RunRecord], text: str) -> None:
    shuffled = random.Random(1).sample(runs, len(runs))
    assert to_html(boards(shuffled)) == text


def test_foreign_names_are_text(text: str, made: list[Board]) -> None:
    assert FOREIGN not in text
    assert text.count("alert(1)") == text.count("alert(1)&lt;") + text.count(r"alert(1)\u003c")
    reader = Reader(text)
    assert [tag for tag, _ in reader.tags].count("script") == 2
    assert any(row[0].startswith(FOREIGN) for rows in reader.tables.values() for row in rows)
    (data,) = _data(text)
    rows = [
        t["rows"]
        for t in to_document(made)["tables"]
        if (t["task"], t["protocol"], t["slice"], t["metric"]) == (*FULL, "all", "ndcg@10")
    ]
    assert [data["tables"]["rec"]] == rows
    assert FOREIGN in {curve["model"] for curve in data["curves"]}


def _data(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    assert not set("<>&\u2028\u2029") & set(found[1])
    return json.loads(found[1])


def test_nothing_is_loaded_from_elsewhere(text: str) -> None:
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {SVG}
    assert not re.search(r"url\(|@import|\bfetch\b|XMLHttpRequest|WebSocket|import\(", text)
    assert "innerHTML" not in text
    for tag, attributes in Reader(text).tags:
        assert "src" not in attributes and tag not in ("link", "img", "iframe", "object", "base")
        assert (attributes.get("href") or "#").startswith("#")


def test_only_the_page_s_own_style_and_script_are_allowed(text: str) -> None:
    policy = next(a["content"] for _, a in Reader(text).tags if "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    for tag in ("style", "script"):
        (own,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f" {tag}-src 'sha256-{digest}';" in policy


def test_tables_are_named_and_headed(text: str) -> None:
    tags = Reader(text).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] for _, a in tags if "aria-labelledby" in a]
    assert set(named) <= set(ids)
    assert all(a.get("scope") in ("col", "row") for tag, a in tags if tag == "th")
    assert ("html", {"lang": "en"}) in tags


def test_several_data_sets_are_parts_of_one_page(tmp_path: Path) -> None:
    found = boards(record(tmp_path, "m", {FULL: [0, 1]}, dataset=name) for name in ("zoo", "a<b"))
    reader = Reader(text := to_html(found))
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", text) == ["a&lt;b", "zoo"]
    assert len(_data(text)) == 2
    ids = [a["id"] for _, a in reader.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_no_runs_make_a_page_that_says_so() -> None:
    text = to_html([])
    assert "No runs yet." in text
    assert not Reader(text).tables
    assert _data(text) == []


# In a browser

in_browser = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    found = [shutil.which(name) for name in ("chromium", "google-chrome")]
    binary, driver = next(filter(None, found), None), shutil.which("chromedriver")
    if binary is None or driver is None:
        why = "needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("BENCHMARK_REQUIRE_BROWSER") == "1":
            pytest.fail(why)
        pytest.skip(why)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    switches = "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-sync"
    switches += " disable-background-networking disable-component-update disable-dev-shm-usage"
    for switch in (*switches.split(), f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


class Page:
    """A board in a browser, in a given size and colour scheme."""

    def __init__(self, browser: webdriver.Chrome, file: Path) -> None:
        self.browser, self.file = browser, file

    def open(self, width: int = 1280, **features: str) -> None:
        media = [{"name": n.replace("_", "-"), "value": value} for n, value in features.items()]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.browser.get(self.file.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def column(self, number: int) -> list[str]:
        cells = "return [...document.querySelectorAll('table')[0].tBodies[0].rows]"
        found: list[str] = self.run(
            f"{cells}.map(row => row.cells[arguments[0]].innerText)", number
        )
        return [text.split(" ")[0] for text in found]


@pytest.fixture
def page(browser: webdriver.Chrome, text: str, tmp_path: Path) -> Iterator[Page]:
    """The page, on which nothing may go wrong and which may load nothing, whatever the test."""
    file = tmp_path / "board.html"
    file.write_text(text, encoding="utf-8")
    shown = Page(browser, file)
    for log in ("browser", "performance"):
        browser.get_log(log)
    shown.open()
    yield shown
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert browser.get_log("browser") == []
    log = browser.get_log("performance")
    events = [json.loads(entry["message"])["message"] for entry in log]
    asked = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    asked = [a["request"]["url"] for a in asked if not a["documentURL"].startswith("chrome:")]
    assert {url.partition("#")[0] for url in asked} == {file.as_uri()}


@in_browser
def test_a_click_and_the_keyboard_sort_a_table(page: Page) -> None:
    head = page.find("table thead th:nth-child(4)")
    assert (head.text.split()[0], head.get_attribute("aria-sort")) == ("MRR@10", "none")
    name = page.find("table thead th button")
    name.send_keys(Keys.ENTER)
    before = page.column(3)
    assert page.column(0) == sorted(page.column(0), key=str.lower)
    known = sorted((v for v in before if v != "n/a"), key=float)
    assert "n/a" in before[:-1] and len(set(known)) > 2
    button = head.find_element(By.TAG_NAME, "button")
    button.click()
    assert page.column(3) == [*reversed(known), "n/a"]
    assert head.get_attribute("aria-sort") == "descending"
    button.send_keys(Keys.ENTER)
    assert page.column(3) == [*known, "n/a"]
    assert head.get_attribute("aria-sort") == "ascending"
    button.send_keys(Keys.SPACE)
    assert page.column(3) == [*reversed(known), "n/a"]

    name.click()
    assert page.column(0) == sorted(page.column(0), key=str.lower)
    assert head.get_attribute("aria-sort") == "none"


@in_browser
def test_numbers_in_other_units_are_sorted_by_what_they_mean(page: Page) -> None:
    places = [
        th.text.split(" ")[0]
        for th in page.browser.find_elements(By.CSS_SELECTOR, "table:first-of-type thead th")
    ]
    number = places.index("parameters")
    page.browser.find_elements(By.CSS_SELECTOR, "table thead th button")[number].click()
    assert page.column(number)[0] == "2,000,000"
    assert page.column(number)[-1] == "0"


@in_browser
def test_hovered_and_focused_points_have_a_tooltip(page: Page, made: list[Board]) -> None:
    tooltip = page.find("[role=tooltip]")
    points = page.browser.find_elements(By.CSS_SELECTOR, "[data-chart=joint] .point")
    assert len(points) >= 2
    assert not tooltip.is_displayed()
    foreign = next(p for p in points if FOREIGN in (p.get_attribute("aria-label") or ""))
    ActionChains(page.browser).move_to_element(foreign).perform()
    row = next(r for r in _data(to_html(made))[0]["tables"]["rec"] if r["model"] == FOREIGN)
    interval = "{mean:.4f} ({low:.4f} to {high:.4f})".format(**row)
    assert FOREIGN in tooltip.text and f"Recommendation {interval}" in tooltip.text
    ActionChains(page.browser).send_keys(Keys.ESCAPE).perform()
    assert not tooltip.is_displayed()
    ActionChains(page.browser).move_to_element(page.find("h1")).perform()

    page.run("document.querySelector('#board-0-joint').closest('section').tabIndex = -1")
    page.run("document.querySelector('#board-0-joint').closest('section').focus()")
    ActionChains(page.browser).send_keys(Keys.TAB).perform()
    first = page.browser.switch_to.active_element
    assert first == points[0] and tooltip.is_displayed()
    told = tooltip.text
    ActionChains(page.browser).send_keys(Keys.ARROW_RIGHT).perform()
    assert page.browser.switch_to.active_element == points[1]
    assert tooltip.is_displayed() and tooltip.text != told
    ActionChains(page.browser).send_keys(Keys.HOME).perform()
    assert tooltip.text == told


@in_browser
def test_charts_follow_what_the_reader_chooses(page: Page) -> None:
    def told(kind: str) -> str:
        found = page.browser.find_elements(By.CSS_SELECTOR, f"[data-chart={kind}] .point")
        return "\n".join(point.get_attribute("aria-label") or "" for point in found)

    assert f"{FOREIGN}; Recommendation NDCG@10" in told("cost")
    assert "Parameters: 2,000,000" in told("cost")
    page.find("[data-chart=cost] [name=cost] option[value=fit_seconds]").click()
    assert "Parameters" not in told("cost") and "Training time: 2.0 s" in told("cost")
    page.find("[data-chart=cost] [name=task] option[value=search]").click()
    assert "Search NDCG@10" in told("cost") and "Recommendation" not in told("cost")
    lines = page.browser.find_elements(By.CSS_SELECTOR, "[data-chart=curves] .line")
    assert len(lines) == 4
    page.find("[data-chart=curves] [name=task] option[value=search]").click()
    assert len(page.browser.find_elements(By.CSS_SELECTOR, "[data-chart=curves] .line")) == 3


@in_browser
def test_the_filter_leaves_models_out_of_tables_and_charts(page: Page) -> None:
    page.find("[data-filter] input").send_keys("ALERT")
    hidden = "return [...document.querySelectorAll('table')[0].tBodies[0].rows].map(r => r.hidden)"
    assert page.run(hidden).count(False) == 1
    points = page.browser.find_elements(By.CSS_SELECTOR, "[data-chart=joint] .point")
    assert [FOREIGN in (p.get_attribute("aria-label") or "") for p in points] == [True]


@in_browser
@pytest.mark.parametrize("width", [360, 1280])
def test_only_tables_scroll_sideways(page: Page, width: int) -> None:
    page.open(width)
    page.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    whole = page.run("return document.documentElement.scrollWidth")
    assert 0 < whole <= page.run("return document.documentElement.clientWidth") <= width
    boxes = page.run(
        "return [...document.querySelectorAll('.scroll')].map(e => [e.clientWidth, e.scrollWidth])"
    )
    assert all(inner <= width for inner, _ in boxes)
    assert width > 500 or any(content > inner for inner, content in boxes)
    charts = page.run(
        "return [...document.querySelectorAll('.chart > div > svg[role=group]')]"
        ".map(e => [e.getBoundingClientRect().width, e.viewBox.baseVal.width])"
    )
    assert len(charts) == 3
    assert all(abs(drawn - planned) < 1 <= drawn <= width for drawn, planned in charts)


CONTRASTS = """
const channels = (color) => color.match(/[\\d.]+/g).map(Number);
const light = (color) => {
  const [r, g, b] = channels(color).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  const color = getComputedStyle(element).backgroundColor;
  if (channels(color)[3] !== 0) return color;
  return element.parentElement ? behind(element.parentElement) : "rgb(255, 255, 255)";
};
const own = (element) => [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
return [...document.querySelectorAll("body *")]
  .filter((e) => own(e) && !e.matches("script, noscript, noscript *"))
  .map((e) => {
    const style = getComputedStyle(e);
    const text = light(e instanceof SVGElement ? style.fill : style.color);
    const both = [text, light(behind(e))].sort((a, b) => b - a);
    return [e.outerHTML.slice(0, 80), (both[0] + 0.05) / (both[1] + 0.05)];
  });
"""


@in_browser
def test_dark_mode_is_dark_and_text_stands_out_in_both(page: Page) -> None:
    backgrounds = {}
    for mode in ("light", "dark"):
        page.open(prefers_color_scheme=mode)
        backgrounds[mode] = page.run("return getComputedStyle(document.body).backgroundColor")
        contrasts = page.run(CONTRASTS)
        assert len(contrasts) > 100
        assert [found for found in contrasts if found[1] < 4.5] == []
    assert backgrounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 29)"}


@in_browser
def test_focus_can_be_seen(page: Page) -> None:
    button = page.find("table thead th button")
    style = "return getComputedStyle(arguments[0]).outlineStyle"
    assert page.run(style, button) == "none"
    page.run("document.querySelector('.scroll').focus()")
    ActionChains(page.browser).send_keys(Keys.TAB).perform()
    assert page.browser.switch_to.active_element == button
    assert page.run(style, button) == "solid"


@in_browser
def test_nothing_moves_where_that_is_not_wanted(page: Page) -> None:
    moves = (
        "return [getComputedStyle(document.querySelector('.mark')).transitionDuration,"
        " getComputedStyle(document.documentElement).scrollBehavior]"
    )
    assert page.run(moves) == ["0.12s", "smooth"]
    page.open(prefers_reduced_motion="reduce")
    assert page.run(moves) == ["0s", "auto"]


@in_browser
def test_without_javascript_the_tables_are_there_and_no_dead_controls(page: Page) -> None:
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    page.open()
    assert page.find("table").is_displayed()
    assert "need JavaScript" in page.find("noscript").text
    assert page.browser.find_elements(By.CSS_SELECTOR, "button, input, select, svg") == []
    assert not any(
        e.is_displayed() for e in page.browser.find_elements(By.CSS_SELECTOR, "[data-script]")
    )
