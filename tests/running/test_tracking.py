"""Trackers hear of every run that is trained, and whatever they do changes none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import benchmark as sr
from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, InputError
from benchmark.tracking import TRACKERS, Trackers, find_trackers

HEARD: list[tuple[str, Any]] = []


class Ear:
    """Keeps what it hears."""

    def begin(self, run: str, about: Mapping[str, Any]) -> None:
        HEARD.append(("begin", (run, about)))

    def validated(self, point: Mapping[str, float]) -> None:
        HEARD.append(("validated", point))

    def end(self, metrics: Mapping[str, float] | None) -> None:
        HEARD.append(("end", metrics))


class Deaf(Ear):
    """Fails when it is told of a validation."""

    def validated(self, point: Mapping[str, float]) -> None:
        raise RuntimeError("no")


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    HEARD.clear()


EAR = f"{__name__}:Ear"
SHORT = {"fm": {"steps": 4, "validate_every": 2}}


def test_a_tracker_hears_of_a_run_from_begin_to_end(tiny: Dataset, tmp_path: Path) -> None:
    (record,) = sr.run("fm", tiny, preset="quick", settings=SHORT, results=tmp_path, track=[EAR])
    kinds = [kind for kind, _ in HEARD]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("begin", "end", {"validated"})
    run, about = HEARD[0][1]
    assert (run, about["settings"]) == (record.info["run"], record.info["settings"])
    assert [point for kind, point in HEARD if kind == "validated"] == record.info["curve"]
    told = record.info["metrics"]["rec"]["full"]["ndcg@10"]
    assert HEARD[-1][1]["rec/full/ndcg@10"] == told
    HEARD.clear()
    sr.run("fm", tiny, preset="quick", settings=SHORT, results=tmp_path, track=[EAR])
    assert HEARD == []


def test_a_run_is_the_same_with_a_tracker(tiny: Dataset, tmp_path: Path) -> None:
    made = [
        sr.run("fm", tiny, preset="quick", settings=SHORT, results=tmp_path / str(n), track=track)
        for n, track in enumerate(([], [EAR]))
    ]
    runs, bytes_ = zip(
        *((m[0].info["run"], (m[0].folder / "requests.parquet").read_bytes()) for m in made),
        strict=True,
    )
    assert len(set(runs)) == len(set(bytes_)) == 1


def test_a_tracker_that_fails_ends_its_run_in_one_line(tiny: Dataset, tmp_path: Path) -> None:
    deaf = f"{__name__}:Deaf"
    with pytest.raises(BenchmarkError, match=f"tracker '{deaf}': RuntimeError: no"):
        sr.run("fm", tiny, preset="quick", settings=SHORT, results=tmp_path, track=[deaf])
    assert HEARD[-1] == ("end", None)


def test_unknown_and_missing_ones_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"'tensorbord'; did you mean 'tensorboard'"):
        find_trackers(["tensorbord"])
    with pytest.raises(BenchmarkError, match="cannot be made"):
        find_trackers(["no.such:Thing"])
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(BenchmarkError, match="pip install mlflow"):
        find_trackers(["mlflow"]).begin("r", {"model": "m", "settings": {}})


def test_tensorboard_gets_curves_and_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.chdir(tmp_path)
    trackers = find_trackers(["tensorboard"])
    trackers.begin("quick-s1-0", {"model": "m:x"})
    trackers.validated({"step": 5, "seconds": 1.0, "rec": 0.25})
    trackers.end({"rec/full/ndcg@10": 0.5})
    (folder,) = (tmp_path / "runs").iterdir()
    events = loader.EventAccumulator(str(folder)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("validation/rec")] == [(5, 0.25)]
    assert events.Scalars("test/rec/full/ndcg@10")[0].value == 0.5


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_services_are_told_what_they_understand(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in that keeps its calls; the services themselves are not asked."""
    calls: list[tuple[str, Any]] = []

    class Service(ModuleType):
        def __getattr__(self, called: str) -> Any:
            if called.startswith("__"):
                raise AttributeError(called)
            if called == "summary":
                return {}

            def call(*given: Any, **named: Any) -> Service:
                calls.append((called, given or named))
                return self

            return call

    monkeypatch.setitem(sys.modules, name, Service(name))
    trackers = Trackers({name: TRACKERS[name]()})
    trackers.begin("r", {"model": "m", "settings": {"width": 3}, "seed": 1, "dataset": "d"})
    trackers.validated({"step": 5, "rec": 0.25})
    trackers.end({"rec/full/ndcg@10": 0.5})
    told = [called for called, _ in calls]
    assert told[0] in ("start_run", "init")
    assert told[-1] in ("end_run", "finish")
    assert "@" not in repr([given for called, given in calls if called == "log_metrics"])
