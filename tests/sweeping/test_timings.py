"""A run is expected to take what the nearest earlier runs took, and it is said which these are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmark.data.requests import Task
from benchmark.registry import find
from benchmark.running.plan import Experiment
from benchmark.sweeping.timings import Estimate, Timings

BM25 = find("bm25")


def _experiment(preset: str = "quick", **changed: Any) -> Experiment:
    kind: Any = BM25.load()
    return Experiment(BM25, kind.Settings(**changed), preset, (Task.SEARCH,))


def _record(seconds: float, dataset: str = "d", preset: str = "quick", **more: Any) -> Any:
    record = {
        "model": "bm25",
        "dataset": dataset,
        "preset": preset,
        "settings": json.loads(json.dumps(asdict(_experiment().settings))),
        "tasks": ["search"],
        "phases": [
            {"name": "fit/inner", "seconds": 1e6},
            {"name": "fit", "seconds": seconds - 1},
            {"name": "evaluate", "seconds": 1},
        ],
    }
    return record | more


FAR = _record(50, "other", "standard")
ON_OTHER = _record(40, "other", "quick")
OTHER_PRESET = _record(30, "d", "standard")
OTHER_SETTINGS = _record(20, settings={"k1": 9})
ALL = [FAR, ON_OTHER, OTHER_PRESET, OTHER_SETTINGS, _record(9), _record(10), _record(14)]


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


def test_what_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    place = tmp_path / "runs" / "d" / "bm25"
    for number, text in enumerate(("{", "[]", "{}", json.dumps(_record(5)))):
        (place / str(number)).mkdir(parents=True)
        (place / str(number) / "run.json").write_text(text)
    (place / "empty").mkdir()
    assert Timings.stored(tmp_path, tmp_path, tmp_path / "no").of(_experiment(), "d") == Estimate(
        5, "the same"
    )
