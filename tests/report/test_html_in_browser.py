"""What the HTML report does in headless Chromium.

Skipped where there is no browser; with ``BENCHMARK_REQUIRE_BROWSER=1``, as in continuous
integration, it fails instead.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.plain_text import plain
from benchmark.report.html import to_html
from tests.hostile import NAMED, spaces
from tests.report.study import FOREIGN, FULL, SEARCH
from tests.results.records import record

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

    def click(self, element: WebElement) -> None:
        """Click where it is seen; the page scrolls smoothly, which would still be under way."""
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

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
    asked = [
        a["request"]["url"]
        for a in asked
        if not a["documentURL"].startswith(("chrome:", "chrome-"))
    ]
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
    page.click(button)
    assert page.column(3) == [*reversed(known), "n/a"]
    assert head.get_attribute("aria-sort") == "descending"
    button.send_keys(Keys.ENTER)
    assert page.column(3) == [*known, "n/a"]
    assert head.get_attribute("aria-sort") == "ascending"
    button.send_keys(Keys.SPACE)
    assert page.column(3) == [*reversed(known), "n/a"]

    page.click(name)
    assert page.column(0) == sorted(page.column(0), key=str.lower)
    assert head.get_attribute("aria-sort") == "none"


@in_browser
def test_numbers_in_other_units_are_sorted_by_what_they_mean(page: Page) -> None:
    places = [
        th.text.split(" ")[0]
        for th in page.browser.find_elements(By.CSS_SELECTOR, "table:first-of-type thead th")
    ]
    number = places.index("parameters")
    button = page.browser.find_elements(By.CSS_SELECTOR, "table thead th button")[number]
    page.click(button)
    assert page.column(number)[0] == "2,000,000"
    assert page.column(number)[-1] == "0"


@in_browser
def test_hovered_and_focused_points_have_a_tooltip(page: Page, made: list[Leaderboard]) -> None:
    tooltip = page.find("[role=tooltip]")
    points = page.browser.find_elements(By.CSS_SELECTOR, "[data-chart=joint] .point")
    assert len(points) >= 2
    assert not tooltip.is_displayed()
    foreign = next(p for p in points if FOREIGN in (p.get_attribute("aria-label") or ""))
    ActionChains(page.browser).move_to_element(foreign).perform()
    tables = (t for t in made[0].tables if (t.task, t.protocol) == ("rec", "full"))
    row = next(r for r in next(tables).rows if r.entry.label == FOREIGN)
    interval = f"{row.mean:.4f} ({row.low:.4f} to {row.high:.4f})"
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
    page.click(page.find("[data-chart=cost] [name=cost] option[value=fit_seconds]"))
    assert "Parameters" not in told("cost") and "Training time: 2.0 s" in told("cost")
    page.click(page.find("[data-chart=cost] [name=task] option[value=search]"))
    assert "Search NDCG@10" in told("cost") and "Recommendation" not in told("cost")
    lines = page.browser.find_elements(By.CSS_SELECTOR, "[data-chart=curves] .line")
    assert len(lines) == 4
    page.click(page.find("[data-chart=curves] [name=task] option[value=search]"))
    assert len(page.browser.find_elements(By.CSS_SELECTOR, "[data-chart=curves] .line")) == 3


@in_browser
def test_the_filter_leaves_models_out_of_tables_and_charts(page: Page) -> None:
    page.find("[data-filter] input").send_keys("ALERT")
    hidden = "return [...document.querySelectorAll('table')[0].tBodies[0].rows].map(r => r.hidden)"
    assert page.run(hidden).count(False) == 1
    points = page.browser.find_elements(By.CSS_SELECTOR, "[data-chart=joint] .point")
    assert [FOREIGN in (p.get_attribute("aria-label") or "") for p in points] == [True]


@in_browser
def test_models_are_chosen_by_what_they_serve_and_cost(page: Page, made: list[Leaderboard]) -> None:
    rows = [row for task in ("rec", "search") for row in made[0].whole(task).values()]
    traits: dict[str, tuple[list[str], int | None]] = {}
    for task in ("rec", "search"):
        for name, row in made[0].whole(task).items():
            traits.setdefault(name, ([], row.entry.parameters))[0].append(task)
    shown = (
        "return [...document.querySelectorAll('table')[0].tBodies[0].rows]"
        ".filter(r => !r.hidden).map(r => r.cells[0].dataset.model ?? r.cells[0].textContent)"
    )
    first = set(page.run(shown))
    assert first == {row.entry.label for row in rows} & set(traits) & first

    def choose(name: str, value: str) -> set[str]:
        page.click(page.find(f"[data-filter] [name={name}] option[value='{value}']"))
        return set(page.run(shown))

    both = {name for name, (tasks, _) in traits.items() if len(tasks) == 2}
    alone = {name for name, (tasks, _) in traits.items() if tasks == ["rec"]}
    assert choose("serves", "both") == both & first != first
    assert choose("serves", "rec") == alone & first != set()
    assert choose("serves", "") == first
    small = {name for name, (_, size) in traits.items() if size is not None and size <= 1e6}
    assert choose("size", "1000000") == small & first != first


@in_browser
def test_a_table_is_downloaded_as_exact_as_it_is_known(
    page: Page, made: list[Leaderboard], tmp_path: Path
) -> None:
    folder = tmp_path / "downloads"
    behaviour = {"behavior": "allow", "downloadPath": str(folder)}
    page.browser.execute_cdp_cmd("Page.setDownloadBehavior", behaviour)
    page.find("[data-filter] input").send_keys("ALERT")
    page.click(page.find("button.download"))
    deadline = time.monotonic() + 10
    while not list(folder.glob("*.csv")) and time.monotonic() < deadline:
        time.sleep(0.05)
    (file,) = folder.glob("*.csv")
    with file.open(newline="", encoding="utf-8") as lines:
        heads, *rows = csv.reader(lines)
    assert heads[:2] == ["model", "NDCG@10"]
    (row,) = rows
    assert plain(FOREIGN) in row[0]
    assert float(row[1]) == pytest.approx(made[0].whole("rec")[FOREIGN].mean, rel=1e-6)


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
    assert page.browser.find_elements(By.CSS_SELECTOR, "button, input, select, .chart svg") == []
    assert page.find(".forest svg").is_displayed()
    assert not any(
        e.is_displayed() for e in page.browser.find_elements(By.CSS_SELECTOR, "[data-script]")
    )


@in_browser
def test_hostile_texts_are_text(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Each is the name of a data set, of a model and of a setting, in tables and charts."""
    asked = {FULL: [0, 1, 2, 3], SEARCH: [3, 2, 1, 0]}
    curve = [{"step": 1, "seconds": 1.5, "rec": 0.25}]
    run = record(tmp_path, "m", asked, curve=curve)
    texts = list(NAMED.values())
    named = (replace(run, info={**run.info, "model": text, "dataset": text}) for text in texts)
    file = tmp_path / "board.html"
    file.write_text(to_html(boards(named)), encoding="utf-8")
    page = Page(browser, file)
    for log in ("browser", "performance"):
        browser.get_log(log)
    page.open()
    shown = sorted(map(plain, texts))
    of = "return [...document.querySelectorAll(arguments[0])].map(each => each.textContent)"
    assert sorted(page.run(of, "h2")) == shown
    names = [name.removesuffix(" †") for name in page.run(of, "tbody tr:first-child th")]
    assert {spaces(name) for name in names} >= {spaces(text) for text in shown}
    assert set(page.run(of, ".legend span")) == set(shown)
    labels = (
        "return [...document.querySelectorAll('.point')].map(p => p.getAttribute('aria-label'))"
    )
    told = page.run(labels)
    assert all(any(text in label for label in told) for text in shown)
    counts = "return ['script', 'img', 'link', 'iframe', '[onerror]', '[onmouseover]']"
    found = page.run(f"{counts}.map(each => document.querySelectorAll(each).length)")
    assert found == [2, 0, 0, 0, 0, 0]
    assert browser.get_log("browser") == []
