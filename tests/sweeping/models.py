"""Models that train in no time and take a step that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.popularity import Popularity
from benchmark.data.requests import Task
from benchmark.errors import DivergedError
from benchmark.model import SharedStep, TrainingContext, TrainView, Validation
from benchmark.registry import ModelEntry
from benchmark.settings import setting

ENTRIES = {
    name: ModelEntry(name, ("rec", "search"), "external", "", f"{__name__}:{kind}")
    for name, kind in (("sharing", "Sharing"), ("sharing-too", "SharingToo"))
}


@dataclass(frozen=True)
class SharingSettings:
    """Settings of :class:`Sharing`."""

    weight: int = setting(1, "of what is shared")
    step: str = setting("vectors", "what the step makes")
    fails: bool = setting(False, "whether training fails")
    seeded: bool = setting(False, "whether the seed decides the step")


class Sharing(Popularity):
    """Popularity, moved by numbers that take a shared step to make."""

    Settings = SharingSettings
    ablations: ClassVar[Mapping[str, Mapping[str, Any]]] = {"no weight": {"weight": 0}}
    made: ClassVar[list[int]] = []

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        step: Any = self.settings
        return [SharedStep("numbers", (step.step,), self._numbers, step.seeded)]

    def _numbers(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> np.ndarray:
        settings: Any = self.settings
        shared = context.shared("numbers", settings.step, seeded=settings.seeded)

        def make() -> dict[str, np.ndarray]:
            if settings.step == "impossible":
                raise DivergedError("the numbers are not finite")
            self.made.append(context.seed)
            return {"n": np.arange(len(train.items), dtype=np.float32)}

        with shared.making():
            return shared.kept("numbers", make)["n"]

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        settings: Any = self.settings
        numbers = self._numbers(train, validation, context)
        if settings.fails:
            raise DivergedError("it fails, as it was told")
        super().fit(train, validation, context)
        order = np.random.default_rng(context.seed).permutation(len(numbers))
        self.counts = self.counts + settings.weight * numbers[order]


class SharingToo(Sharing):
    """Another model with the same step."""
