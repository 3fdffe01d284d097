"""Folders in published layouts go through the commands like any other data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from benchmark.data.locate import cards_folder
from tests.data.generated import jdsearch, kuaisearch, qilin
from tests.data.generated.lastfm import write_hypersar, write_lastfm
from tests.data.generated.movielens import write_movielens

from .conftest import Command, assert_refused


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


def write_jdsearch(folder: Path, users: int, seed: int) -> dict:
    mall = jdsearch.Mall(users, 300, 15 * users, candidates=20, seed=seed)
    files = jdsearch.write_jdsearch(folder, mall)
    return of_published_card("jdsearch", {what: {"name": name} for what, name in files.items()})


WRITERS: dict[str, Callable[..., dict]] = {
    "lastfm": write_lastfm,
    "lastfm-hypersar": write_hypersar,
    "movielens": write_movielens,
    "qilin": write_qilin,
    "kuaisearch": write_kuaisearch,
    "jdsearch": write_jdsearch,
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


SPOILT: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "qilin": ("search_test", lambda raw: raw[: len(raw) // 2], "is no Parquet file, or is damaged"),
    "kuaisearch": (
        "recall",
        lambda raw: raw.replace(b"]", b"", 1),
        "recall.jsonl:1: the line is",
    ),
    "jdsearch": ("log", lambda raw: raw.replace(b"\t", b","), "release_data.txt:1: "),
}


@pytest.mark.parametrize("name", sorted(SPOILT))
def test_a_spoilt_file_ends_in_one_line_and_status_2_and_leaves_nothing(
    name: str, command: Command, tmp_path: Path
) -> None:
    folder, (what, change, message) = tmp_path / "data", SPOILT[name]
    card = WRITERS[name](folder, users=8, seed=3)
    (folder / "card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    file = folder / card["files"][what]["name"]
    file.write_bytes(change(file.read_bytes()))
    before = sorted(folder.rglob("*"))
    done = command("data", "prepare", folder)
    assert_refused(done)
    assert message in done.err
    assert sorted(folder.rglob("*")) == before
    assert not [*tmp_path.rglob("manifest.json")]
