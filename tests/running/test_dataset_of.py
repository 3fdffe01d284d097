"""A stored run finds its data again, or says how to name them; a record never says where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.data.load import load_dataset
from benchmark.data.places import place_of, remember
from benchmark.errors import InputError
from benchmark.results.record import RunRecord
from benchmark.running.dataset_of import dataset_of
from tests.results.records import record
from tests.running.test_runner import run as make_run
from tests.support import write_tiny


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "data" / "tiny")


@pytest.fixture
def run(cache: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRecord:
    """A run on a folder that was named by a relative path."""
    monkeypatch.chdir(folder.parent)
    data = load_dataset("./tiny")
    monkeypatch.chdir(tmp_path)
    return make_run(data, tmp_path / "results").record


def test_a_run_knows_where_its_data_lay(run: RunRecord, folder: Path) -> None:
    assert dataset_of(run).digest == run.info["dataset_digest"]
    assert str(folder) not in (run.folder / "run.json").read_text(encoding="utf-8")


def test_data_that_moved_are_named_by_the_option(run: RunRecord, folder: Path) -> None:
    moved = folder.parent / "elsewhere" / "tiny"
    moved.parent.mkdir()
    folder.rename(moved)
    with pytest.raises(InputError, match=r"lay in .*tiny, which is gone; name .* by --dataset"):
        dataset_of(run)
    assert dataset_of(run, str(moved)).digest == run.info["dataset_digest"]
    assert dataset_of(run).digest == run.info["dataset_digest"], "where they lie is known again"


def test_data_that_changed_are_refused(run: RunRecord, folder: Path) -> None:
    rows = (folder / "tiny.inter").read_text(encoding="utf-8")
    (folder / "tiny.inter").write_text(rows + "u0\ti1\t5000\t\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"are not those of .* by --dataset"):
        dataset_of(run)


def test_a_record_from_elsewhere_names_no_folder(
    cache: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    for name in ("tiny", str(folder), "./tiny", "../data/tiny"):
        run = record(tmp_path, "m", {("rec", "full"): [0]})
        run.info["dataset"] = name
        with pytest.raises(InputError, match="was never loaded here; name its folder by --dataset"):
            dataset_of(run)


def test_a_digest_from_elsewhere_leads_nowhere(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "evil.json").write_text(json.dumps({"folder": str(tmp_path)}))
    for digest in ("../../evil", "../evil", "", ".", "a/b"):
        with pytest.raises(InputError):
            place_of(cache, digest)


def test_what_is_remembered_may_be_damaged(cache: Path, folder: Path) -> None:
    data = load_dataset(folder)
    (file,) = (cache / "places").iterdir()
    for content in (b"", b"{", b"[]", b"{}", b'{"folder": 1}', b"\xff"):
        file.write_bytes(content)
        assert place_of(cache, data.digest) is None
        remember(cache, data.digest, folder)
        assert place_of(cache, data.digest) == folder


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").touch()
    remember(tmp_path / "file", "d" * 64, folder)
    assert place_of(tmp_path / "file", "d" * 64) is None
