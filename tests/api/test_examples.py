"""Every example of the interface is true: those of its pages, and those of its functions.

``python -m tests.api.test_examples`` writes the notebook of the tutorial anew.
"""

from __future__ import annotations

import doctest
import json
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import benchmark.api

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL, NOTEBOOK = (ROOT / "docs" / name for name in ("tutorial.md", "tutorial.ipynb"))
MODULES = [name for _, name, _ in walk_packages(benchmark.api.__path__, "benchmark.api.")]


def notebook() -> dict[str, Any]:
    """Return the tutorial as a notebook: its text, and its examples without what they print."""
    cells: list[dict[str, Any]] = []
    for number, part in enumerate(
        re.split(r"```pycon\n(.*?)```\n", TUTORIAL.read_text("utf-8"), flags=re.S)
    ):
        code = number % 2 == 1
        lines = [line[4:] for line in part.splitlines() if line[:4] in (">>> ", "... ")]
        text = "\n".join(lines) if code else part.strip()
        if not text:
            continue
        cell = {"id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
        more = {"cell_type": "code", "execution_count": None, "outputs": []}
        cells.append(cell | (more if code else {"cell_type": "markdown"}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize("page", ["python", "tutorial"])
def test_a_page_says_what_happens(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    done = doctest.testfile(str(ROOT / "docs" / f"{page}.md"), module_relative=False)
    assert done.attempted > 15
    assert done.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_functions_do_what_they_show(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0


def test_the_notebook_is_the_tutorial() -> None:
    assert json.loads(NOTEBOOK.read_text("utf-8")) == notebook()


def test_there_are_such_examples() -> None:
    assert "benchmark.api.metrics" in MODULES
    assert doctest.testmod(import_module("benchmark.api.metrics")).attempted > 1


if __name__ == "__main__":
    NOTEBOOK.write_text(json.dumps(notebook(), indent=1, ensure_ascii=False) + "\n", "utf-8")
