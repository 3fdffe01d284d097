"""Folders in published layouts go through the commands like any other data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.data.generated.lastfm import write_hypersar, write_lastfm
from tests.data.generated.movielens import write_movielens

from .conftest import Command

WRITERS: dict[str, Callable[..., dict]] = {
    "lastfm": write_lastfm,
    "lastfm-hypersar": write_hypersar,
    "movielens": write_movielens,
}


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_folder_is_described_and_popularity_runs_on_it(
    name: str, command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    card = WRITERS[name](folder, users=40, seed=3)
    (folder / "card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    told = command("data", "describe", folder, "--json")
    assert told.status == 0, told.err
    assert min(told.json["events"].values()) > 0
    assert command("data", "audit", folder).status == 0
    run = ("run", "--model", "popularity", "--dataset", folder, "--preset", "quick", "--json")
    done = command(*run, "--results", tmp_path / "results")
    assert done.status == 0, done.err
    assert "ndcg@10" in done.out
