"""Every example of the interface is true: those of its page, and those of its functions."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import benchmark.api

ROOT = Path(__file__).resolve().parents[2]
MODULES = [name for _, name, _ in walk_packages(benchmark.api.__path__, "benchmark.api.")]


def test_the_page_says_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    done = doctest.testfile(str(ROOT / "docs" / "python.md"), module_relative=False)
    assert done.attempted > 15
    assert done.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_functions_do_what_they_show(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0


def test_there_are_such_examples() -> None:
    assert "benchmark.api.metrics" in MODULES
    assert doctest.testmod(import_module("benchmark.api.metrics")).attempted > 1
