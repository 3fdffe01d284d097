from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.registry import ModelEntry
from benchmark.running.identity import RunIdentity
from benchmark.running.plan import Experiment, TuningSummary

BOTH = (Task.REC, Task.SEARCH)


@dataclass(frozen=True)
class _Settings:
    size: int = 8
    rate: float = 0.5
    layers: tuple[int, ...] = field(default=(1, 2))


TUNING = TuningSummary("0123456789ab", {"trials": 20})


def identity(dataset: Dataset, **changes: Any) -> RunIdentity:
    asked: dict[str, Any] = {
        "model": "m",
        "source": "baselines.popularity:Popularity",
        "preset": "standard",
        "settings": _Settings(),
        "tasks": BOTH,
        "protocols": ("full", "sampled"),
        "seed": 1,
        "device": "cpu",
        **changes,
    }
    entry = ModelEntry(asked["model"], ("rec", "search"), "external", "", asked["source"])
    plan = Experiment(
        entry, asked["settings"], asked["preset"], asked["tasks"], asked.get("tuning")
    )
    return RunIdentity.of(plan, dataset, asked["protocols"], asked["seed"], asked["device"])


def test_the_same_request_has_the_same_id(tiny: Dataset) -> None:
    name = identity(tiny).run_id
    assert name == identity(tiny).run_id
    assert re.fullmatch(r"standard-s1-[0-9a-f]{12}", name)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"settings": _Settings(size=9)},
        {"settings": _Settings(rate=0.25)},
        {"settings": _Settings(layers=(2, 1))},
        {"tasks": (Task.REC,)},
        {"tasks": (Task.SEARCH,)},
        {"protocols": ("full",)},
        {"seed": 2},
        {"device": "cuda"},
        {"tuning": TUNING},
    ],
    ids=str,
)
def test_whatever_decides_the_outcome_changes_the_id(
    tiny: Dataset, changes: dict[str, Any]
) -> None:
    assert _digest(identity(tiny, **changes)) != _digest(identity(tiny))


@pytest.mark.parametrize("name", ["digest", "candidates_digest"])
def test_other_data_changes_the_id(tiny: Dataset, name: str) -> None:
    other = replace(tiny, **{name: "0" * 64})
    assert _digest(identity(other)) != _digest(identity(tiny))


def test_other_code_changes_the_id(tiny: Dataset) -> None:
    found = identity(tiny)
    assert _digest(replace(found, code="0" * 64)) != _digest(found)


def test_the_presets_name_alone_changes_the_prefix_only(tiny: Dataset) -> None:
    quick = identity(tiny, preset="quick")
    assert quick.run_id.startswith("quick-s1-")
    assert _digest(quick) == _digest(identity(tiny))


def _digest(found: RunIdentity) -> str:
    return found.run_id.rpartition("-")[2]
