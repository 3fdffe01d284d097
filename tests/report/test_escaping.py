"""Every written form of a board shows foreign text as it is, whatever that would do elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.plain_text import plain, plain_json
from benchmark.report.html import to_html
from benchmark.report.json import to_document
from benchmark.report.latex import to_latex
from benchmark.report.markdown import END, START, between_markers, to_markdown
from benchmark.results.record import RunRecord
from tests.hostile import NAMED, control_characters, spaces
from tests.report.reader import Reader
from tests.report.study import FULL, SEARCH
from tests.results.records import record

USERS = [0, 0, 1, 1, 2, 2]
SET = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textasciigrave{}": "`",
    r"\textbar{}": "|",
    "$<$": "<",
    "$>$": ">",
    r"$\pm$": "±",
    r"$\dagger$": "†",
    r"$\ddagger$": "‡",
    **{f"{{{sign}}}": sign for sign in "[]*"},
    **{f"{sign}{{}}": sign for sign in "-',"},
    **{f"\\{sign}": sign for sign in "&%$#_{}"},
}
"""What TeX sets for what is written."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    """A model with two settings, and an ablation of it."""
    folder = tmp_path_factory.mktemp("results")
    asked = {FULL: [0, 1, 2, 3, 4, 5], SEARCH: [5, 4, 3, 2, 1, 0]}
    curve = [{"step": 1, "seconds": 1.5, "rec": 0.25}]
    kinds: list[dict[str, Any]] = [
        {"settings": {"note": "x"}},
        {"settings": {"note": "y"}, "changed": {"note": "y"}},
        {"settings": {"note": "z"}, "ablation": {"name": "none", "full": {"note": "x"}}},
    ]
    return [record(folder, "m", asked, USERS, curve=curve, **kind) for kind in kinds]


def named(runs: list[RunRecord], text: str) -> list[Leaderboard]:
    """Return the boards of the runs with ``text`` in all fields of a record that are shown."""
    fields = ("model", "dataset", "preset", "split", "leakage", "seen")
    changes = [
        {},
        {"settings": {"note": text}, "changed": {"note": text}},
        {"ablation": {"name": text, "full": {"note": "x"}}},
    ]
    return boards(
        replace(run, info={**run.info, **dict.fromkeys(fields, text), **change})
        for run, change in zip(runs, changes, strict=True)
    )


def check_markdown(made: list[Leaderboard], text: str) -> None:
    written = to_markdown(made)
    page = MarkdownIt("gfm-like", {"linkify": False}).render(written)
    reader = Reader(page)
    assert {tag for tag, _ in reader.tags} <= {
        *("h2", "h3", "p", "ul", "li", "strong", "details", "summary"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert {a for _, attributes in reader.tags for a in attributes} <= {"style"}
    shown = spaces(plain(text))
    assert [spaces(each) for each in reader.texts["h2"]] == [shown]
    names = [row[0] for table in reader.all_tables for row in table]
    assert any(spaces(name).startswith(shown) for name in names)
    assert any(spaces(f"note={plain(text)}") in spaces(name) for name in names)
    for table in reader.all_tables:
        assert len({len(row) for row in table}) == 1
    whole = f"before\n{START}\nold\n{END}\nafter\n"
    once = between_markers(whole, written, "README.md")
    assert between_markers(once, written, "README.md") == once
    assert once.endswith("\nafter\n")


def check_latex(made: list[Leaderboard], text: str) -> None:
    written = to_latex(made)
    _, *lines = written.splitlines()
    assert not any(re.search(r"(?<!\\)(?:\\\\)*%", line) for line in lines)
    commands = set(re.findall(r"\\[A-Za-z]+", "\n".join(lines)))
    assert commands <= {
        *(f"\\{name}" for name in ("begin", "end", "centering", "caption", "textbf", "mathrm")),
        *(f"\\{name}" for name in ("toprule", "midrule", "bottomrule", "pm", "dagger", "ddagger")),
        *(f"\\text{name}" for name in ("backslash", "asciitilde", "asciicircum", "asciigrave")),
        "\\textbar",
    }
    rows = [line for line in lines if line.endswith(r" \\")]
    cells = [re.split(r"(?<!\\)&", row.removesuffix(r"\\")) for row in rows]
    found = [spaces(_as_set(row[0])) for row in cells]
    assert any(name.startswith(spaces(plain(text))) for name in found)
    tables = written.split(r"\begin{table}")[1:]
    for table in tables:
        of_table = [row for row in cells if "&".join(row) in table]
        assert len({len(row) for row in of_table}) == 1


def _as_set(written: str) -> str:
    bold = re.fullmatch(r"\s*\\textbf\{(.*)\}\s*", written)
    pattern = "|".join(map(re.escape, sorted(SET, key=len, reverse=True)))
    return re.sub(pattern, lambda found: SET[found[0]], bold[1] if bold else written)


def check_html(made: list[Leaderboard], text: str) -> None:
    written = to_html(made)
    written.encode()
    reader, usual = Reader(written), Reader(to_html(made[:0]))
    assert [tag for tag, _ in reader.tags].count("script") == 2
    kept = {tag for tag, _ in usual.tags}
    assert {tag for tag, _ in reader.tags} <= kept | {
        *("section", "h2", "h3", "ul", "li", "nav", "a", "div", "details", "summary", "caption"),
        *("table", "thead", "tbody", "tr", "th", "td", "strong", "span"),
        *("figure", "figcaption", "svg", "line"),
    }
    assert not any(name.startswith("on") for _, a in reader.tags for name in a)
    assert [spaces(each) for each in reader.texts["h2"]] == [spaces(plain(text))]
    names = [row[0] for table in reader.all_tables for row in table]
    assert any(spaces(name).startswith(spaces(plain(text))) for name in names)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', written)
    labels = [curve["model"] for board in json.loads(data) for curve in board["curves"]]
    assert any(label.startswith(plain(text)) for label in labels)


def check_json(made: list[Leaderboard], text: str) -> None:
    for encoding in ("utf-8", "ascii"):
        written = plain_json(to_document(made), encoding)
        assert control_characters(written) == []
        written.encode(encoding)
        document = json.loads(written)
        assert document["dataset"] == text
        labels = [row["model"] for table in document["tables"] for row in table["rows"]]
        assert any(label.startswith(text) for label in labels)


CHECKS = {"md": check_markdown, "latex": check_latex, "html": check_html, "json": check_json}


@pytest.mark.parametrize("form", CHECKS)
@pytest.mark.parametrize("name", NAMED)
def test_a_hostile_text_is_shown_as_it_is(runs: list[RunRecord], name: str, form: str) -> None:
    CHECKS[form](named(runs, NAMED[name]), NAMED[name])


SIGNS = st.sampled_from([*"\\`*_{}[]()<>#+-.!|~^&$%=:;@/'\" ,a1é電\n\t\x1b\u202e", "www.", "://"])


@settings(max_examples=25, deadline=None)
@given(st.lists(SIGNS, min_size=1, max_size=12).map("".join).filter(str.strip))
def test_whatever_the_signs_are_they_are_shown(runs: list[RunRecord], text: str) -> None:
    made = named(runs, text)
    for check in CHECKS.values():
        check(made, text)


def test_boards_of_similar_names_have_links_of_their_own(tmp_path: Path) -> None:
    names = ("data", "Data", "数据", "电影", "data-1")
    made = boards(record(tmp_path, "m", {FULL: [0, 1]}, dataset=name) for name in names)
    reader = Reader(to_html(made))
    assert sorted(reader.texts["h2"]) == sorted(names)
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
