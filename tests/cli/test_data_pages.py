"""``data describe`` and ``data audit`` for people: at any width, in any language and encoding."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from rich.cells import cell_len
from rich.table import Table

from benchmark.cli.audit_page import audit_page
from benchmark.cli.data_pages import description_page, histograms
from benchmark.cli.pages import Bars, Entry, Heading, page
from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset
from benchmark.data.describe import describe
from benchmark.data.easy import easy
from benchmark.data.load import load_dataset
from benchmark.data.verdicts import checks
from benchmark.report.data_picture import Chart, draw
from benchmark.target import Target
from tests.data.generated.shop_log import write_shop_log
from tests.hostile import control_characters, write_hostile

from .conftest import Command, assert_refused


@pytest.fixture(scope="module")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's log with titles in German and Chinese, half of its queries Chinese."""
    folder = tmp_path_factory.mktemp("data") / "商店"
    write_shop_log(folder, users=40)
    columns = {"user": "customer_id", "item": "product_id", "time": "event_time"}
    card = {
        "name": "商店-shop",
        "description": "一个商店的日志。商品标题是德语和中文。" * 6,
        **dict.fromkeys(("source", "licence", "citation"), "own"),
        "format": "table",
        "files": {"events": {"name": "events.csv"}, "items": {"name": "items.csv"}},
        "rules": {
            "columns": columns | {"query": "search_term"},
            "item_columns": {"id": "product_id"},
            "session_gap": 1800,
        },
        "title": "{title}",
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card, allow_unicode=True), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def shop(shop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset(shop_folder, cache=tmp_path_factory.mktemp("cache"))


def pages(dataset: Dataset, width: int | None, encoding: str = "utf-8") -> list[str]:
    parts = [description_page(describe(dataset)), audit_page(audit(dataset), easy(dataset))]
    return [page(each, width, encoding) for each in parts]


@pytest.mark.parametrize("width", [None, 200, 120, 80, 60, 40, 24])
def test_lines_fit_and_nothing_acts(shop: Dataset, tiny: Dataset, width: int | None) -> None:
    for dataset in (shop, tiny):
        for shown in pages(dataset, width):
            assert control_characters(shown.replace("\n", "")) == []
            assert not re.search(r"[ \t]+$", shown, re.MULTILINE)
            for line in shown.splitlines():
                words = max(map(cell_len, line.split()), default=0)
                assert cell_len(line) <= max(width or 10**6, words + 12), line


def test_wide_letters_keep_the_columns_in_line() -> None:
    table = Table("名称", "数")
    table.add_row("登山鞋", "1")
    table.add_row("shoe", "22")
    bars = Bars("分布", [("登山鞋", 3), ("shoe", 1)])
    lines = page([Entry("名称", "登山"), table, bars], 80, "utf-8").splitlines()
    assert cell_len(lines[0].removesuffix("登山")) == 12
    box = [line for line in lines if line.startswith(tuple("┏┃┡│└"))]
    assert len(box) == 6
    assert len(set(map(cell_len, box))) == 1
    first, second = lines[-2:]
    before = [cell_len(line[: line.index("█")]) for line in (first, second)]
    assert before[0] == before[1]
    assert cell_len(first) == cell_len(second)


def test_bars_are_as_long_as_counts_and_ascii_where_blocks_are_lacking() -> None:
    bars = Bars("some", [("a", 40), ("b", 20), ("c", 0), ("d", 1)])
    blocks = page([bars], 60, "utf-8").splitlines()[1:]
    assert [line.count("█") for line in blocks] == [40, 20, 0, 1]
    hashes = page([bars], 60, "ascii")
    assert hashes.isascii()
    assert [line.count("#") for line in hashes.splitlines()[1:]] == [40, 20, 0, 1]
    assert [line.split()[-1] for line in blocks] == ["65.6%", "32.8%", "0.0%", "1.6%"]
    rare = Bars("x", [("a", 9_999), ("b", 1)])
    assert page([rare], 80, "utf-8").split()[-4:] == ["b", "▏", "1", "<0.1%"]
    assert page([rare], 80, "ascii").split()[-4:] == ["b", "#", "1", "<0.1%"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk"])
def test_a_page_is_of_the_letters_that_the_stream_has(tiny: Dataset, encoding: str) -> None:
    for shown in pages(tiny, 80, encoding):
        shown.encode(encoding)


def test_a_page_without_unicode_is_as_wide_as_any(shop: Dataset) -> None:
    for shown in pages(shop, 80, "ascii"):
        assert shown.isascii()
        words = [(len(line), max(map(len, line.split()), default=0)) for line in shown.splitlines()]
        assert [line for line, longest in words if line > max(80, longest + 12)] == []


def test_the_description_says_what_the_numbers_are(tiny: Dataset) -> None:
    found, shown = describe(tiny), pages(tiny, 80)[0]
    for text in (
        f"{found['users']:,}, with",
        f"Gini {found['popularity']['gini']:.2f}",
        "leave-one-out; leakage safe; items of the history are not ranked in\n",
        f"data {tiny.digest[:12]}, candidates {tiny.candidates_digest[:12]}",
        "positions, no clock" if found["times"]["unit"] is None else "since 1970, UTC",
        "analyser: english",
    ):
        assert text in shown
    for part, tasks in found["requests"].items():
        for task, each in tasks.items():
            assert re.search(rf"│ {part} +│ {task} +│ {each['requests']:,} ", shown)


def test_a_chinese_shop_is_told_its_analyser_scripts_and_letters(shop: Dataset) -> None:
    shown = pages(shop, 80)[0]
    assert "analyser: bigrams" in shown
    assert re.search(r"letters of items:\s+Latin [\d.]+%, Han [\d.]+%", shown)
    assert "2024-0" in shown
    han = replace(shop, queries=replace(shop.queries, texts=["登山鞋"] * len(shop.queries)))
    titles = [each.title for each in histograms(describe(han))]
    assert "Searches by the letters of their query" in titles
    assert "Searches by the words of their query" not in titles


def test_each_check_has_a_verdict_and_a_leak_is_told_aloud(tiny: Dataset) -> None:
    report = audit(tiny)
    row = replace(report.rows[0], twins_in_history=7, later_in_history=2)
    leaking = replace(report, ok=False, rows=(row, *report.rows[1:]), problems=("a", "b"))
    verdicts = {check.name: check for check in checks(leaking)}
    which = f"{row.part} {row.task}"
    assert verdicts["twins_in_history"].verdict == "leak"
    assert verdicts["twins_in_history"].counts == {which: 7}
    assert verdicts["later_in_history"].verdict == "fault"
    assert verdicts["pairs_in_training"].verdict == "ok"
    shown = page(audit_page(leaking, {}), 80, "utf-8")
    assert f"LEAK   {which}: 7 of {row.requests} requests have a twin of their target" in shown
    assert "FAULT" in shown and "not clean: 2 problems" in shown
    paper = replace(leaking, leakage="paper", ok=True, problems=())
    assert {c.name: c for c in checks(paper)}["twins_in_history"].verdict == "allowed"
    assert "it leaks as leakage: paper has it" in page(audit_page(paper, {}), 80, "utf-8")


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_a_picture_is_the_same_twice(tmp_path: Path, suffix: str, start: bytes) -> None:
    drawn = []
    for name in ("one", "two"):
        file = tmp_path / f"{name}.{suffix}"
        draw("商店", [Chart("some", [("1", 3), ("2-3", 1)])], Target.at("--picture", file))
        drawn.append(file.read_bytes())
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith(start)


def test_a_picture_has_the_histograms_and_is_harmless(command: Command, tmp_path: Path) -> None:
    file, hostile = tmp_path / "drawn.svg", write_hostile(tmp_path / "hostile", name="h")
    done = command("data", "describe", hostile, "--picture", file, "--json")
    assert done.status == 0, done.err
    assert done.json["name"] == "h"
    assert "Glyph" not in done.err
    texts = {"".join(each.itertext()) for each in ElementTree.fromstring(file.read_text()).iter()}
    assert {"h", "Searches by the words of their query"} <= texts


@pytest.mark.parametrize(
    "arguments",
    [
        ("--picture", "x.pdf"),
        ("--picture", "no/x.svg"),
        ("--dataset", "ml-100k"),
    ],
)
def test_what_is_wrong_is_one_line(
    command: Command, tiny_folder: Path, arguments: tuple[str, ...]
) -> None:
    assert_refused(command("data", "describe", tiny_folder, *arguments))


@pytest.mark.parametrize("what", ["prepare", "describe", "audit"])
def test_a_data_set_is_named_either_way(command: Command, tiny_folder: Path, what: str) -> None:
    assert_refused(command("data", what))
    by_option = command("data", what, "--dataset", tiny_folder, "--json")
    assert by_option.status == 0
    assert by_option.json == command("data", what, tiny_folder, "--json").json


def test_in_a_terminal_notes_are_told_once(
    command: Command, shop_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = "takes pairs of them for words (analyser: bigrams)"
    piped = command("data", "describe", shop_folder)
    assert note in " ".join(piped.out.split())
    assert note in piped.err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = command("data", "describe", shop_folder)
    assert note in " ".join(shown.out.split())
    assert note not in shown.err


def test_headings_stand_apart() -> None:
    assert page([Heading("a"), Entry("", "b"), Heading("c")], 80, "utf-8") == "a\nb\n\nc\n"
