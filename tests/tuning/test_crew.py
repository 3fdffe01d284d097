"""Searches whose trials are at work together, in other processes, or were when they were killed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.engine.in_process import InProcess
from benchmark.engine.one_by_one import OneByOne
from benchmark.errors import BenchmarkError
from benchmark.model import TrainingContext, TrainView, Validation
from benchmark.search_space import Dimension, Range
from benchmark.tuning.open_study import trials_in
from benchmark.tuning.proposing import propose
from benchmark.tuning.stored import Study, read_study
from benchmark.tuning.study import Crew, SearchOptions, tune
from benchmark.tuning.trials import Trial, write_trial
from tests.tune_kills import Killed
from tests.tuning.curved import Curved, plan_of, searched


class Faulty(Curved):
    """Fails, through no fault of its settings, but as the preset."""

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        if self.settings.knob > 0:
            raise RuntimeError("a bug")
        super().fit(train, validation, context)


class Together(InProcess):
    """Takes two trials at a time, though it brings one after the other to its end."""

    def places(self) -> int:
        return 2


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    monkeypatch.setattr(Curved, "trained", [])
    return Curved.trained


def _folder(results: Path) -> Path:
    (file,) = results.rglob("study.json")
    return file.parent


def _found(study: Study) -> list[tuple[object, ...]]:
    return [(t.number, t.settings, t.state, t.value) for t in study.trials]


def test_processes_of_their_own_come_to_the_same_trials(
    tiny: Dataset, tiny_folder: Path, tmp_path: Path
) -> None:
    plan, results = plan_of(steps=3), tmp_path / "results"
    load = partial(load_dataset, tiny_folder, cache=tmp_path / "cache")
    with OneByOne(tmp_path / "logs") as engine:
        (study,) = tune([plan], tiny, SearchOptions(3), results, print, Crew(engine, load))
    assert _found(study) == _found(searched(plan, tiny, tmp_path / "here", 3))
    assert not any((tmp_path / "logs").iterdir())


def test_a_process_with_other_data_is_refused(
    tiny: Dataset, tiny_folder: Path, tmp_path: Path
) -> None:
    load = partial(load_dataset, tiny_folder, cache=tmp_path / "cache", seen="keep")
    options = SearchOptions(1)
    with OneByOne(tmp_path / "logs") as engine, pytest.raises(BenchmarkError) as caught:
        list(tune([plan_of()], tiny, options, tmp_path / "results", print, Crew(engine, load)))
    assert "another version of the code or of the data" in str(caught.value)
    assert "log: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_trials_at_work_together_are_all_counted_once(tiny: Dataset, tmp_path: Path) -> None:
    told: list[str] = []
    crew = Crew(Together(), lambda: tiny)
    plans = [plan_of(), replace(plan_of(), entry=replace(plan_of().entry, name="another"))]
    studies = [*tune(plans, tiny, SearchOptions(5), tmp_path, told.append, crew)]
    assert [s.model for s in studies] == ["curved", "another"]
    for study in studies:
        assert [t.number for t in study.trials] == [1, 2, 3, 4, 5]
        assert len({t.settings["knob"] for t in study.trials}) == 5
        assert study.best.value == max(t.value for t in study.trials if t.state == "complete")
    assert len(told) == 10


def test_a_trial_at_work_keeps_others_away_from_its_settings() -> None:
    space: Mapping[str, Dimension] = {"knob": Range(0.0, 1.0)}
    rng = np.random.default_rng(0)
    ended = [
        Trial(n, {"knob": float(k)}, "complete", float(0.5 - abs(k - 0.5)), {}, 1.0)
        for n, k in enumerate(rng.random(20), 1)
    ]

    def distance(at_work: list[Trial]) -> float:
        drawn = [propose(space, seed, 40, [*ended, *at_work])["knob"] for seed in range(20)]
        return float(np.mean(np.abs(np.array(drawn) - 0.5)))

    assert distance([Trial(n, {"knob": 0.5}) for n in range(21, 30)]) > distance([]) + 0.02


def test_a_study_that_cannot_go_on_leaves_the_others_alone(tiny: Dataset, tmp_path: Path) -> None:
    told: list[str] = []
    found = tune([plan_of(Faulty), plan_of()], tiny, SearchOptions(3), tmp_path, told.append)
    study = next(found)
    assert (study.model, len(study.trials)) == ("curved", 3)
    with pytest.raises(BenchmarkError, match=r"^faulty, trial 2 was stopped: .* goes on with it$"):
        next(found)
    assert any(line.endswith("the other trials go on") for line in told)


def test_what_a_killed_command_left_is_taken_up(
    tiny: Dataset, tmp_path: Path, trained: list[tuple[float, int]]
) -> None:
    """A trial that had ended, one that was planned, and both of them before the first one."""
    whole = searched(plan_of(), tiny, tmp_path, 4)
    folder = _folder(tmp_path)
    (folder / "study.json").unlink()
    ended, planned = whole.trials[1], Trial(4, {"knob": 0.123})
    write_trial(folder, ended)
    write_trial(folder, planned)
    trained.clear()
    study = searched(plan_of(), tiny, tmp_path, 4)
    assert study.trials[1] == ended
    assert study.trials[3].settings == planned.settings
    assert ended.settings["knob"] not in {knob for knob, _ in trained}
    assert _found(study)[:3] == _found(whole)[:3]
    assert [file.name for file in folder.iterdir()] == ["study.json"]


def test_a_trial_in_two_places_counts_once(
    tiny: Dataset, tmp_path: Path, trained: list[tuple[float, int]]
) -> None:
    """As where a kill came between the study's writing and the removal of the trial's file."""
    study = searched(plan_of(), tiny, tmp_path, 3)
    folder = _folder(tmp_path)
    write_trial(folder, replace(study.trials[2], seconds=99.0))
    trained.clear()
    assert searched(plan_of(), tiny, tmp_path, 3) == study
    assert trained == []
    assert [file.name for file in folder.iterdir()] == ["study.json"]


def test_a_trial_beyond_what_is_asked_for_stays_open(tiny: Dataset, tmp_path: Path) -> None:
    searched(plan_of(), tiny, tmp_path, 2)
    folder = _folder(tmp_path)
    write_trial(folder, Trial(3, {"knob": 0.5}))
    assert len(searched(plan_of(), tiny, tmp_path, 2).trials) == 2
    assert trials_in(folder)[3].state == "open"
    assert searched(plan_of(), tiny, tmp_path, 3).trials[2].settings == {"knob": 0.5}


def test_a_damaged_trial_is_told_and_leaves_the_study(tiny: Dataset, tmp_path: Path) -> None:
    study = searched(plan_of(), tiny, tmp_path, 2)
    folder = _folder(tmp_path)
    write_trial(folder, Trial(3, {"knob": 0.5}))
    file = folder / "trials" / "3.json"
    for damaged in (file.read_bytes()[:-3], file.read_bytes().replace(b"0.5", b"0.6")):
        file.write_bytes(damaged)
        with pytest.raises(BenchmarkError, match=r"trials/3\.json: damaged.*delete it"):
            searched(plan_of(), tiny, tmp_path, 3)
    write_trial(folder, Trial(4, {"knob": 0.5}))
    shutil.copy(folder / "trials" / "4.json", file)
    with pytest.raises(BenchmarkError, match=r"trials/3\.json: damaged"):
        searched(plan_of(), tiny, tmp_path, 3)
    assert read_study(folder) == study


def test_a_search_killed_with_its_workers_loses_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    """Takes some ten seconds, as each command starts a scheduler and two workers."""
    pytest.importorskip("distributed")
    home = tmp_path / "home"
    home.mkdir()
    arguments = ["--model", "bm25", "--dataset", str(tiny_folder), "--trials", "6"]
    killed = Killed(home, [*arguments, "--workers", "2"], 6)
    assert killed.run(3, 0.3, np.random.default_rng(3), 100) == []
    assert len(killed.kills) == 3
