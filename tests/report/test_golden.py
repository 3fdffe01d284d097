"""The written forms of a study, word for word, whatever the order of its runs on disk.

After a change that is meant, write the files anew with ``python -m tests.report.test_golden`` and
read the difference.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.report.html import to_html
from benchmark.report.json import to_document
from benchmark.report.latex import to_latex
from benchmark.report.markdown import to_markdown
from benchmark.results.scan import scan_runs
from tests.report.study import plans, write

GOLDEN = Path(__file__).parent / "golden"


def to_json(found: list[Leaderboard]) -> str:
    return json.dumps(to_document(found), indent=1, ensure_ascii=False) + "\n"


FORMS: dict[str, Callable[[list[Leaderboard]], str]] = {
    "board.md": to_markdown,
    "board.tex": to_latex,
    "board.json": to_json,
}


def read_boards(results: Path) -> list[Leaderboard]:
    return boards(scan_runs(results, pytest.fail))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Leaderboard]:
    results = tmp_path_factory.mktemp("study")
    write(results)
    return read_boards(results)


@pytest.mark.parametrize("name", ["board.md", "board.tex"])
def test_text_is_as_expected(study: list[Leaderboard], name: str) -> None:
    assert FORMS[name](study) == (GOLDEN / name).read_text(encoding="utf-8")


def test_json_is_as_expected(study: list[Leaderboard]) -> None:
    expected = _leaves(json.loads((GOLDEN / "board.json").read_text(encoding="utf-8")))
    found = _leaves(json.loads(to_json(study)))
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        # The last digits of intervals hang on the machine.
        wanted = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
        assert found[path] == wanted, path


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return {n: v for key, part in inner for n, v in _leaves(part, f"{path}/{key}").items()}
    return {path: value}


@settings(max_examples=3, deadline=None)
@given(st.permutations(range(len(plans()))))
def test_a_shuffled_order_of_runs_on_disk_changes_no_byte(
    study: list[Leaderboard], tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    results = tmp_path_factory.mktemp("shuffled")
    write(results, order)
    again = read_boards(results)
    for form in (*FORMS.values(), to_html):
        assert form(again) == form(study)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        for file, form in FORMS.items():
            (GOLDEN / file).write_text(form(read_boards(Path(folder))), encoding="utf-8")
