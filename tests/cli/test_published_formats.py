"""Folders in published layouts go through the commands like any other data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from benchmark.data.locate import cards_folder
from tests.data.generated import kuaisearch, qilin
from tests.data.generated.lastfm import write_hypersar, write_lastfm
from tests.data.generated.movielens import write_movielens

from .conftest import Command


def of_published_card(name: str, files: dict) -> dict:
    """Return a card that is published, with the names of the files written."""
    text = (cards_folder() / name / "card.yaml").read_text(encoding="utf-8")
    return {**yaml.safe_load(text), "files": files, "fetch": []}


def write_qilin(folder: Path, users: int, seed: int) -> dict:
    size = qilin.Size(users, 900, 9 * users, 2 * users, 9 * users, 2 * users, 8, 8, 2)
    qilin.write_folder(folder, size, seed)
    return of_published_card("qilin", qilin.files_of(size))


def write_kuaisearch(folder: Path, users: int, seed: int) -> dict:
    kuaisearch.write_folder(folder, kuaisearch.Size(users, 300, 9 * users), seed)
    return of_published_card("kuaisearch", dict(kuaisearch.FILES))


WRITERS: dict[str, Callable[..., dict]] = {
    "lastfm": write_lastfm,
    "lastfm-hypersar": write_hypersar,
    "movielens": write_movielens,
    "qilin": write_qilin,
    "kuaisearch": write_kuaisearch,
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
