from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.locks import lock_file
from tests.results.records import record

from .conftest import Command, assert_refused


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    run = record(tmp_path / "results", "m", {("rec", "full"): [1, 2]})
    file = lock_file(run.folder)
    file.write_text("{}")
    return file


def test_clean_lists_first_and_removes_if_told(command: Command, stale: Path) -> None:
    listed = command("clean")
    assert listed.status == 0 and stale.exists()
    assert stale.name in listed.out
    assert "--yes removes" in listed.err
    (row,) = command("clean", "--json").json
    assert (row["path"], row["bytes"], row["removed"]) == (f"results/{_below(stale)}", 2, False)
    (row,) = command("clean", "--yes", "--json").json
    assert row["removed"] and not stale.exists()
    assert command("clean", "--json").json == []


def _below(file: Path) -> str:
    return "/".join(file.parts[-4:])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--results", "nowhere"],
        ["--older-than", "nan"],
        ["--older-than", "-1"],
        ["--cache-limit", "nan"],
    ],
)
def test_bad_usage_of_clean_is_refused(command: Command, stale: Path, arguments: list[str]) -> None:
    assert_refused(command("clean", "--yes", *arguments))
    assert stale.exists()


def test_a_cache_without_limit_is_no_error(command: Command, stale: Path) -> None:
    assert command("clean", "--cache-limit", "inf").status == 0
