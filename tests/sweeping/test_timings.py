"""A run is expected to take what the nearest earlier runs took, and it is said which these are."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from benchmark.data.requests import Task
from benchmark.registry import find
from benchmark.results.earlier import EarlierRun
from benchmark.running.plan import Experiment
from benchmark.sweeping.timings import Estimate, Timings

BM25 = find("bm25")


def _experiment(preset: str = "quick", **changed: Any) -> Experiment:
    kind: Any = BM25.load()
    return Experiment(BM25, kind.Settings(**changed), preset, (Task.SEARCH,))


def _run(seconds: float, dataset: str = "d", preset: str = "quick", **more: Any) -> EarlierRun:
    phases = {"fit/inner": 1e6, "fit": seconds - 1, "evaluate": 1}
    run = EarlierRun(
        model="bm25",
        preset=preset,
        settings=json.loads(json.dumps(asdict(_experiment().settings))),
        tasks=("search",),
        dataset=dataset,
        digest="0" * 64,
        seed=1,
        device="cpu",
        machine=("one", 1),
        seconds=phases,
        alone=phases,
        peak_memory_mib=1,
        sizes=None,
        finished="2024-01-01T00:00:00+00:00",
        steps=None,
    )
    return replace(run, **more)


FAR = _run(50, "other", "standard")
ON_OTHER = _run(40, "other", "quick")
OTHER_PRESET = _run(30, "d", "standard")
OTHER_SETTINGS = _run(20, settings={"k1": 9})
ALL = [FAR, ON_OTHER, OTHER_PRESET, OTHER_SETTINGS, _run(9), _run(10), _run(14)]


@pytest.mark.parametrize(
    ("known", "estimate"),
    [
        (7, Estimate(10, "the same")),
        (4, Estimate(20, "other settings")),
        (3, Estimate(30, "preset standard")),
        (2, Estimate(40, "other")),
        (1, Estimate(50, "other, preset standard")),
        (0, None),
    ],
)
def test_the_nearest_earlier_runs_tell(known: int, estimate: Estimate | None) -> None:
    assert Timings(ALL[:known]).of(_experiment(), "d") == estimate
