"""A run is found by its folder, by its id or the beginning of its digits, and by its model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.results.find_run import find_pair, find_run, named_runs, short_ids


def stored(results: Path, dataset: str, model: str, digest: str, day: int) -> Path:
    """Write what ``run.json`` says of a run's name, and return its folder."""
    folder = results / "runs" / dataset / model / f"quick-s1-{digest}"
    folder.mkdir(parents=True)
    told = {"run": folder.name, "model": model, "dataset": dataset, "preset": "quick", "seed": 1}
    when = {"finished": f"2026-01-0{day}T00:00:00+00:00", "tasks": ["rec"]}
    (folder / "run.json").write_text(json.dumps(told | when))
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [
        stored(tmp_path, "toy", "mine", "aaaa00000000", 1),
        stored(tmp_path, "toy", "mine", "aaaa10000000", 3),
        stored(tmp_path, "zoo", "mine", "bbbb00000000", 2),
    ]


def test_every_way_to_name_a_run_finds_it(folders: list[Path], tmp_path: Path) -> None:
    for folder in folders:
        for named in (str(folder), folder.name, folder.name[-12:]):
            assert find_run(named, tmp_path) == folder
    assert find_run("aaaa1", tmp_path) == folders[1]
    assert find_run("bbbb", tmp_path) == folders[2]
    assert find_run("mine", tmp_path) == folders[1]
    assert find_run("zoo/mine", tmp_path) == folders[2]


def test_short_ids_are_the_shortest_that_tell_runs_apart(
    folders: list[Path], tmp_path: Path
) -> None:
    runs = named_runs(tmp_path)
    assert [run.folder for run in runs] == [folders[1], folders[2], folders[0]]
    assert sorted(short_ids(runs).values()) == ["aaaa0", "aaaa1", "bbbb0"]
    assert sorted(short_ids(runs[:2]).values()) == ["aaaa", "bbbb"]
    for run in runs:
        assert find_run(short_ids(runs)[run.run], tmp_path) == run.folder


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("mien", "did you mean 'mine'"),
        ("ffff", "no run in"),
        ("aaaa", "2 runs are called so: quick-s1-aaaa10000000, quick-s1-aaaa00000000"),
        ("aaa", "no run in"),
        ("quick-s1-aaaa", "no run in"),
    ],
)
def test_what_names_none_or_several_is_told(
    folders: list[Path], tmp_path: Path, named: str, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        find_run(named, tmp_path)


def test_where_there_are_no_runs_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are none"):
        find_run("mine", tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"run": "a"}', '{"seed": "x"}'])
def test_what_is_no_run_is_passed_over(folders: list[Path], tmp_path: Path, content: str) -> None:
    (folders[0] / "run.json").write_text(content)
    assert {run.folder for run in named_runs(tmp_path)} == {*folders[1:]}


def test_a_folder_that_is_no_run_does_not_hide_a_model(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_run("mine", tmp_path) == folders[1]
    assert find_run("other", tmp_path) == Path("other")


def test_two_models_mean_the_runs_that_are_most_alike(tmp_path: Path) -> None:
    def made(dataset: str, model: str, seed: int, day: int, tasks: list[str]) -> Path:
        folder = stored(tmp_path, dataset, model, f"{day:012x}", day)
        told = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(told | {"seed": seed, "tasks": tasks}))
        return folder

    a = [made("toy", "a", 1, 1, ["rec", "search"]), made("toy", "a", 2, 2, ["rec", "search"])]
    b = [made("toy", "b", 1, 3, ["search"]), made("toy", "b", 2, 4, ["search"])]
    c = [made("toy", "c", 1, 5, ["rec"]), made("zoo", "c", 2, 6, ["rec", "search"])]
    newest_rec = made("toy", "a", 3, 7, ["rec"])
    assert find_pair("a", "b", tmp_path) == (a[1], b[1])
    assert find_pair("b", "a", tmp_path) == (b[1], a[1])
    assert find_pair("a", "c", tmp_path) == (a[0], c[0])
    assert find_pair(str(newest_rec), "c", tmp_path) == (newest_rec, c[0])
    assert find_pair("a", "zoo/c", tmp_path) == (a[1], c[1])
