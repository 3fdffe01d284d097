from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from baselines.bm25 import BM25
from baselines.popularity import Popularity
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import BenchmarkError, InputError
from benchmark.model import TrainingContext, TrainView, Validation
from benchmark.registry import ModelEntry, find
from benchmark.running.plan import Experiment
from benchmark.search_space import SHARED, Choice, Dimension, Range, space_of
from benchmark.tuning.study import Study, find_study, tune

BOTH = (Task.REC, Task.SEARCH)


@dataclass(frozen=True)
class KnobSettings:
    learning_rate: float = field(default=1e-3, metadata={"doc": "shared"})
    knob: float = field(default=0.0, metadata={"doc": "share of rarity in the score"})
    other: int = field(default=3, metadata={"doc": "never searched"})


class Knob(Popularity):
    """Counts at random, or what is rare first, which finds more where few items are unseen."""

    Settings = KnobSettings
    search_space: ClassVar[Mapping[str, Dimension]] = {"knob": Range(0.0, 1.0)}
    fits: ClassVar[list[tuple[float, int]]] = []
    interrupted_at: ClassVar[int | None] = None
    bad_above: ClassVar[float] = 2.0

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        if len(self.fits) == self.interrupted_at:
            raise KeyboardInterrupt
        self.fits.append((self.settings.knob, context.seed))
        if self.settings.knob > self.bad_above:
            raise BenchmarkError("does not converge")
        super().fit(train, validation, context)
        noise = np.random.default_rng(0).random(len(self.counts)).astype(np.float32)
        share = np.float32(self.settings.knob)
        self.counts = (1 - share) * noise - share * self.counts / self.counts.max()

    def score(self, requests: Requests) -> NDArray[np.float32]:
        return super().score(requests)


ENTRY = ModelEntry("knob", ("rec", "search"), "external", "", "tests.tuning.test_study:Knob")


@pytest.fixture(autouse=True)
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    kind: Any = ENTRY.load()
    monkeypatch.setattr(kind, "fits", [])
    monkeypatch.setattr(kind, "interrupted_at", None)
    monkeypatch.setattr(kind, "bad_above", 2.0)
    return kind.fits


def _tune(data: Dataset, results: Path, trials: int, seed: int = 1) -> Study:
    told: list[str] = []
    kind: Any = ENTRY.load()
    plan = Experiment(ENTRY, kind.Settings(), "standard", BOTH)
    return tune(plan, data, trials, seed, "cpu", results, told.append)


def test_the_first_trial_is_the_preset_and_the_best_is_the_highest(
    tiny: Dataset, tmp_path: Path, fits
) -> None:
    study = _tune(tiny, tmp_path, 12)
    values = [trial.value for trial in study.trials]
    assert study.trials[0].settings == {"knob": 0.0, "learning_rate": 1e-3}
    assert study.best.value == max(v for v in values if v is not None)
    assert study.best.settings["knob"] > 0.0
    assert len(fits) == 12
    for trial in study.trials:
        assert trial.value == pytest.approx(np.mean(list(trial.by_task.values())))
        assert trial.settings["knob"] in Range(0.0, 1.0)
    assert {seed for _, seed in fits} == {1}


def test_test_requests_are_never_asked(tiny: Dataset, tmp_path: Path) -> None:
    kept = {key: value for key, value in tiny.evaluation.items() if key[0] == "validation"}
    blind = _tune(replace(tiny, evaluation=kept), tmp_path / "blind", 4)
    whole = _tune(tiny, tmp_path / "whole", 4)
    assert [t.value for t in blind.trials] == [t.value for t in whole.trials]


def test_an_interrupted_search_goes_on_as_it_would_have(
    tiny: Dataset, tmp_path: Path, fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _tune(tiny, tmp_path / "whole", 8)
    kind: Any = ENTRY.load()
    fits.clear()
    monkeypatch.setattr(kind, "interrupted_at", 5)
    with pytest.raises(KeyboardInterrupt):
        _tune(tiny, tmp_path / "parts", 8)
    assert len(fits) == 5
    monkeypatch.setattr(kind, "interrupted_at", None)
    resumed = _tune(tiny, tmp_path / "parts", 8)
    assert len(fits) == 8
    assert [t.settings for t in resumed.trials] == [t.settings for t in whole.trials]
    assert [t.value for t in resumed.trials] == [t.value for t in whole.trials]
    _tune(tiny, tmp_path / "parts", 8)
    assert len(fits) == 8


def test_another_seed_searches_elsewhere(tiny: Dataset, tmp_path: Path) -> None:
    first, second = (_tune(tiny, tmp_path, 4, seed) for seed in (1, 2))
    assert [t.settings for t in first.trials[1:]] != [t.settings for t in second.trials[1:]]


def test_a_failed_trial_is_written_down_and_never_chosen(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = ENTRY.load()
    monkeypatch.setattr(kind, "bad_above", 0.0)
    study = _tune(tiny, tmp_path, 4)
    assert [t.value is None for t in study.trials] == [False, True, True, True]
    assert {t.failure for t in study.trials[1:]} == {"does not converge"}
    assert study.best is study.trials[0]
    monkeypatch.setattr(kind, "bad_above", -1.0)
    hopeless = _tune(tiny, tmp_path / "hopeless", 2)
    with pytest.raises(BenchmarkError, match="no trial of knob succeeded: does not converge"):
        _ = hopeless.best


def test_a_study_is_found_by_where_it_started_and_the_largest_counts(
    tiny: Dataset, tmp_path: Path
) -> None:
    small, large = _tune(tiny, tmp_path, 2, seed=1), _tune(tiny, tmp_path, 3, seed=2)
    assert small.chosen().digest != large.chosen().digest
    kind: Any = ENTRY.load()
    plan = Experiment(ENTRY, kind.Settings(), "standard", BOTH)
    assert find_study(tmp_path, plan, tiny) == large
    for settings, tasks in ((kind.Settings(other=4), BOTH), (kind.Settings(), (Task.REC,))):
        with pytest.raises(InputError, match="benchmark tune --model knob"):
            find_study(tmp_path, Experiment(ENTRY, settings, "standard", tasks), tiny)


def test_a_damaged_study_is_told_in_one_line(tiny: Dataset, tmp_path: Path) -> None:
    _tune(tiny, tmp_path, 1)
    (file,) = (tmp_path / "tuning").rglob("study.json")
    whole = json.loads(file.read_text())
    for text in ("{", "[]", json.dumps({**whole, "schema": 99}), json.dumps({"schema": 1})):
        file.write_text(text)
        with pytest.raises(BenchmarkError, match=r"study\.json"):
            _tune(tiny, tmp_path, 2)


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_any_seed_that_a_run_takes_can_be_searched_with(
    seed: int, tiny: Dataset, tmp_path: Path
) -> None:
    assert len(_tune(tiny, tmp_path, 2, seed=seed).trials) == 2


def test_settings_of_one_name_are_searched_alike_in_every_model() -> None:
    assert space_of(BM25.Settings, BM25.search_space) == dict(BM25.search_space)
    assert space_of(Popularity.Settings, Popularity.search_space) == {}
    for name in ("sasrec", "gensar"):
        kind = find(name).load()
        space = space_of(kind.Settings, kind.search_space)
        assert {n: space[n] for n in SHARED} == dict(SHARED)


def test_what_lies_in_a_space() -> None:
    assert 0.5 in Range(0.0, 0.5)
    assert 0.51 not in Range(0.0, 0.5)
    assert 64 in Choice((32, 64))
    assert 48 not in Choice((32, 64))
