"""Folders of the formats ``amazon`` and ``jdsearch`` at the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.generated import amazon, jdsearch

from .conftest import Command

Maker = Callable[[Path], Path]


def shop(folder: Path) -> Path:
    """Return a folder with a card and generated Amazon reviews."""
    size = amazon.Shop(users=80, items=130, reviews=900, days=20, queries=True)
    split = {"name": "leave-one-out", "leakage": "paper", "both_before": True}
    return amazon.write_card(folder, amazon.write_amazon(folder, size), split=split)


def mall(folder: Path) -> Path:
    """Return a folder with a card and a generated JDsearch, split as it is published."""
    names = jdsearch.write_jdsearch(folder, jdsearch.Mall())
    return jdsearch.write_card(folder, names, split={"name": "official"})


@pytest.mark.parametrize("make", [shop, mall])
def test_a_folder_is_described_and_popularity_runs_on_it(
    command: Command, tmp_path: Path, make: Maker
) -> None:
    folder = make(tmp_path / "own")
    done = command("data", "describe", folder, "--json")
    assert done.status == 0
    assert done.json["events"]["all"] > 500
    run = ("run", "--model", "popularity", "--dataset", folder, "--preset", "quick")
    assert command(*run, "--results", tmp_path / "results").status == 0


def test_the_audit_counts_both_leaks_of_the_paper_and_does_not_fail(
    command: Command, tmp_path: Path
) -> None:
    done = command("data", "audit", shop(tmp_path / "own"), "--json")
    assert done.status == 0
    found = {(row["part"], row["task"]): row["twins_in_history"] for row in done.json["rows"]}
    assert found["test", "rec"] > 0
    assert found["test", "search"] > 0


@pytest.mark.parametrize(("make", "name"), [(shop, "reviews"), (mall, "release_data")])
def test_a_broken_file_is_told_in_one_line(
    command: Command, tmp_path: Path, make: Maker, name: str
) -> None:
    folder = make(tmp_path / "own")
    (file,) = folder.glob(f"{name}*.*")
    file.write_bytes(file.read_bytes()[:-30] if file.suffix == ".gz" else b"1;2;3\n")
    done = command("data", "describe", folder)
    assert done.status == 2
    assert file.name in done.err
    assert done.err.strip().count("\n") == 0
