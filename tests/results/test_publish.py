from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import InputError
from benchmark.results.publish import publish
from benchmark.results.record import read_run
from benchmark.results.scan import scan_runs
from benchmark.results.shared import unused
from tests.results.records import record

ASKED = {("rec", "full"): [0, 3, 1, 7]}
LATER = "2024-03-01T00:00:00+00:00"


def test_what_is_published_holds_counts_and_no_weights(tmp_path: Path) -> None:
    run = record(tmp_path / "results", "m", ASKED)
    assert (run.folder / "config.json").exists()
    (stored,) = publish([run], tmp_path / "kept", pytest.fail)
    assert {file.name for file in stored.folder.iterdir()} == {
        "run.json",
        "requests.parquet",
        "checksums.json",
    }
    assert stored.info == run.info
    assert stored.requests().equals(run.requests())


def test_the_newest_run_of_a_request_replaces_older_ones_and_no_others(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    other = record(kept, "m", ASKED, seed=9)
    first = record(tmp_path / "one", "m", ASKED, run="first")
    publish([first], kept, pytest.fail)
    second = record(
        tmp_path / "two", "m", ASKED, run="second", finished=LATER, settings={"new": 1}, code="1"
    )
    publish([second, first], kept, pytest.fail)
    found = {run.info["run"] for run in scan_runs(kept, pytest.fail)}
    assert found == {second.info["run"], other.info["run"]}


def test_publishing_twice_changes_nothing(tmp_path: Path) -> None:
    run = record(tmp_path / "results", "m", ASKED)
    (stored,) = publish([run], tmp_path / "kept", pytest.fail)
    before = {file.name: file.read_bytes() for file in stored.folder.iterdir()}
    publish([run, read_run(stored.folder)], tmp_path / "kept", pytest.fail)
    assert {file.name: file.read_bytes() for file in stored.folder.iterdir()} == before


def test_a_run_is_not_published_over_itself_and_other_protocols_stay(tmp_path: Path) -> None:
    run = record(tmp_path / "results", "m", ASKED)
    with pytest.raises(InputError, match="would lose its weights"):
        publish([run], tmp_path / "results", pytest.fail)
    assert (run.folder / "config.json").exists()
    given = record(tmp_path / "results", "m", {("rec", "given"): [1, 2, 0, 5]}, run="given")
    publish([run], tmp_path / "kept", pytest.fail)
    publish([given], tmp_path / "kept", pytest.fail)
    assert {r.info["run"] for r in scan_runs(tmp_path / "kept", pytest.fail)} == {
        run.info["run"],
        given.info["run"],
    }


def _shared(results: Path) -> set[str]:
    return {file.name for file in results.glob("runs/*/requests-*.parquet")}


def test_the_table_that_runs_share_goes_along_and_leaves_with_the_last_of_them(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "kept"
    first, other = (record(tmp_path / "one", "m", ASKED, seed=seed) for seed in (1, 2))
    publish([first, other], kept, pytest.fail)
    one = _shared(kept)
    assert len(one) == 1 and one == _shared(tmp_path / "one")
    anew: dict[str, Any] = {"dataset_digest": "of other data", "finished": LATER}
    changed = record(tmp_path / "two", "m", ASKED, users=[5, 5, 6, 6], run="b", **anew)
    publish([changed], kept, pytest.fail)
    assert len(_shared(kept)) == 2
    for run in scan_runs(kept, pytest.fail):
        assert len(run.requests()) == len(ASKED["rec", "full"])
    again = record(tmp_path / "two", "m", ASKED, users=[5] * 4, run="c", seed=2, **anew)
    publish([again], kept, pytest.fail)
    assert len(_shared(kept)) == 2 and not one & _shared(kept)


def test_a_run_that_cannot_be_read_keeps_its_shared_table(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    broken = record(kept, "broken", ASKED, users=[9] * 4)
    (broken.folder / "run.json").write_text("{", encoding="utf-8")
    told: list[str] = []
    publish([record(tmp_path / "one", "m", ASKED)], kept, told.append)
    assert len(told) == 1 and str(broken.folder) in told[0]
    assert len(_shared(kept)) == 2


def test_a_shared_table_stays_where_it_is_not_known_who_stands_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that may not be read, behind a link, in a folder that leads into itself."""
    run = record(tmp_path, "m", ASKED)
    dataset = run.folder.parent.parent
    assert unused(dataset) == []
    (dataset / "loop").symlink_to(dataset)
    elsewhere = tmp_path / "elsewhere"
    run.folder.rename(elsewhere)
    assert len(unused(dataset)) == 1
    run.folder.symlink_to(elsewhere)
    assert unused(dataset) == []
    run.folder.unlink()
    scandir = os.scandir

    def refuse(place: Any) -> Any:
        if Path(os.fsdecode(place)) == run.folder.parent:
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        assert unused(dataset) == []
    os.mkfifo(dataset / "m" / "checksums.json")
    assert unused(dataset) == []
