from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from baselines.popularity import Popularity
from benchmark.registry import ModelEntry
from benchmark.results.scan import scan_runs
from benchmark.settings import setting
from gensar import build_identifiers
from gensar.settings import ABLATIONS
from tests.gensar.support import SMALL, without_text_encoder

from .conftest import Command, assert_refused


@dataclass(frozen=True)
class PartedSettings:
    first: bool = setting(True, "a part")
    second: int = setting(3, "another")
    size: int = setting(1, "no part")


class Parted(Popularity):
    Settings = PartedSettings
    ablations: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "without first": {"first": False},
        "without second": {"second": 0},
    }


@pytest.fixture
def parted(command: Command, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run model ``parted`` on the tiny data set."""
    entry = ModelEntry("parted", ("rec", "search"), "external", "", f"{__name__}:Parted")
    monkeypatch.setattr("benchmark.registry.find", lambda name: entry)

    def call(*arguments: object) -> Any:
        return command("run", "--model", "parted", "--dataset", tiny_folder, *arguments)

    return call


def test_the_full_model_each_ablation_and_each_task_are_runs(
    parted: Command, tmp_path: Path
) -> None:
    done = parted("--ablations", "--seeds", "1,2", "--set", "size=5")
    assert done.status == 0
    found = {}
    for run in scan_runs(tmp_path / "results", pytest.fail):
        part = run.info["ablation"]
        key = part["name"] if part else "+".join(run.info["tasks"])
        found[key, run.info["seed"]] = (run.info["settings"], part and part["full"])
    full = {"first": True, "second": 3, "size": 5}
    expected = {
        "rec+search": (full, None),
        "rec": (full, None),
        "search": (full, None),
        "without first": ({**full, "first": False}, {"first": True}),
        "without second": ({**full, "second": 0}, {"second": 3}),
    }
    assert found == {(name, seed): run for name, run in expected.items() for seed in (1, 2)}
    assert "parted (without first)" in done.out


def test_each_is_asked_once_whether_it_can_run(
    parted: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        Parted, "check", lambda self, train, tasks: asked.append((self.settings, tasks))
    )
    parted("--ablations")
    assert len(asked) == len(set(asked)) == 5


def test_a_single_task_has_no_task_left_to_take_away(parted: Command, tmp_path: Path) -> None:
    parted("--ablations", "--tasks", "rec")
    runs = list(scan_runs(tmp_path / "results", pytest.fail))
    assert len(runs) == 3
    assert all(run.info["tasks"] == ["rec"] for run in runs)


def test_a_run_of_the_same_settings_that_is_no_ablation_is_another_run(
    parted: Command, tmp_path: Path
) -> None:
    parted("--set", "first=false")
    parted("--ablations")
    again = parted("--ablations", "--json").json
    assert all(row["reused"] for row in again)
    assert len(list(scan_runs(tmp_path / "results", pytest.fail))) == 6


def test_a_model_without_ablations_is_refused_in_one_line(
    popularity: Command, tmp_path: Path
) -> None:
    done = popularity("--ablations")
    assert_refused(done)
    assert "--ablations: model popularity offers none" in done.err
    assert not (tmp_path / "results").exists()


def test_a_setting_that_an_ablation_changes_cannot_be_set_as_well(parted: Command) -> None:
    done = parted("--ablations", "--set", "parted.second=4")
    assert_refused(done)
    assert "--set second" in done.err


@pytest.fixture
def small_gensar(command: Command, tiny_folder: Path) -> Command:
    """Run a small GenSAR on the tiny data set."""
    small = {**SMALL, "rqvae_epochs": 1, "epochs": 1, "rqvae_hidden": "16"}
    assignments = [part for k, v in small.items() for part in ("--set", f"{k}={v}")]
    asked = ("--model", "gensar", "--dataset", tiny_folder, "--preset", "quick", *assignments)

    def call(*arguments: object) -> Any:
        with without_text_encoder():
            return command("run", *asked, "--protocol", "full", "--json", *arguments)

    return call


def test_gensar_is_run_without_each_of_its_parts_and_shown(
    command: Command, small_gensar: Command
) -> None:
    done = small_gensar("--ablations")
    assert done.status == 0, done.err
    assert len(done.json) == 1 + len(ABLATIONS) + 2
    board = command("leaderboard", "--dataset", "tiny", "--format", "json").json
    (table,) = board["ablations"]
    assert {part["name"] for part in table["parts"]} == {*ABLATIONS, "rec only", "search only"}
    for part in table["parts"]:
        for task in ("rec", "search"):
            asked_too = part["name"] not in ({"rec only", "search only"} - {f"{task} only"})
            assert (part[task]["value"] is not None) == asked_too
    assert {row["model"] for shown in board["tables"] for row in shown["rows"]} == {
        "gensar (joint)",
        "gensar (rec only)",
        "gensar (search only)",
    }


def test_what_ablations_have_in_common_is_made_once_and_changes_nothing(
    small_gensar: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[object] = []

    def counted(*arguments: Any) -> None:
        trained.append(arguments)
        right(*arguments)

    right = build_identifiers._train
    monkeypatch.setattr(build_identifiers, "_train", counted)
    small_gensar("--ablations")
    # Whole; semantic, collaborative, separate, fused identifiers; search alone, whose SASRec is not
    # stopped by a validation of recommendation.
    assert len(trained) == 6
    assert not list((tmp_path / "results" / "checkpoints").glob("common-*"))
    alone = {
        "rec+search": small_gensar("--results", tmp_path / "a"),
        "search": small_gensar("--results", tmp_path / "b", "--tasks", "search"),
        "one fused identifier": small_gensar(
            "--results", tmp_path / "c", "--set", "identifiers=fused"
        ),
    }
    together = {
        (run.info["ablation"] or {"name": "+".join(run.info["tasks"])})["name"]: run
        for run in scan_runs(tmp_path / "results", pytest.fail)
    }
    for (name, done), results in zip(alone.items(), "abc", strict=True):
        (row,) = done.json
        assert not row["reused"]
        (single,) = scan_runs(tmp_path / results, pytest.fail)
        for file in ("requests.parquet", "model.safetensors"):
            expected = (single.folder / file).read_bytes()
            assert (together[name].folder / file).read_bytes() == expected, (name, file)
