"""A model under test: trained once, and once more, on a data set that has its tasks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from benchmark.budget import Budget
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import Model, TrainingContext, TrainView
from benchmark.registry import ModelEntry
from benchmark.settings import build_settings

__all__ = ["Subject", "unchanged_randomness"]

STEPS = 20
"""Of a training that is checked, at most."""
BATCH = 16
"""Sequences or samples in its batches, at most."""


@contextmanager
def unchanged_randomness() -> Iterator[None]:
    """Refuse what leaves a global random generator otherwise than it was.

    Raises:
        AssertionError: one was drawn from or seeded.
    """
    import torch

    def states() -> tuple[Any, Any, bytes]:
        kind, keys, *drawn = np.random.get_state()  # noqa: NPY002
        numpy = (kind, np.asarray(keys).tobytes(), *drawn)  # a few draws move the place alone
        return random.getstate(), numpy, torch.get_rng_state().numpy().tobytes()

    before = states()
    yield
    after = states()
    assert before[0] == after[0], "random"
    assert before[1] == after[1], "numpy.random"
    assert before[2] == after[2], "torch"


@dataclass(frozen=True)
class Subject:
    """A registered model, trained once on a data set that has its tasks.

    Its settings are those of preset ``quick``, with fewer and smaller steps.
    """

    entry: ModelEntry
    dataset: Dataset

    def train(self, seed: int = 1, view: TrainView | None = None) -> Model:
        """Return a freshly trained model, of another view of the training data if one is given."""
        kind = self.entry.load()
        settings = build_settings(kind.Settings, kind.presets, "quick", self.entry.settings)
        if isinstance(settings, Budget):  # what is checked here holds after any number of steps
            steps = min(STEPS, settings.steps or STEPS)
            settings = replace(settings, steps=steps, validate_every=max(1, steps // 2))
        if hasattr(settings, "batch_size"):
            settings = replace(settings, batch_size=min(settings.batch_size, BATCH))
        model = kind(settings)
        validation = HarnessValidation(self.dataset, self.tasks)
        model.fit(view or self.dataset.train, validation, TrainingContext(self.tasks, seed))
        return model

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return the tasks that the registry promises."""
        return tuple(Task(task) for task in self.entry.tasks)

    @cached_property
    def model(self) -> Model:
        """Return the model, trained at its first use."""
        return self.train()

    @cached_property
    def again(self) -> Model:
        """Return a model that is trained once more in the same way.

        Of another seed if it says that this changes nothing.

        Raises:
            AssertionError: training touches a global random generator.
        """
        with unchanged_randomness():
            return self.train(seed=1 if self.model.uses_seed else 2)

    def requests(self, task: Task) -> Requests:
        """Return the first test requests over the whole catalogue."""
        return self.dataset.evaluation["test", task].requests[:20]

    def with_candidates(self, task: Task) -> Requests:
        """Return the same requests with their sampled candidates."""
        asked = self.dataset.evaluation["test", task]
        some = asked.at(asked.asked("sampled")[:20])  # one of few wrong items has no list
        return replace(some.requests, candidates=some.lists["sampled"].rectangle())
