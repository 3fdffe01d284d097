from __future__ import annotations

import json
import math
import multiprocessing
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from baselines.bm25 import BM25
from baselines.popularity import Popularity
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import BenchmarkError, DivergedError, InputError, NoRoomError
from benchmark.locks import BusyError, locked
from benchmark.model import TrainingContext, TrainView, Validation
from benchmark.registry import ModelEntry, find
from benchmark.running.memory import Room
from benchmark.running.plan import Experiment
from benchmark.sealed import DamagedError, read_sealed, write_sealed
from benchmark.search_space import SHARED, Choice, Dimension, Range, space_of
from benchmark.tuning.open_study import trials_in
from benchmark.tuning.study import SearchOptions, Study, find_study, tune

BOTH = (Task.REC, Task.SEARCH)


@dataclass(frozen=True)
class KnobSettings:
    learning_rate: float = field(default=1e-3, metadata={"doc": "shared"})
    knob: float = field(default=0.0, metadata={"doc": "share of rarity in the score"})
    other: int = field(default=3, metadata={"doc": "never searched"})
    refused_above: ClassVar[float] = 2.0

    def __post_init__(self) -> None:
        if self.knob > self.refused_above:
            raise ValueError("setting 'knob': too high")


class Knob(Popularity):
    """Counts at random, or what is rare first, which finds more where few items are unseen."""

    Settings = KnobSettings
    search_space: ClassVar[Mapping[str, Dimension]] = {"knob": Range(0.0, 1.0)}
    fits: ClassVar[list[tuple[float, int]]] = []
    interrupted_at: ClassVar[int | None] = None
    bad_above: ClassVar[float] = 2.0
    fault: ClassVar[Exception | None] = None

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        if len(self.fits) == self.interrupted_at:
            raise KeyboardInterrupt
        self.fits.append((self.settings.knob, context.seed))
        if self.settings.knob > self.bad_above:
            raise DivergedError("does not converge")
        if self.fault is not None and len(self.fits) > 1:
            raise self.fault
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
    monkeypatch.setattr(kind, "fault", None)
    return kind.fits


def _tune(data: Dataset, results: Path, trials: int, seed: int = 1) -> Study:
    told: list[str] = []
    kind: Any = ENTRY.load()
    plan = Experiment(ENTRY, kind.Settings(), "standard", BOTH)
    (study,) = tune([plan], data, SearchOptions(trials, seed, "cpu"), results, told.append)
    return study


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


@dataclass(frozen=True)
class ShapesSettings:
    knob: float = field(default=0.0, metadata={"doc": "as in Knob"})
    widths: tuple[int, ...] = field(default=(), metadata={"doc": "several values"})


class Shapes(Knob):
    Settings = ShapesSettings
    search_space: ClassVar[Mapping[str, Dimension]] = {
        "knob": Range(0.0, 1.0),
        "widths": Choice(((32, 16), (8,), ())),
    }


SHAPES = ModelEntry("shapes", ("rec", "search"), "external", "", "tests.tuning.test_study:Shapes")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("start", [(), (32, 16), (5, 5)])
def test_a_search_over_tuples_goes_on_and_is_found(
    tiny: Dataset, tmp_path: Path, start: tuple[int, ...]
) -> None:
    plan = Experiment(SHAPES, ShapesSettings(widths=start), "standard", BOTH)
    (whole,) = tune([plan], tiny, SearchOptions(6), tmp_path / "whole", print)
    for trials in (2, 6):
        (parts,) = tune([plan], tiny, SearchOptions(trials), tmp_path / "parts", print)
    assert [t.settings for t in parts.trials] == [t.settings for t in whole.trials]
    assert {type(t.settings["widths"]) for t in parts.trials} == {tuple}
    found = find_study(tmp_path / "parts", plan, tiny)
    assert found == parts
    assert replace(plan.settings, **found.best.settings).widths in {start, (32, 16), (8,), ()}


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
    assert _tune(tiny, tmp_path, 4) == study


def test_a_preset_that_fails_is_an_error_and_is_not_stored(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = ENTRY.load()
    monkeypatch.setattr(kind, "bad_above", -1.0)
    with pytest.raises(BenchmarkError, match="settings that the search starts from fail: does not"):
        _tune(tiny, tmp_path, 2)
    assert not list(tmp_path.rglob("study.json"))


FAULTS: list[Exception] = [
    InputError("net.pt: cannot be written: No space left on device"),
    DamagedError(Path("net.pt"), "or of another run"),
    BusyError("somebody is at work"),
    BenchmarkError("encoder cannot be loaded from the hub"),
    OSError(28, "No space left on device"),
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ImportError("libcudart.so: cannot open shared object file"),
    ValueError("Input X contains NaN"),
    TypeError("a bug of the model"),
    RecursionError("maximum recursion depth exceeded"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_fault_that_is_not_the_settings_stops_the_search_and_leaves_the_trial_open(
    tiny: Dataset, tmp_path: Path, fits, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    kind: Any = ENTRY.load()
    whole = _tune(tiny, tmp_path / "whole", 3)
    fits.clear()
    monkeypatch.setattr(kind, "fault", fault)
    with pytest.raises(BenchmarkError, match=r"knob, trial 2 was stopped: [^\n]+goes on with it$"):
        _tune(tiny, tmp_path / "parts", 3)
    (file,) = (tmp_path / "parts").rglob("study.json")
    assert len(json.loads(file.read_text())["trials"]) == 1
    monkeypatch.setattr(kind, "fault", None)
    resumed = _tune(tiny, tmp_path / "parts", 3)
    assert [t.settings for t in resumed.trials] == [t.settings for t in whole.trials]
    assert [t.value for t in resumed.trials] == [t.value for t in whole.trials]


def test_a_trial_that_cannot_fit_is_refused_before_it_is_trained(
    tiny: Dataset, tmp_path: Path, fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.running.estimate.host_room", lambda: Room(2**20, "this machine"))
        refused = (
            r"knob, trial 1 was stopped: [^\n]+ this machine has 1 MiB [^\n]+ goes on with it$"
        )
        with pytest.raises(InputError, match=refused):
            _tune(tiny, tmp_path, 2)
    assert fits == []
    assert len(_tune(tiny, tmp_path, 2).trials) == 2


def test_a_search_goes_on_without_a_trial_that_cannot_fit_and_takes_it_up_later(
    tiny: Dataset, tmp_path: Path, fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = iter([2**40, 2**20, 2**40, 2**40])
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.running.estimate.host_room", lambda: Room(next(rooms), "here"))
        with pytest.raises(NoRoomError, match=r"knob, trial 2 was stopped: [^\n]+goes on with it$"):
            _tune(tiny, tmp_path, 4)
    (file,) = tmp_path.rglob("study.json")
    assert [t["number"] for t in json.loads(file.read_text())["trials"]] == [1, 3, 4]
    assert len(fits) == 3
    assert [t.number for t in _tune(tiny, tmp_path, 4).trials] == [1, 2, 3, 4]
    assert len(fits) == 4


def test_a_preset_whose_failure_nobody_could_tell_is_tried_again(
    tiny: Dataset, tmp_path: Path, fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the command had been killed between the trial's last word and its own."""
    kind: Any = ENTRY.load()
    with monkeypatch.context() as patch:
        patch.setattr(kind, "bad_above", -1.0)
        patch.setattr("benchmark.tuning.study._Search.take", _die)
        with pytest.raises(KeyboardInterrupt):
            _tune(tiny, tmp_path, 2)
    assert [t.state for t in trials_in(next(tmp_path.glob("tuning/*/*/*"))).values()] == ["failed"]
    assert len(_tune(tiny, tmp_path, 2).trials) == 2
    assert len(fits) == 3


def _die(*told: object) -> None:
    raise KeyboardInterrupt


def test_settings_that_the_model_refuses_are_a_verdict(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KnobSettings, "refused_above", 0.0)
    study = _tune(tiny, tmp_path, 3)
    assert [t.failure for t in study.trials] == ["", *["setting 'knob': too high"] * 2]


def _holding(folder: Path, ready: Any, done: Any) -> None:
    with locked(folder, 0):
        ready.set()
        done.wait(30)


def test_a_second_search_of_the_same_study_is_told_who_is_at_work(
    tiny: Dataset, tmp_path: Path
) -> None:
    stored = _tune(tiny, tmp_path, 1)
    (file,) = tmp_path.rglob("study.json")
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_holding, args=(file.parent, ready, done))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(BusyError, match=f"process {other.pid} "):
            _tune(tiny, tmp_path, 2)
    finally:
        done.set()
        other.join()
    assert _tune(tiny, tmp_path, 2).trials[0] == stored.trials[0]
    assert [f.name for f in file.parent.parent.iterdir()] == [file.parent.name]


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


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        values = json.loads(content)
        change(values)
        return json.dumps(values).encode()

    return edit


OPEN = {"number": 2, "state": "open", "value": None, "by_task": {}}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-9],
    "empty": lambda content: b"",
    "no object": lambda content: b"[]",
    "deeply nested": lambda content: b'{"base": ' + b"[" * 100_000,
    "no text": lambda content: b"\xff\xfe\x00",
    "another version": _edited(lambda study: study.update(schema=1)),
    "something more": _edited(lambda study: study.update(more=1)),
    "no trial": _edited(lambda study: study.update(trials=[])),
    "trials that are none": _edited(lambda study: study.update(trials=[3])),
    "a value beyond 1": _edited(lambda study: study["trials"][0].update(value=1.5)),
    "a value of NaN": _edited(lambda study: study["trials"][0].update(value=math.nan)),
    "a value that is text": _edited(lambda study: study["trials"][0].update(value="0.5")),
    "a trial that neither failed nor has a value": _edited(
        lambda study: study["trials"][0].update(value=None)
    ),
    "other settings": _edited(lambda study: study["trials"][0].update(settings={"knob": 0.5})),
    "settings that are lists": _edited(
        lambda study: study["trials"][0]["settings"].update(knob=[0.5])
    ),
    "a trial that has not ended": _edited(
        lambda study: study["trials"].append(study["trials"][0] | OPEN)
    ),
    "a trial twice": _edited(lambda study: study["trials"].append(study["trials"][0])),
    "a preset that was pruned": _edited(lambda study: study["trials"][0].update(state="pruned")),
    "a rule that is none": _edited(lambda study: study["pruning"].update(reduction_factor=1)),
    "seconds below 0": _edited(lambda study: study["trials"][0].update(seconds=-1.0)),
    "another seed": _edited(lambda study: study.update(seed=9)),
    "another base": _edited(lambda study: study["base"].update(other=4)),
}


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed again", "not sealed"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_study_is_refused_and_leaves_the_others(
    tiny: Dataset, tmp_path: Path, damage: Callable[[bytes], bytes], sealed: bool
) -> None:
    _tune(tiny, tmp_path, 1)
    (file,) = (tmp_path / "tuning").rglob("study.json")
    content = damage(read_sealed(file, file.parent.name))
    if sealed:
        write_sealed(file, content, file.parent.name)
    else:
        file.write_bytes(content)
    with pytest.raises(DamagedError, match=r"study\.json: damaged, [^\n]+delete it to start over$"):
        _tune(tiny, tmp_path, 2)
    kind: Any = ENTRY.load()
    plan = Experiment(ENTRY, kind.Settings(), "standard", BOTH)
    with pytest.raises(InputError, match=r"1 left out: .*study\.json: damaged"):
        find_study(tmp_path, plan, tiny)
    good, told = _tune(tiny, tmp_path, 1, seed=2), list[str]()
    assert find_study(tmp_path, plan, tiny, told.append) == good
    assert len(told) == 1
    assert told[0].startswith(f"left out: {file}: damaged")


def test_a_study_of_schema_2_is_still_read(tiny: Dataset, tmp_path: Path) -> None:
    kind: Any = ENTRY.load()
    plan = Experiment(ENTRY, kind.Settings(), "standard", BOTH)
    (study,) = tune([plan], tiny, SearchOptions(3, pruning=None), tmp_path, print)
    (file,) = tmp_path.rglob("study.json")
    older = json.loads(read_sealed(file, study.name))
    del older["pruning"]
    older["schema"] = 2
    for trial in older["trials"]:
        for name in ("number", "state", "curve"):
            del trial[name]
    older["trials"][2] |= {"value": None, "by_task": {}, "failure": "does not converge"}
    write_sealed(file, json.dumps(older).encode(), study.name)
    found = find_study(tmp_path, plan, tiny)
    assert found.trials[:2] == study.trials[:2]
    assert (found.trials[2].number, found.trials[2].state) == (3, "failed")
    (longer,) = tune([plan], tiny, SearchOptions(4, pruning=None), tmp_path, print)
    assert longer.trials[:3] == found.trials


def test_a_study_under_the_name_of_another_is_refused(tiny: Dataset, tmp_path: Path) -> None:
    first, second = _tune(tiny, tmp_path, 1), _tune(tiny, tmp_path, 1, seed=2)
    folder = next(tmp_path.rglob("study.json")).parent.parent
    (folder / first.name / "study.json").replace(folder / second.name / "study.json")
    with pytest.raises(DamagedError, match="of another run"):
        _tune(tiny, tmp_path, 1, seed=2)


def test_a_study_is_json_still(tiny: Dataset, tmp_path: Path) -> None:
    study = _tune(tiny, tmp_path, 2)
    (file,) = (tmp_path / "tuning").rglob("study.json")
    assert [t["value"] for t in json.loads(file.read_text())["trials"]] == [
        t.value for t in study.trials
    ]


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
