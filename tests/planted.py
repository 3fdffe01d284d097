"""Made-up data with a planted fact, and how models score on it, user by user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.synthetic_card import write_synthetic_card
from benchmark.evaluation.evaluate import HarnessValidation, evaluate
from benchmark.evaluation.metrics import MAIN, compute
from benchmark.model import TrainingContext
from benchmark.registry import available
from benchmark.run_log import RunLog
from benchmark.settings import build_settings
from benchmark.statistics.multiple import holm
from benchmark.statistics.paired import LEVEL, by_unit
from benchmark.statistics.randomisation import randomisation_test

__all__ = ["Gain", "gains", "planted", "task_scores", "user_scores"]


def planted(place: Path, **rules: Any) -> Dataset:
    """Return the data set of some rules, through a card of its own in the folder ``place``."""
    name = "-".join(["data", *(f"{rule}-{value}" for rule, value in sorted(rules.items()))])
    if not (place / name).exists():
        write_synthetic_card(place / name, "planted", rules, ())
    return load_dataset(place / name, cache=place / "cache")


def user_scores(
    data: Dataset,
    name: str,
    task: Task,
    *,
    trained_for: Sequence[Task] | None = None,
    only: Task | None = None,
    seed: int = 1,
    preset: str = "standard",
    settings: Mapping[str, Any] | None = None,
) -> NDArray[np.float64]:
    """Train a model and return its NDCG@10 over the whole catalogue, ``[users]``.

    Args:
        data: the data.
        name: of the model.
        task: that is tested.
        trained_for: the tasks of the training, as ``run --tasks`` has them; the tested one if not
            given.
        only: leaves the events of this task alone to train on.
        seed: of the training.
        preset: of the settings.
        settings: that differ from the preset.
    """
    scores = task_scores(
        data, name, trained_for or (task,), only=only, seed=seed, preset=preset, settings=settings
    )
    return scores[task]


def task_scores(
    data: Dataset,
    name: str,
    tasks: Sequence[Task],
    *,
    only: Task | None = None,
    seed: int = 1,
    preset: str = "standard",
    settings: Mapping[str, Any] | None = None,
) -> dict[Task, NDArray[np.float64]]:
    """Train a model for tasks once and return NDCG@10 of each, ``[users]``; see above."""
    kind = available()[name].load()
    chosen = build_settings(kind.Settings, kind.presets, preset)
    model = kind(replace(chosen, **(settings or {})))  # type: ignore[type-var]
    log = RunLog(quiet=True)
    context = TrainingContext(tuple(tasks), seed, run_log=log)
    train = data.train if only is None else _only(data.train, only)
    model.fit(train, HarnessValidation(data, tuple(tasks)), context)
    return {
        outcome.task: by_unit(
            compute(outcome.counts, [MAIN])[MAIN],
            data.evaluation["test", outcome.task].requests.user[outcome.requests],
        )
        for outcome in evaluate(model, name, data, "test", tuple(tasks), ("full",), log)
    }


def _only(train: TrainView, task: Task) -> TrainView:
    searched = train.log.query >= 0
    return replace(train, log=train.log.select(searched == (task is Task.SEARCH)))


@dataclass(frozen=True)
class Gain:
    """What one training gains on its reference, over the same users.

    Attributes:
        before: mean NDCG@10 of the reference.
        after: of the other.
        p: two-sided, of Fisher's randomisation test over users, after Holm's correction.
    """

    before: float
    after: float
    p: float

    @property
    def significant(self) -> bool:
        """Whether it is better, and not by chance."""
        return self.after > self.before and self.p < LEVEL


def gains(
    pairs: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> dict[str, Gain]:
    """Compare pairs of (reference, other), ``[users]`` each, corrected over all of them."""
    p = holm([randomisation_test(after - before) for before, after in pairs.values()])
    return {
        name: Gain(float(before.mean()), float(after.mean()), each)
        for (name, (before, after)), each in zip(pairs.items(), p, strict=True)
    }
