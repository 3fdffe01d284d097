"""The HTML report as text."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.registry import ModelEntry
from benchmark.report.forest_list import forest_lists
from benchmark.report.html import to_html
from benchmark.report.json import to_document
from benchmark.report.markdown import to_markdown
from benchmark.report.model_grid import address_of, model_grids
from benchmark.report.notes import notes
from benchmark.results.record import RunRecord
from benchmark.results.scan import scan_runs
from tests.report.reader import Reader
from tests.report.study import FOREIGN, FULL, SEARCH
from tests.results.records import record

SVG = "http://www.w3.org/2000/svg"


def test_every_table_of_the_markdown_is_in_the_page(made: list[Leaderboard], text: str) -> None:
    rendered = Reader(MarkdownIt("gfm-like", {"linkify": False}).render(to_markdown(made)))
    assert len(rendered.all_tables) > 6
    shown = Reader(text).tables
    for title, table in zip(rendered.texts["h3"], rendered.all_tables, strict=True):
        assert [[cell.replace("tier ", "") for cell in row] for row in shown[title]] == table


def test_the_forest_shows_the_intervals_of_the_main_tables(made: list[Leaderboard]) -> None:
    for board in made:
        for task, figure in zip(("rec", "search"), forest_lists(board), strict=True):
            rows = [row for row in board.whole(task).values() if row.mean is not None]
            widest = max(row.high if row.high is not None else row.mean or 0.0 for row in rows)
            lines = re.findall(r'class="interval" x1="([\d.]+)" x2="([\d.]+)"', figure)
            assert len(lines) == len(rows)
            for row, ends in zip(rows, lines, strict=True):
                low, high = (float(end) * widest / 100 for end in ends)
                assert low == pytest.approx(row.mean if row.low is None else row.low, abs=1e-4)
                assert high == pytest.approx(row.mean if row.high is None else row.high, abs=1e-4)
            assert figure.count("class=top") == sum(row.top for row in rows)


def test_pairs_and_intervals_are_in_the_page(made: list[Leaderboard], text: str) -> None:
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
    reach = {row[0]: row[1] for row in shown["NDCG@10 (whole catalogue) with 95% intervals"]}
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


def test_foreign_names_are_text(text: str, made: list[Leaderboard]) -> None:
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
    (same,) = rows
    for shown, row in zip(data["tables"]["rec"], same, strict=True):
        assert shown == {
            name: pytest.approx(value, rel=1e-6) if isinstance(value, float) else value
            for name, value in row.items()
        }
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
    run = record(tmp_path, "m", {FULL: [0, 1]})
    found = boards(replace(run, info={**run.info, "dataset": name}) for name in ("zoo", "a<b"))
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


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        ("Shi et al. 2025, arXiv 2504.05730", "https://arxiv.org/abs/2504.05730"),
        ("A 2009, doi 10.1561/1500000019; B 2024", "https://doi.org/10.1561/1500000019"),
        ("B 2019, doi:10.1145/1.2, arXiv:1908.10084", "https://doi.org/10.1145/1.2"),
        ("arXiv 1908.1008x; isarXiv 1908.10084", ""),
        ("Steck 2019", ""),
    ],
)
def test_a_paper_is_found_by_its_number(reference: str, address: str) -> None:
    assert address_of(ModelEntry("m", ("rec",), "baseline", "", "a:B", reference)) == address


def test_models_lead_to_their_papers_and_pages(tmp_path: Path) -> None:
    for model in ("sasrec", "recbole:NARM", "nobodys"):
        record(tmp_path, model, {FULL: [0, 1]})
    (board,) = boards(scan_runs(tmp_path, pytest.fail))
    (grid,) = model_grids(board, "models/")
    links = {row[0].text: (row[0].link, row[-1].link) for row in grid.body}
    assert links["sasrec"] == ("models/sasrec.html", "https://arxiv.org/abs/1808.09781")
    assert links["recbole:NARM"][0] == "models/recbole.html"
    assert set(links) == {"sasrec", "recbole:NARM"}
    page = to_html([board], pages="models")
    assert '<a href="models/sasrec.html">sasrec</a>' in page
    assert 'href="models' not in to_html([board])


def test_a_board_says_when_and_on_what_it_was_run(tmp_path: Path) -> None:
    machines: list[dict[str, Any]] = [
        {"device": "cpu", "cpu": "Quick <9>", "cpus": 2},
        {"device": "Card 100", "cpu": "Quick <9>", "cpus": 1},
        {"device": "external"},
    ]
    for seed, machine in enumerate(machines, 1):
        day = f"2024-03-0{seed}T00:00:00+00:00"
        record(tmp_path, "m", {FULL: [0, 1]}, seed=seed, environment=machine, finished=day)
    (board,) = boards(scan_runs(tmp_path, pytest.fail))
    said = "Run 2024-03-01 to 2024-03-03 on Quick <9>, 2 cores; Card 100 and Quick <9>, 1 core."
    assert said in notes(board)
