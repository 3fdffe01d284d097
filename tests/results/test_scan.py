"""Reading all runs of a folder, some of which cannot be read or contradict the others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from benchmark.analysis.leaderboard import boards
from benchmark.results.scan import scan_runs
from benchmark.results.table import RunTables
from tests.results.records import record, tables, written
from tests.results.signing import change_info, change_shared

ASKED = {("rec", "full"): [3, 0, 40]}


def _loop(place: Path) -> None:
    place.symlink_to(place)


ODD: dict[str, Callable[[Path], None]] = {
    "a file": Path.touch,
    "a dangling link": lambda place: place.symlink_to("nowhere"),
    "a loop of links": _loop,
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("level", ["runs", "toy", "m", "standard-s1-odd"])
def test_what_is_no_folder_does_not_vanish_without_a_word(
    tmp_path: Path, kind: str, level: str
) -> None:
    good = record(tmp_path, "good", ASKED)
    place = {
        "runs": tmp_path / "other" / "runs",
        "toy": tmp_path / "runs" / "odd",
        "m": tmp_path / "runs" / "toy" / "odd",
        "standard-s1-odd": good.folder.with_name("standard-s1-odd"),
    }[level]
    place.parent.mkdir(exist_ok=True)
    ODD[kind](place)
    told: list[str] = []
    results = tmp_path / "other" if level == "runs" else tmp_path
    found = list(scan_runs(results, told.append))
    assert found == ([] if level == "runs" else [good])
    assert len(told) == 1 and told[0].startswith(f"left out: {place}: ")


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_a_folder_that_may_not_be_read_does_not_vanish_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    """As a superuser may read everything, the system's answer is feigned."""
    good, hidden = (record(tmp_path, name, ASKED, dataset=name) for name in ("good", "hidden"))
    barred = [tmp_path / "runs", *list(reversed(hidden.folder.parents))[-2:], hidden.folder][depth]
    listing, opening = Path.iterdir, os.open

    def refuse(path: Path) -> None:
        if path == barred or barred in path.parents:
            raise PermissionError(13, "Permission denied", str(path))

    def iterdir(self: Path) -> Iterator[Path]:
        refuse(self)
        return listing(self)

    def open_(path: Path, flags: int) -> int:
        refuse(path)
        return opening(path, flags)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    monkeypatch.setattr(os, "open", open_)
    told: list[str] = []
    assert list(scan_runs(tmp_path, told.append)) == ([] if depth == 0 else [good])
    assert len(told) == 1
    assert told[0].startswith(f"left out: {barred}: ") and "Permission denied" in told[0]


def test_a_name_that_is_no_text_is_told_as_text(tmp_path: Path) -> None:
    good = record(tmp_path, "good", ASKED)
    place = os.fsencode(good.folder.parent.parent) + b"/b\xff\x1b[31m"
    shutil.copytree(good.folder.parent, os.fsdecode(place))
    told: list[str] = []
    assert list(scan_runs(tmp_path, told.append)) == [good]
    assert len(told) == 1 and r"b\udcff\x1b[31m" in told[0]
    told[0].encode()


def test_a_copied_folder_counts_once(tmp_path: Path) -> None:
    """A copy beside the first would be taken for further runs."""
    good = record(tmp_path, "good", ASKED)
    for place in (good.folder, good.folder.parent, good.folder.parent.parent):
        shutil.copytree(place, place.with_name("copied"))
    told: list[str] = []
    assert list(scan_runs(tmp_path, told.append)) == [good]
    assert len(told) == 2**3 - 1 and all("lies in the folder copied" in line for line in told)


def test_of_runs_that_contradict_each_other_the_few_are_left_out(tmp_path: Path) -> None:
    runs = [record(tmp_path, name, ASKED) for name in ("b", "c")]
    odd = {
        "split": record(tmp_path, "a", ASKED, split="temporal"),
        "seen": record(tmp_path, "d", ASKED, seen="keep"),
        "requests": record(tmp_path, "e", ASKED, users=[8, 9, 9]),
        "candidates": record(tmp_path, "f", ASKED, candidates_of=[101, 101, 101]),
    }
    told: list[str] = []
    assert list(scan_runs(tmp_path, told.append)) == runs
    assert len(told) == len(odd)
    for run, line in zip(odd.values(), told, strict=True):
        assert line.startswith(f"left out: {run.folder}: ")
        assert line.endswith(f"than 2 runs on the same data: {runs[0].folder}")
    assert "has another split" in told[0] and "was asked other requests" in told[2]
    (board,) = boards(scan_runs(tmp_path, told.append))
    assert {row.entry.label for row in board.tables[0].rows} == {"b", "c"}


def test_runs_that_were_asked_less_contradict_nobody(tmp_path: Path) -> None:
    whole = tables({**ASKED, ("search", "full"): [1, 2]})
    part = tables(ASKED)
    runs = [
        written(tmp_path, "a", whole),
        written(tmp_path, "b", part),
        written(tmp_path, "c", RunTables(whole.shared, part.counts, None)),
        written(tmp_path, "d", tables({("search", "full"): [5, 6]})),
    ]
    assert list(scan_runs(tmp_path, pytest.fail)) == runs


def test_the_odd_one_of_a_pair_is_named_and_not_the_other(tmp_path: Path) -> None:
    """Three seeds on a table, and a record whose own table says something else."""
    good = [record(tmp_path, "m", ASKED, seed=seed) for seed in (1, 2, 3)]
    bad = record(tmp_path, "a", ASKED)
    shared = bad.tables().shared
    place = shared.schema.get_field_index("user")
    change_shared(
        bad.folder,
        shared.set_column(place, shared.schema.field("user"), pa.array([7, 7, 7], pa.int32())),
    )
    told: list[str] = []
    assert list(scan_runs(tmp_path, told.append)) == good
    assert len(told) == 1 and told[0].startswith(f"left out: {bad.folder}: was asked other")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"seed": 2}, "run is not of this preset and seed"),
        ({"preset": "quick"}, "run is not of this preset and seed"),
        ({"tasks": ["search"]}, "metrics has a task that tasks has not"),
        ({"protocols": ["given"]}, "metrics has a protocol that protocols has not"),
        ({"changed": {"width": 3}}, "changed has a value that settings has not"),
        ({"ablation": {"name": "x", "full": {"a": 1}}}, "ablation.full has a setting"),
        ({"parameters": None}, "parameters: Input should be a valid integer"),
        ({"run": "../../../../precious"}, "run: is no name"),
        ({"model": "../x"}, "model: is no name"),
        ({"dataset": "./results"}, "dataset: is no name"),
        ({"finished": "yesterday"}, "finished: "),
        ({"place": 3}, "place: "),
    ],
)
def test_a_record_agrees_with_itself(
    tmp_path: Path, changes: dict[str, object], fault: str
) -> None:
    good, bad = record(tmp_path, "good", ASKED), record(tmp_path, "bad", ASKED)
    change_info(bad.folder, **changes)
    told: list[str] = []
    assert list(scan_runs(tmp_path, told.append)) == [good]
    assert len(told) == 1
    assert told[0].startswith(f"left out: {bad.folder}: run.json: {fault}")
