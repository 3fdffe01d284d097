"""Models with validation curves that their settings decide, for tests of searches."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from baselines.popularity import Popularity
from benchmark.budget import Budget
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.learning.training_loop import TrainingLoop
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.registry import ModelEntry
from benchmark.running.plan import Experiment
from benchmark.search_space import Dimension, Range
from benchmark.tuning.study import SearchOptions, Study, tune

__all__ = ["BOTH", "Curved", "CurvedSettings", "plan_of", "searched"]

BOTH = (Task.REC, Task.SEARCH)


@dataclass(frozen=True)
class CurvedSettings(Budget):
    knob: float = field(default=0.0, metadata={"doc": "share of rarity in the score at the end"})
    steps: int = field(default=10, metadata={"doc": "most steps"})
    decay: float = field(default=0.0, metadata={"doc": "no end of another kind"})
    validate_every: int = field(default=1, metadata={"doc": "steps between validations"})
    patience: int = field(default=100, metadata={"doc": "validations without a gain"})
    pause: float = field(default=0.0, metadata={"doc": "seconds that a step takes"})


class Curved(Popularity):
    """Ranks at random at first, and the more by rarity the longer it is trained.

    What is rare first finds more where few items are unseen, so the curve rises to a height that
    ``knob`` decides.
    """

    Settings = CurvedSettings
    search_space: ClassVar[Mapping[str, Dimension]] = {"knob": Range(0.0, 1.0)}
    trained: ClassVar[list[tuple[float, int]]] = []
    interrupted_at: ClassVar[int | None] = None

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        super().fit(train, validation, context)
        self.popularity = self.counts
        told = self.loop("curved", lambda: validation.measure(self), context)
        self.rank(told["best_step"])

    def loop(self, name: str, measure, context: TrainingContext) -> dict[str, Any]:
        module = nn.Linear(1, 1)
        self.optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
        return TrainingLoop(name, module, self, context, self.settings, 0.1).run(measure)

    def batches(self, epoch: int) -> list[int]:
        return [epoch]

    def step(self, batch: int, rng: np.random.Generator) -> float:
        if len(self.trained) == self.interrupted_at:
            raise KeyboardInterrupt
        time.sleep(self.settings.pause)
        self.trained.append((self.settings.knob, batch))
        self.rank(batch + 1)
        return 1.0

    def rank(self, step: int) -> None:
        share = np.float32(0.8 * self.settings.knob * (step / self.settings.steps) ** 0.5)
        noise = np.random.default_rng(2).random(len(self.popularity)).astype(np.float32)
        self.counts = (1 - share) * noise - share * self.popularity / self.popularity.max()


class WithPart(Curved):
    """Has a part that is trained and validated as a model of its own, and then nothing."""

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        part = Curved(self.settings)
        part.fit(train, validation, context)
        self.popularity = part.popularity
        self.rank(self.settings.steps)


class InPhases(Curved):
    """Is trained for each task alone after both together, as UnifiedSSR is."""

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        super().fit(train, validation, context)
        for task in context.tasks:
            self.loop(str(task), lambda task=task: self.alone(validation, task), context)

    def alone(self, validation: Validation, task: Task) -> dict[str, float]:
        return {name: v for name, v in validation.measure(self).items() if name == task}


class Swallowing(Curved):
    """Makes nothing of errors."""

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        try:
            super().fit(train, validation, context)
        except Exception:
            self.rank(1)


def plan_of(kind: type[Model] = Curved, **settings: float) -> Experiment:
    """Return a plan of one of the models of this module."""
    name = kind.__name__.lower()
    source = f"{kind.__module__}:{kind.__name__}"
    entry = ModelEntry(name, ("rec", "search"), "external", "", source)
    return Experiment(entry, kind.Settings(**settings), "standard", BOTH)


def searched(
    plan: Experiment, data: Dataset, results: Path, trials: int, **options: object
) -> Study:
    """Search in this process and return the study."""
    (study,) = tune([plan], data, SearchOptions(trials, **options), results, lambda line: None)
    return study
