from __future__ import annotations

import os
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from baselines.popularity import Popularity
from benchmark.data.dataset import Dataset
from benchmark.data.evaluation_set import Repeated
from benchmark.data.requests import PAD, Task
from benchmark.errors import BenchmarkError, InputError
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.evaluate import HarnessValidation, evaluate
from benchmark.evaluation.metrics import METRICS, TopLists, compute, describe_lists
from benchmark.model import NoSettings, TrainingContext, TrainView, Validation
from benchmark.registry import ModelEntry
from benchmark.results.parquet import from_bytes, to_bytes
from benchmark.results.record import read_run
from benchmark.results.table import TOP
from benchmark.run_log import RunLog
from benchmark.running.device import resolve_device
from benchmark.running.identity import code_digest, harness_digest
from benchmark.running.plan import Experiment
from benchmark.running.runner import RunResult, run_model
from tests.results.graded import graded

BOTH = (Task.REC, Task.SEARCH)


class Steps(Popularity):
    """Trains in three steps, each with a checkpoint; can be told to fail in one."""

    fails_in: ClassVar[int | None] = None
    started_from: ClassVar[list[int]] = []
    contexts: ClassVar[list[TrainingContext]] = []

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        super().fit(train, validation, context)
        assert context.checkpoints is not None
        context.checkpoints.mkdir(parents=True, exist_ok=True)
        file = context.checkpoints / "step"
        done = int(file.read_text()) if file.exists() else 0
        self.contexts.append(context)
        self.started_from.append(done)
        for step in range(done, 3):
            if step == self.fails_in:
                raise KeyboardInterrupt
            with context.run_log.phase("step"):
                file.write_text(str(step + 1))
            context.run_log.validated(epoch=step, **validation.measure(self))
        context.run_log.facts["answer"] = 42


ENTRY = ModelEntry(
    "steps", ("rec", "search"), "external", "in steps", "tests.running.test_runner:Steps"
)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> type[Steps]:
    monkeypatch.setattr(Steps, "fails_in", None)
    monkeypatch.setattr(Steps, "started_from", [])
    monkeypatch.setattr(Steps, "contexts", [])
    return ENTRY.load()  # type: ignore[return-value]


def run(data: Dataset, results: Path, **changes: Any) -> RunResult:
    plan = {"entry": ENTRY, "settings": NoSettings(), "preset": "standard", "tasks": BOTH}
    plan |= {name: changes.pop(name) for name in plan if name in changes}
    values = {
        "plan": Experiment(**plan),
        "dataset": data,
        "protocols": ("full", "sampled"),
        "seed": 1,
        "device": "cpu",
        "results": results,
        "fresh": False,
        **changes,
    }
    return run_model(**values)


def test_a_record_holds_what_the_contract_names(tiny: Dataset, tmp_path: Path) -> None:
    info = run(tiny, tmp_path, seed=5).record.info
    expected = {
        "schema": 2,
        "model": "steps",
        "settings": {},
        "preset": "standard",
        "dataset": "tiny",
        "dataset_digest": tiny.digest,
        "candidates_digest": tiny.candidates_digest,
        "split": "leave-one-out",
        "leakage": "safe",
        "seen": "exclude",
        "repeated": {task: {"targets": 0, "requests": 0} for task in ("rec", "search")},
        "harness": harness_digest(),
        "tasks": ["rec", "search"],
        "protocols": ["full", "sampled"],
        "seed": 5,
        "device": "cpu",
        "parameters": len(tiny.items),
        "facts": {"answer": 42},
    }
    assert {name: info[name] for name in expected} == expected
    assert [p["name"] for p in info["phases"]] == ["fit/step"] * 3 + ["fit", "evaluate"]
    assert all(p["seconds"] >= 0 and p["memory_mib"] > 0 for p in info["phases"])
    assert info["peak_memory_mib"] > 0
    assert [point["epoch"] for point in info["curve"]] == [0, 1, 2]
    assert all(point.keys() == {"seconds", "epoch", "rec", "search"} for point in info["curve"])
    assert info["code"] == code_digest(ENTRY) != info["harness"]
    environment = info["environment"]
    assert environment["packages"]["numpy"] == np.__version__
    assert environment["cpus"] == os.cpu_count()
    assert {"python", "platform", "cpu", "device"} <= environment.keys()


def _block(frame: pd.DataFrame, task: str, protocol: str) -> pd.DataFrame:
    return frame[(frame["task"] == task) & (frame["protocol"] == protocol)]


def test_stored_means_are_those_of_the_stored_rows(tiny: Dataset, tmp_path: Path) -> None:
    data = graded(tiny)
    record = run(data, tmp_path, protocols=("full", "sampled", "given")).record
    requests, top = record.requests(), record.top()
    assert top is not None
    events = np.bincount(data.train.log.item, minlength=len(data.items))
    blocks = [(task, p) for task in ("rec", "search") for p in ("full", "sampled", "given")]
    assert list(requests.groupby(["task", "protocol"], sort=False).groups) == blocks
    for task, protocol in blocks:
        part, means = _block(requests, task, protocol), record.info["metrics"][task][protocol]
        asked = data.evaluation["test", Task(task)]
        values = compute(Counts.of_table(part))
        assert {name: means[name] for name in METRICS} == {n: v.mean() for n, v in values.items()}
        assert means["requests"] == part["request"].nunique() == len(asked)
        for name in ("request", "item", "gain"):
            np.testing.assert_array_equal(part[name], getattr(asked.relevant, name))
        lists, own = np.full((len(asked), 10), PAD), _block(top, task, protocol)
        lists[own["request"], own["rank"] - 1] = own["item"]
        stated = describe_lists(TopLists(lists, events))
        assert stated == {name: means[name] for name in stated}
        assert stated.keys() >= {"coverage@10", "popularity@10", "gini@10"}


def test_stored_candidates_are_those_that_were_counted(tiny: Dataset, tmp_path: Path) -> None:
    data, model = graded(tiny), Popularity()
    frame = run(data, tmp_path, protocols=("full", "sampled", "given")).record.requests()
    model.fit(data.train, HarnessValidation(data, BOTH), TrainingContext(BOTH, 1))
    asked = ("full", "sampled", "given")
    for outcome in evaluate(model, "popularity", data, "test", BOTH, asked, RunLog(quiet=True)):
        part = _block(frame, str(outcome.task), outcome.protocol)
        for name in ("request", "gain", "greater", "tied", "candidates"):
            np.testing.assert_array_equal(part[name], getattr(outcome.counts, name))


@pytest.mark.parametrize("now", ["others", "nothing"])
def test_lists_that_are_not_those_that_were_checked_are_refused(
    tiny: Dataset, tmp_path: Path, now: str
) -> None:
    record = run(tiny, tmp_path).record
    file = record.folder / "top.parquet"
    top = record.tables().top
    assert top is not None and top.equals(from_bytes(file.read_bytes(), TOP, file.name))
    file.unlink()
    if now == "others":
        file.write_bytes(to_bytes(top.slice(1)))
    for read in (record.top, record.tables):
        with pytest.raises(BenchmarkError, match=r"top\.parquet"):
            read()


def test_what_was_not_asked_is_counted(tiny: Dataset, tmp_path: Path) -> None:
    rec = replace(tiny.evaluation["test", Task.REC], repeated=Repeated(targets=7, requests=3))
    data = replace(tiny, evaluation={**tiny.evaluation, ("test", Task.REC): rec})
    assert run(data, tmp_path).record.info["repeated"] == {
        "rec": {"targets": 7, "requests": 3},
        "search": {"targets": 0, "requests": 0},
    }


def test_a_run_of_one_protocol_shares_its_requests_with_the_others(
    tiny: Dataset, tmp_path: Path
) -> None:
    whole = run(tiny, tmp_path).record.requests()
    for tasks, protocols in (((Task.SEARCH,), ("full", "sampled")), (BOTH, ("sampled",))):
        part = run(tiny, tmp_path, tasks=tasks, protocols=protocols).record.requests()
        expected = whole[whole["task"].isin(map(str, tasks)) & whole["protocol"].isin(protocols)]
        assert part.equals(expected.reset_index(drop=True))
    assert len(list(tmp_path.glob("runs/tiny/requests-*.parquet"))) == 1


def test_equal_runs_give_equal_bytes(tiny: Dataset, tmp_path: Path) -> None:
    one, two = (run(tiny, tmp_path / name).record.folder for name in "ab")
    assert one.name == two.name
    for name in ("requests.parquet", "top.parquet", "model.safetensors", "config.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_the_stored_model_can_be_loaded(tiny: Dataset, tmp_path: Path, model: type[Steps]) -> None:
    loaded = model.load(run(tiny, tmp_path).record.folder)
    expected = np.bincount(tiny.train.log.item, minlength=len(tiny.items))
    np.testing.assert_array_equal(loaded.counts, expected)


def test_a_stored_run_is_found(tiny: Dataset, tmp_path: Path, model: type[Steps]) -> None:
    first, second = run(tiny, tmp_path), run(tiny, tmp_path)
    assert (first.reused, second.reused) == (False, True)
    assert second.record == first.record
    assert len(model.contexts) == 1


def test_a_damaged_run_is_run_again(
    tiny: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(tiny, tmp_path).record
    wanted = (first.folder / "requests.parquet").read_bytes()
    (first.folder / "requests.parquet").write_bytes(wanted[:-1])
    second = run(tiny, tmp_path)
    assert not second.reused
    assert (second.record.folder / "requests.parquet").read_bytes() == wanted
    assert "it is run again" in capsys.readouterr().err


def test_an_interrupted_run_stores_nothing_and_goes_on(
    tiny: Dataset, tmp_path: Path, model: type[Steps], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(model, "fails_in", 2)
        run(tiny, tmp_path)
    assert not (tmp_path / "runs").exists()
    whole = run(tiny, tmp_path)
    assert model.started_from == [0, 2]
    assert not whole.reused
    assert not list((tmp_path / "checkpoints").rglob("step"))


def test_fresh_forgets_the_checkpoints_and_keeps_the_old_run_until_the_end(
    tiny: Dataset, tmp_path: Path, model: type[Steps], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run(tiny, tmp_path).record
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(model, "fails_in", 1)
        run(tiny, tmp_path, fresh=True)
    assert read_run(before.folder) == before
    run(tiny, tmp_path, fresh=True)
    assert model.started_from == [0, 0, 0]


def test_checkpoints_belong_to_one_request(
    tiny: Dataset, tmp_path: Path, model: type[Steps]
) -> None:
    run(tiny, tmp_path, seed=1)
    run(tiny, tmp_path, seed=2)
    run(tiny, tmp_path, tasks=(Task.REC,))
    assert len({context.checkpoints for context in model.contexts}) == 3
    assert [context.seed for context in model.contexts] == [1, 2, 1]
    assert model.contexts[2].tasks == (Task.REC,)


def _torch(available: bool) -> types.ModuleType:
    fake = types.ModuleType("torch")
    fake.cuda = types.SimpleNamespace(is_available=lambda: available)  # type: ignore[attr-defined]
    return fake


class _OnGPU(Popularity):
    uses_gpu = True


def test_a_model_that_uses_a_gpu_gets_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", _torch(True))
    devices = [resolve_device(d, _OnGPU()) for d in ("auto", "cuda", "cpu")]
    assert devices == ["cuda", "cuda", "cpu"]
    monkeypatch.setitem(sys.modules, "torch", _torch(False))
    assert [resolve_device(d, _OnGPU()) for d in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(InputError, match="--device cuda: no CUDA device is visible"):
        resolve_device("cuda", _OnGPU())


def test_a_model_that_uses_none_runs_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", _torch(True))
    assert [resolve_device(d, Popularity()) for d in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(InputError, match="--device cuda: the model computes on the CPU only"):
        resolve_device("cuda", Popularity())
