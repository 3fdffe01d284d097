from __future__ import annotations

import hashlib
import json
import mmap
import multiprocessing
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmark.data import prepare as prepare_module
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.text_column import TextColumn
from tests.data.conftest import MakeFolder

from .test_card import ITEMS, card_in, rows
from .test_grades import graded

QUERIES = {"share": 0.5, "known-item": {"share": 1.0, "fields": ["title", "brand"]}}


@pytest.fixture
def folder(make_folder: MakeFolder) -> Path:
    files = {"inter": {"name": "ml.inter"}, "item": {"name": "ml.item"}}
    return card_in(make_folder(rows(8, 9), ITEMS), files=files, queries=QUERIES)


def entry(cache: Path) -> Path:
    (found,) = (cache / "data").iterdir()
    return found


def equal(one: Any, two: Any) -> None:
    """Check that two records hold the same arrays, types included."""
    for field in fields(one):
        mine, other = getattr(one, field.name), getattr(two, field.name)
        assert mine.dtype == other.dtype
        assert mine.tolist() == other.tolist()


def same(a: Dataset, b: Dataset) -> None:
    assert (a.digest, a.candidates_digest) == (b.digest, b.candidates_digest)
    assert (a.items, a.queries, a.about) == (b.items, b.queries, b.about)
    assert a.train.queries == b.train.queries
    equal(a.log, b.log)
    equal(a.train.log, b.train.log)
    assert list(a.evaluation) == list(b.evaluation)
    for key, mine in a.evaluation.items():
        other = b.evaluation[key]
        equal(mine.relevant, other.relevant)
        assert list(mine.lists) == list(other.lists)
        for protocol, lists in mine.lists.items():
            equal(lists, other.lists[protocol])
        assert mine.repeated == other.repeated
        assert (mine.requests.history(5).item == other.requests.history(5).item).all()
        for one, two in zip(mine.requests.seen(), other.requests.seen(), strict=True):
            assert one.tolist() == two.tolist()


def test_second_load_comes_from_the_cache_and_is_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_dataset(folder)
    monkeypatch.setattr(prepare_module, "prepare", lambda *_: pytest.fail("prepared again"))
    same(first, load_dataset(folder))


@pytest.mark.parametrize("seen", ["exclude", "keep"])
def test_sessions_grades_and_given_lists_come_back_from_the_cache(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, seen: str
) -> None:
    folder = graded(make_folder)
    first = load_dataset(folder, seen=seen)
    monkeypatch.setattr(prepare_module, "prepare", lambda *_: pytest.fail("prepared again"))
    search = first.evaluation["test", Task.SEARCH]
    assert set(search.lists) == {"sampled", "given"}
    assert set(search.relevant.gain.tolist()) == {1.0, 3.0}
    same(first, load_dataset(folder, seen=seen))


@pytest.mark.parametrize(
    "name", ["log.item.npy", "test.search.sampled.items.npy", "items.arrow", "manifest.json"]
)
@pytest.mark.parametrize("damage", ["byte", "cut", "gone", "empty"])
def test_damaged_cache_is_told_and_rebuilt(
    folder: Path, own_cache: Path, name: str, damage: str
) -> None:
    first = load_dataset(folder)
    path = entry(own_cache) / name
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "byte":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    told: list[str] = []
    same(first, load_dataset(folder, notify=told.append))
    assert any("damaged" in line and "preparing it anew" in line for line in told)
    assert path.read_bytes() == whole
    told.clear()
    load_dataset(folder, notify=told.append)
    assert not any("damaged" in line for line in told)


def test_nothing_in_the_cache_is_pickled(folder: Path, own_cache: Path) -> None:
    load_dataset(folder)
    kinds = {".npy": 0, ".arrow": 0, ".json": 0}
    for file in entry(own_cache).iterdir():
        kinds[file.suffix] += 1
        if file.suffix == ".npy":
            assert np.load(file, allow_pickle=False).dtype != object
        elif file.suffix == ".arrow":
            assert set(pa.ipc.open_file(file).schema.types) <= {pa.large_string()}
    assert all(kinds.values())


def test_an_opened_data_set_lies_in_its_files_and_leaves_them_as_they_are(
    folder: Path, own_cache: Path
) -> None:
    load_dataset(folder)
    files = {file: file.read_bytes() for file in entry(own_cache).iterdir()}
    before = pa.total_allocated_bytes()
    found = load_dataset(folder)
    texts = TextColumn(found.train.queries.texts)
    assert pa.total_allocated_bytes() - before <= texts.array.get_total_buffer_size() + 256
    for column in (found.log.item, found.log.time):
        base = column
        while not isinstance(base, mmap.mmap):
            base = base.base  # type: ignore[assignment]
        column[:1] += 1
    assert {file: file.read_bytes() for file in files} == files


def test_an_entry_of_another_layout_is_made_anew_without_a_word(
    folder: Path, own_cache: Path
) -> None:
    first = load_dataset(folder)
    manifest = entry(own_cache) / "manifest.json"
    whole = json.loads(manifest.read_text())
    del whole["checksum"], whole["layout"]
    text = json.dumps(whole, sort_keys=True).encode()
    manifest.write_text(json.dumps({**whole, "checksum": hashlib.sha256(text).hexdigest()}))
    told: list[str] = []
    same(first, load_dataset(folder, notify=told.append))
    assert not any("damaged" in line for line in told)
    assert json.loads(manifest.read_text())["layout"] == 2


def test_changed_file_or_card_is_another_entry(folder: Path, own_cache: Path) -> None:
    load_dataset(folder)
    with (folder / "ml.inter").open("a") as file:
        file.write("u0\ti0\t99\n")
    load_dataset(folder)
    files = {"inter": {"name": "ml.inter"}, "item": {"name": "ml.item"}}
    load_dataset(card_in(folder, files=files, queries={**QUERIES, "seed": 2}))
    assert len(list((own_cache / "data").iterdir())) == 3


def test_unwritable_cache_is_told_and_no_hindrance(folder: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    told: list[str] = []
    assert len(load_dataset(folder, cache=blocked, notify=told.append).log) == 72
    assert any("not cached" in line for line in told)


def _load(folder: str, cache: str) -> str:
    return load_dataset(folder, cache=Path(cache)).digest


def test_processes_preparing_at_once_do_not_harm_each_other(folder: Path, own_cache: Path) -> None:
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    with context.Pool(4) as pool:
        digests = pool.starmap(_load, [(str(folder), str(own_cache))] * 8)
    assert len(set(digests)) == 1
    assert not entry(own_cache).name.startswith("."), "no draft is left behind"
    told: list[str] = []
    load_dataset(folder, notify=told.append)
    assert not any("damaged" in line for line in told)


def test_given_folder_wins_over_the_environment(folder: Path, tmp_path: Path) -> None:
    load_dataset(folder, cache=tmp_path / "chosen")
    assert entry(tmp_path / "chosen").is_dir()
